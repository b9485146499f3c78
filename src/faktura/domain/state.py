"""How a document stands, in one word. Derived, never stored: it follows from amounts, due date and day."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from faktura.domain.invoice import TypeCode


class State(StrEnum):
    """What a list is filtered by."""

    OPEN = "open"
    """Something is due, and nothing is paid."""
    PARTLY_PAID = "partly-paid"
    PAID = "paid"
    """Nothing is due: of a credit note, nothing that is owed to the buyer."""
    CREDITED = "credited"
    """Its credit notes make up its whole total."""
    OVERDUE = "overdue"
    """Something is due, and the due date (BT-9) has passed."""


def state_of(
    *,
    type_code: TypeCode | None,
    total_minor: int | None,
    paid_minor: int | None,
    due_minor: int | None,
    credited_minor: int = 0,
    due_date: date | None = None,
    today: date,
) -> State | None:
    """The state of a document on a day in its provider's zone; None where its source did not say what is due.

    A pro-forma is not owed and a credit note is owed by the seller: neither is ever overdue.
    """
    if total_minor and 0 < total_minor <= credited_minor:
        return State.CREDITED
    if due_minor is None and total_minor is not None and paid_minor is not None:
        due_minor = total_minor - paid_minor
    if due_minor is None:
        return None
    if due_minor <= 0:
        return State.PAID
    is_owed_by_buyer = type_code not in {TypeCode.PRO_FORMA, TypeCode.CREDIT_NOTE}
    if is_owed_by_buyer and due_date is not None and due_date < today:
        return State.OVERDUE
    is_begun = paid_minor > 0 if paid_minor is not None else total_minor is not None and due_minor < total_minor
    return State.PARTLY_PAID if is_begun else State.OPEN
