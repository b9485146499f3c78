"""What tests of copies and backups need: filled ledgers, empty databases, and writers that go on writing."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from tests import postgresql

from faktura.bootstrap.books import open_books
from faktura.bootstrap.demo import fill_demo
from faktura.config import DatabaseUrl, Settings, parse_database_url
from faktura.domain.draft import parse_draft
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Account
from faktura.ledger.commands import issue
from faktura.ledger.listing_query import list_invoices
from faktura.ledger.payments import pay
from faktura.ledger.ports import Books
from faktura.ledger.verification import verify
from faktura.storage.migration import load_migrations

EUR = Currency("EUR")
NEWEST = load_migrations()[-1].version


def fill(books: Books) -> None:
    """The demo's documents, of both dialects."""
    fill_demo(books)


def settings(url: str) -> Settings:
    """Settings that name a ledger."""
    return Settings(database=parse_database_url(url))


def sqlite_url(path: Path) -> str:
    """A file's URL."""
    return f"sqlite:///{path}"


@contextmanager
def empty_database() -> Iterator[DatabaseUrl]:
    """A PostgreSQL database without anything in it, dropped afterwards: as the server's role and as the owner open it."""
    postgresql._template()  # which makes the roles
    name = f"e{secrets.token_hex(10)}"
    with psycopg.connect(postgresql.server(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER {postgresql.OWNER} TEMPLATE template0")
        try:
            yield postgresql._url(name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def empty_target(engine: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database of an engine, by who may make its schema."""
    if engine == "sqlite":
        yield sqlite_url(folder / "target.db")
        return
    with empty_database() as database:
        yield str(database.migration_url)


def numbers(url: str) -> set[str]:
    """The numbers of all documents in a ledger that is whole."""
    with open_books(settings(url)) as books:
        assert list(verify(books)) == []
        return {head.invoice.number for head in list_invoices(books)}


def select(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Rows of a file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


@dataclass
class Writers:
    """Threads that issue and pay, each at an account of its own, until they are stopped; what was acknowledged so far."""

    books: Books
    accounts: list[Account]
    acknowledged: set[str] = field(default_factory=set)
    errors: list[BaseException] = field(default_factory=list)
    some: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)

    def work(self, account: Account) -> None:
        """Issue a document, and pay it, again and again."""
        draft = parse_draft({"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]}, currency=EUR, buyer=Party(name="Primer EOOD", country="BG"))
        try:
            while not self.stopped.is_set():
                invoice = issue(self.books, account_id=account.id, draft=draft)
                pay(self.books, account_id=account.id, amount_minor=1200, currency=EUR, invoice_ids=[invoice.id])
                self.acknowledged.add(invoice.number)
                if len(self.acknowledged) >= 20:
                    self.some.set()
        except BaseException as error:  # noqa: BLE001 - told where the writers are stopped
            self.errors.append(error)
            self.some.set()


@contextmanager
def writers(books: Books, accounts: list[Account]) -> Iterator[Writers]:
    """Writers at work, from the twentieth acknowledged document on."""
    found = Writers(books, accounts)
    threads = [threading.Thread(target=found.work, args=(account,)) for account in accounts]
    for thread in threads:
        thread.start()
    try:
        found.some.wait()
        yield found
    finally:
        found.stopped.set()
        for thread in threads:
            thread.join()
    assert not found.errors, found.errors
