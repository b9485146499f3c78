from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.sample import ALLOWANCE, CHARGE, DRAFT, EUR, EXEMPT, LINE, STANDARD, amount_line, drafts, lines, rounded

from faktura.domain.invoice import AllowanceCharge, Draft, InvoiceLine, Totals
from faktura.domain.totals import compute, line_total
from faktura.domain.vat import PriceBasis, VatCategory, VatKey

Computed = tuple[tuple[InvoiceLine, ...], tuple[AllowanceCharge, ...], Totals]
Group = tuple[VatCategory | None, Decimal]


def computed(draft: Draft) -> Computed:
    """The draft with its sums."""
    return compute(
        lines=draft.lines,
        allowances_charges=draft.allowances_charges,
        price_basis=draft.price_basis,
        exemption_reasons=dict(draft.exemption_reasons),
    )


def entries(draft: Draft) -> list[tuple[Group, int]]:
    """Every signed amount of the document in its price basis, with its category and rate."""
    found = []
    for line in draft.lines:
        assert line.vat
        found.append(((line.vat.category, line.vat.rate), line.line_total_minor))
    for item in draft.allowances_charges:
        assert item.vat
        found.append(((item.vat.category, item.vat.rate), item.amount_minor if item.is_charge else -item.amount_minor))
    return found


def group_sums(draft: Draft) -> dict[Group, int]:
    """The sum of the amounts of each category and rate."""
    sums: dict[Group, int] = defaultdict(int)
    for group, amount in entries(draft):
        sums[group] += amount
    return dict(sums)


def breakdown_of(totals: Totals) -> dict[Group, tuple[int | None, int | None]]:
    """Taxable amount and VAT by category and rate."""
    return {(group.category, group.rate): (group.taxable_amount_minor, group.tax_amount_minor) for group in totals.vat_breakdown}


def sums(totals: Totals) -> tuple[int, int, int]:
    """What the buyer sees at the foot."""
    return totals.total_without_vat_minor, totals.vat_total_minor, totals.total_with_vat_minor


@given(line=lines())
def test_line_total(line: InvoiceLine) -> None:
    """BT-131 is quantity x price, rounded once, with charges added and allowances taken away."""
    made = line_total(quantity=line.quantity, unit_price=line.unit_price, currency=EUR, adjustments=line.allowances_charges)
    assert made == line.line_total_minor


@given(draft=drafts())
def test_sums_follow_from_the_parts(draft: Draft) -> None:
    """BR-CO-10 to BR-CO-15 and BR-S-8: every total is the sum of what it is a total of, in both price bases."""
    net_lines, net_items, totals = computed(draft)
    line_nets = [line.net_amount_minor or 0 for line in net_lines]
    assert totals.line_total_minor == sum(line_nets)
    assert totals.allowance_total_minor == sum(item.net_amount_minor or 0 for item in net_items if not item.is_charge)
    assert totals.charge_total_minor == sum(item.net_amount_minor or 0 for item in net_items if item.is_charge)
    assert totals.total_without_vat_minor == totals.line_total_minor - totals.allowance_total_minor + totals.charge_total_minor
    assert totals.total_without_vat_minor == sum(group.taxable_amount_minor or 0 for group in totals.vat_breakdown)
    assert totals.vat_total_minor == sum(group.tax_amount_minor or 0 for group in totals.vat_breakdown)
    assert totals.total_with_vat_minor == totals.total_without_vat_minor + totals.vat_total_minor


@given(draft=drafts())
def test_group_bases_follow_from_the_parts(draft: Draft) -> None:
    """BT-116 of each category and rate is the sum of its net lines and charges less its allowances; no group is lost or doubled."""
    net_lines, net_items, totals = computed(draft)
    bases: dict[Group, int] = defaultdict(int)
    for line in net_lines:
        assert line.vat
        bases[line.vat.category, line.vat.rate] += line.net_amount_minor or 0
    for item in net_items:
        assert item.vat
        bases[item.vat.category, item.vat.rate] += (item.net_amount_minor or 0) * (1 if item.is_charge else -1)
    assert {group: base for group, (base, _) in breakdown_of(totals).items()} == bases
    assert len(totals.vat_breakdown) == len(bases)


@given(draft=drafts(basis=PriceBasis.NET))
def test_net_prices(draft: Draft) -> None:
    """Net prices: amounts stay as they are and BR-CO-17 holds exactly for every category and rate."""
    net_lines, net_items, totals = computed(draft)
    assert [line.net_amount_minor for line in net_lines] == [line.line_total_minor for line in draft.lines]
    assert [item.net_amount_minor for item in net_items] == [item.amount_minor for item in draft.allowances_charges]
    assert breakdown_of(totals) == {group: (amount, rounded(amount * Fraction(group[1]) / 100)) for group, amount in group_sums(draft).items()}


@given(draft=drafts(basis=PriceBasis.GROSS))
def test_gross_prices(draft: Draft) -> None:
    """Gross prices: the total to pay is exactly their sum, VAT is what each group contains, and within 0.01 of rate x net."""
    _, _, totals = computed(draft)
    groups = group_sums(draft)
    assert totals.total_with_vat_minor == sum(groups.values())
    assert breakdown_of(totals).keys() == groups.keys()
    for (category, rate), (base, tax) in breakdown_of(totals).items():
        gross = groups[category, rate]
        assert base is not None
        assert tax is not None
        assert base + tax == gross
        assert tax == rounded(gross * Fraction(rate) / (100 + Fraction(rate)))
        assert abs(tax - rounded(base * Fraction(rate) / 100)) <= 1


