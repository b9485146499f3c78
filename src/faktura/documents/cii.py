"""Stub."""

from __future__ import annotations

from faktura.documents.en16931 import EInvoice, Parsed, Profile


def render(document: EInvoice, *, profile: Profile | None = None) -> bytes:
    """The document as XML in UTF-8, the same bytes each time; `profile` puts its BT-23 and BT-24 in place of the document's own."""
    raise NotImplementedError


def parse(body: bytes) -> Parsed:
    """What the XML says. Raises InputError for what is no invoice of this syntax."""
    raise NotImplementedError
