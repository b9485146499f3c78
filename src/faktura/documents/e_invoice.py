"""A document of the ledger as an e-invoice."""

from __future__ import annotations

from faktura.documents.en16931 import EInvoice, Profile
from faktura.domain.invoice import Invoice
from faktura.domain.payment import Standing


def to_e_invoice(invoice: Invoice, *, standing: Standing | None = None, profile: Profile) -> EInvoice:
    """The terms of an issued or recorded document, amounts as at issue; with `standing`, what is paid and due besides.

    Raises InvalidDocumentError where it can be no e-invoice: a pro-forma, or a recorded document that lacks amounts.
    """
    raise NotImplementedError
