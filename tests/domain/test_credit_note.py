from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.domain.sample import ALLOWANCE, DRAFT, LINE, REVERSE_CHARGE, SELLER, amount_line, drafts, fault_set, issued

from faktura.domain.credit_note import credit_draft
from faktura.domain.errors import ConflictError, InvalidDocumentError
from faktura.domain.invoice import Draft, Origin, Period, PrecedingInvoice, Totals, TypeCode
from faktura.domain.rules import check
from faktura.domain.totals import compute
from faktura.domain.vat import PriceBasis, VatCategory

THREE = replace(LINE, quantity=Decimal(3), unit_price=Decimal("33.335"), line_total_minor=10_001)


def totals_of(draft: Draft) -> Totals:
    """The sums of a draft."""
    return compute(
        lines=draft.lines,
        allowances_charges=draft.allowances_charges,
        price_basis=draft.price_basis,
        exemption_reasons=dict(draft.exemption_reasons),
    )[2]


@given(draft=drafts())
def test_full_credit_has_equal_totals(draft: Draft) -> None:
    """A credit note for the whole takes back every total and every VAT group to the cent, in both price bases."""
    note = credit_draft(issued(draft))
    assert note.type_code is TypeCode.CREDIT_NOTE
    assert totals_of(note) == totals_of(draft)


@given(draft=drafts())
def test_crediting_every_line_whole_credits_the_lines(draft: Draft) -> None:
    """Asking for every line's full quantity credits those lines unchanged, without the document's allowances."""
    assume(any(line.quantity for line in draft.lines))
    draft = replace(draft, lines=tuple(line for line in draft.lines if line.quantity), allowances_charges=())
    note = credit_draft(issued(draft), quantities={index: line.quantity for index, line in enumerate(draft.lines, 1)})
    assert totals_of(note) == totals_of(draft)


@given(draft=drafts(), eighths=st.integers(1, 7))
def test_partial_credit_is_a_part(draft: Draft, eighths: int) -> None:
    """A part of a line keeps its price, sign and VAT, has less quantity, and its share of every allowance, to the cent that rounding leaves."""
    asked = {index: line.quantity * eighths / 8 for index, line in enumerate(draft.lines, 1) if line.quantity}
    assume(asked)
    note = credit_draft(issued(draft), quantities=asked)
    assert {item.amount_minor > 0 for item in note.allowances_charges} <= {True}
    assert len(note.lines) == len(asked)
    for line, (position, quantity) in zip(note.lines, asked.items(), strict=True):
        whole = draft.lines[position - 1]
        assert line.quantity == quantity
        assert 0 < Fraction(line.quantity) / Fraction(whole.quantity) < 1
        assert (line.name, line.unit_price, line.vat) == (whole.name, whole.unit_price, whole.vat)
        for share, item in zip(line.allowances_charges, whole.allowances_charges, strict=True):
            assert abs(share.amount_minor - Fraction(item.amount_minor * eighths, 8)) <= Fraction(3, 2)
            assert replace(share, amount_minor=item.amount_minor) == item


@given(draft=drafts(), eighths=st.integers(1, 8))
def test_partial_credit_never_exceeds_the_line(draft: Draft, eighths: int) -> None:
    """A part of a line without allowances never takes back more than the line."""
    plain = tuple(
        replace(line, allowances_charges=(), line_total_minor=line.line_total_minor - sum(item.signed_minor for item in line.allowances_charges))
        for line in draft.lines
        if line.quantity
    )
    assume(plain)
    draft = replace(draft, lines=plain)
    note = credit_draft(issued(draft), quantities={index: line.quantity * eighths / 8 for index, line in enumerate(draft.lines, 1)})
    for line, whole in zip(note.lines, draft.lines, strict=True):
        assert 0 <= abs(line.line_total_minor) <= abs(whole.line_total_minor)
        assert line.line_total_minor * whole.line_total_minor >= 0


def test_partial_credit_with_an_allowance_never_exceeds_the_line() -> None:
    """A part of a line that an allowance made free is free too."""
    free = replace(
        LINE, quantity=Decimal(3), unit_price=Decimal("0.338"), line_total_minor=0, allowances_charges=(replace(ALLOWANCE, amount_minor=101, vat=None),)
    )
    note = credit_draft(issued(replace(DRAFT, lines=(free,))), quantities={1: Decimal(2)})
    assert note.lines[0].line_total_minor == 0


def test_partial_credit_with_a_document_allowance_never_exceeds_the_invoice() -> None:
    """However the lines are chosen, a credit note takes back no more than the invoice asked for."""
    invoice = issued(replace(DRAFT, allowances_charges=(replace(ALLOWANCE, amount_minor=5000),)))
    assert invoice.total_with_vat_minor == 6000
    try:
        note = credit_draft(invoice, quantities={1: Decimal(1)})
    except (ConflictError, InvalidDocumentError):
        return
    assert totals_of(note).total_with_vat_minor <= 6000


