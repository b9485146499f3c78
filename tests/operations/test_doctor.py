"""The doctor finds what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections import namedtuple
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.cli.terminal import Terminal
from tests.conftest import Ledger
from tests.database import database_environment, dump, execute, unguard
from tests.operations.watched import furnish

from faktura.bootstrap.doctor import clocks, examine
from faktura.domain.draft import parse_draft
from faktura.domain.money import Currency
from faktura.ledger.commands import issue
from faktura.storage.health import Check, Level
from faktura.storage.postgresql import PostgresqlStorage
from faktura.storage.sqlite_health import file_system_of

POSTGRESQL = pytest.mark.only("postgresql")
SQLITE = pytest.mark.only("sqlite")
TUNED = {"fsync", "checksums"}
"""What a server for tests does without."""


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine


@pytest.fixture
def sound(ledger: Ledger) -> Ledger:
    """A ledger with providers, closed to other users."""
    furnish(ledger)
    if ledger.path.exists():
        ledger.path.chmod(0o600)
        for mark in ("-wal", "-shm"):
            Path(f"{ledger.path}{mark}").chmod(0o600)
    return ledger


def found(ledger: Ledger, *, full: bool = False, **environment: Any) -> list[Check]:
    """What the doctor does not find well."""
    checks = examine(database_environment(ledger.path) | environment, full=full)
    return [check for check in checks if check.level is not Level.OK and check.what not in TUNED]


def only(checks: list[Check], level: Level, what: str) -> Check:
    """The one finding."""
    (check,) = checks
    assert (check.level, check.what) == (level, what)
    assert check.advice
    return check


def owner(ledger: Ledger) -> psycopg.Connection[Any]:
    """The database as its owner."""
    storage = ledger.books.storage
    assert isinstance(storage, PostgresqlStorage)
    return psycopg.connect(storage._migration_url, autocommit=True)


def test_a_sound_ledger_has_no_finding_and_is_not_changed(sound: Ledger) -> None:
    """Nothing is found, nothing written, and --full recomputes the ledger."""
    before = dump(sound.books)
    assert found(sound, full=True) == []
    assert dump(sound.books) == before
    assert any(check.what == "verify" for check in examine(database_environment(sound.path), full=True))


def test_a_misspelt_setting_is_told(sound: Ledger) -> None:
    """A FAKTURA_ variable that nobody reads is a warning that names the nearest one; its value is not shown."""
    check = only(found(sound, FAKTURA_ACCES_LOG="secret"), Level.WARN, "settings")
    assert "FAKTURA_ACCESS_LOG" in check.advice
    assert "secret" not in check.message


def test_a_setting_that_cannot_be_used_is_a_fault(sound: Ledger) -> None:
    """The variable is named, and the doctor ends there."""
    assert "FAKTURA_METRICS_PORT" in only(found(sound, FAKTURA_METRICS_PORT="x"), Level.FAULT, "settings").message


def test_no_password_is_shown() -> None:
    """Settings are shown without the passwords in them, and a server that is away is a fault."""
    checks = list(examine({"FAKTURA_DATABASE": "postgresql://me:hidden@127.0.0.1:1/x?connect_timeout=1"}))
    assert "hidden" not in str(checks)
    assert checks[-1].level is Level.FAULT


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hid:den@127.0.0.1:1/x?connect_timeout=1",
        "postgresql://127.0.0.1:1/x?connect_timeout=1&sslpassword=hidden",
        "postgresql+psycopg://me:hidden@127.0.0.1:1/x",
        "postgres:me:hidden@127.0.0.1/x",
        "host=127.0.0.1 password=hidden",
    ],
)
def test_no_password_is_shown_of_a_setting_that_is_wrong(url: str) -> None:
    """Whatever form a password stands in, and also where the setting cannot be used."""
    said = str(list(examine({"FAKTURA_DATABASE": url})))
    assert "hid" not in said
    assert "den" not in said.replace("identif", "")


def test_a_default_provider_that_is_not_there(sound: Ledger) -> None:
    """The server would not start: a fault."""
    only(found(sound, FAKTURA_DEFAULT_PROVIDER="nobody"), Level.FAULT, "settings")


def test_settings_that_open_doors_are_told(sound: Ledger) -> None:
    """Believing every proxy, and metrics for everybody, are warnings."""
    checks = found(sound, FAKTURA_TRUSTED_PROXIES="0.0.0.0/0", FAKTURA_METRICS_PORT="1", FAKTURA_METRICS_HOST="0.0.0.0")  # noqa: S104
    assert [(check.level, check.what) for check in checks] == [(Level.WARN, "settings")] * 2


@pytest.mark.parametrize(
    ("change", "advice"), [("INSERT INTO schema_migration VALUES (9999, 'later', 0)", "newer"), ("DELETE FROM schema_migration WHERE version > 6", "--dry-run")]
)
def test_another_release_s_schema_is_a_fault(sound: Ledger, change: str, advice: str) -> None:
    """A schema that is older or newer than this release's is told with both numbers."""
    execute(sound.books, change)
    assert advice in only(found(sound), Level.FAULT, "ledger").advice


