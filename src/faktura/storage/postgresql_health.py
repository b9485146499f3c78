"""What a ledger in PostgreSQL relies on: durable commits, a role without rights over facts, and the wall between accounts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from faktura.storage.facts import FACTS
from faktura.storage.health import Check, fault, ok, warn
from faktura.storage.postgresql import CONNECTIONS_MAX, PostgresqlStorage
from faktura.storage.postgresql_schema import READER, SERVED

Connection = psycopg.Connection[Any]

VERSION_MIN = 14
_MIGRATE = "run `faktura migrate` with FAKTURA_MIGRATION_DATABASE of the owner"
_OPEN = ("provider",)
"""What the reader sees whole."""


def examine(storage: PostgresqlStorage) -> Iterator[Check]:
    """Look at the database with the server's own rights; nothing is changed."""
    with storage.connection() as connection:
        yield _version(connection)
        yield from _durability(connection)
        yield from _role(connection)
        yield from _facts(connection)
        yield from _accounts(connection)


def clock_offset_us(storage: PostgresqlStorage) -> int:
    """How far this machine's clock is ahead of the database server's, give or take half a round trip."""
    with storage.connection() as connection:
        before = time.time_ns()
        theirs = int(_one(connection, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"))
        return (before + time.time_ns()) // 2000 - theirs


def _one(connection: Connection, statement: str, *values: object) -> Any:  # noqa: ANN401 - whatever was selected
    row = connection.execute(statement, values).fetchone()
    return None if row is None else row[0]


def _version(connection: Connection) -> Check:
    version = int(_one(connection, "SELECT current_setting('server_version_num')")) // 10_000
    libpq = psycopg.pq.version()
    server = _one(connection, "SELECT current_setting('server_version')")
    said = f"server {server}, libpq {libpq // 10_000}.{libpq % 10_000}, psycopg {psycopg.__version__}"
    return ok("PostgreSQL", said) if version >= VERSION_MIN else warn("PostgreSQL", said, f"its makers no longer mend it: take {VERSION_MIN} or newer")


def _durability(connection: Connection) -> Iterator[Check]:
    for name, harm in (("fsync", "a crash may damage the whole database"), ("full_page_writes", "a crash may damage pages")):
        value = _one(connection, "SELECT current_setting(%s)", name)
        yield ok(name, "on") if value == "on" else fault(name, f"{value}: {harm}", f"ALTER SYSTEM SET {name} = on, and reload the server")
    yield ok("synchronous_commit", str(_one(connection, "SELECT current_setting('synchronous_commit')")))  # ours is never off
    if _one(connection, "SELECT current_setting('data_checksums')") != "on":
        yield warn("checksums", "off: a disk that changes bytes is not noticed", "pg_checksums --enable, while the server is stopped")
    encoding = _one(connection, "SELECT current_setting('server_encoding')")
    if encoding != "UTF8":
        yield fault("encoding", f"{encoding} cannot hold every text", "make the database with ENCODING 'UTF8' and move the ledger into it")
    if _one(connection, "SELECT pg_is_in_recovery()"):
        yield fault("replica", "this server only follows another one", "let FAKTURA_DATABASE name the primary")
    elif _one(connection, "SELECT current_setting('transaction_read_only')") == "on":
        yield fault("writing", "the database takes no writes from this role", "look for default_transaction_read_only, of the role and of the database")
    most = int(_one(connection, "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"))
    said = f"the server takes {most}, a faktura server up to {2 * CONNECTIONS_MAX}"
    yield ok("connections", said) if most > 2 * CONNECTIONS_MAX else warn("connections", said, "raise max_connections")


def _role(connection: Connection) -> Iterator[Check]:
    row = connection.execute("SELECT rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user").fetchone()
    name, is_super, passes, makes_roles = row or ("", False, False, False)
    if is_super:
        yield fault("role", f"{name} is a superuser: no wall holds it", "let FAKTURA_DATABASE connect as a plain role, FAKTURA_MIGRATION_DATABASE as the owner")
        return
    if passes or makes_roles:
        yield fault("role", f"{name} may {'pass by row-level security' if passes else 'make roles'}", f"ALTER ROLE {name} NOBYPASSRLS NOCREATEROLE")
    owned = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND pg_has_role(current_user, tableowner, 'MEMBER')"
    if _one(connection, owned):
        advice = "let FAKTURA_DATABASE connect as a role of its own, FAKTURA_MIGRATION_DATABASE as the owner, and run `faktura migrate`"
        yield fault("role", f"{name} owns the ledger's tables, and could take its walls down", advice)
    else:
        yield ok("role", f"{name} is neither superuser nor owner")


def _facts(connection: Connection) -> Iterator[Check]:
    tables = [str(row[0]) for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()]
    facts = sorted(set(FACTS) & set(tables))
    rights = "SELECT has_any_column_privilege(%s, 'UPDATE') OR has_table_privilege(%s, 'DELETE, TRUNCATE')"
    changed = [table for table in facts if _one(connection, rights, table, table)]
    if changed:
        yield fault("facts", f"the server's role may change {', '.join(changed)}", _MIGRATE)
    else:
        yield ok("facts", "the server's role may only add to them")
    triggers = "SELECT tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid WHERE c.relnamespace = current_schema()::regnamespace AND tgenabled <> 'D'"
    there = {str(row[0]) for row in connection.execute(triggers).fetchall()}
    missing = [table for table in facts if f"fact_{table}" not in there]
    if missing:
        yield fault("facts", f"the triggers that guard {', '.join(missing)} are missing or off", f"{_MIGRATE}, then `faktura verify`")


def _accounts(connection: Connection) -> Iterator[Check]:
    """The wall between accounts: policies, the reader's rights, and a look through its eyes without a token."""
    policies = "SELECT tablename FROM pg_policies WHERE schemaname = current_schema() AND policyname = 'served' AND %s = ANY (roles)"
    guarded = {str(row[0]) for row in connection.execute(policies, (READER,)).fetchall()}
    up = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relrowsecurity"
    guarded &= {str(row[0]) for row in connection.execute(up).fetchall()}
    unguarded = sorted(set(SERVED) - guarded)
    if unguarded:
        yield fault("accounts", f"row-level security is down on {', '.join(unguarded)}", _MIGRATE)
        return
    rights = """SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v', 'm', 'p')
        AND relname <> ALL (%s) AND has_table_privilege(%s, oid, 'SELECT') ORDER BY 1"""
    others = [str(row[0]) for row in connection.execute(rights, ([*SERVED, *_OPEN], READER)).fetchall()]
    try:
        with _as_reader(connection):
            seen = [table for table in SERVED if _one(connection, f"SELECT EXISTS (SELECT 1 FROM {table})")]  # noqa: S608 - names of ours
    except InsufficientPrivilege as error:
        yield fault("accounts", f"the server's role cannot read as {READER} ({str(error).strip()})", _MIGRATE)
        return
    if seen or others:
        yield fault("accounts", f"{READER} sees {', '.join([*seen, *others])} without a token", f"{_MIGRATE}; {READER} must have no other right")
    else:
        yield ok("accounts", f"{READER} sees nothing without a token")


@contextmanager
def _as_reader(connection: Connection) -> Iterator[None]:
    with connection.transaction(force_rollback=True):
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(READER)))
        yield