@given(draft=drafts(basis=PriceBasis.GROSS))
def test_gross_lines_near_their_net(draft: Draft) -> None:
    """Gross prices: each line, allowance and charge is less than one cent from its own exact net amount."""
    net_lines, net_items, _ = computed(draft)
    nets = [line.net_amount_minor or 0 for line in net_lines]
    nets += [(item.net_amount_minor or 0) * (1 if item.is_charge else -1) for item in net_items]
    for net, ((_, rate), gross) in zip(nets, entries(draft), strict=True):
        assert abs(net - gross / (1 + Fraction(rate) / 100)) < 1


@given(draft=drafts(), rnd=st.randoms(use_true_random=False))
def test_order_of_lines_does_not_matter(draft: Draft, rnd: Random) -> None:
    """The same lines in another order make the same totals and the same breakdown."""
    shuffled = list(draft.lines)
    rnd.shuffle(shuffled)
    before, after = computed(draft)[2], computed(replace(draft, lines=tuple(shuffled)))[2]
    assert replace(after, vat_breakdown=()) == replace(before, vat_breakdown=())
    assert breakdown_of(after) == breakdown_of(before)


@given(draft=drafts(), cut=st.integers(-(10**6), 10**6))
def test_cutting_a_line_does_not_matter(draft: Draft, cut: int) -> None:
    """One line written as two of the same sum and rate makes the same totals and breakdown."""
    first, *others = draft.lines
    pieces = (replace(first, line_total_minor=first.line_total_minor - cut), *others, replace(first, line_total_minor=cut))
    before, after = computed(draft)[2], computed(replace(draft, lines=pieces))[2]
    assert sums(after) == sums(before)
    assert breakdown_of(after) == breakdown_of(before)


@given(draft=drafts())
def test_nothing_else_changes(draft: Draft) -> None:
    """Computing adds net amounts and touches nothing else; computing again changes nothing."""
    net_lines, net_items, totals = computed(draft)
    assert tuple(replace(line, net_amount_minor=None) for line in net_lines) == draft.lines
    assert tuple(replace(item, net_amount_minor=None) for item in net_items) == draft.allowances_charges
    assert computed(replace(draft, lines=net_lines, allowances_charges=net_items)) == (net_lines, net_items, totals)


@pytest.mark.parametrize(("amounts", "tax"), [([3, 3, 3], 2), ([13, 13], 5), ([-13, -13], -5), ([1, 1, 1], 1), ([5, -5], 0), ([0], 0)])
def test_vat_is_rounded_once_per_group(amounts: list[int], tax: int) -> None:
    """VAT is computed on the sum of a group, never per line (0.03 x 3 at 20 percent is 0.02, not 0.03)."""
    totals = computed(replace(DRAFT, lines=tuple(amount_line(amount) for amount in amounts)))[2]
    assert totals.vat_total_minor == tax


@pytest.mark.parametrize(("net", "tax"), [(250, 3), (-250, -3), (249, 2), (-249, -2), (50, 1), (-50, -1), (49, 0)])
def test_half_cents_of_vat(net: int, tax: int) -> None:
    """At one percent half a cent of VAT goes away from zero, on both sides of it."""
    one_percent = VatKey(VatCategory.STANDARD, Decimal(1))
    assert computed(replace(DRAFT, lines=(amount_line(net, one_percent),)))[2].vat_total_minor == tax


def test_net_example() -> None:
    """100.00 less 5.00 plus 3.00 at 20 percent, and 10.00 exempt."""
    draft = replace(
        DRAFT, lines=(LINE, amount_line(1000, EXEMPT)), allowances_charges=(ALLOWANCE, CHARGE), exemption_reasons=((VatCategory.EXEMPT, "Art. 39"),)
    )
    totals = computed(draft)[2]
    assert (totals.line_total_minor, totals.allowance_total_minor, totals.charge_total_minor) == (11_000, 500, 300)
    assert sums(totals) == (10_800, 1_960, 12_760)
    assert [(group.taxable_amount_minor, group.tax_amount_minor, group.exemption_reason) for group in totals.vat_breakdown] == [
        (9_800, 1_960, None),
        (1_000, 0, "Art. 39"),
    ]


def test_gross_example() -> None:
    """Three gross lines of 0.01 at 20 percent: 0.03 to pay, 0.01 VAT, and 0.02 of net for the first two lines."""
    draft = replace(DRAFT, price_basis=PriceBasis.GROSS, lines=(amount_line(1),) * 3)
    net_lines, _, totals = computed(draft)
    assert sums(totals) == (2, 1, 3)
    assert [line.net_amount_minor for line in net_lines] == [1, 1, 0]


def test_same_category_of_two_rates_is_two_groups() -> None:
    """BG-23 has one entry for each category and rate, and 20 is the same rate as 20.00."""
    keys = [STANDARD, VatKey(VatCategory.STANDARD, Decimal(9)), VatKey(VatCategory.STANDARD, Decimal("20.00"))]
    totals = computed(replace(DRAFT, lines=tuple(amount_line(100, key) for key in keys)))[2]
    assert breakdown_of(totals) == {(VatCategory.STANDARD, Decimal(20)): (200, 40), (VatCategory.STANDARD, Decimal(9)): (100, 9)}
    assert len(totals.vat_breakdown) == 2


def test_no_lines() -> None:
    """A document of nothing sums to nothing; that it needs a line is a rule's business."""
    assert sums(computed(replace(DRAFT, lines=()))[2]) == (0, 0, 0)


@pytest.mark.parametrize("draft", [replace(DRAFT, lines=(replace(LINE, vat=None),)), replace(DRAFT, allowances_charges=(replace(CHARGE, vat=None),))])
def test_no_rate_no_totals(draft: Draft) -> None:
    """Without a rate there is no total, rather than a wrong one."""
    with pytest.raises(ValueError, match="no computable total"):
        computed(draft)
