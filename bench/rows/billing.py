"""A billing run against a bulk insert of the same finished rows, and the memory that a run takes."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.harness import Context, Goal, Row, compare, pinned
from faktura.bootstrap.billing import read_items
from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.config import Settings, read_settings
from faktura.domain.party import Party
from faktura.domain.provider import Provider
from faktura.ledger.accounts import add_provider, insert_account
from faktura.ledger.billing import BATCH_SIZE, BillingOutcome, run_billing

ITEMS = 20_000
MONTHS_BEFORE = 6
_COUNTRIES = ("BG", "DE", "BG", "FR", "US")
_DOCUMENT_TABLES = ("invoice", "invoice_line", "allowance_charge", "vat_breakdown", "listing", "billing_item")
_AGAINST = "bulk insert of the same finished rows"
_NOTE = (
    "SQLite, one core. Ours: the file read, validated as a whole, then issued, reports included. Theirs: executemany of tuples, table by table, into a copy "
    f"of the same ledger with its indexes and triggers, synchronous=FULL, a transaction for each {BATCH_SIZE} documents"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """What is billed, and into which ledger."""

    what: str
    items: int
    accounts: int
    months_before: int = 0


def rows(context: Context) -> Iterator[Row]:
    """Speed on three ledgers; memory of `faktura bill` at two sizes."""
    count = 1000 if context.is_quick else ITEMS
    sets = (
        _Set(what=f"billing run, {count} accounts with {MONTHS_BEFORE} invoices each", items=count, accounts=count, months_before=MONTHS_BEFORE),
        _Set(what=f"billing run, {count} new accounts", items=count, accounts=count),
        _Set(what=f"billing run, {count // 100} new accounts, 100 items each", items=count, accounts=count // 100),
    )
    for one in sets:
        bench = _Bench(context.scratch, one)
        yield compare(one.what, _AGAINST, Goal(at_least=0.3), ours=bench.bill, theirs=bench.insert, samples=1 if context.is_quick else 5, note=_NOTE)
    small, large = (1000, 3000) if context.is_quick else (10_000, 100_000)
    yield Row(
        what=f"billing run, peak memory at {large} items",
        against=f"at {small} items",
        goal=Goal(at_most=1.1),
        samples=[(peak_kib(context.scratch, large), peak_kib(context.scratch, small))],
        unit="KiB",
        note="peak resident set of the `faktura bill` process",
    )


class _Bench:
    """One set: a ledger that is copied before each turn, and the rows that a run makes in it."""

    def __init__(self, scratch: Path, one: _Set) -> None:
        self._set = one
        self._prepared, self._ours, self._theirs = (scratch / f"{name}.db" for name in ("prepared", "ours", "theirs"))
        self._file = scratch / "items.jsonl"
        _prepare(self._prepared, one.accounts)
        for month in range(one.months_before):
            write_items(self._file, one.items, one.accounts, month=f"2026-{month + 1:02}")
            _run(self._prepared, self._file)
        write_items(self._file, one.items, one.accounts, month="2026-10")
        self._batches: list[dict[str, list[tuple[object, ...]]]] = []

    def bill(self) -> float:
        """Seconds an item."""
        shutil.copy(self._prepared, self._ours)
        gc.collect()
        with pinned(0):
            began = time.perf_counter()
            issued = _run(self._ours, self._file)
            seconds = time.perf_counter() - began
        if issued != self._set.items:
            message = f"{issued} of {self._set.items} were issued"
            raise RuntimeError(message)
        self._batches = self._batches or _read_batches(self._prepared, self._ours)
        return seconds / self._set.items

    def insert(self) -> float:
        """Seconds an item."""
        shutil.copy(self._prepared, self._theirs)
        gc.collect()
        connection = sqlite3.connect(self._theirs, isolation_level=None)
        connection.executescript("PRAGMA synchronous = FULL; PRAGMA cache_size = -16000; PRAGMA recursive_triggers = ON; PRAGMA journal_mode = WAL")
        with pinned(0):
            began = time.perf_counter()
            for batch in self._batches:
                connection.execute("BEGIN IMMEDIATE")
                for table, found in batch.items():
                    connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(found[0]))})", found)
                connection.execute("COMMIT")
            seconds = time.perf_counter() - began
        connection.close()
        return seconds / self._set.items


def _settings(path: Path) -> Settings:
    return read_settings({"FAKTURA_DATABASE": f"sqlite:///{path}"})


def _prepare(path: Path, accounts: int) -> None:
    """A ledger with a provider and its accounts, in one file."""
    for name in (path, *path.parent.glob(f"{path.name}-*")):
        name.unlink(missing_ok=True)
    dialect = DIALECTS["vpsbg"]
    defaults = dialect.defaults
    seller = Party(name="Hosting OOD", street="ul. Rakovski 1", city="Sofia", post_code="1000", country="BG", vat_id="BG123456789")
    provider = Provider(id=0, name="p", dialect=dialect.name, zone=defaults.zone, currency=defaults.currency, seller=seller)
    with open_books(_settings(path), create=True) as books:
        provider = add_provider(books, provider=provider, series=default_series(dialect))
        with books.storage.writing(bulk=True) as tx:
            for number in range(accounts):
                country = _COUNTRIES[number % len(_COUNTRIES)]
                buyer = Party(name=f"Customer {number} OOD", street=f"ul. Ivan Vazov {number}", city="Plovdiv", post_code="4000", country=country)
                insert_account(tx, books, provider, reference=f"c{number}", buyer=buyer)


def write_items(path: Path, count: int, accounts: int, *, month: str) -> None:
    """A billing file: two lines a document, one with a period and an order."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            server: dict[str, object] = {
                "name": f"Virtual server VPS-{number % 7}",
                "quantity": "1",
                "unit_price": f"{10 + number % 50}.90",
                "item_id": f"vps-{number % 7}",
            }
            server |= {"period": {"start": "2026-10-01", "end": "2026-10-31"}, "order_id": number + 1}
            space = {"name": "Backup space, 50 GB", "quantity": str(1 + number % 4), "unit_price": "2.49"}
            key: dict[str, object] = {"account": f"c{number % accounts}", "period": month, "product": f"order-{number}"}
            file.write(json.dumps(key | {"lines": [server, space], "order_ids": [number + 1], "note": "Thank you.", "payment_terms": "14 days"}) + "\n")


