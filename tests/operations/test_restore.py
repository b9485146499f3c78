"""`faktura restore`: what takes the ledger's place is verified before, and the old one is never lost."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from tests.cli.terminal import Terminal
from tests.conftest import serving
from tests.operations.office import NEWEST, empty_target, fill, numbers, select, settings, sqlite_url

from faktura.bootstrap import backups
from faktura.bootstrap.backups import add_up, make_backup, restore
from faktura.bootstrap.books import open_books
from faktura.config import DatabaseUrl, parse_database_url
from faktura.domain.errors import InputError, LedgerFullError
from faktura.domain.party import Party
from faktura.ledger.accounts import add_account
from faktura.storage.facts import drop_wall

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the demo's ledger."""
    folder = tmp_path_factory.mktemp("saved")
    with open_books(settings(sqlite_url(folder / "ledger.db")), create=True) as books:
        fill(books)
    make_backup(settings(sqlite_url(folder / "ledger.db")), folder / "monday.db")
    return folder / "monday.db"


@dataclass(frozen=True)
class Place:
    """A ledger that went on after the backup, and a copy of the backup."""

    ledger: Path
    backup: Path

    @property
    def url(self) -> str:
        """The ledger's."""
        return sqlite_url(self.ledger)

    @property
    def manifest(self) -> Path:
        """Beside the backup."""
        return self.backup.with_name(self.backup.name + ".json")

    def change(self, **values: object) -> None:
        """Change what the manifest says."""
        self.manifest.write_text(json.dumps(json.loads(self.manifest.read_text()) | values))

    def others(self) -> list[str]:
        """What stands beside the ledger, backup and manifest."""
        return sorted(path.name for path in self.ledger.parent.iterdir() if path not in {self.ledger, self.backup, self.manifest})


@pytest.fixture
def place(saved: Path, tmp_path: Path) -> Place:
    """A ledger with an account more than its backup."""
    found = Place(tmp_path / "ledger.db", tmp_path / "monday.db")
    copyfile(saved, found.ledger)
    copyfile(saved, found.backup)
    copyfile(saved.with_name("monday.db.json"), found.manifest)
    Terminal(found.ledger).ok("migrate")
    go_on(found.url, "after")
    return found


def go_on(url: str, reference: str) -> None:
    """Write to a ledger."""
    with open_books(settings(url)) as books:
        add_account(books, provider="vpsbg", reference=reference, buyer=Party(name="Primer EOOD", country="BG"))


def references(path: Path) -> set[object]:
    """The accounts of a file."""
    return {row[0] for row in select(path, "SELECT reference FROM account")}


def test_the_old_ledger_is_kept(place: Place) -> None:
    """The backup stands in the ledger's place, write-ahead log and all; the old one stands whole beside it, and moving it back is all it takes."""
    place.ledger.chmod(0o640)
    os.chown(place.ledger, 12345, 12345) if os.geteuid() == 0 else None
    owner = (place.ledger.stat().st_uid, place.ledger.stat().st_gid)
    old = add_up(DatabaseUrl(path=str(place.ledger)))
    said = Terminal(place.ledger).ok("restore", place.backup, "--json").json()
    kept = Path(said["kept"])
    assert place.others() == [kept.name]
    assert kept.name.startswith("ledger.db.before-restore-")
    assert "after" not in references(place.ledger)
    assert said["digest"] == said["manifest"]["digest"] == add_up(DatabaseUrl(path=str(place.ledger))).digest
    assert select(place.ledger, "PRAGMA journal_mode") == [("wal",)]
    assert (place.ledger.stat().st_mode & 0o777, place.ledger.stat().st_uid, place.ledger.stat().st_gid) == (0o640, *owner)
    assert add_up(DatabaseUrl(path=str(kept))) == old
    assert select(kept, "PRAGMA journal_mode") == [("wal",)]
    kept.replace(place.ledger)
    assert "after" in references(place.ledger)
    assert Terminal(place.ledger).ok("verify").out == "the ledger is whole\n"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_ledger_is_made_where_there_is_none(saved: Path, tmp_path: Path, engine: str) -> None:
    """Without a ledger there, the backup becomes it; a PostgreSQL database that holds one is refused, and stays."""
    with empty_target(engine, tmp_path) as target:
        terminal = Terminal(tmp_path / "unused.db")
        said = terminal.ok("restore", saved, FAKTURA_DATABASE=target)
        assert "kept" not in said.out
        assert add_up(parse_database_url(target)).digest == add_up(DatabaseUrl(path=str(saved))).digest
        go_on(target, "after")
        if engine == "postgresql":
            before = add_up(parse_database_url(target))
            assert "holds a ledger already" in terminal("restore", saved, FAKTURA_DATABASE=target).refused()
            assert add_up(parse_database_url(target)) == before


