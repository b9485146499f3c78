"""An e-invoice that came in, as a recorded document of the ledger."""

from __future__ import annotations

from typing import NamedTuple

from faktura.documents.en16931 import EInvoice
from faktura.domain.invoice import Invoice
from faktura.domain.payment import Standing


class HeardInvoice(NamedTuple):
    """A document as an e-invoice tells it; ids and instants that only the ledger gives are 0."""

    invoice: Invoice
    standing: Standing
    not_kept: tuple[str, ...]
    """Terms (`BT-11 project: …`) that the ledger has no place for; the original's bytes have them."""


def to_invoice(document: EInvoice, *, account_id: int = 0, created_at_us: int = 0) -> HeardInvoice:
    """The recorded document. Unknown stays None. Raises InvalidDocumentError where amounts or dates cannot be kept."""
    raise NotImplementedError
