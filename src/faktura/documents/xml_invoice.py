"""E-invoices of either syntax."""

from __future__ import annotations

from faktura.documents import cii, ubl
from faktura.documents.en16931 import EInvoice, Parsed, Profile, Syntax
from faktura.documents.xml_reader import safe_root
from faktura.domain.errors import InputError

_SYNTAXES = {
    f"{{{ubl.INVOICE}}}Invoice": ubl,
    f"{{{ubl.CREDIT_NOTE}}}CreditNote": ubl,
    f"{{{cii.INVOICE}}}CrossIndustryInvoice": cii,
}


def render(document: EInvoice, *, syntax: Syntax, profile: Profile | None = None) -> bytes:
    """The document as XML in UTF-8, the same bytes each time; `profile` puts its BT-23 and BT-24 in place of the document's own."""
    return (ubl if syntax is Syntax.UBL else cii).render(document, profile=profile)


def parse(body: bytes) -> Parsed:
    """What an e-invoice says, whichever its syntax. Raises InputError, with the line, for what is none or cannot be read."""
    root = safe_root(body)
    syntax = _SYNTAXES.get(root.tag)
    if syntax is None:
        message = f"line {root.sourceline}: {root.tag} is no e-invoice: known are Invoice and CreditNote of UBL 2.1 and CrossIndustryInvoice of UN/CEFACT"
        raise InputError(message)
    return syntax.read(root)
