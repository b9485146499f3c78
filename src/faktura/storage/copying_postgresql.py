"""PostgreSQL as source and target of a copy: COPY both ways, a row at a time in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import psycopg

from faktura.domain.errors import LedgerError, LedgerUncertainError
from faktura.storage.copying import Table, Values, selection
from faktura.storage.pool import Connection
from faktura.storage.postgresql import PostgresqlStorage
from faktura.storage.postgresql_schema import WRITERS_TURN

_TYPES = {"BIGINT": "int8", "TEXT": "text", "BLOB": "bytea"}
_UNBOUNDED = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
"""A table takes as long as it takes; and while it goes over, the other transaction has nothing to do."""

_NARROWED = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND row_security_active(c.oid) AND NOT EXISTS (
  SELECT 1 FROM pg_policy p CROSS JOIN unnest(p.polroles) AS member (role)
  WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('*', 'r') AND pg_get_expr(p.polqual, p.polrelid) = 'true'
  AND (member.role = 0 OR pg_has_role(member.role, 'USAGE'))
) ORDER BY 1
"""
"""Tables of which row-level security keeps rows from who asks: a copy would lack them, and nothing would say so."""


class PostgresqlEnd:
    """A ledger in a database, in the transaction that a connection has open."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def columns(self, table: Table) -> set[str]:
        """What the table really has."""
        asked = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
        return {row[0] for row in self._connection.execute(asked, [table.name])}

    def rows(self, table: Table) -> Iterator[Values]:
        """All rows in key order, texts by code point whatever the database's locale."""
        kinds = dict(zip(table.columns, table.kinds, strict=True))
        order = [f'{column} COLLATE "C"' if kinds[column] == "TEXT" else column for column in table.key]
        with self._connection.cursor() as cursor, cursor.copy(f"COPY ({selection(table, order=order)}) TO STDOUT (FORMAT BINARY)") as copy:
            copy.set_types([_TYPES[kind] for kind in table.kinds])
            yield from copy.rows()

    def is_empty(self, table: Table) -> bool:
        """Whether it has no row."""
        return self._connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone() is None  # noqa: S608 - our own schema's name

    def fill(self, table: Table, rows: Iterable[Values]) -> None:
        """Insert all."""
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types([_TYPES[kind] for kind in table.kinds])
            for row in rows:
                try:
                    copy.write_row(row)
                except (TypeError, ValueError, OverflowError) as error:  # SQLite keeps any value in any column
                    message = f"the table {table.name} has a value that is not of its column's kind ({error}); nothing was kept"
                    raise LedgerError(message) from error

    def settle(self, tables: Sequence[Table]) -> None:
        """Count, so that the next statements are planned for what is there; only an owner's right, and done later by the server itself."""
        for table in tables:
            owned = self._connection.execute("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(%s)", [table.name]).fetchone()
            if owned and owned[0]:
                self._connection.execute(f"ANALYZE {table.name}")


@contextmanager
def _errors() -> Iterator[None]:
    """What only a copy can meet: values of another engine that this one does not keep."""
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.NotSupportedError, psycopg.ProgrammingError) as error:
        said = str(error).strip().partition("\n")[0]
        message = f"the ledger's rows cannot be read or written ({said}); nothing of this step was kept"
        raise LedgerError(message) from error


@contextmanager
def reading(storage: PostgresqlStorage) -> Iterator[PostgresqlEnd]:
    """One consistent state of the database; others go on writing. LedgerError where the role is not shown all of it."""
    with storage.connection() as connection, _errors():
        connection.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {_UNBOUNDED}", prepare=False)
        narrowed = [row[0] for row in connection.execute(_NARROWED)]
        if narrowed:
            message = f"the database's role is not shown all rows of {', '.join(narrowed)}: use the role that serves, or the owner's"
            raise LedgerError(message)
        yield PostgresqlEnd(connection)
        connection.execute("ROLLBACK")


@contextmanager
def writing(storage: PostgresqlStorage) -> Iterator[PostgresqlEnd]:
    """A transaction that fills the database, in the writers' turn: all of it is kept when the block ends well, otherwise nothing."""
    with storage.connection() as connection, _errors():
        connection.execute(f"BEGIN; SELECT pg_advisory_xact_lock({WRITERS_TURN}); {_UNBOUNDED}", prepare=False)
        yield PostgresqlEnd(connection)
        try:
            connection.execute("COMMIT")
        except psycopg.OperationalError as error:
            raise LedgerUncertainError from error
