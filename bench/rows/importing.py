"""Import of line-item CSV against reading the CSV and inserting the rows that it makes, finished: what nobody can do without."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from bench import postgres
from bench.filling import add_providers, import_file, peak_megabytes, write_line_items
from bench.harness import CannotRunError, Context, Cost, Goal, Row, Skipped, compare, pinned, timed
from bench.retail import FOLDER, retail_rows, write_csv
from faktura.bootstrap.books import open_books
from faktura.config import DatabaseUrl, Settings
from faktura.ledger.importing import BATCH_SIZE

GOAL = Goal(at_least=0.30)
TABLES = "account_reference account invoice invoice_line vat_breakdown source journal listing number_part".split()
"""What an import of line items writes rows to."""
DOCUMENTS = 4_000
COPIES = 2
PROVIDER = "checkdomain"

Batch = dict[str, list[tuple[object, ...]]]
"""Rows of one commit, by table, as tuples in the order of the table's columns."""


def rows(context: Context) -> Iterator[Row | Skipped]:
    """Rows that are made, real ones where they lie beside the project, and PostgreSQL where there is one."""
    documents = 200 if context.is_quick else DOCUMENTS
    made = context.scratch / "made.csv"
    write_line_items(made, documents=documents)
    note = "" if context.is_quick else _memory(context)
    batches, row = _compared(context, f"{documents} documents of 20 lines, SQLite", made, _blank_sqlite(context), _insert_sqlite, note=note)
    yield row
    try:
        yield _compared(context, f"{documents} documents of 20 lines, PostgreSQL", made, _blank_postgresql(), _insert_postgresql, batches=batches)[1]
    except CannotRunError as error:
        yield Skipped(what="import of line items, PostgreSQL", reason=str(error))
    if FOLDER.is_dir() and not context.is_quick:
        real = context.scratch / "retail.csv"
        write_csv(real, retail_rows(copies=COPIES))
        yield _compared(context, f"Online Retail {COPIES} times, SQLite", real, _blank_sqlite(context), _insert_sqlite)[1]


def _compared(
    context: Context,
    what: str,
    path: Path,
    blank: Callable[[], Settings],
    insert: Callable[[Settings, list[Batch]], None],
    *,
    batches: list[Batch] | None = None,
    note: str = "",
) -> tuple[list[Batch], Row]:
    def ours(settings: Settings) -> None:
        with open_books(settings) as books:
            import_file(books, settings, path, provider=PROVIDER)

    if batches is None:
        done = _blank_sqlite(context)()
        ours(done)
        batches = _read_finished(Path(done.database.path))
    finished = batches

    def theirs(settings: Settings) -> None:
        with path.open(encoding="utf-8", newline="") as file:
            for _ in csv.reader(file):
                pass
        insert(settings, finished)

    with pinned(0):
        row = compare(
            f"import of line items ({what})",
            "reading the CSV and inserting its finished rows",
            GOAL,
            ours=_each_anew(blank, ours),
            theirs=_each_anew(blank, theirs),
            samples=1 if context.is_quick else 5,
            note=note,
        )
    return finished, row


def _each_anew(blank: Callable[[], Settings], work: Callable[[Settings], None]) -> Cost:
    """The time that work takes on a ledger that has nothing but its providers."""

    def cost() -> float:
        settings = blank()
        return timed(lambda: work(settings))()

    return cost


def _blank_sqlite(context: Context) -> Callable[[], Settings]:
    places = count()

    def blank() -> Settings:
        path = context.scratch / "ledger.db"
        for file in context.scratch.glob("ledger.db*"):
            file.unlink()
        path = path.with_name(f"ledger.db-{next(places)}")
        return _with_providers(DatabaseUrl(path=str(path)))

    return blank


def _blank_postgresql() -> Callable[[], Settings]:
    places = count()
    return lambda: _with_providers(postgres.database(f"importing-{next(places)}"))


def _with_providers(database: DatabaseUrl) -> Settings:
    settings = Settings(database=database)
    with open_books(settings, create=True) as books:
        add_providers(books)
    return settings


def _read_finished(path: Path) -> list[Batch]:
    """What an import wrote, in the order in which it did, in as many batches as it had."""
    with closing(sqlite3.connect(path)) as connection:
        documents = connection.execute("SELECT COUNT(*) FROM invoice").fetchone()[0]
        batches: list[Batch] = [{} for _ in range(-(-documents // BATCH_SIZE))]
        for table in TABLES:
            made = connection.execute(f"SELECT * FROM {table}").fetchall()
            if table == "journal":
                made = [row for row in made if row[4] == "invoice.recorded"]
            size = -(-len(made) // len(batches)) or 1
            for place, batch in enumerate(batches):
                batch[table] = made[place * size : (place + 1) * size]
    return batches


def _insert_sqlite(settings: Settings, batches: list[Batch]) -> None:
    """A commit a batch, durable, on a connection that is set as ours is."""
    with closing(sqlite3.connect(settings.database.path, isolation_level=None)) as connection:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -16000", "recursive_triggers = ON"):
            connection.execute(f"PRAGMA {pragma}")
        for batch in batches:
            connection.execute("BEGIN IMMEDIATE")
            for table, made in batch.items():
                if made:
                    connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(made[0]))})", made)
            connection.execute("COMMIT")


def _insert_postgresql(settings: Settings, batches: list[Batch]) -> None:
    """The same, with psycopg's `executemany`, which sends a batch as a pipeline."""
    with psycopg.connect(settings.database.url or "") as connection, connection.cursor() as cursor:
        for batch in batches:
            for table, made in batch.items():
                if made:
                    values = sql.SQL(", ").join([sql.Placeholder()] * len(made[0]))
                    cursor.executemany(sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(table), values), made)
            connection.commit()


def _memory(context: Context) -> str:
    """Peak memory of imports of two sizes, each in a process of its own."""
    said = []
    for documents in (DOCUMENTS // 4, DOCUMENTS * 4):
        path = context.scratch / f"memory-{documents}.csv"
        write_line_items(path, documents=documents)
        settings = _blank_sqlite(context)()
        said.append(f"{documents} documents: {peak_megabytes('import', settings.database.path, str(path))} MB")
    return f"peak memory of an import of {', of '.join(said)}"
