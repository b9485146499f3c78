"""The list: dense ordinals in the order (created, wire id), whatever the order of arrival."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.database import database_at, execute, sqlite_only

from faktura.bootstrap.books import DIALECTS, open_books
from faktura.config import Settings
from faktura.dialects.base import encoder
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Provider, hash_token
from faktura.domain.recorded import Heard
from faktura.ledger.accounts import add_account, add_provider
from faktura.ledger.importing import record
from faktura.storage.statement import load_statements

COUNT = {"sqlite": 8_000, "postgresql": 2_000}


def items(count: int) -> list[dict[str, object]]:
    """Items of a VPSBG list, oldest first, several a day."""
    return [
        {
            "id": number,
            "invoice_number": f"{number:010d}",
            "created_at": f"20{10 + number // 4000:02d}-{1 + number // 340 % 12:02d}-{1 + number // 13 % 26:02d}T22:00:00.000000Z",
            "amount": number % 97,
            "amount_with_vat": number % 97,
            "type": "original",
            "order_ids": [number],
        }
        for number in range(1, count + 1)
    ]


def heard(provider: Any, found: list[dict[str, object]]) -> list[Heard]:
    """The items as recorded documents."""
    documents: list[Heard] = []
    for start in range(0, len(found), 30):
        body = encoder.encode({"data": found[start : start + 30]})
        documents += DIALECTS["vpsbg"].parse_answer(body, provider=provider).documents
    return documents


def check_dense(books: Any) -> list[bytes]:
    """Ordinals are exactly first to last in list order; the rendered items from oldest to newest."""
    ((first, last),) = [row.values() for row in execute(books, "SELECT first_ordinal, last_ordinal FROM account")]
    rows = [tuple(row.values()) for row in execute(books, "SELECT ordinal, created_at_us, wire_id, item FROM listing ORDER BY ordinal")]
    assert [row[0] for row in rows] == list(range(first, last + 1))
    keys = [(row[1], row[2]) for row in rows]
    assert keys == sorted(keys)
    return [row[3] for row in rows]


@pytest.mark.parametrize("arrival", ["newest first", "oldest first", "random"])
def test_arrival_order_does_not_matter(ledger: Any, engine: str, arrival: str) -> None:
    """Thousands of recorded invoices give the same list in whatever order they come, page after page, with the exact total."""
    provider = ledger.provider("vpsbg")
    ledger.account("vpsbg")
    count = COUNT[engine]
    oldest_first = heard(provider, items(count))
    oldest_first.sort(key=lambda document: (document.invoice.created_at_us, document.invoice.wire_id))
    arriving = list(oldest_first)
    if arrival == "newest first":
        arriving.reverse()
    elif arrival == "random":
        random.Random(7).shuffle(arriving)
    changes = list(record(ledger.books, provider="vpsbg", documents=(("demo", document) for document in arriving)))
    assert len(changes) == count
    assert check_dense(ledger.books) == [document.body for document in oldest_first]
    token_hash = hash_token(ledger.token("vpsbg")) or b""
    serving = ledger.books.storage.serving().serving
    for skip in (0, 30, count // 2 - 10, count - 10, count):
        page = serving.page(token_hash, now_us=0, skip=skip, size=30)
        expected = [document.body for document in reversed(oldest_first)][skip : skip + 30]
        assert page.total == count
        assert [row[1] for row in page.rows] == expected


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(24)), batch_size=st.integers(1, 9), days=st.lists(st.integers(1, 5), min_size=24, max_size=24))
def test_any_batching_keeps_the_list_dense(order: list[int], batch_size: int, days: list[int]) -> None:
    """Documents of few days in any order and any batches: the list is that of a plain sort, without a hole."""
    settings_in_memory = Settings(database=database_at(":memory:"))
    found = [item | {"created_at": f"2024-09-{day:02d}T21:00:00.000000Z"} for item, day in zip(items(24), days, strict=True)]
    with open_books(settings_in_memory, create=True) as books:
        provider = Provider(id=0, name="vpsbg", dialect="vpsbg", zone="Europe/Sofia", currency=Currency("EUR"), seller=Party(name="S"))
        provider = add_provider(books, provider=provider, series=())
        add_account(books, provider="vpsbg", reference="demo", buyer=None)
        documents = heard(provider, [found[place] for place in order])
        list(record(books, provider="vpsbg", documents=(("demo", document) for document in documents), batch_size=batch_size))
        listed = check_dense(books)
    assert listed == [document.body for document in sorted(documents, key=lambda item: (item.invoice.created_at_us, item.invoice.wire_id))]


@sqlite_only
def test_the_hot_statements_neither_scan_nor_sort(ledger: Any) -> None:
    """The list page and the single invoice read along indexes only, with no temporary sort."""
    ledger.provider("checkdomain")
    ledger.account("checkdomain")
    connection = ledger.books.storage._connect()
    for name in ("serve_list", "serve_single"):
        parameters = {"token_hash": b"", "now_us": 0, "skip": 30, "size": 30, "wire_id": 1}
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {load_statements()[name]}", parameters)]
        plan = [step for step in plan if step != "SCAN o"]  # the one row of the token's account
        assert not [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step], (name, plan)


@sqlite_only
def test_a_page_does_not_read_the_single_forms(ledger: Any) -> None:
    """The list's columns stand before the single form in the row, so that long invoices do not slow a page."""
    columns = [row[1] for row in ledger.books.storage._connect().execute("PRAGMA table_info(listing)")]
    assert columns.index("item") < columns.index("single") == len(columns) - 1
