"""Searches for a part of a number: exact in accounts of any size, whatever the text, and however the documents came."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import Ledger
from tests.database import database_at, execute
from tests.ledger.test_listing import heard, items

from faktura.bootstrap.books import open_books
from faktura.config import Settings
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Provider, hash_token
from faktura.ledger import number_parts
from faktura.ledger.accounts import add_account, add_provider, create_token, find_account, find_provider
from faktura.ledger.importing import record
from faktura.ledger.number_parts import find_fault
from faktura.ledger.ports import Books
from faktura.ledger.standing import replace_key
from faktura.ledger.verification import verify
from faktura.storage import postgresql_schema, searching
from faktura.storage.migration import load_migrations

ODD = ("7", "77", "777", "ABABAB", "abababab", "Straße-1", "STRASSE-1", "50%", "5_0%_", "a\\b\\c", "İ-0001", "發票-0001", "12" * 80, "x" * 64, "x" * 65)
"""Numbers that are short, that repeat themselves, that fold, that hold LIKE's signs, that are very long."""
TEXTS = (
    *ODD,
    "0",
    "00",
    "000",
    "001",
    "12",
    "121",
    "0000000012",
    "aba",
    "BABA",
    "ss",
    "SSE",
    "%",
    "_",
    "%_%",
    "\\",
    "b\\c",
    "xxx",
    "x" * 66,
    "i̇",
    "票",
    "票-0",
    "\U0010ffff" * 3,
    "none",
)


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts are large, and hits many, where a test has patience for them."""
    set_bounds(monkeypatch, parted_above=20, hits_max=12)


def set_bounds(monkeypatch: pytest.MonkeyPatch, *, parted_above: int, hits_max: int) -> None:
    """Let an account be large, and hits be many, from there on."""
    monkeypatch.setattr(number_parts, "PARTED_ABOVE", parted_above)
    monkeypatch.setattr(searching, "PARTED_ABOVE", parted_above)
    monkeypatch.setattr(searching, "HITS_MAX", hits_max)


def make_books() -> Iterator[Books]:
    """A ledger with one empty account."""
    with open_books(Settings(database=database_at(":memory:")), create=True) as books:
        provider = Provider(id=0, name="vpsbg", dialect="vpsbg", zone="Europe/Sofia", currency=Currency("EUR"), seller=Party(name="S"))
        add_provider(books, provider=provider, series=())
        add_account(books, provider="vpsbg", reference="demo", buyer=None)
        yield books


def documents(books: Books, numbers: list[str]) -> list[Any]:
    """A document for each number, several a day."""
    with books.storage.reading() as tx:
        provider = find_provider(tx, "vpsbg")
    found = [item | {"invoice_number": number} for item, number in zip(items(len(numbers)), numbers, strict=True)]
    return heard(provider, found)


def check_searches(books: Books, token: str, *, size: int = 5) -> None:
    """Every text finds what a look at all numbers finds, newest first, on every page, with the exact total; and verify agrees."""
    rows = [tuple(row.values()) for row in execute(books, "SELECT number_folded, item FROM listing ORDER BY ordinal DESC")]
    serving, token_hash = books.storage.serving().serving, hash_token(token) or b""
    for text in TEXTS:
        expected = [item for number, item in rows if text.casefold() in number]
        for skip in sorted({0, size, max(len(expected) - 2, 0), len(expected) + size}):
            page = serving.search(token_hash, now_us=0, text=text, skip=skip, size=size)
            assert page is not None
            assert page.total == len(expected), text
            assert [row[1] for row in page.rows] == expected[skip : skip + size], (text, skip)
    with books.storage.reading() as tx:
        account = find_account(tx, find_provider(tx, "vpsbg"), "demo")
        assert find_fault(tx, account) is None


@pytest.mark.usefixtures("_small")
@settings(max_examples=12, deadline=None)
@given(order=st.permutations(range(45)), batches=st.lists(st.integers(1, 25), min_size=1, max_size=6))
def test_any_arrival_finds_the_same(order: list[int], batches: list[int]) -> None:
    """Documents in any order and any batches, also one that makes an account large at once: whatever is searched is found as in a plain look."""
    for books in make_books():
        token = create_token(books, provider="vpsbg", reference="demo")[0]
        numbers = [*ODD, *(f"{number:010d}" for number in range(100, 130))]
        waiting = [documents(books, numbers)[place] for place in order]
        for size in [*batches, len(waiting)]:
            batch, waiting = waiting[:size], waiting[size:]
            list(record(books, provider="vpsbg", documents=(("demo", document) for document in batch)))
            check_searches(books, token)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("count", [18, 45])
def test_a_document_that_moves_is_found_where_it_is_then(engine: str, count: int) -> None:
    """Where a corrected instant moves a document in the list, it moves in what is found, in small accounts and large ones."""
    for books in make_books():
        token = create_token(books, provider="vpsbg", reference="demo")[0]
        list(record(books, provider="vpsbg", documents=(("demo", document) for document in documents(books, [*ODD, *map(str, range(100, 130))][:count]))))
        with books.storage.writing() as tx:
            account = find_account(tx, find_provider(tx, "vpsbg"), "demo")
            for number in ("abababab", "12" * 80, "x" * 64):
                (moving,) = tx.invoices.by_number(account.id, number)
                replace_key(tx, account, replace(moving, created_at_us=moving.created_at_us + 10**12))
                account = find_account(tx, find_provider(tx, "vpsbg"), "demo")
        check_searches(books, token)


def test_a_known_total_is_that_of_its_revision(ledger: Ledger, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is counted once is counted again when something was written, and a total is nobody else's; what is remembered is bounded."""
    set_bounds(monkeypatch, parted_above=20, hits_max=3)
    monkeypatch.setattr(searching, "_TOTALS_MAX", 2)
    ledger.provider("vpsbg")
    found = documents(ledger.books, [f"{number:010d}" for number in range(200)])
    serving = ledger.books.storage.serving().serving
    hashes = {}
    for place, reference in enumerate(("anna", "boris")):
        ledger.account("vpsbg", reference)
        hashes[reference] = hash_token(ledger.token("vpsbg", reference)) or b""
        list(record(ledger.books, provider="vpsbg", documents=((reference, document) for document in found[: 100 + 50 * place])))

    def totals(text: str) -> list[int]:
        pages = [serving.search(token_hash, now_us=0, text=text, skip=skip, size=5) for token_hash in hashes.values() for skip in (0, 5)]
        return [page.total for page in pages if page is not None]

    assert totals("00000") == [100, 100, 150, 150]
    assert totals("1") == [19, 19, 69, 69] == totals("1")
    list(record(ledger.books, provider="vpsbg", documents=(("anna", document) for document in found[100:120])))
    assert totals("00000") == [120, 120, 150, 150]
    assert totals("1") == [39, 39, 69, 69]
    assert len(cast("Any", serving)._totals._known) == 2
    assert serving.search(b"nobody", now_us=0, text="00000", skip=0, size=5) is None


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("DELETE FROM number_part WHERE part = '0000000050'", 1),
        ("UPDATE number_part SET part = '051' WHERE part = '050'", 1),
        ("UPDATE number_part SET part = '0000000051' WHERE part = '0000000050'", 1),
        ("UPDATE number_part SET created_at_us = created_at_us + 1 WHERE part = '000050'", 1),
        ("UPDATE number_part SET wire_id = wire_id - 1 WHERE part = '000050'", 1),
        ("UPDATE number_part SET account_id = account_id + 1 WHERE part = '000050'", 1),
        ("INSERT INTO number_part SELECT account_id, '50', created_at_us, wire_id FROM number_part WHERE part = '000050'", 1),
        ("INSERT INTO number_part SELECT account_id, '', created_at_us, wire_id FROM number_part WHERE part = '000050'", 1),
        ("INSERT INTO number_part SELECT account_id + 1, part, created_at_us, wire_id FROM number_part WHERE part = '000050'", 1),
        ("DELETE FROM number_part", 320),
    ],
)
def test_parts_that_were_changed_are_found(ledger: Ledger, engine: str, monkeypatch: pytest.MonkeyPatch, sql: str, count: int) -> None:
    """A part that is missing, foreign or different by one sign is a finding of verify: searches would be wrong."""
    set_bounds(monkeypatch, parted_above=20, hits_max=12)
    ledger.provider("vpsbg")
    ledger.account("vpsbg")
    ledger.account("vpsbg", "small")
    found = documents(ledger.books, [f"{number:010d}" for number in range(11, 51)])
    random.Random(5).shuffle(found)
    list(record(ledger.books, provider="vpsbg", documents=(("demo", document) for document in found)))
    assert list(verify(ledger.books)) == []
    assert len(execute(ledger.books, "SELECT * FROM number_part")) == count or count == 1
    execute(ledger.books, sql)
    assert list(verify(ledger.books)) != []


