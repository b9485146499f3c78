"""Whether an e-invoice's sums, dates and identifiers agree: stricter than the official rules, and first."""

from __future__ import annotations

from faktura.documents.en16931 import EInvoice
from faktura.domain.errors import Fault


def arithmetic_faults(document: EInvoice) -> list[Fault]:
    """Sums that do not add up, VAT that does not follow, check digits and dates that are wrong."""
    raise NotImplementedError
