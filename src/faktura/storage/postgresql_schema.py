"""PostgreSQL's schema: the migrations that every engine shares, and the walls around the data that stand in the database.

- Facts: triggers refuse to change or delete them; and where a role of its own serves, that role has no right to try.
- Accounts: what the provider APIs answer is read as `faktura_reader`, which sees the rows of one token's account only (row-level
  security), even where a statement forgets to ask for the account. Policies are chosen by role, so they cost other reads nothing.
"""

from __future__ import annotations

import re
import time
from typing import Any

import psycopg
from psycopg import sql
from psycopg.errors import DuplicateObject, InsufficientPrivilege

from faktura.domain.errors import SchemaError, SettingError
from faktura.storage.facts import FACTS, MESSAGE, WORK
from faktura.storage.migration import Migration, check_version, load_migrations

READER = "faktura_reader"
WRITERS_TURN = 0x66616B74  # "fakt": the advisory lock that writers take turns with

_SET_VERSION_MIN = 160_000

Connection = psycopg.Connection[Any]

_ASKED = "token_hash = decode(current_setting('faktura.token', true), 'hex')"
# COALESCE hides the comparison from the planner: beside the statement's own it would count twice, make every account look
# tiny, and lead to an index that walks through all of it.
_OF_ACCOUNT = f"COALESCE(account_id = (SELECT t.account_id FROM token t WHERE t.{_ASKED}), false)"  # noqa: S608 - constants
_REFUSE = f"""
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{MESSAGE}: % refuses to %', TG_TABLE_NAME, lower(TG_OP); END $$
"""
SERVED = {"token": _ASKED, "account": _OF_ACCOUNT, "listing": _OF_ACCOUNT, "invoice": _OF_ACCOUNT, "number_part": _OF_ACCOUNT, "document_file": _OF_ACCOUNT}
"""What the reader may see, and which rows of it."""


def read_version(connection: Connection) -> int:
    """The newest migration; 0 for an empty schema. SchemaError for another program's."""
    tables = _tables(connection)
    if "schema_migration" in tables:
        try:
            row = connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema_migration").fetchone()
        except InsufficientPrivilege as error:
            raise SchemaError("the database's role has no rights in the ledger: run `faktura migrate` with this FAKTURA_DATABASE") from error
        return int(row[0]) if row else 0
    if tables:
        raise SchemaError("the database's schema has tables of another program")
    return 0


