"""`faktura verify` against reading the same rows through the driver and hashing them: what no proof of them can do without."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg

from bench.filling import add_providers, bill, import_file, take_payments, write_line_items
from bench.harness import Context, Cost, Goal, Row, compare, pinned, timed
from faktura.bootstrap.books import open_books
from faktura.config import DatabaseUrl, Settings
from faktura.ledger.ports import Books
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
}
"""What verification covers, by primary key."""


def rows(context: Context) -> Iterator[Row]:
    """One row an engine; the ledger is filled by billing runs, an import of line items and payments."""
    documents = 500 if context.is_quick else DOCUMENTS
    samples = 1 if context.is_quick else 5
    folder = context.scratch / "verifying"
    folder.mkdir()
    settings = Settings(database=DatabaseUrl(path=str(folder / "ledger.db")))
    fill(settings, documents, folder)
    note = f"{documents} documents; peak memory of a process of its own: {_megabytes(settings)} MB"
    with open_books(settings) as books, pinned(0):
        theirs = timed(lambda: hash_sqlite(Path(settings.database.path)))
        yield compare("verify, SQLite", "reading the same rows and hashing them", GOAL, ours=_verified(books), theirs=theirs, samples=samples, note=note)


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


def _verified(books: Books) -> Cost:
    def work() -> None:
        found = list(verify(books))
        assert not found, found  # noqa: S101

    return timed(work)


def _megabytes(settings: Settings) -> int:
    """Peak memory of verification in a process of its own, in megabytes."""
    program = "import resource; from faktura.cli.app import main; exit(main() if False else 0)"
    del program
    code = (
        "import resource, sys; from faktura.bootstrap.books import open_books; from faktura.config import DatabaseUrl, Settings; "
        "from faktura.ledger.verification import verify\n"
        "with open_books(Settings(database=DatabaseUrl(path=sys.argv[1]))) as books: assert not list(verify(books))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    said = subprocess.run([sys.executable, "-c", code, settings.database.path], check=True, capture_output=True, text=True, env=os.environ)
    return int(said.stdout)
