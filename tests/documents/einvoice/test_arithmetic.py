"""Sums, dates and identifiers that do not agree are told, where the official rules keep silent too."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tests.documents.einvoice.official import complaints
from tests.documents.einvoice.sample import as_document
from tests.domain.sample import ALLOWANCE, CHARGE, DRAFT

from faktura.documents import xml_invoice
from faktura.documents.arithmetic import arithmetic_faults
from faktura.documents.e_invoice import to_e_invoice
from faktura.documents.en16931 import EInvoice, Note, Profile, Syntax
from faktura.documents.requirements import required_faults

CENT = Decimal("0.01")
GOOD = to_e_invoice(as_document(replace(DRAFT, allowances_charges=(ALLOWANCE, CHARGE), due_date=date(2024, 10, 9))), profile=Profile.XRECHNUNG)
LINE, GROUP = GOOD.lines[0], GOOD.vat_breakdown[0]


def of(document: EInvoice) -> set[tuple[str, str]]:
    """Rules and paths of what is told."""
    return {(found.rule, found.path) for found in (*arithmetic_faults(document), *required_faults(document, Profile.XRECHNUNG))}


def test_nothing_is_told_of_a_good_one() -> None:
    """All agrees."""
    assert of(GOOD) == set()


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("line_total", {"BR-CO-10", "BR-CO-13"}),
        ("allowance_total", {"BR-CO-11", "BR-CO-13"}),
        ("charge_total", {"BR-CO-12", "BR-CO-13"}),
        ("total_without_vat", {"BR-CO-13", "BR-CO-15"}),
        ("vat_total", {"BR-CO-14", "BR-CO-15"}),
        ("total_with_vat", {"BR-CO-15", "BR-CO-16"}),
        ("payable", {"BR-CO-16"}),
    ],
)
def test_each_total_to_the_cent(name: str, rules: set[str]) -> None:
    """A total that is a cent off breaks its rule and those that build on it."""
    for off in (CENT, -CENT):
        totals = replace(GOOD.totals, **{name: getattr(GOOD.totals, name) + off})
        assert {rule for rule, _ in of(replace(GOOD, totals=totals))} == rules


def test_what_the_official_rules_accept() -> None:
    """VAT a cent off, a wrong line amount, wrong check digits and an early due date: told by us, not by them."""
    seller = replace(GOOD.seller, vat_id="BG175074753") if GOOD.seller else None
    off = replace(
        GOOD,
        seller=seller,
        due_date=date(2024, 9, 1),
        totals=replace(GOOD.totals, vat_total=(GOOD.totals.vat_total or 0) + CENT, total_with_vat=(GOOD.totals.total_with_vat or 0) + CENT),
        vat_breakdown=(replace(GROUP, tax_amount=(GROUP.tax_amount or 0) + CENT),),
    )
    off = replace(off, totals=replace(off.totals, payable=off.totals.total_with_vat))
    off = replace(off, lines=(replace(LINE, quantity=Decimal(7)),), specification_id=Profile.EN16931.specification_id)
    told = {("BR-CO-17", "vat_breakdown[0].tax_amount"), ("PEPPOL-EN16931-R120", "lines[0].net_amount"), ("DUE-DATE", "due_date"), ("VAT-ID", "seller.vat_id")}
    assert of(off) == told
    assert complaints(xml_invoice.render(off, syntax=Syntax.UBL), Syntax.UBL, Profile.EN16931)[0] == []


def test_codes_of_no_list() -> None:
    """A unit in words, a scheme of no list and a retired currency are told, as the official rules would."""
    seller = GOOD.seller
    assert seller
    assert seller.electronic_address
    wrong = replace(
        GOOD,
        currency="BGN",
        seller=replace(seller, electronic_address=replace(seller.electronic_address, scheme="0001")),
        lines=(replace(LINE, unit="month"),),
    )
    assert of(wrong) == {("BR-CL-03", "currency"), ("BR-CL-25", "seller.electronic_address"), ("BR-CL-23", "lines[0].unit_code")}
    errors = complaints(xml_invoice.render(wrong, syntax=Syntax.UBL), Syntax.UBL, Profile.XRECHNUNG)[0]
    assert {"BR-CL-23", "BR-CL-25"} <= {said.split(" ", 1)[0] for said in errors}


@pytest.mark.parametrize(("name", "rule"), [("allowance_total", "BR-CO-11"), ("charge_total", "BR-CO-12"), ("vat_total", "BR-CO-14")])
def test_a_total_that_is_missing_is_none_of_0(name: str, rule: str) -> None:
    """A total may be left out only where what it sums is nothing."""
    assert (rule, name) in of(replace(GOOD, totals=replace(GOOD.totals, **{name: None})))


def test_vat_that_no_total_has() -> None:
    """A group's VAT of 20.00 with no total of VAT, and 100.00 as the total with VAT, is wrong."""
    group = replace(GROUP, taxable_amount=Decimal(100), tax_amount=Decimal(20), rate=Decimal(20))
    totals = replace(GOOD.totals, **dict.fromkeys(("line_total", "total_without_vat", "total_with_vat", "payable"), Decimal(100)), vat_total=None)
    totals = replace(totals, allowance_total=None, charge_total=None)
    line = replace(
        LINE, net_amount=Decimal(100), quantity=Decimal(1), price=replace(LINE.price, net=Decimal(100)) if LINE.price else None, vat_rate=Decimal(20)
    )
    line = replace(line, allowances=(), charges=())
    found = of(replace(GOOD, allowances=(), charges=(), lines=(line,), vat_breakdown=(group,), totals=totals))
    assert found == {("BR-CO-14", "vat_total")}


