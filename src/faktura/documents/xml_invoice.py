"""E-invoices of either syntax."""

from __future__ import annotations

from faktura.documents.en16931 import EInvoice, Parsed, Profile, Syntax


def render(document: EInvoice, *, syntax: Syntax, profile: Profile | None = None) -> bytes:
    """The document as XML in UTF-8, the same bytes each time; `profile` puts its BT-23 and BT-24 in place of the document's own."""
    raise NotImplementedError


def parse(body: bytes) -> Parsed:
    """What an e-invoice says, whichever its syntax. Raises InputError, with the line, for what is none or cannot be read."""
    raise NotImplementedError
