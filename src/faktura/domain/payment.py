"""Payments, allocations, and what they leave due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from faktura.domain.money import Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money received from an account. What is not allocated is credit of the account."""

    id: int
    account_id: int
    amount_minor: int
    """Positive."""
    currency: Currency
    paid_on: date
    """Value date, in the provider's zone."""
    recorded_at_us: int
    reference: str | None = None
    pro_forma_id: int | None = None
    """The pro-forma that asked for it: the invoice made from that one is settled by it first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """A part of a payment or of a credit note that settles a document. Exactly one source is set."""

    id: int
    account_id: int
    invoice_id: int
    """The document settled."""
    amount_minor: int
    payment_id: int | None = None
    credit_note_id: int | None = None
    allocated_on: date
    recorded_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money that went back to the buyer, from what was left of a payment or of a credit note. Exactly one source is set."""

    id: int
    account_id: int
    amount_minor: int
    """Positive, in the currency of its source."""
    payment_id: int | None = None
    credit_note_id: int | None = None
    refunded_on: date
    """Value date, in the provider's zone."""
    recorded_at_us: int
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """A payment that bounced or was charged back: from then on it settles nothing, and is no credit."""

    id: int
    account_id: int
    payment_id: int
    reversed_on: date
    """Value date, in the provider's zone."""
    reason: str
    recorded_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One entry of a document's payments as its provider shows them."""

    amount_minor: int
    paid_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is paid (BT-113) and due (BT-115) now. None: nobody said."""

    paid_minor: int | None = None
    due_minor: int | None = None
    settlements: tuple[Settlement, ...] | None = None


def settle(total_minor: int, settlements: tuple[Settlement, ...]) -> Standing:
    """The standing of an issued document: Σ settlements + due = total, always (BR-CO-16)."""
    paid = sum(item.amount_minor for item in settlements)
    return Standing(paid_minor=paid, due_minor=total_minor - paid, settlements=settlements)


def allocate(available_minor: int, dues_minor: list[int]) -> list[int]:
    """How an amount settles documents one after the other, none beyond what it is due."""
    parts = []
    for due in dues_minor:
        part = max(0, min(available_minor, due))
        parts.append(part)
        available_minor -= part
    return parts