def test_parts_of_an_older_ledger_are_those_of_this(ledger: Ledger, engine: str) -> None:
    """The migration makes for large accounts exactly the parts that writing makes, and none for others."""
    ledger.provider("vpsbg")
    for reference, count in (("large", number_parts.PARTED_ABOVE + 1), ("small", number_parts.PARTED_ABOVE)):
        ledger.account("vpsbg", reference)
        numbers = [*ODD, *(f"{number:07d}" for number in range(count - len(ODD)))]
        list(record(ledger.books, provider="vpsbg", documents=((reference, document) for document in documents(ledger.books, numbers))))
    written = execute(ledger.books, "SELECT * FROM number_part ORDER BY 1, 2, 3, 4")
    assert {row["account_id"] for row in written} == {execute(ledger.books, "SELECT account_id FROM account WHERE reference = 'large'")[0]["account_id"]}
    assert len(written) > 5 * number_parts.PARTED_ABOVE
    execute(ledger.books, "DROP TABLE number_part")
    (migration,) = [step for step in load_migrations() if step.version == 8]
    for statement in migration.statements:
        execute(ledger.books, statement if engine == "sqlite" else postgresql_schema._definition(statement))
    cast("Any", ledger.books.storage).migrate()  # nothing but the rights to the table
    assert execute(ledger.books, "SELECT * FROM number_part ORDER BY 1, 2, 3, 4") == written
    assert list(verify(ledger.books)) == []
