"""Many at once, around midnight in Sofia, a third of them failing at every place where one can."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from tests.conftest import Ledger

from faktura.domain.calendar import legal_date, midnight
from faktura.domain.draft import parse_draft
from faktura.domain.errors import FakturaError
from faktura.domain.invoice import Draft
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.ledger.billing import BillingItem, run_billing
from faktura.ledger.commands import credit, issue
from faktura.ledger.drafts import add_draft, issue_draft
from faktura.ledger.exactly_once import once
from faktura.ledger.listing_query import list_invoices
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books
from faktura.ledger.verification import verify

THREADS, WAYS = 32, 9
NEW_YEAR = midnight(date(2025, 1, 1), "Europe/Sofia")


class CrashError(Exception):
    """Something of ours breaks here."""


@dataclass
class Ticking:
    """A clock that goes on a quarter of a second with each look, whoever looks."""

    now_us: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> int:
        """Now."""
        with self.lock:
            self.now_us += 250_000
            return self.now_us


def document(name: str, **terms: Any) -> Draft:
    """A draft of one line."""
    given = {"lines": [{"name": name, "unit_price": "10", "vat_rate": 20}]} | terms
    return parse_draft(given, currency=Currency("EUR"), buyer=Party(name="B", country="BG"))


def fail(books: Books, account_id: int, way: int, name: str) -> None:
    """A call that fails before it takes a number, when it would take it, or after all is written."""

    def crashing(inner: Books) -> Answer:
        issue(inner, account_id=account_id, draft=document(name))
        raise CrashError

    if way == 0:
        issue(books, account_id=account_id, draft=replace(document(name), lines=()))
    elif way == 1:
        issue(books, account_id=account_id, draft=document(name, issue_date="2024-12-30"))
    else:
        once(books, provider_id=1, key=name, fingerprint=b"", act=crashing)


def succeed(books: Books, account_id: int, way: int, name: str) -> int:
    """A call that issues, in one of many ways; how many documents."""

    def issued(inner: Books) -> Answer:
        return Answer(status=201, body=issue(inner, account_id=account_id, draft=document(name)).number.encode())

    if way < 5:
        answers = {once(books, provider_id=1, key=name, fingerprint=b"", act=issued)[0].body for _ in range(2)}
        return len(answers)
    if way == 5:
        credit(books, account_id=account_id, invoice_id=issue(books, account_id=account_id, draft=document(name)).id)
        return 2
    if way == 6:
        lines: list[Any] = [{"name": name, "unit_price": "1"}]
        data = [{"account": "demo", "period": name, "product": f"{place}", "lines": lines * (place % 3)} for place in range(7)]
        items = [BillingItem(position=place, data=item) for place, item in enumerate(data)]
        return [report.outcome.value for report in run_billing(books, provider="vpsbg", read=lambda: items)].count("issued")
    if way == 7:
        with books.storage.reading() as tx:
            account = tx.accounts.get(account_id)
        assert account is not None
        draft = add_draft(books, account=account, document={"lines": [{"name": name, "unit_price": "1"}]})
        issue_draft(books, provider_id=1, draft_id=draft.id, check=lambda _: None)
        return 1
    issue(books, account_id=account_id, draft=document(name))
    return 1


def test_numbers_are_dense_and_dates_never_fall_around_midnight(ledger: Ledger) -> None:
    """32 threads issue into one series over the end of the year, a third fail: no gap, no duplicate, no number with a date before the one below it."""
    ledger.provider("vpsbg")
    accounts = [ledger.account("vpsbg").id, *(ledger.account("vpsbg", f"a{place}").id for place in range(3))]
    books = replace(ledger.books, clock=Ticking(NEW_YEAR - 200_000_000))
    issue(books, account_id=accounts[0], draft=document("first"))
    barrier = threading.Barrier(THREADS)

    def work(thread: int) -> int:
        seeded = random.Random(thread)
        barrier.wait()
        issued = 0
        for way in seeded.sample(range(WAYS), WAYS):
            account_id, name = seeded.choice(accounts), f"{thread}-{way}"
            if way < WAYS // 3:
                with pytest.raises((FakturaError, CrashError)):
                    fail(books, account_id, way, name)
            else:
                issued += succeed(books, account_id, way, name)
        return issued

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, range(THREADS))) == [1 + 1 + 2 + 4 + 1 + 1] * THREADS
    found = sorted((head.invoice for head in list_invoices(books)), key=lambda invoice: invoice.number)
    assert [invoice.number for invoice in found] == [f"{seq:010d}" for seq in range(1, 1 + THREADS * 10 + 1)]
    assert all(before.issue_date <= after.issue_date for before, after in pairwise(found))
    assert {invoice.issue_date for invoice in found} == {date(2024, 12, 31), date(2025, 1, 1)}
    assert all(invoice.issue_date == legal_date(invoice.recorded_at_us, "Europe/Sofia") for invoice in found)
    assert list(verify(books)) == []
