"""How to pay: the seller's bank account, and the EPC QR code that a banking app reads (EPC069-12, version 002)."""

from __future__ import annotations

import io
import re

from faktura.documents.pdf_formats import Formats
from faktura.domain.invoice import Invoice, TypeCode

EPC_AMOUNT_MAX_MINOR = 99_999_999_999
"""999 999 999.99 EUR, as the guideline bounds it."""

_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}\Z")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?\Z")
_NAME_LENGTH_MAX, _TEXT_LENGTH_MAX = 70, 140
"""In characters, each field's own bound."""
EPC_BYTES_MAX = 331
"""Of the whole text as it is encoded: version 13 of the code, the largest that the guideline allows."""


def payment_block(invoice: Invoice, say: dict[str, str], form: Formats) -> tuple[list[list[str]], str]:
    """What to transfer where, and the code as a drawing; both empty where nothing is to be paid or no account is known."""
    total = invoice.total_with_vat_minor or 0
    seller = invoice.seller
    if invoice.type_code is TypeCode.CREDIT_NOTE or total <= 0 or seller is None or not seller.iban:
        return [], ""
    iban, bic, payee = _compact(seller.iban), _compact(seller.bic), seller.account_name or seller.name
    rows = [[say["payee"], payee], ["IBAN", " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))]]
    if bic:
        rows.append(["BIC", bic])
    rows += [[say["reference"], invoice.number], [say["amount"], form.money(total, invoice.currency)]]
    if invoice.due_date:
        rows.append([say["due_date"], form.day(invoice.due_date)])
    code = epc_text(name=payee, iban=iban, bic=bic, amount_minor=total, reference=invoice.number) if invoice.currency.code == "EUR" else None
    return rows, qr_svg(code) if code else ""


def _compact(text: str | None) -> str:
    return "".join(text.split()).upper() if text else ""


def epc_text(*, name: str, iban: str, bic: str, amount_minor: int, reference: str) -> str | None:
    """The code's text; None where the guideline has no room for the transfer.

    A long name is cut, as banks cut it. A reference never is: by half of it the seller would not know what was paid.
    """
    said = _one_line(reference)
    if not _IBAN.match(iban) or not 0 < amount_minor <= EPC_AMOUNT_MAX_MINOR or len(said) > _TEXT_LENGTH_MAX:
        return None
    amount = f"EUR{amount_minor // 100}.{amount_minor % 100:02}"
    # UTF-8 by its number 1; no purpose and no structured reference.
    before, after = ["BCD", "002", "1", "SCT", bic if _BIC.match(bic) else ""], [iban, amount, "", "", said]
    room = EPC_BYTES_MAX - len("\n".join([*before, "", *after]).encode())
    payee = _cut(_one_line(name)[:_NAME_LENGTH_MAX], room)
    return "\n".join([*before, payee, *after]) if payee else None


def _cut(text: str, bytes_max: int) -> str:
    """As much of it as its encoding has room for, whole characters."""
    return text.encode()[: max(0, bytes_max)].decode(errors="ignore").strip()


def _one_line(text: str) -> str:
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def qr_svg(text: str) -> str:
    """The code as a drawing, with the error correction M that the guideline asks for."""
    import segno  # noqa: PLC0415 - only where there is something to pay

    out = io.BytesIO()
    # Readers take any mask, and text leaves no large areas; trying all eight would take a third of the time of the whole page.
    segno.make(text, error="m", encoding="utf-8", mask=3, micro=False, boost_error=False).save(out, kind="svg", border=0, xmldecl=False, svgns=True, nl=False)
    return out.getvalue().decode()
