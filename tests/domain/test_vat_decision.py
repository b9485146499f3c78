"""VAT of electronic services: every rule of the table, and rates by date."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from importlib import resources
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faktura.domain import vat_rates
from faktura.domain.countries import COUNTRIES
from faktura.domain.draft import parse_draft
from faktura.domain.errors import InvalidDocumentError
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.vat import VatCategory, VatKey
from faktura.domain.vat_decision import VAT_RULES, Supply, compact_vat_id, decide_vat, find_decision, has_valid_vat_id, infer_tax_country
from faktura.domain.vat_rates import EU_COUNTRIES, standard_rate

DAY = date(2026, 1, 15)
BG = Party(name="Hosting OOD", country="BG", vat_id="BG175074752")
DE = Party(name="Domains GmbH", country="DE", vat_id="DE136695976")

# rule, seller, buyer, what follows
CASES = [
    ("Art. 59", BG, Party(name="Ltd", country="GB"), VatKey(VatCategory.OUTSIDE_SCOPE, Decimal(0))),
    ("Art. 59", DE, Party(name="Inc", country="US", vat_id="DE136695976"), VatKey(VatCategory.OUTSIDE_SCOPE, Decimal(0))),
    ("Art. 45 home", BG, Party(name="EOOD", country="BG"), VatKey(VatCategory.STANDARD, Decimal(20))),
    ("Art. 45 home", DE, DE, VatKey(VatCategory.STANDARD, Decimal(19))),
    ("Art. 196", BG, DE, VatKey(VatCategory.REVERSE_CHARGE, Decimal(0))),
    ("Art. 196", DE, Party(name="AE", country="GR", vat_id="EL094259216"), VatKey(VatCategory.REVERSE_CHARGE, Decimal(0))),
    ("Art. 58", BG, Party(name="Anna", country="DE"), VatKey(VatCategory.STANDARD, Decimal(19))),
    ("Art. 58", DE, Party(name="Aino", country="FI"), VatKey(VatCategory.STANDARD, Decimal("25.5"))),
    ("Art. 58", BG, Party(name="Wrong digits", country="DE", vat_id="DE136695977"), VatKey(VatCategory.STANDARD, Decimal(19))),
    ("Art. 58", BG, Party(name="Another country's id", country="FR", vat_id="DE136695976"), VatKey(VatCategory.STANDARD, Decimal(20))),
]


@pytest.mark.parametrize(("rule", "seller", "buyer", "vat"), CASES, ids=[f"{rule} {buyer.name}" for rule, _, buyer, _ in CASES])
def test_the_rule_that_applies_decides(rule: str, seller: Party, buyer: Party, vat: VatKey) -> None:
    """Place of supply and who owes the tax, for businesses and consumers at home, in the EU and beyond."""
    decision = decide_vat(Supply(seller=seller, buyer=buyer, day=DAY))
    assert (decision.rule, decision.vat) == (rule, vat)
    assert decision.tax_country == (seller if rule == "Art. 45 home" else buyer).country
    assert (decision.reason is not None) == (vat.category is not None and vat.category.needs_reason)


def test_every_rule_has_a_case() -> None:
    """A new row of the table without a case here fails."""
    assert {rule.id for rule in VAT_RULES} == {case[0] for case in CASES}


@given(seller=st.sampled_from(sorted(EU_COUNTRIES)), buyer=st.sampled_from([*sorted(EU_COUNTRIES), "GB", "US", "CH"]), days=st.integers(0, 3000))
def test_every_supply_is_decided(seller: str, buyer: str, days: int) -> None:
    """From any member state to anywhere, on any day of the table: one category, and a rate above 0 exactly for S."""
    supply = Supply(seller=Party(name="S", country=seller), buyer=Party(name="B", country=buyer), day=date(2018, 1, 1) + timedelta(days=days))
    vat = decide_vat(supply).vat
    assert vat.category is not None
    assert (vat.rate > 0) == vat.category.taxed


@pytest.mark.parametrize(
    ("country", "day", "rate"),
    [
        ("DE", date(2020, 6, 30), "19"),
        ("DE", date(2020, 7, 1), "16"),
        ("DE", date(2020, 12, 31), "16"),
        ("DE", date(2021, 1, 1), "19"),
        ("EE", date(2025, 6, 30), "22"),
        ("EE", date(2025, 7, 1), "24"),
        ("RO", date(2025, 8, 1), "21"),
        ("SK", date(2025, 1, 1), "23"),
        ("FI", date(2024, 8, 31), "24"),
        ("GR", date(2010, 3, 14), "19"),
        ("GR", date(2010, 3, 15), "21"),
        ("ES", date(2012, 8, 31), "18"),
        ("IT", date(2013, 9, 30), "21"),
        ("IT", date(2013, 10, 1), "22"),
        ("NL", date(2012, 9, 30), "19"),
        ("FR", date(2013, 12, 31), "19.6"),
        ("LU", date(2023, 12, 31), "16"),
        ("IE", date(2021, 2, 28), "21"),
        ("RO", date(2015, 12, 31), "24"),
    ],
)
def test_rates_change_on_their_day(country: str, day: date, rate: str) -> None:
    """A rate holds from its first day to the day before the next one."""
    assert standard_rate(country, day) == Decimal(rate)


@pytest.mark.parametrize("country", sorted(EU_COUNTRIES))
def test_the_history_is_whole(country: str) -> None:
    """Every member state has a lawful standard rate (at least 15 %, Art. 97) on every day since 2010, or since it joined; no row repeats the one before."""
    since = max(date(2010, 1, 1), {"HR": date(2013, 7, 1)}.get(country, date.min))
    days = [since + timedelta(days=count) for count in range((DAY - since).days)]
    assert all(15 <= standard_rate(country, day) <= 27 for day in days)
    rows = [row.split() for row in vat_rates._ROWS.strip().splitlines() if row.startswith(country)]
    assert [row[2] for row in rows] == sorted({row[2] for row in rows})
    assert all(before[1] != after[1] for before, after in pairwise(rows))


@pytest.mark.parametrize(("country", "day"), [("GB", DAY), ("XX", DAY), ("DE", date(1999, 1, 1))])
def test_an_unknown_rate_is_an_error(country: str, day: date) -> None:
    """Neither other countries nor days before the table get a guess."""
    with pytest.raises(ValueError, match="no standard VAT rate"):
        standard_rate(country, day)


def test_there_are_27_member_states() -> None:
    """The table is whole."""
    assert len(EU_COUNTRIES) == 27


@pytest.mark.parametrize("buyer", [Party(name="B"), Party(name="B", country="BG")])
def test_without_countries_nothing_is_decided(buyer: Party) -> None:
    """A missing country, or a seller outside the EU, is an error."""
    seller = BG if buyer.country is None else Party(name="S", country="US")
    with pytest.raises(ValueError, match="country"):
        decide_vat(Supply(seller=seller, buyer=buyer, day=DAY))


@pytest.mark.parametrize(("code", "words"), [("EL", "that is GR"), ("UK", "that is GB"), ("XX", "is no country of ISO 3166-1"), ("EU", "is no country")])
def test_a_misspelt_country_is_not_outside_the_eu(code: str, words: str) -> None:
    """Nothing is decided for a code that is no country's: taken for one outside the EU, a Greek consumer would be charged nothing."""
    supply = Supply(seller=BG, buyer=Party(name="B", country=code), day=DAY)
    with pytest.raises(ValueError, match=words):
        decide_vat(supply)
    assert find_decision(supply) is None


