"""Pro-forma to invoice: a new document (380) with its own number and date that bills what the pro-forma asked for."""

from __future__ import annotations

from datetime import date

from faktura.domain.errors import ConflictError, Fault, fault
from faktura.domain.invoice import Draft, Invoice, Origin, TypeCode
from faktura.domain.money import canonical
from faktura.domain.party import Party
from faktura.domain.vat import PriceBasis, VatKey
from faktura.domain.vat_decision import Supply, decide_vat


def pro_forma_draft(pro_forma: Invoice, *, issue_date: date | None = None, due_date: date | None = None) -> Draft:
    """The draft of the invoice for a pro-forma: its buyer, lines, sums and remarks, but dates of its own.

    A tax point (BT-7) that the pro-forma names is kept, as it is said of the supply. Raises ConflictError for what is no
    pro-forma issued here.
    """
    if pro_forma.origin is not Origin.ISSUED or pro_forma.type_code is not TypeCode.PRO_FORMA:
        message = f"document {pro_forma.number} is not a pro-forma issued here; only of those an invoice is made"
        raise ConflictError(message)
    if pro_forma.lines is None or pro_forma.buyer is None:
        message = f"document {pro_forma.number} is incomplete"
        raise ConflictError(message)
    return Draft(
        type_code=TypeCode.INVOICE,
        currency=pro_forma.currency,
        price_basis=pro_forma.price_basis or PriceBasis.NET,
        buyer=pro_forma.buyer,
        lines=pro_forma.lines,
        allowances_charges=pro_forma.allowances_charges,
        exemption_reasons=tuple((group.category, group.exemption_reason) for group in pro_forma.vat_breakdown if group.category and group.exemption_reason),
        issue_date=issue_date,
        due_date=due_date,
        tax_point_date=pro_forma.tax_point_date,
        period=pro_forma.period,
        order_ids=pro_forma.order_ids or (),
        note=pro_forma.note,
        payment_terms=pro_forma.payment_terms,
        override_reason=pro_forma.override_reason,
        pro_forma_id=pro_forma.id,
    )


def changed_vat(pro_forma: Invoice, *, seller: Party, day: date) -> list[Fault]:
    """A fault for each line, allowance or charge whose VAT followed from seller, buyer and day, and is another on the tax point `day`.

    VAT that the user named otherwise is judged by the rules alone.
    """
    since = pro_forma.tax_point_date or pro_forma.issue_date
    before, now = _decided(pro_forma.seller, pro_forma.buyer, since), _decided(seller, pro_forma.buyer, day)
    if before is None or now is None or before == now:
        return []
    items = [(f"lines[{index}]", line.vat) for index, line in enumerate(pro_forma.lines or ())]
    items += [(f"allowances_charges[{index}]", item.vat) for index, item in enumerate(pro_forma.allowances_charges)]
    message = f"{_text(before)} was right on {since}; on {day} it is {_text(now)}: issue a new pro-forma"
    return [fault("VAT", f"{path}.vat_rate", message) for path, vat in items if vat == before]


def _decided(seller: Party | None, buyer: Party | None, day: date) -> VatKey | None:
    if seller is None or buyer is None:
        return None
    try:
        return decide_vat(Supply(seller=seller, buyer=buyer, day=day)).vat
    except ValueError:
        return None


def _text(vat: VatKey) -> str:
    return f"{vat.category} {canonical(vat.rate)} %"