def test_a_clock_behind_the_ledger_is_a_fault(sound: Ledger) -> None:
    """An entry of the future says that the clock is wrong, or was."""
    sound.clock.now_us = time.time_ns() // 1000 + 3_600_000_000
    sound.account("vpsbg", "later")
    only(found(sound), Level.FAULT, "clock")


def test_clocks_that_differ_are_told() -> None:
    """Two seconds between two machines are a warning, a minute is a fault, in either direction."""
    levels = [clocks(offset).level for offset in (0, 1_000_000, -3_000_000, 3_000_000, -61_000_000, 61_000_000)]
    assert levels == [Level.OK, Level.OK, Level.WARN, Level.WARN, Level.FAULT, Level.FAULT]


def test_an_unknown_time_zone_is_a_fault(sound: Ledger) -> None:
    """A provider whose zone is not known here cannot date its documents."""
    execute(sound.books, "UPDATE provider SET zone = 'Europe/Atlantis' WHERE name = 'vpsbg'")
    assert "Atlantis" in only(found(sound), Level.FAULT, "providers").message


def test_renderings_of_an_older_release_are_told(sound: Ledger) -> None:
    """They are served, but rendered at each call."""
    with sound.books.storage.reading() as tx:
        account = tx.accounts.find(tx.providers.all()[0].id, "demo")
    assert account is not None
    draft = parse_draft({"lines": [{"name": "x", "unit_price": "1", "vat_rate": 20}]}, currency=Currency("EUR"), buyer=account.buyer)
    issue(sound.books, account_id=account.id, draft=draft)
    assert found(sound) == []
    execute(sound.books, "UPDATE listing SET dialect_version = 0")
    only(found(sound), Level.WARN, "renderings")


def test_full_finds_what_was_tampered_with(sound: Ledger) -> None:
    """--full ends in a fault where the ledger does not add up."""
    unguard(sound.books)
    execute(sound.books, "UPDATE journal SET actor = 'somebody else'")
    assert "verify" in {check.what for check in found(sound, full=True)}
    assert "verify" not in {check.what for check in found(sound)}


def test_the_command(sound: Ledger) -> None:
    """A line a check, or JSON Lines; exit code 1 at a fault, 0 otherwise."""
    terminal = Terminal(sound.path)
    environment: dict[str, Any] = dict(database_environment(sound.path))
    bad = terminal("doctor", **environment, FAKTURA_DEFAULT_PROVIDER="nobody")
    assert (bad.code, bad.err) == (1, "")
    assert any(line.startswith("fault  settings: ") for line in bad.out.splitlines())
    lines = terminal("doctor", "--json", **environment).lines()
    assert {tuple(sorted(line)) for line in lines} == {("advice", "level", "message", "what")}
    assert {line["level"] for line in lines if line["what"] not in TUNED} <= {"ok", "warn"}


@SQLITE
def test_no_ledger_is_a_fault_and_makes_none(tmp_path: Path) -> None:
    """A ledger that is not there is told, and not made."""
    checks = list(examine({"FAKTURA_DATABASE": f"sqlite:///{tmp_path}/none.db"}))
    assert checks[-1].level is Level.FAULT
    assert list(tmp_path.iterdir()) == []


@SQLITE
def test_a_file_that_is_no_ledger_is_a_fault(tmp_path: Path) -> None:
    """Neither another program's database nor garbage passes for a ledger, and neither is changed."""
    garbage, other = tmp_path / "garbage.db", tmp_path / "other.db"
    garbage.write_bytes(b"nothing " * 999)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    for path in (garbage, other):
        before = path.read_bytes()
        assert list(examine({"FAKTURA_DATABASE": f"sqlite:///{path}"}))[-1].level is Level.FAULT
        assert path.read_bytes() == before


