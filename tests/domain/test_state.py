"""One word for how a document stands."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from faktura.domain.invoice import TypeCode
from faktura.domain.state import State, state_of

TODAY = date(2024, 8, 1)
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
INVOICE, NOTE, PRO_FORMA = TypeCode.INVOICE, TypeCode.CREDIT_NOTE, TypeCode.PRO_FORMA

TABLE: list[tuple[str, dict[str, Any], State | None]] = [
    ("nothing paid", {"paid_minor": 0, "due_minor": 100}, State.OPEN),
    ("a part paid", {"paid_minor": 1, "due_minor": 99}, State.PARTLY_PAID),
    ("all paid", {"paid_minor": 100, "due_minor": 0}, State.PAID),
    ("overpaid, as a source may say", {"paid_minor": 101, "due_minor": -1}, State.PAID),
    ("free of charge", {"total_minor": 0, "paid_minor": 0, "due_minor": 0}, State.PAID),
    ("free, and credited", {"total_minor": 0, "paid_minor": 0, "due_minor": 0, "credited_minor": 0}, State.PAID),
    ("due today", {"paid_minor": 0, "due_minor": 100, "due_date": TODAY}, State.OPEN),
    ("due tomorrow, a part paid", {"paid_minor": 50, "due_minor": 50, "due_date": TOMORROW}, State.PARTLY_PAID),
    ("due yesterday", {"paid_minor": 0, "due_minor": 100, "due_date": YESTERDAY}, State.OVERDUE),
    ("due yesterday, a part paid", {"paid_minor": 99, "due_minor": 1, "due_date": YESTERDAY}, State.OVERDUE),
    ("due yesterday, and paid", {"paid_minor": 100, "due_minor": 0, "due_date": YESTERDAY}, State.PAID),
    ("credited in part", {"paid_minor": 40, "due_minor": 60, "credited_minor": 40}, State.PARTLY_PAID),
    ("credited in part, the rest paid", {"paid_minor": 100, "due_minor": 0, "credited_minor": 40}, State.PAID),
    ("credited whole", {"paid_minor": 100, "due_minor": 0, "credited_minor": 100}, State.CREDITED),
    ("credited whole by rounded parts", {"paid_minor": 100, "due_minor": 0, "credited_minor": 101}, State.CREDITED),
    ("paid, credited whole, and the payment bounced", {"paid_minor": 0, "due_minor": 100, "credited_minor": 100, "due_date": YESTERDAY}, State.CREDITED),
    ("a pro-forma of which the date has passed", {"type_code": PRO_FORMA, "paid_minor": 0, "due_minor": 100, "due_date": YESTERDAY}, State.OPEN),
    ("a pro-forma paid in part", {"type_code": PRO_FORMA, "paid_minor": 1, "due_minor": 99, "due_date": YESTERDAY}, State.PARTLY_PAID),
    ("a credit note with money for the buyer", {"type_code": NOTE, "paid_minor": 0, "due_minor": 100, "due_date": YESTERDAY}, State.OPEN),
    ("a credit note used up", {"type_code": NOTE, "paid_minor": 100, "due_minor": 0}, State.PAID),
    ("a debit note", {"type_code": TypeCode.DEBIT_NOTE, "paid_minor": 0, "due_minor": 100, "due_date": YESTERDAY}, State.OVERDUE),
    ("a source that said nothing", {"paid_minor": None, "due_minor": None}, None),
    ("a source that said only what is paid", {"total_minor": None, "paid_minor": 10, "due_minor": None}, None),
    ("a source that said total and paid", {"paid_minor": 10, "due_minor": None}, State.PARTLY_PAID),
    ("a source that said total and due", {"paid_minor": None, "due_minor": 90}, State.PARTLY_PAID),
    ("a source that said only that nothing is due", {"total_minor": None, "paid_minor": None, "due_minor": 0}, State.PAID),
    ("a source that said only what is due", {"total_minor": None, "paid_minor": None, "due_minor": 5}, State.OPEN),
    ("a type that nobody knows", {"type_code": None, "paid_minor": 0, "due_minor": 5, "due_date": YESTERDAY}, State.OVERDUE),
]


@pytest.mark.parametrize(("terms", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_state_of_a_document(terms: dict[str, Any], expected: State | None) -> None:
    """Each row of the table: credited before paid, paid before overdue, overdue before partly paid and open."""
    known: dict[str, Any] = {"type_code": INVOICE, "total_minor": 100, "today": TODAY}
    assert state_of(**(known | terms)) is expected