def flip(place: Place, at: int) -> None:
    """Change a bit of the backup."""
    body = bytearray(place.backup.read_bytes())
    body[at] ^= 4
    place.backup.write_bytes(body)


def other_program(place: Place) -> None:
    """A backup that is somebody else's database, with a fitting checksum."""
    place.backup.unlink()
    with closing(sqlite3.connect(place.backup)) as connection:
        connection.execute("CREATE TABLE theirs (x)")


def newer(place: Place) -> None:
    """A backup of a release to come."""
    with closing(sqlite3.connect(place.backup, isolation_level=None)) as connection:
        connection.execute("INSERT INTO schema_migration VALUES (99, 'future', 0)")


def falsify(place: Place) -> None:
    """A backup with another amount."""
    with closing(sqlite3.connect(place.backup, isolation_level=None)) as connection:
        for statement in drop_wall():
            connection.execute(statement)
        connection.execute("UPDATE invoice SET total_with_vat_minor = total_with_vat_minor + 1 WHERE origin = 'issued'")


def with_checksum(change: Callable[[Place], object]) -> Callable[[Place], None]:
    """The change, and a manifest whose checksum fits it."""

    def act(place: Place) -> None:
        change(place)
        body = place.backup.read_bytes()
        place.change(sha256=hashlib.sha256(body).hexdigest(), size_bytes=len(body))

    return act