def migrate(connection: Connection, *, server_role: str | None) -> list[Migration]:
    """Bring the schema to this release and raise its walls, in one transaction; returns what was applied.

    `server_role` is who will serve, where that is not who migrates: it gets the rights that serving needs, and no more.
    A wall that stands is not touched: whoever raises one waits for every reader, and all others wait behind.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (WRITERS_TURN,))
        connection.execute("SET LOCAL statement_timeout = 0")  # an index over a large table takes as long as it takes
        version = read_version(connection)
        check_version(version)
        if version == 0:
            connection.execute("CREATE TABLE schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at_us BIGINT NOT NULL)")
        applied = [migration for migration in load_migrations() if migration.version > version]
        if applied:
            lower_wall(connection)
        for migration in applied:
            for statement in migration.statements:
                connection.execute(_definition(statement))
            row = (migration.version, migration.name, time.time_ns() // 1000)
            connection.execute("INSERT INTO schema_migration VALUES (%s, %s, %s)", row)
        _guard_facts(connection)
        _guard_accounts(connection, server_role)
        if server_role is not None:
            _grant(connection, server_role)
    return applied


def identify(connection: Connection) -> tuple[object, ...]:
    """Which database of which server this is: the same for every role that opens it."""
    row = connection.execute(
        "SELECT current_database(), current_schema(), d.oid, pg_postmaster_start_time() FROM pg_database d WHERE datname = current_database()"
    ).fetchone()
    return tuple(row or ())


def lower_wall(connection: Connection) -> None:
    """Let a migration reach the facts; the wall is raised again in the same transaction."""
    for table in set(FACTS) & set(_tables(connection)):
        connection.execute(f"DROP TRIGGER IF EXISTS fact_{table} ON {table}")


def _tables(connection: Connection) -> list[str]:
    rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def _definition(statement: str) -> str:
    """A migration's statement with this engine's types. Text sorts by code point, as on SQLite, whatever the database's locale.

    A table that is its own index is SQLite's alone.
    """
    typed = re.sub(r"\bBLOB\b", "BYTEA", re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', statement))
    return typed.removesuffix(" WITHOUT ROWID")


def _guard_facts(connection: Connection) -> None:
    connection.execute(_REFUSE)
    enabled = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'fact\\_%' AND tgenabled = 'O' AND tgfoid = to_regproc('refuse_change')"
    guarded = {row[0] for row in connection.execute(enabled).fetchall()}
    for table in set(FACTS) & set(_tables(connection)) - guarded:
        connection.execute(f"DROP TRIGGER IF EXISTS fact_{table} ON {table}")
        connection.execute(f"CREATE TRIGGER fact_{table} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()")


def _guard_accounts(connection: Connection, server_role: str | None) -> None:
    _make_reader(connection, server_role)
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(_schema(connection), sql.Identifier(READER)))
    connection.execute(f"GRANT SELECT ON provider TO {READER}")
    for table, rows in SERVED.items():
        connection.execute(f"GRANT SELECT ON {table} TO {READER}")
        up = connection.execute("SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass(%s)", (table,)).fetchone()
        if not (up and up[0]):
            connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        _let_see(connection, table, policy="served", verb="SELECT", role=READER, rows=rows)
        if server_role is not None:
            _let_see(connection, table, policy="kept", verb="ALL", role=server_role, rows="true")


def _let_see(connection: Connection, table: str, *, policy: str, verb: str, role: str, rows: str) -> None:
    """Make a policy, unless it is there as it was made. Its comment has what it was made of, and what the server made of that."""
    asked = """SELECT md5(%s) || ' ' || md5(concat(polpermissive, polcmd, polroles, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))),
        obj_description(oid, 'pg_policy') FROM pg_policy WHERE polrelid = to_regclass(%s) AND polname = %s"""
    values = (f"{verb} {role} {rows}", table, policy)
    found = connection.execute(asked, values).fetchone()
    if found and found[0] == found[1]:
        return
    name = sql.SQL(policy + " ON {}").format(sql.Identifier(table))
    connection.execute(sql.SQL("DROP POLICY IF EXISTS {}").format(name))
    connection.execute(sql.SQL("CREATE POLICY {} FOR " + verb + " TO {} USING (" + rows + ")").format(name, sql.Identifier(role)))
    made = connection.execute(asked, values).fetchone()
    connection.execute(sql.SQL("COMMENT ON POLICY {} IS {}").format(name, sql.Literal(made[0] if made else "")))


def _make_reader(connection: Connection, server_role: str | None) -> None:
    """The reader belongs to the whole server, so it may be there already, or its making be somebody else's right."""
    member = sql.Identifier(server_role) if server_role else sql.SQL("CURRENT_USER")
    name = server_role or str(connection.info.user)
    try:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,)).fetchone() is None:
            with connection.transaction():
                connection.execute(f"CREATE ROLE {READER} NOLOGIN")
    except DuplicateObject:
        pass  # another database's migration was quicker
    except InsufficientPrivilege as error:
        raise _ask_administrator("CREATE ROLE {reader} NOLOGIN; GRANT {reader} TO {name}", name) from error
    # Who made a role is its member from 16 on, but may not act as it before that is granted.
    right = "SET" if connection.info.server_version >= _SET_VERSION_MIN else "MEMBER"
    row = connection.execute("SELECT pg_has_role(%s, %s, %s)", (name, READER, right)).fetchone()
    if row and not row[0]:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(READER), member))
        except InsufficientPrivilege as error:
            if server_role is not None:  # an owner who only fills or migrates need not act as the reader; one who serves is told then
                raise _ask_administrator("GRANT {reader} TO {name}", name) from error


def _ask_administrator(statements: str, name: str) -> SettingError:
    asked = statements.format(reader=READER, name=name)
    return SettingError(f"what keeps accounts apart is an administrator's to allow; once, as one: {asked}")


def _grant(connection: Connection, role: str) -> None:
    """What serving needs: facts are only inserted, and only work in progress is ever deleted."""
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(_schema(connection), sql.Identifier(role)))
    for table in _tables(connection):
        if table == "schema_migration":
            rights = "SELECT"
        elif table in FACTS:
            rights = "SELECT, INSERT"
        else:
            rights = "SELECT, INSERT, UPDATE, DELETE" if table in WORK else "SELECT, INSERT, UPDATE"
        text = sql.SQL("GRANT " + rights + " ON {} TO {}")
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.Identifier(table), sql.Identifier(role)))
        connection.execute(text.format(sql.Identifier(table), sql.Identifier(role)))


def _schema(connection: Connection) -> sql.Identifier:
    row = connection.execute("SELECT current_schema()").fetchone()
    return sql.Identifier(str(row[0]) if row else "public")
