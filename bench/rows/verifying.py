"""`faktura verify` against reading the same rows through the driver and hashing them: what no proof of them can do without."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg

from bench import postgres
from bench.filling import add_providers, bill, import_file, peak_megabytes, take_payments, write_line_items
from bench.harness import SAMPLES, CannotRunError, Context, Goal, Row, Skipped, compare, pinned, timed
from faktura.bootstrap.books import open_books
from faktura.config import DatabaseUrl, Settings
from faktura.ledger.verification import verify

GOAL = Goal(at_least=0.30)
DOCUMENTS = 20_000

KEYS = {
    "invoice": "account_id, invoice_id",
    "invoice_line": "account_id, invoice_id, line_number",
    "allowance_charge": "account_id, invoice_id, line_number, position",
    "vat_breakdown": "account_id, invoice_id, position",
    "payment": "account_id, payment_id",
    "allocation": "account_id, allocation_id",
    "refund": "account_id, refund_id",
    "reversal": "account_id, reversal_id",
    "source": "account_id, source_id",
    "observation": "account_id, invoice_id, source_id",
    "enrichment": "account_id, invoice_id, term",
    "conflict": "account_id, invoice_id, source_id, term",
    "journal": "provider_id, sequence",
    "listing": "account_id, invoice_id",
    "billing_item": "account_id, period, product",
    "issued_number": "provider_id, series, number",
    "vat_id_check": "account_id, check_id",
    "period_lock": "provider_id, lock_id",
    "moved_in": "account_id, invoice_id",
    "series_jump": "provider_id, name, from_number",
    "number_part": "account_id, part, created_at_us, wire_id",
}
"""What verification covers, by primary key."""


def rows(context: Context) -> Iterator[Row | Skipped]:
    """One row an engine; the ledger is filled by billing runs, an import of line items and payments."""
    documents = 500 if context.is_quick else DOCUMENTS
    settings = Settings(database=DatabaseUrl(path=str(context.scratch / "verifying.db")))
    fill(settings, documents, context.scratch)
    path = Path(settings.database.path)
    yield _compared(context, f"{documents} documents, SQLite", settings, lambda: hash_sqlite(path), note="" if context.is_quick else _memory(context, settings))
    try:
        remote = Settings(database=postgres.database("verifying"))
        fill(remote, documents, context.scratch)
    except CannotRunError as error:
        yield Skipped(what="verify, PostgreSQL", reason=str(error))
        return
    analyze(remote)
    yield _compared(context, f"{documents} documents, PostgreSQL", remote, lambda: hash_postgresql(remote.database.migration_url or ""))


def _compared(context: Context, what: str, settings: Settings, theirs: Callable[[], None], note: str = "") -> Row:
    def ours() -> None:
        found = list(verify(books))
        if found:
            raise AssertionError(found)

    with open_books(settings) as books, pinned(0):
        return compare(
            f"verify ({what})",
            "reading the same rows through the driver and hashing them",
            GOAL,
            ours=timed(ours),
            theirs=timed(theirs),
            samples=1 if context.is_quick else SAMPLES,
            note=note,
        )


def _memory(context: Context, settings: Settings) -> str:
    """Peak memory of verification at two sizes."""
    small = Settings(database=DatabaseUrl(path=str(context.scratch / "verifying-small.db")))
    fill(small, DOCUMENTS // 5, context.scratch)
    megabytes = [peak_megabytes("verify", found.database.path) for found in (small, settings)]
    return f"peak memory of {DOCUMENTS // 5} documents: {megabytes[0]} MB, of {DOCUMENTS}: {megabytes[1]} MB"


def analyze(settings: Settings) -> None:
    """What PostgreSQL's own housekeeping does within a minute of such a load."""
    with psycopg.connect(settings.database.migration_url or "", autocommit=True) as connection:
        connection.execute("ANALYZE")


def fill(settings: Settings, documents: int, folder: Path) -> None:
    """Half of the documents billed by VPSBG, and every third of them paid; a tenth billed, the rest imported by checkdomain."""
    with open_books(settings, create=True) as books:
        add_providers(books)
        bill(books, provider="vpsbg", documents=documents // 2, accounts=max(1, documents // 20))
        bill(books, provider="checkdomain", documents=documents // 10, accounts=max(1, documents // 100))
        take_payments(books, provider="vpsbg", one_of=3)
        write_line_items(folder / "lines.csv", documents=documents * 4 // 10)
        import_file(books, settings, folder / "lines.csv", provider="checkdomain")


def hash_sqlite(path: Path) -> None:
    """Every row of every table in the order of its key, each row's values into SHA-256."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = -16000")  # as ours has it
        connection.execute("BEGIN")
        for table, key in KEYS.items():
            digest = hashlib.sha256()
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY {key}"):
                digest.update(repr(row).encode())


def hash_postgresql(url: str) -> None:
    """The same, a server-side cursor a table."""
    with psycopg.connect(url) as connection:
        for table, key in KEYS.items():
            digest = hashlib.sha256()
            with connection.cursor(name=table, binary=True) as cursor:
                cursor.itersize = 500
                cursor.execute(f"SELECT * FROM {table} ORDER BY {key}".encode())
                for row in cursor:
                    digest.update(repr(row).encode())
