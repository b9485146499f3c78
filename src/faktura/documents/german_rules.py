"""What Germany asks of an invoice: XRechnung as BR-DE-1 and so on, Peppol between two German parties under the same numbers as DE-R-001."""

from __future__ import annotations

import re

from faktura.documents.en16931 import EInvoice
from faktura.documents.form_fields import Said, missing

_TERMS = {1: "BG-16", 3: "BT-37", 4: "BT-38", 5: "BT-41", 6: "BT-42", 7: "BT-43", 8: "BT-52", 9: "BT-53", 15: "BT-10"}
_OF_A_DELIVERY = {10: "BT-77", 11: "BT-78"}
_TAXED = {"S", "Z", "E", "AE", "K", "G", "L", "M"}
_SKONTO = re.compile(r"#SKONTO#TAGE=[0-9]+#PROZENT=[0-9]+\.[0-9]{2}(#BASISBETRAG=-?[0-9]+\.[0-9]{2})?#\Z")
_PHONE_DIGITS_MIN = 3


def german(document: EInvoice, *, prefix: str, digits: int, why: str) -> Said:
    """All of them that the document breaks; rules are numbered with so many digits at least."""

    def rule(number: int) -> str:
        return f"{prefix}{number:0{digits}}"

    terms = _TERMS | (_OF_A_DELIVERY if document.delivery and document.delivery.address else {})
    for number, term_id in terms.items():
        yield from missing(document, rule(number), term_id, why)
    if any(group.rate is None for group in document.vat_breakdown):
        yield rule(14), "vat_breakdown", f"lacks a rate, which {why} requires of every category (BT-119)"
    seller = document.seller
    used = {line.vat_category for line in document.lines} | {item.vat_category for item in (*document.allowances, *document.charges)}
    if used & _TAXED and seller and not (seller.vat_id or seller.tax_number or document.tax_representative):
        yield rule(16), "seller.vat_id", f"is missing: {why} requires the seller's VAT id or tax number (BT-31, BT-32)"
    skonto = [row for row in (document.payment_terms or "").splitlines() if row.strip().startswith("#")]
    if skonto and not (all(_SKONTO.match(row.strip()) for row in skonto) and (document.payment_terms or "").endswith("\n")):
        yield rule(18), "payment_terms", "lines that begin with # are #SKONTO#TAGE=14#PROZENT=2.00#, each with a line end (BT-20)"
    phone = seller.contact.phone if seller and seller.contact else None
    if phone and sum(character.isdigit() for character in phone) < _PHONE_DIGITS_MIN:
        yield rule(27), "seller.phone", "needs at least three digits (BT-42)"
    email = seller.contact.email if seller and seller.contact else None
    if email and (email.count("@") != 1 or email.startswith("@") or email.endswith(("@", "."))):
        yield rule(28), "seller.email", "is not an e-mail address (BT-43)"
