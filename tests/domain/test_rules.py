from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from tests.domain.sample import (
    ALLOWANCE,
    BUYER,
    CHARGE,
    DRAFT,
    EXEMPT,
    LINE,
    OUTSIDE_SCOPE,
    REVERSE_CHARGE,
    SELLER,
    STANDARD,
    ZERO,
    amount_line,
    drafts,
)

from faktura.domain.errors import Fault
from faktura.domain.invoice import Draft, InvoiceLine, Period, PrecedingInvoice, TypeCode
from faktura.domain.money import AMOUNT_MINOR_MAX
from faktura.domain.party import Party
from faktura.domain.rules import RULES, check
from faktura.domain.totals import compute
from faktura.domain.vat import VatCategory, VatKey

BACKWARDS = Period(start=date(2024, 2, 1), end=date(2024, 1, 31))
REVERSE_LINE = replace(LINE, vat=REVERSE_CHARGE)
REVERSED = replace(DRAFT, lines=(REVERSE_LINE,), exemption_reasons=((VatCategory.REVERSE_CHARGE, "Reverse charge"),))
COMMUNITY = replace(
    DRAFT,
    lines=(replace(LINE, vat=VatKey(VatCategory.INTRA_COMMUNITY, Decimal(0))),),
    exemption_reasons=((VatCategory.INTRA_COMMUNITY, "Art. 138"),),
)
AT_HOME = replace(DRAFT, buyer=Party(name="Buyer EOOD", country="BG"), issue_date=date(2024, 9, 25))
ABROAD = replace(DRAFT, issue_date=date(2024, 9, 25))
BUSINESS = replace(REVERSED, buyer=Party(name="Buyer GmbH", country="DE", vat_id="DE136695976"), issue_date=date(2024, 9, 25))
TAXLESS = Party(name="Host OOD", country="BG")
NEGATIVE = replace(LINE, quantity=Decimal(-1), line_total_minor=-10_000)


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A document that breaks one rule, and where."""

    rule: str
    paths: tuple[str, ...]
    draft: Draft = DRAFT
    seller: Party = SELLER


def with_lines(*lines: InvoiceLine, **reasons: str) -> Draft:
    """The good draft with other lines, and exemption reasons by category."""
    return replace(DRAFT, lines=lines, exemption_reasons=tuple((VatCategory(category), reason) for category, reason in reasons.items()))


def rated(category: VatCategory | None, rate: str) -> InvoiceLine:
    """A line of that category and rate."""
    return replace(LINE, vat=VatKey(category, Decimal(rate)))


BROKEN = [
    Broken(rule="BR-16", paths=("lines",), draft=with_lines()),
    Broken(rule="BR-25", paths=("lines[0].name", "lines[2].name"), draft=with_lines(replace(LINE, name=""), LINE, replace(LINE, name=" \t"))),
    Broken(rule="BR-27", paths=("lines[1].unit_price",), draft=with_lines(LINE, replace(NEGATIVE, unit_price=Decimal("-0.01"), line_total_minor=1))),
    Broken(rule="BR-S-5", paths=("lines[0].vat_rate",), draft=with_lines(rated(VatCategory.STANDARD, "0"))),
    Broken(
        rule="BR-S-5",
        paths=("allowances_charges[0].vat_rate",),
        draft=replace(DRAFT, allowances_charges=(replace(CHARGE, vat=VatKey(VatCategory.STANDARD, Decimal(0))),)),
    ),
    Broken(rule="BR-VAT-0", paths=("lines[1].vat_rate",), draft=with_lines(LINE, rated(VatCategory.ZERO, "5"))),
    Broken(rule="BR-VAT-0", paths=("lines[0].vat_rate",), draft=with_lines(rated(VatCategory.REVERSE_CHARGE, "20"), AE="Reverse charge")),
    Broken(rule="BR-VAT-0", paths=("lines[0].vat_rate",), draft=with_lines(rated(VatCategory.OUTSIDE_SCOPE, "0.0001"), O="Art. 2")),
    Broken(rule="BR-VAT-10", paths=("exemption_reasons.E",), draft=with_lines(LINE, replace(LINE, vat=EXEMPT))),
    Broken(rule="BR-VAT-10", paths=("exemption_reasons.E",), draft=with_lines(replace(LINE, vat=EXEMPT), E=" ")),
    Broken(rule="BR-VAT-10", paths=("exemption_reasons.G",), draft=with_lines(rated(VatCategory.EXPORT, "0"), E="Art. 39")),
    Broken(rule="BR-VAT-10", paths=("exemption_reasons.S",), draft=with_lines(LINE, S="no")),
    Broken(rule="BR-VAT-10", paths=("exemption_reasons.Z",), draft=with_lines(replace(LINE, vat=ZERO), Z="no")),
    Broken(rule="BR-O-11", paths=("lines",), draft=with_lines(LINE, replace(LINE, vat=OUTSIDE_SCOPE), O="Art. 2")),
    Broken(rule="BR-O-11", paths=("lines",), draft=replace(with_lines(replace(LINE, vat=OUTSIDE_SCOPE), O="Art. 2"), allowances_charges=(CHARGE,))),
    Broken(rule="BR-AE-2", paths=("buyer.vat_id",), draft=replace(REVERSED, buyer=replace(BUYER, vat_id=None))),
    Broken(rule="BR-AE-2", paths=("seller.vat_id", "buyer.vat_id"), draft=replace(COMMUNITY, buyer=replace(BUYER, vat_id=None)), seller=TAXLESS),
    Broken(rule="BR-AE-2", paths=("seller.vat_id",), draft=REVERSED, seller=replace(TAXLESS, tax_number="123")),
    Broken(rule="BR-S-2", paths=("seller.vat_id",), seller=TAXLESS),
    Broken(rule="BR-9", paths=("seller.country",), seller=replace(SELLER, country=None)),
    Broken(rule="BR-CL-14", paths=("seller.country",), seller=replace(SELLER, country="XX")),
    Broken(rule="BR-CL-14", paths=("buyer.country",), draft=replace(DRAFT, buyer=replace(BUYER, country="UK"))),
    Broken(rule="BR-CL-14", paths=("tax_country",), draft=replace(DRAFT, tax_country="EL")),
    Broken(rule="BR-11", paths=("buyer.country",), draft=replace(DRAFT, buyer=replace(BUYER, country=None))),
    Broken(rule="BR-29", paths=("period", "lines[0].period"), draft=replace(with_lines(replace(LINE, period=BACKWARDS)), period=BACKWARDS)),
    Broken(rule="BR-CO-19", paths=("period", "lines[0].period"), draft=replace(with_lines(replace(LINE, period=Period())), period=Period())),
    Broken(rule="DUE-DATE", paths=("due_date",), draft=replace(AT_HOME, due_date=date(2024, 9, 24))),
    Broken(rule="BR-55", paths=("preceding_invoice",), draft=replace(DRAFT, type_code=TypeCode.CREDIT_NOTE)),
    Broken(rule="BR-55", paths=("preceding_invoice",), draft=replace(DRAFT, type_code=TypeCode.DEBIT_NOTE)),
    Broken(rule="VAT-OVERRIDE", paths=("lines[0].vat_rate",), draft=replace(AT_HOME, lines=(rated(VatCategory.STANDARD, "9"),))),
    Broken(rule="VAT-OVERRIDE", paths=("lines[0].vat_rate",), draft=ABROAD),  # the seller's own rate for a consumer abroad: Art. 59c needs its reason
    Broken(rule="VAT-OVERRIDE", paths=("lines[0].vat_rate",), draft=replace(BUSINESS, lines=(LINE,))),
    Broken(
        rule="VAT-OVERRIDE",
        paths=("lines[1].vat_rate", "allowances_charges[0].vat_rate"),
        draft=replace(AT_HOME, lines=(LINE, rated(VatCategory.ZERO, "0")), allowances_charges=(replace(CHARGE, vat=ZERO),)),
    ),
    Broken(rule="VAT-OVERRIDE", paths=("lines[0].vat_rate",), draft=replace(AT_HOME, type_code=TypeCode.PRO_FORMA, lines=(rated(VatCategory.STANDARD, "9"),))),
    Broken(
        rule="VAT-OVERRIDE",
        paths=("lines[0].vat_rate",),
        draft=replace(AT_HOME, type_code=TypeCode.DEBIT_NOTE, preceding_invoice=PrecedingInvoice(number="1"), lines=(rated(VatCategory.STANDARD, "19"),)),
    ),
    Broken(rule="VAT-OVERRIDE", paths=("tax_country",), draft=replace(AT_HOME, tax_country="DE")),
    Broken(rule="BR-33", paths=("allowances_charges[1].amount",), draft=replace(DRAFT, allowances_charges=(CHARGE, replace(ALLOWANCE, amount_minor=-1)))),
    Broken(
        rule="BR-33",
        paths=("lines[1].allowances_charges[0].amount", "lines[1].allowances_charges[0].reason"),
        draft=with_lines(LINE, replace(LINE, allowances_charges=(replace(CHARGE, amount_minor=-5, reason=" ", vat=None),))),
    ),
    Broken(
        rule="AMOUNT-MAX",
        paths=("lines[0]",),
        draft=with_lines(replace(LINE, vat=ZERO, line_total_minor=AMOUNT_MINOR_MAX + 1)),
    ),
    Broken(rule="AMOUNT-MAX", paths=("total_with_vat",), draft=with_lines(amount_line(AMOUNT_MINOR_MAX))),
    Broken(rule="NOT-NEGATIVE", paths=("total_with_vat",), draft=with_lines(NEGATIVE)),
    Broken(rule="NOT-NEGATIVE", paths=("total_with_vat",), draft=replace(DRAFT, allowances_charges=(replace(ALLOWANCE, amount_minor=10_001),))),
]

GOOD = {
    "plain": DRAFT,
    "zero total": with_lines(LINE, NEGATIVE),
    "largest total": with_lines(amount_line(AMOUNT_MINOR_MAX, ZERO)),
    "free line": with_lines(replace(LINE, unit_price=Decimal(0), line_total_minor=0)),
    "reverse charge": REVERSED,
    "intra-community": COMMUNITY,
    "outside scope alone": with_lines(replace(LINE, vat=OUTSIDE_SCOPE), O="Art. 2"),
    "standard beside exempt": with_lines(LINE, replace(LINE, vat=EXEMPT), E="Art. 39"),
    "unused reason": with_lines(LINE, E="Art. 39"),
    "one-day period": replace(DRAFT, period=Period(start=date(2024, 1, 31), end=date(2024, 1, 31))),
    "open period": replace(DRAFT, period=Period(start=date(2024, 1, 31))),
    "due on the day of issue": replace(AT_HOME, due_date=date(2024, 9, 25)),
    "credit note": replace(DRAFT, type_code=TypeCode.CREDIT_NOTE, preceding_invoice=PrecedingInvoice(number="1")),
    "pro-forma": replace(DRAFT, type_code=TypeCode.PRO_FORMA),
    "decided at home": AT_HOME,
    "decided reverse charge": replace(BUSINESS, tax_country="DE"),
    "one-stop shop": replace(ABROAD, lines=(rated(VatCategory.STANDARD, "19.00"),), tax_country="DE"),
    "rate of the tax point": replace(ABROAD, tax_point_date=date(2020, 12, 31), lines=(rated(VatCategory.STANDARD, "16"),)),
    "other VAT for a reason": replace(ABROAD, tax_country="BG", override_reason="Art. 59c: below the threshold"),
    "credit note of other VAT": replace(ABROAD, type_code=TypeCode.CREDIT_NOTE, preceding_invoice=PrecedingInvoice(number="1")),
    "rate not known": replace(ABROAD, tax_point_date=date(1999, 12, 31)),
    "zero allowance": replace(DRAFT, allowances_charges=(replace(ALLOWANCE, amount_minor=0),)),
}


def checked(draft: Draft, seller: Party = SELLER) -> list[Fault]:
    """All faults of a draft with its own totals."""
    totals = compute(lines=draft.lines, allowances_charges=draft.allowances_charges, price_basis=draft.price_basis)[2]
    return check(draft, seller=seller, totals=totals)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken.rule}-{broken.paths[0]}")
def test_one_broken_rule(broken: Broken) -> None:
    """A document with one mistake breaks exactly that rule, at exactly the places of the mistake."""
    found = checked(broken.draft, broken.seller)
    assert [(fault.rule, fault.path) for fault in found] == [(broken.rule, path) for path in broken.paths]
    assert all(fault.message for fault in found)


def test_every_rule_has_a_broken_document() -> None:
    """The table above covers every row of RULES, and RULES names no rule twice."""
    rules = [rule for rule, _ in RULES]
    assert {broken.rule for broken in BROKEN} == set(rules)
    assert len(rules) == len(set(rules))


@pytest.mark.parametrize("draft", GOOD.values(), ids=GOOD)
def test_good_documents(draft: Draft) -> None:
    """A lawful document breaks no rule, however close to a bound."""
    assert checked(draft) == []


@pytest.mark.parametrize("category", VatCategory)
@pytest.mark.parametrize("reason", [None, "Art. 1"])
def test_every_category_has_its_rule_of_reasons(category: VatCategory, reason: str | None) -> None:
    """BR-S-10, BR-Z-10: no reason where VAT is charged or the rate is zero; BR-E-10, BR-AE-10, BR-IC-10, BR-G-10, BR-O-10: a reason everywhere else."""
    line = rated(category, "20" if category.taxed else "0")
    draft = with_lines(line, **({category.value: reason} if reason else {}))
    must_have = category in {"E", "AE", "K", "G", "O"}
    broken = [] if must_have == bool(reason) else [("BR-VAT-10", f"exemption_reasons.{category}")]
    assert [(fault.rule, fault.path) for fault in checked(draft)] == broken


def test_seller_with_tax_number_only() -> None:
    """BR-S-2: a small seller without VAT id may charge VAT under a local tax number."""
    assert checked(DRAFT, replace(TAXLESS, tax_number="12/345/67890")) == []


def test_all_broken_rules_in_table_order() -> None:
    """A document with many mistakes gets all of them, in the order of the table."""
    draft = replace(
        with_lines(replace(LINE, name="", unit_price=Decimal(-1), line_total_minor=-100), amount_line(0, OUTSIDE_SCOPE)),
        type_code=TypeCode.CREDIT_NOTE,
        buyer=Party(name="x"),
        period=BACKWARDS,
    )
    found = [fault.rule for fault in checked(draft, Party(name="y"))]
    assert found == ["BR-25", "BR-27", "BR-VAT-10", "BR-O-11", "BR-S-2", "BR-9", "BR-11", "BR-29", "BR-55", "NOT-NEGATIVE"]


@given(draft=drafts(smallest_quantity=0))
def test_random_documents_break_no_rule_but_the_sign(draft: Draft) -> None:
    """Random well-formed documents of positive lines break no rule, except that allowances may make a total negative."""
    assert {fault.rule for fault in checked(draft)} <= {"NOT-NEGATIVE"}


@pytest.mark.parametrize(
    "draft",
    [
        with_lines(amount_line(10**25), replace(amount_line(10**25), quantity=Decimal(-1), line_total_minor=-(10**25))),
        replace(DRAFT, allowances_charges=tuple(replace(item, amount_minor=AMOUNT_MINOR_MAX * 10, vat=STANDARD) for item in (ALLOWANCE, CHARGE))),
    ],
    ids=["lines", "allowances"],
)
def test_amounts_inside_are_bounded_too(draft: Draft) -> None:
    """No amount of a document is beyond what the ledger can keep, not even one that another takes back."""
    assert "AMOUNT-MAX" in {fault.rule for fault in checked(draft)}
