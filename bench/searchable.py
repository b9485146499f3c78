"""Sets that are too large to be made for every run: generated rows, straight into the tables of a ledger that migrations made."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.config import DatabaseUrl, Settings
from faktura.dialects.base import encoder
from faktura.domain.party import Party
from faktura.domain.provider import Provider
from faktura.ledger.accounts import add_account, add_provider
from faktura.ledger.importing import record
from faktura.storage.migration import load_migrations

SEARCHABLE = 1_000_000
"""Invoices of the account that is searched."""
_SAMPLE_WIRE_ID, _SAMPLE_NUMBER = 77_777_777, "SAMPLE-NUMBER"
_MINUTE_US = 60_000_000


def build_searchable(path: Path, *, count: int = SEARCHABLE) -> None:
    """A ledger with one account of so many invoices at a provider of checkdomain's kind; what is there already is kept.

    Their numbers have ten digits of which the last is a check digit, so that a part of three digits is in about one of 200.
    Lists and searches are whole; the invoices behind them are not there, so the ledger serves and cannot be verified.
    """
    if path.exists():
        return
    made = path.with_suffix(".making")
    made.unlink(missing_ok=True)
    dialect = DIALECTS["checkdomain"]
    with open_books(Settings(database=DatabaseUrl(path=str(made))), create=True) as books:
        terms = dialect.defaults
        provider = Provider(
            id=0,
            name="checkdomain",
            dialect="checkdomain",
            zone=terms.zone,
            currency=terms.currency,
            seller=Party(name="Bench GmbH"),
            rate_limit=10**9,
        )
        provider = add_provider(books, provider=provider, series=default_series(dialect))
        account = add_account(books, provider="checkdomain", reference="searched", buyer=None)
        said = {"id": _SAMPLE_WIRE_ID, "invoice_number": _SAMPLE_NUMBER, "created": "2017-11-16T10:07:15+0100", "amount_total": 12, "amount_payed": 12}
        heard = dialect.parse_answer(encoder.encode(said), provider=provider).documents
        list(record(books, provider="checkdomain", documents=[("searched", document) for document in heard]))
    with closing(sqlite3.connect(made, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous = OFF")
        file.execute("PRAGMA cache_size = -200000")
        file.execute("BEGIN")
        _fill(file, account.id, count)
        file.execute("COMMIT")
        file.execute("PRAGMA journal_mode = DELETE")  # one file, which can be renamed
    made.rename(path)


def _fill(file: sqlite3.Connection, account_id: int, count: int) -> None:
    sample = file.execute("SELECT invoice_id, created_at_us, dialect_version, item, single FROM listing").fetchone()
    file.execute("DELETE FROM listing")
    file.executemany(
        "INSERT INTO listing (account_id, invoice_id, ordinal, created_at_us, wire_id, number_folded, dialect_version, item, single)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        _rows(account_id, count, sample),
    )
    file.execute("UPDATE account SET first_ordinal = 1, last_ordinal = ?, revision = revision + 1 WHERE account_id = ?", (count, account_id))
    for migration in load_migrations():
        for statement in migration.statements:
            if statement.startswith("INSERT INTO number_part"):
                file.execute(statement)


def _rows(account_id: int, count: int, sample: tuple[int, int, int, bytes, bytes]) -> Iterator[tuple[object, ...]]:
    first_id, created_at_us, version, item, single = sample
    for place in range(1, count + 1):
        number = f"{place:09d}{place // 128 * 7 % 10}"

        def about(form: bytes, place: int = place, number: str = number) -> bytes:
            return form.replace(b"%d" % _SAMPLE_WIRE_ID, b"%d" % place).replace(_SAMPLE_NUMBER.encode(), number.encode())

        yield account_id, first_id + place, place, created_at_us + place // 40 * _MINUTE_US, place, number, version, about(item), about(single)