DAMAGES: dict[str, tuple[Callable[[Place], object], str]] = {
    **{f"a bit at {at}": (partial(flip, at=at), "is damaged: its") for at in (0, 20, 5000, 100_000, 300_001, -1)},
    "truncated": (lambda place: os.truncate(place.backup, 8192), "is damaged: its 8192 bytes"),
    "longer": (lambda place: place.backup.write_bytes(place.backup.read_bytes() + b"\0"), "is damaged: its"),
    "empty": (lambda place: place.backup.write_bytes(b""), "is damaged: its 0 bytes"),
    "absent": (lambda place: place.backup.unlink(), "there is no such file"),
    "no manifest": (lambda place: place.manifest.unlink(), "is missing, which has the backup's checksum"),
    "no JSON": (lambda place: place.manifest.write_text("{"), "cannot be read as what a backup was said to hold"),
    "other JSON": (lambda place: place.manifest.write_text("[1]"), "cannot be read as what a backup was said to hold"),
    "emptied": (with_checksum(lambda place: place.backup.write_bytes(b"")), "there is no ledger in"),
    "a text": (with_checksum(lambda place: place.backup.write_text("no ledger\n" * 999)), "is not a faktura ledger, or is damaged"),
    "another program's": (with_checksum(other_program), "a database of another program"),
    "newer": (with_checksum(newer), "use a newer faktura"),
    "truncated, checksum fits": (with_checksum(lambda place: os.truncate(place.backup, 300_000)), "damaged|malformed"),
    "another amount, checksum fits": (with_checksum(falsify), "does not hold what its manifest says"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_damaged_backup_is_refused(place: Place, tmp_path: Path, engine: str, damage: str) -> None:
    """Whatever is wrong with the backup is one line; the ledger is untouched to the byte, and nothing is left beside it."""
    change, words = DAMAGES[damage]
    change(place)
    before, beside = place.ledger.read_bytes(), place.others()
    if engine == "sqlite":
        assert matches(words, Terminal(place.ledger)("restore", place.backup).refused())
    else:
        with empty_target(engine, tmp_path) as target:
            assert matches(words, Terminal(place.ledger)("restore", place.backup, FAKTURA_DATABASE=target).refused())
    assert place.ledger.read_bytes() == before
    assert place.others() == beside


def matches(words: str, line: str) -> bool:
    """Whether the line says one of these."""
    return any(each in line for each in words.split("|"))


def test_without_a_checksum_everything_else_is_verified(place: Place) -> None:
    """--without-checksum takes any whole ledger's file; one whose sums do not follow is refused by what `faktura verify` finds."""
    place.manifest.unlink()
    terminal = Terminal(place.ledger)
    terminal.ok("restore", place.backup, "--without-checksum")
    assert "after" not in references(place.ledger)
    falsify(place)
    assert "is no whole ledger: " in terminal("restore", place.backup, "--without-checksum").refused()


def test_a_ledger_in_use_is_refused(place: Place) -> None:
    """While a server has the ledger open, or a command is in a transaction, restore says so at once and changes nothing; then it works."""
    terminal = Terminal(place.ledger)
    with serving(place.ledger):
        assert "another process has the ledger" in terminal("restore", place.backup).refused()
        go_on(place.url, "while it was served")
    assert "while it was served" in references(place.ledger)
    with closing(sqlite3.connect(place.ledger, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM provider").fetchone()
        assert "another process has the ledger" in terminal.process("restore", str(place.backup)).refused()
    terminal.ok("restore", place.backup)
    assert "while it was served" not in references(place.ledger)


def test_what_a_killed_server_left_is_kept_with_the_old_ledger(place: Place) -> None:
    """Writes that only the write-ahead log has are in the kept ledger, and none of them gets into the restored one."""
    with serving(place.ledger) as served:
        go_on(place.url, "in the log")
        served.process.kill()
        served.process.wait()
    assert place.ledger.with_name("ledger.db-wal").stat().st_size
    said = Terminal(place.ledger).ok("restore", place.backup, "--json").json()
    assert place.others() == [Path(said["kept"]).name]
    assert references(Path(said["kept"])) - references(place.ledger) == {"after", "in the log"}
    assert numbers(place.url)


def test_a_damaged_ledger_is_kept_as_it_is(place: Place) -> None:
    """A file that is no database any more gives its place to the backup, and is kept to the byte."""
    place.ledger.write_bytes(b"\x00\xff" * 5000)
    said = Terminal(place.ledger).ok("restore", place.backup, "--json").json()
    assert place.others() == [Path(said["kept"]).name]
    assert Path(said["kept"]).read_bytes() == b"\x00\xff" * 5000
    assert Terminal(place.ledger).ok("verify").out == "the ledger is whole\n"


@pytest.mark.parametrize("is_missing", [False, True])
def test_the_log_of_a_lost_ledger_is_not_the_restored_ones(place: Place, is_missing: bool) -> None:  # noqa: FBT001 - pytest's
    """A killed server left a write-ahead log, and the ledger is damaged or gone: nothing of the log gets into the restored ledger."""
    with serving(place.ledger) as served:
        go_on(place.url, "in the log")
        served.process.kill()
        served.process.wait()
    if is_missing:
        place.ledger.unlink()
    else:
        os.truncate(place.ledger, 4096)
    Terminal(place.ledger).ok("restore", place.backup)
    assert references(place.ledger) == references(place.backup)
    assert Terminal(place.ledger).ok("verify").out == "the ledger is whole\n"
    if is_missing:
        assert any(name.endswith("-wal") for name in place.others())


def test_a_damaged_ledger_that_is_served_is_left_alone(place: Place) -> None:
    """A server keeps a file open whose head was overwritten: restore finds out all the same."""
    with serving(place.ledger):
        body = place.ledger.read_bytes()
        with place.ledger.open("r+b") as file:
            file.write(b"\x00" * 100)
        assert "another process has the ledger" in Terminal(place.ledger).process("restore", str(place.backup)).refused()
        with place.ledger.open("r+b") as file:
            file.write(body[:100])


def test_a_backup_with_a_log_beside_it_is_not_whole(place: Place) -> None:
    """A copy of a served ledger's file without what its log holds would be an older state, and nothing would say so."""
    log = place.backup.with_name("monday.db-wal")
    log.write_bytes(b"frames")
    said = Terminal(place.ledger)("restore", place.backup, "--without-checksum").refused()
    assert "does not hold all of its ledger" in said
    assert "after" in references(place.ledger)


def test_a_log_that_was_not_folded_in_is_not_left_behind(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the restored file's own log could not be folded into it, as on a full disk, the old ledger stays."""
    plain = backups._stage

    def stage(settings: Any, file: Path, staged: Path, manifest: Any) -> None:
        plain(settings, file, staged, manifest)
        held = sqlite3.connect(staged)  # a reader that stays keeps the log where it is
        held.execute("UPDATE provider SET name = name")
        held.commit()
        held.execute("BEGIN").execute("SELECT * FROM provider").fetchone()
        open_readers.append(held)

    open_readers: list[sqlite3.Connection] = []
    monkeypatch.setattr(backups, "_stage", stage)
    with pytest.raises(LedgerFullError):
        backups.restore(settings(place.url), place.backup)
    open_readers[0].close()
    assert "after" in references(place.ledger)


def test_the_ledger_itself_is_no_backup(place: Place) -> None:
    """Restoring the ledger's own file is refused."""
    with pytest.raises(InputError, match="is missing"):
        restore(settings(place.url), place.ledger)
    assert "is the ledger itself" in Terminal(place.ledger)("restore", place.ledger, "--without-checksum").refused()


def test_a_link_to_a_ledger_stays_a_link(place: Place) -> None:
    """Where FAKTURA_DATABASE names a symbolic link, the file that it points to is replaced."""
    link = place.ledger.with_name("current.db")
    link.symlink_to(place.ledger)
    Terminal(link).ok("restore", place.backup)
    assert link.is_symlink()
    assert "after" not in references(place.ledger)


def test_the_newest_schema_is_the_restored_one(place: Place) -> None:
    """A restored ledger is ready to be served by this release."""
    Terminal(place.ledger).ok("restore", place.backup)
    assert Terminal(place.ledger).ok("migrate").out == "nothing to do\n"
    assert select(place.ledger, "SELECT MAX(version) FROM schema_migration") == [(NEWEST,)]


KILLED = """
import os, signal, sys
from faktura.bootstrap.backups import restore
from faktura.config import read_settings
from faktura.storage import backup
from pathlib import Path

owner, _, name = sys.argv[2].rpartition(".")
owner = os if owner == "os" else backup
act = getattr(owner, name)

def dying(*arguments, **options):
    act(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, dying)
restore(read_settings(os.environ), Path(sys.argv[1]))
"""


def test_a_killed_restore_leaves_the_old_ledger_or_the_new_one(place: Place) -> None:
    """SIGKILL at any step: a whole ledger stands in its place, and restore can be run again."""
    for step in ("fetch", "check_integrity", "_let_alike", "_fold", "os.link", "_exchange"):
        done = subprocess.run([sys.executable, "-c", KILLED, str(place.backup), step], env=os.environ | {"FAKTURA_DATABASE": place.url}, check=False)
        assert done.returncode == -signal.SIGKILL, step
        assert Terminal(place.ledger).ok("verify").out == "the ledger is whole\n"
        assert ("after" in references(place.ledger)) is (step != "_exchange")
    go_on(place.url, "after all")
    said = Terminal(place.ledger).ok("restore", place.backup, "--json").json()
    assert "after all" in references(Path(said["kept"]))
    assert references(place.ledger) == references(place.backup)
    assert ".ledger.db.part" not in place.others()
