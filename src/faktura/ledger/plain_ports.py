"""What storage says of many facts at once, for verification: of those on which nothing uncommon hangs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from faktura.domain.invoice import Invoice
from faktura.domain.payment import Standing
from faktura.ledger.listing_ports import ListingRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainDocument:
    """A document whose rows are exactly as the ledger writes them: one that no later word, allowance, refund or credit touched."""

    sequence: int
    """Of the journal entry that tells of it."""
    digest: bytes
    """Of what its rows say now."""
    rows: Mapping[str, int]
    """How many rows of each table it has."""
    invoice: Invoice
    is_moved_in: bool
    is_number_used: bool
    """Whether its number is among those that its series gave out."""
    observed: Standing | None
    """What its source showed as paid and due."""
    settled: Sequence[tuple[int, date]]
    """Amount and value date of what settles it, in the order of their writing."""
    listing: ListingRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainMoney:
    """A payment of which nothing went back, or an allocation."""

    sequence: int
    digest: bytes
    table: str
    """Where its row stands."""
    is_overdrawn: bool = False
    """Whether more of a payment is allocated than was paid."""
