"""E-invoices of either syntax."""

from __future__ import annotations

from collections.abc import Callable

from faktura.documents import cii, ubl
from faktura.documents.en16931 import EInvoice, Parsed, Profile, Syntax
from faktura.documents.xml_reader import Element, safe_root
from faktura.domain.errors import InputError

_READERS: dict[str, Callable[[Element], Parsed]] = {
    f"{{{ubl.INVOICE}}}Invoice": ubl.read,
    f"{{{ubl.CREDIT_NOTE}}}CreditNote": ubl.read,
    f"{{{cii.INVOICE}}}CrossIndustryInvoice": cii.read,
}


def render(document: EInvoice, *, syntax: Syntax, profile: Profile | None = None) -> bytes:
    """The document as XML in UTF-8, the same bytes each time; `profile` puts its BT-23 and BT-24 in place of the document's own."""
    write = ubl.render if syntax is Syntax.UBL else cii.render
    return write(document, profile=profile)


def parse(body: bytes) -> Parsed:
    """What an e-invoice says, whichever its syntax. Raises InputError, with the line, for what is none or cannot be read."""
    root = safe_root(body)
    read = _READERS.get(root.tag)
    if read is None:
        message = f"line {root.sourceline}: {root.tag} is no e-invoice: known are Invoice and CreditNote of UBL 2.1 and CrossIndustryInvoice of UN/CEFACT"
        raise InputError(message)
    return read(root)
