"""`faktura backup`: a whole ledger's file, made while others write, or no file at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import Terminal
from tests.conftest import Ledger
from tests.database import database_environment
from tests.operations.office import NEWEST, empty_target, fill, numbers, select, settings, sqlite_url, writers

from faktura.bootstrap.backups import add_up, make_backup, restore
from faktura.bootstrap.books import migrate
from faktura.config import DatabaseUrl, Settings
from faktura.domain.calendar import parse_instant
from faktura.domain.errors import ConflictError
from faktura.storage import backup
from faktura.storage.copying import make_schema


@pytest.fixture
def terminal(ledger: Ledger, engine: str) -> Terminal:
    """A terminal of the demo's ledger, on each engine."""
    fill(ledger.books)
    return Terminal(ledger.path)


def backed_up(terminal: Terminal, ledger: Ledger, file: Path, *options: str) -> dict[str, Any]:
    """What the backup said of itself."""
    environment: dict[str, Any] = database_environment(ledger.path)
    said = terminal.ok("backup", file, "--json", *options, **environment).json()
    assert said["file"] == str(file)
    manifest: dict[str, Any] = said["manifest"]
    return manifest


def test_a_backup_is_a_ledger_with_a_manifest(terminal: Terminal, ledger: Ledger, tmp_path: Path) -> None:
    """Whatever the engine, the backup is one file that any faktura opens and verifies, with checksum and digest beside it; looking changes no byte."""
    (tmp_path / "kept").mkdir()
    file = tmp_path / "kept" / "monday.db"
    manifest = backed_up(terminal, ledger, file)
    assert json.loads((tmp_path / "kept" / "monday.db.json").read_text()) == manifest
    assert manifest["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (manifest["size_bytes"], manifest["schema"]) == (file.stat().st_size, NEWEST)
    assert manifest["digest"] == add_up(settings(ledger.url).database).digest == add_up(DatabaseUrl(path=str(file))).digest
    assert parse_instant(manifest["taken_at"]) > 0
    assert Terminal(file).ok("verify").out == "the ledger is whole\n"
    assert manifest["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["monday.db", "monday.db.json"]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "kept").iterdir()} == {0o600}


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_a_backup_under_load_restores_all_that_was_acknowledged(ledger: Ledger, engine: str, tmp_path: Path, to: str) -> None:
    """While four writers issue and pay, each of several backups restores to a whole ledger that has every document acknowledged before it began."""
    ledger.provider("vpsbg")
    accounts = [ledger.account("vpsbg", f"a{place}") for place in range(4)]
    taken = []
    with writers(ledger.books, accounts) as busy:
        for place in range(4):
            before, file = set(busy.acknowledged), tmp_path / f"backup-{place}.db"
            make_backup(settings(ledger.url), file)
            taken.append((before, file))
    assert len({len(before) for before, _ in taken}) > 1, "nothing was written meanwhile"
    for place, (before, file) in enumerate(taken[:: 3 if to == "postgresql" else 1]):
        (tmp_path / str(place)).mkdir()
        with empty_target(to, tmp_path / str(place)) as target:
            done = restore(settings(target), file)
            assert done.kept is None
            assert done.manifest is not None
            assert done.manifest.digest == done.ledger.digest == add_up(settings(target).database).digest
            assert before <= numbers(target)


def test_a_name_that_is_taken_is_left_alone(terminal: Terminal, ledger: Ledger, tmp_path: Path) -> None:
    """An existing file is refused and stays as it was; --replace takes its place, with a manifest of its own."""
    file = tmp_path / "monday.db"
    environment: dict[str, Any] = database_environment(ledger.path)
    first = backed_up(terminal, ledger, file)
    before = file.read_bytes()
    assert "say --replace" in terminal("backup", file, **environment).refused()
    assert file.read_bytes() == before
    ledger.provider("vpsbg", name="another")
    second = backed_up(terminal, ledger, file, "--replace")
    assert first["digest"] != second["digest"] == add_up(DatabaseUrl(path=str(file))).digest
    assert restore(Settings(database=DatabaseUrl(path=str(tmp_path / "restored.db"))), file).ledger.digest == second["digest"]


def test_no_place_for_a_backup_is_told(terminal: Terminal, ledger: Ledger, tmp_path: Path) -> None:
    """A folder that is not there, a folder as the file, the ledger itself, a file that somebody has open as a ledger: a line, and nothing is left."""
    environment: dict[str, Any] = database_environment(ledger.path)
    file = tmp_path / "monday.db"
    assert "the folder does not exist" in terminal("backup", tmp_path / "none" / "monday.db", **environment).refused()
    assert terminal("backup", tmp_path, **environment).refused()
    (tmp_path / "monday.db-wal").touch()
    assert "somebody has" in terminal("backup", file, **environment).refused()
    (tmp_path / "monday.db-wal").unlink()
    if environment["FAKTURA_DATABASE"].startswith("sqlite"):
        names = [ledger.path, *(f"{ledger.path}{mark}" for mark in ("-wal", "-shm", "-journal"))]
        assert all("is the ledger itself" in terminal("backup", name, "--replace", **environment).refused() for name in names)
    before = set(tmp_path.iterdir())
    for limit in (100_000, 300_000, 420_000):  # bytes that a file may have
        said = limited(limit, "backup", str(file), environment)
        assert said.returncode == 1
        (line,) = said.stderr.splitlines()
        assert line.startswith(f"faktura: no backup was made at {file}: "), line
        assert set(tmp_path.iterdir()) <= before
    backed_up(terminal, ledger, file)


def limited(size: int, command: str, file: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command that may write files up to a size."""

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    arguments = [sys.executable, "-B", "-m", "faktura", command, file]
    return subprocess.run(arguments, env=os.environ | environment, preexec_fn=bound, capture_output=True, text=True, check=False)


KILLED = """
import os, signal, sys
from faktura.bootstrap.backups import make_backup
from faktura.config import read_settings
from faktura.storage import backup
from pathlib import Path

at = sys.argv[2]
act = getattr(backup, at)

def dying(*arguments, **options):
    act(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(backup, at, dying)
make_backup(read_settings(os.environ), Path(sys.argv[1]), overwrite=True)
"""


@pytest.mark.parametrize("is_there", [False, True])
def test_a_killed_backup_leaves_the_old_one_or_none(terminal: Terminal, ledger: Ledger, tmp_path: Path, is_there: bool) -> None:  # noqa: FBT001 - pytest's
    """SIGKILL at any step: a file of the final name is a whole backup; the next run takes away what was left."""
    file, kept = tmp_path / "kept" / "monday.db", tmp_path / "kept"
    kept.mkdir()
    environment: dict[str, Any] = database_environment(ledger.path)
    if is_there:
        backed_up(terminal, ledger, file)
        ledger.provider("vpsbg", name="another")
    old = file.read_bytes() if is_there else None
    for step in ("check_free", "copy_pages" if environment["FAKTURA_DATABASE"].startswith("sqlite") else "make_ledger", "finish", "sha256", "sync"):
        done = subprocess.run([sys.executable, "-c", KILLED, str(file), step], env=os.environ | environment, check=False)
        assert done.returncode == -signal.SIGKILL, step
        assert (file.read_bytes() if file.exists() else None) == old
        if is_there:
            assert restore(Settings(database=DatabaseUrl(path=str(tmp_path / f"{step}.db"))), file).ledger.rows
    assert backed_up(terminal, ledger, file, "--replace")["digest"] == add_up(settings(ledger.url).database).digest
    assert sorted(path.name for path in kept.iterdir()) == ["monday.db", "monday.db.json"]


def test_two_at_once_do_not_mix(terminal: Terminal, ledger: Ledger, tmp_path: Path) -> None:
    """While one makes a file, a second that would make the same is refused."""
    (tmp_path / ".monday.db.part").mkdir()
    handle = os.open(tmp_path / ".monday.db.part", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(ConflictError, match="another process is making"):
        make_backup(settings(ledger.url), tmp_path / "monday.db")
    os.close(handle)
    make_backup(settings(ledger.url), tmp_path / "monday.db")


def test_a_migration_may_come_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest tells of what was copied, not of what the ledger was a moment before."""
    path, file = tmp_path / "ledger.db", tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        make_schema(connection, NEWEST - 1)
    plain = backup.copy_pages

    def migrated(source: str, target: Path) -> None:
        migrate(settings(sqlite_url(path)))
        plain(source, target)

    monkeypatch.setattr(backup, "copy_pages", migrated)
    assert make_backup(settings(sqlite_url(path)), file).schema == NEWEST
    restore(settings(sqlite_url(path)), file)


def test_a_ledger_is_backed_up_before_it_is_migrated(tmp_path: Path) -> None:
    """A ledger of an older release needs no migration first; its backup is restored into this release, migrated and verified."""
    path, file = tmp_path / "ledger.db", tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        make_schema(connection, NEWEST - 1)
    manifest = make_backup(settings(sqlite_url(path)), file)
    assert (manifest.schema, manifest.rows) == (NEWEST - 1, NEWEST - 1)
    restore(settings(sqlite_url(path)), file)
    assert select(path, "SELECT MAX(version) FROM schema_migration") == [(NEWEST,)]
    assert select(file, "SELECT MAX(version) FROM schema_migration") == [(NEWEST - 1,)]


def test_only_a_backup_is_replaced(terminal: Terminal, ledger: Ledger, tmp_path: Path) -> None:
    """--replace takes the place of a backup and of nothing else: no text, no folder, no device, no other program's database."""
    environment: dict[str, Any] = database_environment(ledger.path)
    text, folder, other = tmp_path / "invoice.toml", tmp_path / "folder", tmp_path / "other.db"
    text.write_text("order_ids = [1]\n")
    folder.mkdir()
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for file in (text, folder, other, fifo):
        assert "is no backup" in terminal("backup", file, "--replace", **environment).refused()
    assert text.read_text() == "order_ids = [1]\n"
    assert fifo.is_fifo()
    file = tmp_path / "monday.db"
    first = backed_up(terminal, ledger, file)
    file.with_name("monday.db.json").unlink()
    assert backed_up(terminal, ledger, file, "--replace")["digest"] == first["digest"]