@SQLITE
def test_the_file_s_own_faults(sound: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open to others, in a folder that others may write to, another journal mode, leftovers of an import, a full disk, a quota that is nearly used up."""
    folder = sound.path.parent
    sound.path.chmod(0o644)
    only(found(sound), Level.WARN, "permissions")
    sound.path.chmod(0o600)
    folder.chmod(0o777)
    only(found(sound), Level.FAULT, "folder")
    folder.chmod(0o700)
    (folder / "faktura-import-x").mkdir()
    only(found(sound), Level.WARN, "leftovers")
    (folder / "faktura-import-x").rmdir()
    pages = execute(sound.books, "PRAGMA page_count")[0]["page_count"]
    only(found(sound, FAKTURA_DATABASE=f"sqlite:///{sound.path}?page_count_max={pages + 1}"), Level.WARN, "size")
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's own
    for free, level in ((1, Level.FAULT), (500 * 2**20, Level.WARN)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage(10**12, 0, free))
        only(found(sound), level, "disk")


@SQLITE
def test_what_sqlite_itself_must_keep(sound: Ledger) -> None:
    """Triggers that are gone, another journal mode and damaged pages are faults."""
    execute(sound.books, "DROP TRIGGER fact_payment_update")
    assert "fact_payment_update" in only(found(sound), Level.FAULT, "facts").message
    copy = sound.path.parent / "copy.db"
    with closing(sqlite3.connect(sound.path)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o600)
    data = bytearray(copy.read_bytes())
    root = _root_page(copy, "token")
    data[root * 4096 - 4096 + 8 : root * 4096 - 4096 + 64] = b"\xff" * 56
    copy.write_bytes(data)
    levels = {(check.level, check.what) for check in examine({"FAKTURA_DATABASE": f"sqlite:///{copy}"})}
    assert {(Level.FAULT, "journal"), (Level.FAULT, "facts"), (Level.FAULT, "integrity")} <= levels


def _root_page(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)).fetchone()[0])


@SQLITE
def test_the_file_system_of_a_path(tmp_path: Path) -> None:
    """The longest mount point above a path decides, later mounts hide earlier ones, and escapes of spaces are undone (proc(5))."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:1 / /srv rw shared:1 - nfs4 x:/ rw\n3 2 8:2 / /srv/a\\040b rw - xfs /dev/b rw\n4 1 8:3 / /srv2 rw - btrfs /dev/c rw\n"
    )
    asked = {"/x/ledger.db": "ext4", "/srv/ledger.db": "nfs4", "/srv/a b/ledger.db": "xfs", "/srv2/ledger.db": "btrfs", "/srvx": "ext4"}
    assert {path: file_system_of(Path(path), mounts) for path in asked} == asked
    assert file_system_of(Path("/x"), tmp_path / "none") is None


@pytest.fixture
def as_owner(sound: Ledger) -> dict[str, Any]:
    """An environment that serves as the owner of the database."""
    return {"FAKTURA_DATABASE": database_environment(sound.path)["FAKTURA_MIGRATION_DATABASE"], "FAKTURA_MIGRATION_DATABASE": ""}


@POSTGRESQL
def test_a_role_with_rights_over_facts_is_a_fault(sound: Ledger, as_owner: dict[str, Any]) -> None:
    """Serving as the owner, or with a right to change a fact that somebody granted."""
    assert {(check.level, check.what) for check in found(sound, **as_owner)} >= {(Level.FAULT, "role"), (Level.FAULT, "facts")}
    with owner(sound) as connection:
        connection.execute("GRANT UPDATE (note) ON invoice TO faktura_server")
    assert "invoice" in only(found(sound), Level.FAULT, "facts").message


@POSTGRESQL
def test_a_superuser_is_a_fault(sound: Ledger) -> None:
    """No wall holds a superuser."""
    url = database_environment(sound.path)["FAKTURA_MIGRATION_DATABASE"].replace("user=faktura_owner", "user=postgres")
    checks = list(examine({"FAKTURA_DATABASE": url}))
    assert (Level.FAULT, "role") in {(check.level, check.what) for check in checks}


@POSTGRESQL
@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE listing DISABLE ROW LEVEL SECURITY",
        "DROP POLICY served ON account",
        "CREATE POLICY more ON listing FOR SELECT TO faktura_reader USING (true)",
        "GRANT SELECT ON payment TO faktura_reader",
    ],
)
def test_an_open_wall_between_accounts_is_a_fault(sound: Ledger, change: str) -> None:
    """Row-level security that is off, a policy that is gone or too wide, a right too much."""
    with sound.books.storage.reading() as tx:
        account = tx.accounts.find(tx.providers.all()[0].id, "demo")
    assert account is not None
    issue(
        sound.books,
        account_id=account.id,
        draft=parse_draft({"lines": [{"name": "x", "unit_price": "1", "vat_rate": 20}]}, currency=Currency("EUR"), buyer=account.buyer),
    )
    with owner(sound) as connection:
        connection.execute(change)
    only(found(sound), Level.FAULT, "accounts")


@POSTGRESQL
def test_facts_without_their_triggers_are_a_fault(sound: Ledger) -> None:
    """Triggers that are dropped or off."""
    with owner(sound) as connection:
        connection.execute("ALTER TABLE journal DISABLE TRIGGER fact_journal")
        connection.execute("DROP TRIGGER fact_payment ON payment")
    assert "journal, payment" in only(found(sound), Level.FAULT, "facts").message


@POSTGRESQL
@pytest.mark.skipif("FAKTURA_TEST_POSTGRESQL" in os.environ, reason="a server of its own decides that itself")
def test_a_database_that_forgets_is_a_fault(sound: Ledger) -> None:
    """The server that tests start does without fsync: the doctor must say so."""
    checks = list(examine(database_environment(sound.path)))
    assert [check.level for check in checks if check.what == "fsync"] == [Level.FAULT]