def test_partial_credit_example() -> None:
    """One of three pieces at 33.335 with 0.50 off: 33.34 less 0.17."""
    line = replace(THREE, line_total_minor=9_951, allowances_charges=(replace(ALLOWANCE, amount_minor=50, vat=None),))
    note = credit_draft(issued(replace(DRAFT, lines=(LINE, line))), quantities={2: Decimal(1)})
    (part,) = note.lines
    assert (part.quantity, part.line_total_minor, part.allowances_charges[0].amount_minor) == (Decimal(1), 3_317, 17)


def test_note_names_its_invoice() -> None:
    """BG-3: the credit note names number, date and id of the invoice, keeps buyer, currency, period and orders, and bears its own note."""
    draft = replace(DRAFT, price_basis=PriceBasis.GROSS, period=Period(), order_ids=(4, 2), note="of the invoice")
    invoice = issued(draft)
    note = credit_draft(invoice, note="broken")
    assert note.preceding_invoice == PrecedingInvoice(number=invoice.number, issue_date=invoice.issue_date, invoice_id=invoice.id)
    assert (note.buyer, note.currency, note.period, note.order_ids) == (draft.buyer, draft.currency, draft.period, draft.order_ids)
    assert (note.price_basis, note.note) == (PriceBasis.GROSS, "broken")


@pytest.mark.parametrize(
    "draft",
    [DRAFT, replace(DRAFT, lines=(replace(LINE, vat=REVERSE_CHARGE),), exemption_reasons=((VatCategory.REVERSE_CHARGE, "Reverse charge"),))],
    ids=["taxed", "reverse charge"],
)
@pytest.mark.parametrize("quantities", [None, {1: Decimal("0.5")}])
def test_note_keeps_every_rule(draft: Draft, quantities: dict[int, Decimal] | None) -> None:
    """A credit note carries along the exemption reasons that its invoice needs, and no others, so it can be issued."""
    note = credit_draft(issued(draft), quantities=quantities)
    assert check(note, seller=SELLER, totals=totals_of(note)) == []


def test_debit_note_can_be_credited() -> None:
    """A debit note is a claim like an invoice and can be taken back."""
    assert credit_draft(issued(replace(DRAFT, type_code=TypeCode.DEBIT_NOTE))).lines


@pytest.mark.parametrize("type_code", [TypeCode.CREDIT_NOTE, TypeCode.PRO_FORMA])
def test_what_is_no_claim_cannot_be_credited(type_code: TypeCode) -> None:
    """A credit note or a pro-forma asks for nothing that could be taken back."""
    with pytest.raises(ConflictError, match="only those can be credited"):
        credit_draft(issued(replace(DRAFT, type_code=type_code)))


def test_recorded_invoice_cannot_be_credited() -> None:
    """What another system issued is not ours to correct."""
    with pytest.raises(ConflictError, match="only those can be credited"):
        credit_draft(replace(issued(DRAFT), origin=Origin.RECORDED))


@pytest.mark.parametrize("quantity", ["0", "-1", "3.001", "4", "-3", "1E+3"])
@pytest.mark.parametrize("sign", [1, -1])
def test_quantity_that_was_not_invoiced(quantity: str, sign: int) -> None:
    """No quantity of nothing, of the other sign, or beyond what was invoiced, for positive and negative lines alike."""
    line = replace(THREE, quantity=3 * Decimal(sign), line_total_minor=10_001 * sign)
    with pytest.raises(InvalidDocumentError) as caught:
        credit_draft(issued(replace(DRAFT, lines=(line,))), quantities={1: sign * Decimal(quantity)})
    assert fault_set(caught.value) == {("quantity", "quantities.1")}


def test_every_wrong_line_is_reported() -> None:
    """Lines that do not exist and quantities that do not fit are reported together."""
    invoice = issued(replace(DRAFT, lines=(THREE, amount_line(500))))
    with pytest.raises(InvalidDocumentError) as caught:
        credit_draft(invoice, quantities={-1: Decimal(1), 0: Decimal(1), 1: Decimal(9), 2: Decimal(1), 3: Decimal(1)})
    assert fault_set(caught.value) == {("line", "quantities.-1"), ("line", "quantities.0"), ("quantity", "quantities.1"), ("line", "quantities.3")}


def test_nothing_to_credit() -> None:
    """BR-16: a credit note of no line is refused."""
    with pytest.raises(InvalidDocumentError) as caught:
        credit_draft(issued(DRAFT), quantities={})
    assert fault_set(caught.value) == {("BR-16", "lines")}
