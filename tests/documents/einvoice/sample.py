"""Documents as a ledger issues them, of every category, basis and type, with parties that have what each profile requires."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import assume
from hypothesis import strategies as st
from tests.domain.sample import BHD, DRAFT, drafts, issued

from faktura.domain.invoice import Draft, Invoice, InvoiceLine, Period, PrecedingInvoice, TypeCode
from faktura.domain.party import Party
from faktura.domain.rules import check
from faktura.domain.totals import compute
from faktura.domain.vat import VatCategory, VatKey

SELLER = Party(
    name="Хостинг ООД",
    street="ул. Витоша 1",
    city="София",
    post_code="1000",
    country="BG",
    vat_id="BG175074752",
    registration_id="175074752",
    contact_name="Иван Петров",
    phone="+359 2 1234567",
    email="billing@hosting.example",
    electronic_address="9926:BG175074752",
    iban="BG80 BNBG 9661 1020 3456 78",
    bic="BNBGBGSF",
    account_name="Хостинг ООД",
)
BUYER = Party(
    name="Käufer & Söhne GmbH",
    street="Straße 1",
    city="Köln",
    post_code="50667",
    country="DE",
    vat_id="DE136695976",
    email="rechnung@kaeufer.example",
    electronic_address="9930:DE136695976",
    buyer_reference="04011000-12345-34",
)
FIRST = date(2024, 9, 1)
LONE = [VatKey(category, Decimal(0)) for category in (VatCategory.OUTSIDE_SCOPE, VatCategory.INTRA_COMMUNITY, VatCategory.EXPORT)]
REASONS = {
    VatCategory.EXEMPT: "Art. 39",
    VatCategory.REVERSE_CHARGE: "Reverse charge",
    VatCategory.OUTSIDE_SCOPE: "Outside the scope",
    VatCategory.INTRA_COMMUNITY: "Intra-Community supply",
    VatCategory.EXPORT: "Export",
}
TEXTS = st.sampled_from(
    ["VPS", "Хостинг — годишно", "Größe <L> & \"XL\" 'x'", " spaces around ", "two\nlines", "two\r\nlines", "tab\tinside", "🧾 ]]> &amp;", "#AA#x"]
)


def as_document(draft: Draft, *, seller: Party = SELLER, buyer: Party = BUYER) -> Invoice:
    """What a ledger would keep of it."""
    known = issued(replace(draft, buyer=buyer))
    return replace(
        known,
        seller=seller,
        due_date=draft.due_date,
        tax_point_date=draft.tax_point_date,
        note=draft.note,
        payment_terms=draft.payment_terms,
        preceding_invoice=draft.preceding_invoice,
    )


def is_issuable(draft: Draft) -> bool:
    """Whether the ledger would give it a number."""
    _, _, totals = compute(
        lines=draft.lines, allowances_charges=draft.allowances_charges, price_basis=draft.price_basis, exemption_reasons=dict(draft.exemption_reasons)
    )
    return not check(draft, seller=SELLER, totals=totals, issue_date=date(2024, 9, 25))


def _of_key(draft: Draft, key: VatKey) -> Draft:
    lines = tuple(replace(line, vat=key) for line in draft.lines)
    return replace(draft, lines=lines, allowances_charges=tuple(replace(item, vat=key) for item in draft.allowances_charges))


@st.composite
def _dressed(draw: st.DrawFn, line: InvoiceLine) -> InvoiceLine:
    start = FIRST + timedelta(days=draw(st.integers(0, 10)))
    periods = st.sampled_from([None, Period(start=start, end=FIRST + timedelta(days=20)), Period(end=start), Period(start=start)])
    return replace(
        line,
        name=draw(TEXTS),
        item_id=draw(st.sampled_from([None, "A-1"])),
        order_id=draw(st.sampled_from([None, 4711])),
        unit_code=draw(st.sampled_from(["C62", "MON", "HUR"])),
        period=draw(periods),
        allowances_charges=tuple(replace(item, reason=draw(TEXTS)) for item in line.allowances_charges),
    )


@st.composite
def documents(draw: st.DrawFn) -> Invoice:
    """Any document that the ledger would issue, but for pro-formas."""
    draft = draw(drafts(smallest_quantity=draw(st.sampled_from([-2000, 0, 0]))))
    key = draw(st.sampled_from([None, None, *LONE]))
    if key is not None:
        draft = _of_key(draft, key)
    type_code = draw(st.sampled_from([TypeCode.INVOICE, TypeCode.CREDIT_NOTE, TypeCode.DEBIT_NOTE]))
    named = {line.vat.category for line in draft.lines if line.vat} | {item.vat.category for item in draft.allowances_charges if item.vat}
    draft = replace(
        draft,
        buyer=BUYER,
        type_code=type_code,
        lines=tuple(draw(_dressed(line)) for line in draft.lines),
        exemption_reasons=tuple((category, reason) for category, reason in REASONS.items() if category in named),
        period=draw(st.sampled_from([None, Period(start=FIRST, end=FIRST + timedelta(days=29))])),
        due_date=draw(st.sampled_from([None, date(2024, 10, 9)])),
        tax_point_date=draw(st.sampled_from([None, date(2024, 9, 20)])),
        note=draw(st.none() | TEXTS),
        order_ids=draw(st.sampled_from([(), (1,), (1042, 1043)])),
        payment_terms=draw(st.none() | TEXTS.filter(lambda text: not text.startswith("#"))),
        preceding_invoice=None if type_code is TypeCode.INVOICE else PrecedingInvoice(number="0000000001", issue_date=draw(st.sampled_from([None, FIRST]))),
        override_reason="agreed",
    )
    assume(is_issuable(draft))
    return as_document(draft)


def has_thousandths(document: Invoice) -> bool:
    """Whether an amount needs the third decimal of its currency, which no e-invoice has."""
    if document.currency != BHD:
        return False
    amounts = [line.net_amount_minor or 0 for line in document.lines or ()] + [item.net_amount_minor or 0 for item in document.allowances_charges]
    amounts += [value or 0 for group in document.vat_breakdown for value in (group.taxable_amount_minor, group.tax_amount_minor)]
    return any(amount % 10 for amount in amounts)


def long_document(count: int) -> Invoice:
    """Of so many lines, with half cents, in prices that include VAT."""
    lines = tuple(
        replace(DRAFT.lines[0], name=f"Ред {number}", unit_price=Decimal(number).scaleb(-2), line_total_minor=number, item_id=str(number))
        for number in range(1, count + 1)
    )
    return as_document(replace(DRAFT, lines=lines, price_basis=type(DRAFT.price_basis).GROSS, buyer=BUYER, due_date=date(2024, 10, 9)))
