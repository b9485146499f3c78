"""How many statements a document costs: what is asked twice for each of a million items shows here, without a clock."""

from __future__ import annotations

from typing import Any

import pytest

from faktura.ledger.billing import BillingItem, issue_batch
from faktura.ledger.drafts import issue_document
from faktura.ledger.verification import verify

PER_ITEM = 9
"""Account by reference, key billed before, and a row each of number, invoice, line, VAT group, standing, billing key and journal."""
PER_ISSUE = 17
"""Of one document of one line, between lock of its account and commit."""


class Watch:
    """The statements that the ledger's writer ran."""

    def __init__(self, ledger: Any) -> None:
        self.ran: list[str] = []
        with ledger.books.storage.writing():
            pass
        ledger.books.storage._writer.set_trace_callback(self.ran.append)

    def count(self) -> int:
        """How many there were since the last look."""
        found = len(self.ran)
        self.ran.clear()
        return found


@pytest.fixture
def shop(ledger: Any) -> Any:
    """A provider with two accounts."""
    ledger.provider("vpsbg")
    ledger.account("vpsbg", "a")
    ledger.account("vpsbg", "b")
    return ledger


def items(start: int, count: int) -> list[BillingItem]:
    """Items of one account."""
    line = {"name": "VPS", "unit_price": "10"}
    found = [{"account": "a", "period": "2024-08", "product": f"{start} {place}", "lines": [line]} for place in range(count)]
    return [BillingItem(position=place, data=data) for place, data in enumerate(found, 1)]


@pytest.mark.only("sqlite")
def test_a_batch_asks_once_for_what_its_items_share(shop: Any) -> None:
    """Forty items more cost their own rows and the two questions that only they have, and nothing else."""
    watch = Watch(shop)
    counts = []
    for count in (10, 50):
        watch.count()
        assert all(report.number for report in issue_batch(shop.books, "vpsbg", items(count, count)))
        counts.append(watch.count())
    assert counts[1] - counts[0] <= 40 * PER_ITEM


@pytest.mark.only("sqlite")
def test_a_single_issue_reads_nothing_twice(shop: Any) -> None:
    """What is in hand is not asked for again, however many documents there are."""
    watch = Watch(shop)
    document = {"lines": [{"name": "VPS", "unit_price": "10"}]}
    for _ in range(3):
        with shop.books.storage.writing() as tx:
            provider = tx.providers.get(1)
            found = tx.accounts.find(provider.id, "a")
            account = tx.accounts.lock(found.id)
            watch.count()
            issue_document(tx, shop.books, provider, account, document)
            assert watch.count() <= PER_ISSUE


def test_a_number_between_others_is_free(shop: Any) -> None:
    """Numbers are looked for as a range: one that was used between them does not stop them, one of their own does, and is named."""
    with shop.books.storage.writing() as tx:
        series = next(found for found in tx.series.all(1) if found.name == "invoice")
        assert tx.series.use(series, ["5"]) is None
        assert tx.series.use(series, ["4", "6", "50"]) is None
        assert tx.series.use(series, ["7", "50", "6"]) == "50"
        assert tx.series.use(series, ["7"]) is None
        assert tx.series.use(series, []) is None


def test_accounts_are_found_and_locked_together(shop: Any) -> None:
    """Those that there are, whatever else is asked for; and batches over them leave a whole ledger."""
    with shop.books.storage.writing() as tx:
        found = tx.accounts.find_all(1, ["a", "nobody", "b"])
        assert set(found) == {"a", "b"}
        locked = tx.accounts.lock_all([*found.values(), 5])
        assert locked == tx.accounts.get_all(found.values())
        assert {account.reference for account in locked.values()} == {"a", "b"}
        assert tx.accounts.find_all(1, []) == {}
        assert tx.invoices.billed_all([(found["a"], "x", "y")]) == {}
    issue_batch(shop.books, "vpsbg", items(1, 3))
    assert list(verify(shop.books)) == []