def test_the_codes_are_those_of_iso_3166() -> None:
    """As the time zone database lists them, and XI and XK, which no standard of ISO assigns."""
    table = (resources.files("tzdata") / "zoneinfo" / "iso3166.tab").read_text()
    listed = {line.split("\t")[0] for line in table.splitlines() if not line.startswith("#")}
    assert COUNTRIES - listed == {"XI", "XK"}
    assert listed <= COUNTRIES


NONE_DUE, REVERSED = VatKey(VatCategory.OUTSIDE_SCOPE, Decimal(0)), VatKey(VatCategory.REVERSE_CHARGE, Decimal(0))
FRENCH = VatKey(VatCategory.STANDARD, Decimal(20))


@pytest.mark.parametrize(
    ("seller", "buyer", "vat", "tax_country"),
    [
        (BG, Party(name="a consumer in Monaco", country="MC"), FRENCH, "FR"),
        (BG, Party(name="a business in Monaco", country="MC", vat_id="FR83404833048"), REVERSED, "FR"),
        (Party(name="S", country="FR", vat_id="FR83404833048"), Party(name="B", country="MC", vat_id="FR83404833048"), FRENCH, "FR"),
        (Party(name="S", country="MC", vat_id="FR83404833048"), Party(name="B", country="FR"), FRENCH, "FR"),
        (Party(name="S", country="MC", vat_id="FR83404833048"), DE, REVERSED, "DE"),
        (BG, Party(name="Northern Ireland", country="GB", vat_id="XI366303068"), NONE_DUE, "GB"),
        (BG, Party(name="Northern Ireland", country="XI"), NONE_DUE, "XI"),
        (BG, Party(name="Switzerland", country="CH", vat_id="CHE107787577MWST"), NONE_DUE, "CH"),
        (BG, Party(name="Åland", country="AX"), NONE_DUE, "AX"),
        (BG, Party(name="Guadeloupe", country="GP"), NONE_DUE, "GP"),
        (BG, Party(name="the VAT id of another country", country="AT", vat_id="DE136695976"), VatKey(VatCategory.STANDARD, Decimal(20)), "AT"),
        (BG, Party(name="Greece, as ISO writes it", country="GR", vat_id="GR094259216"), VatKey(VatCategory.STANDARD, Decimal(24)), "GR"),
    ],
    ids=lambda value: value.name if isinstance(value, Party) else None,
)
def test_countries_at_the_borders_of_the_union(seller: Party, buyer: Party, vat: VatKey, tax_country: str) -> None:
    """Monaco is taxed as France (Art. 7); of the United Kingdom services are outside in all its parts; territories with codes of their own are outside."""
    decision = decide_vat(Supply(seller=seller, buyer=buyer, day=DAY))
    assert (decision.vat, decision.tax_country) == (vat, tax_country)


