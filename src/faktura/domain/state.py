"""In what state a document is, for people who ask what is still to be paid."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from faktura.domain.invoice import TypeCode


class State(StrEnum):
    """One word for how a document stands."""

    OPEN = "open"
    """Nothing of it is settled."""
    PARTLY_PAID = "partly-paid"
    PAID = "paid"
    """Nothing is due, whatever settled it."""
    CREDITED = "credited"
    """Its credit notes make up its whole total."""
    OVERDUE = "overdue"
    """Something is due after its due date, whether a part is paid or not."""


def state_of(
    *,
    type_code: TypeCode | None,
    total_minor: int | None,
    paid_minor: int | None,
    due_minor: int | None,
    credited_minor: int,
    due_date: date | None,
    today: date,
) -> State | None:
    """The state of a document; None where its type or what it has due is unknown, and for a pro-forma, on which nothing is owed.

    The amount due of a credit note is owed to the buyer: it is open, or used up and so paid, and never overdue.
    """
    if type_code in {None, TypeCode.PRO_FORMA} or due_minor is None:
        return None
    if total_minor is not None and 0 < total_minor <= credited_minor:
        return State.CREDITED
    if due_minor <= 0:
        return State.PAID
    if type_code is not TypeCode.CREDIT_NOTE and due_date is not None and due_date < today:
        return State.OVERDUE
    return State.PARTLY_PAID if paid_minor else State.OPEN