@pytest.mark.parametrize("rest", [{"vat_breakdown": ()}, {}])
def test_levels_without_lines(rest: dict[str, Any]) -> None:
    """MINIMUM and BASIC WL of Factur-X have no lines to sum: nothing is missed in them."""
    totals = GOOD.totals if not rest else replace(GOOD.totals, line_total=None, allowance_total=None, charge_total=None)
    short = replace(GOOD, lines=(), totals=totals, **rest)
    if rest:
        short = replace(short, allowances=(), charges=())
    assert arithmetic_faults(short) == []


@pytest.mark.parametrize(("vat_id", "is_known"), [("XX123456", False), ("12345678", False), ("ÄÖ123456", False), ("EL094259216", True), ("CHE123456788", True)])
def test_vat_ids_begin_with_a_country(vat_id: str, is_known: bool) -> None:  # noqa: FBT001 - a case
    """Of ISO 3166-1, or EL for Greece."""
    found = of(replace(GOOD, buyer=replace(GOOD.buyer, vat_id=vat_id) if GOOD.buyer else None))
    assert (("BR-CO-09", "buyer.vat_id") in found) is not is_known


@pytest.mark.parametrize("rate", ["-100", "-7", "-99.9999"])
def test_negative_rates(rate: str) -> None:
    """A rate below 0 is told, and never divided by."""
    assert ("BR-CO-17", "vat_breakdown[0].tax_amount") in of(replace(GOOD, vat_breakdown=(replace(GROUP, rate=Decimal(rate)),)))


def test_values_at_the_edge_are_judged() -> None:
    """Letters that are no currency's, and numbers of sixty digits: findings, no crash."""
    assert of(replace(GOOD, currency="ÄÖÜ")) == set()
    huge = Decimal("9" * 30 + "." + "9" * 30)
    price = replace(LINE.price, net=huge, base_quantity=Decimal("1E-30")) if LINE.price else None
    assert ("PEPPOL-EN16931-R120", "lines[0].net_amount") in of(replace(GOOD, lines=(replace(LINE, quantity=huge, price=price),)))
    assert of(replace(GOOD, vat_breakdown=(replace(GROUP, taxable_amount=huge, tax_amount=huge, rate=huge),)))


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("#VPS#x", True),
        ("Ticket #123# done", True),
        ("#AAI#x", False),
        ("#AA#x", False),
        ("#1 of #2", False),
        ("a#b", False),
        ("#ab##AAI#", False),
        ("C#, F# and", True),
        ("C# and F#", False),
    ],
)
@pytest.mark.parametrize("profile", Profile)
def test_notes_that_look_like_a_subject(text: str, is_told: bool, profile: Profile) -> None:  # noqa: FBT001 - a case
    """Three characters between number signs, which UBL reads as a subject, are told as the official rules would, in every profile."""
    noted = replace(GOOD, notes=(Note(text=text),))
    assert any((item.rule, item.path) == ("BR-CL-08", "note") for item in required_faults(noted, profile)) is is_told
    if profile is Profile.XRECHNUNG:
        errors = complaints(xml_invoice.render(noted, syntax=Syntax.UBL), Syntax.UBL, profile)[0]
        assert any(said.startswith("BR-CL-08") for said in errors) is is_told