@pytest.mark.parametrize("vat_id", [None, "", "BG", "BG1", "bg175074752 ", "BG175074753", "175074752"])
def test_vat_ids_are_checked_by_their_digits(vat_id: str | None) -> None:
    """Only an id with its prefix and right check digits makes a business; case and blanks do not matter."""
    party = Party(name="B", country="BG", vat_id=vat_id or None)
    assert has_valid_vat_id(party) == (vat_id == "bg175074752 ")


def named(category: str, rate: str = "0") -> VatKey:
    """VAT that a document names."""
    return VatKey(VatCategory(category), Decimal(rate))


@pytest.mark.parametrize(
    ("buyer", "vat", "country"),
    [
        (Party(name="Anna", country="DE"), [named("S", "19")], "DE"),
        (Party(name="Anna", country="DE"), [named("S", "20")], "BG"),
        (Party(name="Anna", country="DE"), [named("S", "7")], "BG"),
        (Party(name="Anna", country="DE"), [named("S", "7"), named("S", "19")], "DE"),
        (Party(name="Marie", country="FR"), [named("S", "20")], "FR"),
        (DE, [named("AE")], "DE"),
        (DE, [named("S", "19")], "DE"),
        (Party(name="Wrong digits", country="DE", vat_id="DE1"), [named("AE")], "DE"),
        (DE, [named("K")], "BG"),
        (DE, [named("E")], "BG"),
        (Party(name="EOOD", country="BG"), [named("S", "9")], "BG"),
        (Party(name="EOOD", country="BG"), [named("AE")], "BG"),
        (Party(name="Ltd", country="GB"), [named("O")], "GB"),
        (Party(name="Ltd", country="GB"), [named("G")], "BG"),
        (Party(name="Ltd", country="GB"), [named("S", "20")], "BG"),
        (Party(name="No country"), [named("S", "20")], "BG"),
        (Party(name="No country"), [named("O")], "BG"),
    ],
)
def test_the_country_follows_where_none_is_named(buyer: Party, vat: list[VatKey], country: str) -> None:
    """The place of supply of a document that does not say it, of this release or an older one."""
    assert infer_tax_country(Supply(seller=BG, buyer=buyer, day=DAY), vat) == country


def test_the_country_of_a_document_without_countries_is_not_known() -> None:
    """Nothing is guessed where the seller's country is missing, nor where a rate is not known."""
    assert infer_tax_country(Supply(seller=Party(name="S"), buyer=Party(name="B"), day=DAY), [named("S", "20")]) is None
    assert infer_tax_country(Supply(seller=BG, buyer=Party(name="B", country="DE"), day=date(1999, 1, 1)), [named("S", "16")]) == "BG"


@pytest.mark.parametrize(
    ("vat_id", "compact"),
    [(None, None), ("bg 175 074 752", "BG175074752"), ("DE 136.695.976", "DE136695976"), ("el094259216", "EL094259216"), ("CHE-1", "CHE-1"), ("DE1", "DE1")],
)
def test_a_vat_id_has_one_spelling_in_statements(vat_id: str | None, compact: str | None) -> None:
    """However it was typed, one business is one row; what is no id of a member state stays as it is."""
    assert compact_vat_id(Party(name="B", vat_id=vat_id)) == compact


def test_a_line_without_vat_takes_the_decision() -> None:
    """A document that names no VAT is issued with the rate, category and reason that follow; a line that names its own keeps it."""
    lines = [{"name": "VPS", "unit_price": "10"}, {"name": "Book", "unit_price": "10", "vat_rate": 7}]
    draft = parse_draft({"lines": lines[:1]}, currency=Currency("EUR"), buyer=DE, seller=BG, today=DAY)
    assert draft.lines[0].vat == VatKey(VatCategory.REVERSE_CHARGE, Decimal(0))
    assert dict(draft.exemption_reasons)[VatCategory.REVERSE_CHARGE].startswith("Reverse charge (Art. 196")
    consumer = Party(name="Anna", country="DE")
    document = {"lines": lines, "tax_point_date": "2020-08-01", "override_reason": "a printed book"}
    draft = parse_draft(document, currency=Currency("EUR"), buyer=consumer, seller=BG, today=DAY)
    assert [line.vat and line.vat.rate for line in draft.lines] == [Decimal(16), Decimal(7)]
    assert draft.exemption_reasons == ()


def test_a_line_without_vat_that_cannot_be_decided_is_a_fault() -> None:
    """Where the buyer's country is missing, the line says so, once."""
    with pytest.raises(InvalidDocumentError) as refused:
        parse_draft({"lines": [{"name": "VPS", "unit_price": "10"}]}, currency=Currency("EUR"), buyer=Party(name="B"), seller=BG, today=DAY)
    assert [(fault.rule, fault.path) for fault in refused.value.faults] == [("VAT", "lines[0].vat_rate")]