def _run(database: Path, file: Path) -> int:
    """Bill a file; how many were issued."""
    with open_books(_settings(database)) as books:
        reports = run_billing(books, provider="p", read=lambda: read_items(file, advance=lambda _: None))
        return sum(report.outcome is BillingOutcome.ISSUED for report in reports)


def _read_batches(before: Path, after: Path) -> list[dict[str, list[tuple[object, ...]]]]:
    """The rows that a run wrote, by table, in the order and the batches in which it wrote them."""
    connection = sqlite3.connect(after)
    connection.execute("ATTACH ? AS before", (str(before),))
    (old_id,) = connection.execute("SELECT COALESCE(MAX(invoice_id), 0) FROM before.invoice").fetchone()
    (old_entry,) = connection.execute("SELECT MAX(sequence) FROM before.journal").fetchone()
    tables: dict[str, list[tuple[object, ...]]] = {}
    for table in _DOCUMENT_TABLES:
        tables[table] = connection.execute(f"SELECT * FROM {table} WHERE invoice_id > ? ORDER BY invoice_id", (old_id,)).fetchall()
    places = {table: [column[1] for column in connection.execute(f"PRAGMA table_info({table})")].index("invoice_id") for table in _DOCUMENT_TABLES}
    order = {row[places["invoice"]]: place for place, row in enumerate(tables["invoice"])}
    batches: dict[int, dict[str, list[tuple[object, ...]]]] = defaultdict(lambda: defaultdict(list))
    for table, found in tables.items():
        for row in found:
            batches[order[row[places[table]]] // BATCH_SIZE][table].append(row)
    numbers = "SELECT n.* FROM issued_number n JOIN invoice i ON i.number = n.number AND i.series = n.series WHERE i.invoice_id > ? ORDER BY i.invoice_id"
    for place, row in enumerate(connection.execute(numbers, (old_id,))):
        batches[place // BATCH_SIZE]["issued_number"].append(row)
    for place, row in enumerate(connection.execute("SELECT * FROM journal WHERE sequence > ? ORDER BY sequence", (old_entry,))):
        batches[place // BATCH_SIZE]["journal"].append(row)
    connection.close()
    return [batches[number] for number in sorted(batches)]


def peak_kib(scratch: Path, count: int) -> float:
    """The most memory that `faktura bill` held while it billed so many items of 1000 accounts, in KiB."""
    database, file = scratch / "memory.db", scratch / "memory.jsonl"
    _prepare(database, 1000)
    write_items(file, count, 1000, month="2026-10")
    environment = os.environ | {"FAKTURA_DATABASE": f"sqlite:///{database}", "PYTHONPATH": os.pathsep.join(sys.path)}
    # A process of its own that starts it: what children held at most is kept for all of a process's children together.
    command = [sys.executable, "-c", _WATCH, sys.executable, "-m", "faktura", "bill", str(file), "--provider", "p"]
    said = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    return float(said.stdout.split()[-1])


_WATCH = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
