"""Files of a backup: made aside and renamed when they are whole; and a restored file put in the place of the old one."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from faktura.domain.errors import ConflictError, InputError, LedgerBusyError, LedgerError, LedgerFullError, SettingError
from faktura.storage.copying import connected, make_schema
from faktura.storage.sqlite import APPLICATION_ID

SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file that is open, or was when its process was killed; it belongs to that file alone."""
_LOCK_START, _LOCK_LENGTH = 0x40000000, 512
"""The bytes that SQLite locks (its file format, "locking"): whoever has a write-ahead-logged file open holds some."""
_LOCK_SECONDS = 1
_PIECE_BYTES = 1024 * 1024
_MARK_START, _MARK_END = 68, 72
"""Where SQLite's header has the application id, most significant byte first."""
_IN_USE = "another process has the ledger {path} open: stop what serves or uses it, and run this again; nothing was changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What stands beside a backup in FILE.json."""

    sha256: str
    """Of the file's bytes."""
    size_bytes: int
    digest: str
    """Of the ledger, whichever engine keeps it: what `faktura copy` prints."""
    rows: int
    schema: int
    release: str
    engine: str
    """What kept the ledger that this is a backup of."""
    taken_at: str
    """Every write that was acknowledged before this instant is in the backup."""


def manifest_path(file: Path) -> Path:
    """Where a backup's manifest stands."""
    return file.with_name(f"{file.name}.json")


def read_manifest(file: Path) -> Manifest:
    """A backup's manifest; InputError where there is none that can be read."""
    path = manifest_path(file)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        message = f"{path} is missing, which has the backup's checksum; --without-checksum restores what is otherwise whole"
        raise InputError(message) from error
    except (OSError, msgspec.DecodeError) as error:
        message = f"{path} cannot be read as what a backup was said to hold: {error}"
        raise InputError(message) from error


@contextmanager
def disk(what: str) -> Iterator[None]:
    """The file system's refusals in a line; `what` could not be done."""
    try:
        yield
    except OSError as error:
        message = f"{what}: {error}"
        raise LedgerFullError(message) if error.errno in {errno.ENOSPC, errno.EDQUOT} else LedgerError(message) from error
    except LedgerError as error:
        message = f"{what}: {'there is no room' if isinstance(error, LedgerFullError) else error}"
        raise type(error)(message) from error


@contextmanager
def workshop(file: Path) -> Iterator[Path]:
    """A folder beside a file, where what will take its name is made; what a killed process left there goes first.

    ConflictError where another process is making the same file.
    """
    if not file.parent.is_dir():
        message = f"the folder does not exist: {file.parent}"
        raise SettingError(message)
    folder = file.with_name(f".{file.name}.part")
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_ino != folder.stat().st_ino:
                raise FileNotFoundError
        except (BlockingIOError, FileNotFoundError) as error:
            message = f"another process is making {file}"
            raise ConflictError(message) from error
        for left in folder.iterdir():
            left.unlink()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


def copy_pages(source: str, target: Path) -> None:
    """One state of a ledger's file, page by page, while others write to it."""
    with connected(source) as reading, connected(str(target)) as writing:
        writing.execute("PRAGMA synchronous = OFF")
        reading.backup(writing)


def make_ledger(target: Path, version: int) -> None:
    """An empty ledger of a schema, in a new file."""
    with connected(str(target)) as connection:
        make_schema(connection, version)


def finish(made: Path) -> None:
    """Make a file of its own of it, which needs none beside it even where nobody may write, and make it durable."""
    with connected(str(made)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    made.chmod(0o600)
    sync(made)


def sync(path: Path) -> None:
    """Make a file, or a folder's names, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_free(file: Path, *, replace: bool) -> None:
    """ConflictError where a backup may not take this name."""
    if file.exists():
        if not replace:
            message = f"{file} is there already and was not touched: name another file, or say --replace"
            raise ConflictError(message)
        if not _is_backup(file):
            message = f"{file} is no backup, and only a backup is replaced by one; it was not touched"
            raise ConflictError(message)
    beside = next((file.with_name(file.name + mark) for mark in SIDE_FILES if file.with_name(file.name + mark).exists()), None)
    if beside is not None:
        message = f"{beside} is there: somebody has {file} open as a ledger, or did not close it well"
        raise ConflictError(message)


def _is_backup(file: Path) -> bool:
    """Whether a manifest tells of a file, or it is a ledger: whatever else has that name is somebody's, or no file at all."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        head = opened.read(_MARK_END)
    is_ledger = head.startswith(b"SQLite format 3\0") and head[_MARK_START:] == APPLICATION_ID.to_bytes(4, "big")
    return is_ledger or manifest_path(file).is_file()


def publish(made: Path, manifest: Manifest, file: Path, *, replace: bool) -> None:
    """Give a whole backup its name, durably. A manifest never stands beside a file that it does not tell of."""
    staged, sidecar = manifest_path(made), manifest_path(file)
    staged.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    staged.chmod(0o600)
    sync(staged)
    check_free(file, replace=replace)
    names = [(staged, sidecar), (made, file)]
    if file.exists():
        sidecar.unlink(missing_ok=True)
        sync(file.parent)
        names.reverse()
    for path, name in names:
        path.replace(name)
        sync(file.parent)


def fetch(file: Path, to: Path, manifest: Manifest | None) -> None:
    """A backup's bytes, checked as they are copied: what is verified from now on is this copy. InputError for a damaged one."""
    log = next((path for path in map(file.with_name, (f"{file.name}-wal", f"{file.name}-journal")) if path.exists() and path.stat().st_size), None)
    if log is not None:
        message = f"{log} is there: {file} alone does not hold all of its ledger; nothing was changed"
        raise InputError(message)
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as source, to.open("wb") as target:
        while piece := source.read(_PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
            target.write(piece)
    if manifest is not None and (digest.hexdigest(), size) != (manifest.sha256, manifest.size_bytes):
        message = f"{file} is damaged: its {size} bytes do not have the checksum of the {manifest.size_bytes} that were written; nothing was changed"
        raise InputError(message)


def check_integrity(path: Path) -> None:
    """InputError where SQLite finds the file's own structure damaged."""
    with connected(str(path)) as connection:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        message = f"the backup's file is damaged: {found}; nothing was changed"
        raise InputError(message)


def put_in_place(made: Path, path: Path, *, mark: str) -> Path | None:
    """Let a whole ledger take the place of the one at a path, in one step; the old one's new name, if there was one.

    LedgerBusyError where another process has the old one open, LedgerFullError where the new one is not whole without its log.
    """
    if made.with_name(f"{made.name}-wal").exists():
        raise LedgerFullError  # its log could not be folded into it when it was closed
    if not path.exists():
        _set_aside(path, mark)
        sync(made)
        made.replace(path)
        sync(path.parent)
        return None
    kept = path.with_name(f"{path.name}.{mark}")
    if kept.exists():
        message = f"{kept} is there already, where the old ledger would be kept; nothing was changed"
        raise ConflictError(message)
    with alone(path) as connection:
        _let_alike(made, path)
        sync(made)
        was_logged = _fold(connection, path, mark)
        try:
            _exchange(made, path, kept)
        finally:
            if connection is not None:
                connection.close()
            if was_logged:  # so that moving it back is all it takes; a ledger is a ledger without it
                with suppress(LedgerError), connected(str(kept if kept.exists() else path)) as again:
                    again.execute("PRAGMA journal_mode = WAL")
    sync(path.parent)
    return kept


@contextmanager
def alone(path: Path) -> Iterator[sqlite3.Connection | None]:
    """Hold a ledger's file so that nobody else uses it: the connection that does, or None where the file is damaged.

    LedgerBusyError where another process has it open.
    """
    try:
        with connected(str(path), seconds=_LOCK_SECONDS) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            try:
                connection.execute("BEGIN EXCLUSIVE")
                connection.execute("ROLLBACK")
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
            else:
                yield connection
                return
    except LedgerBusyError as error:
        raise LedgerBusyError(_IN_USE.format(path=path)) from error
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_LENGTH, _LOCK_START)
        except (BlockingIOError, PermissionError) as error:
            raise LedgerBusyError(_IN_USE.format(path=path)) from error
        yield None


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR}


def _fold(connection: sqlite3.Connection | None, path: Path, mark: str) -> bool:
    """All of a ledger in its one file, so that one rename moves it; whether it had a write-ahead log. A damaged one keeps what is beside it."""
    if connection is None:
        _set_aside(path, mark)
        return False
    try:
        was_logged = bool(connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal")
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        _set_aside(path, mark)
        return False
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)  # a killed process left it: this connection has none
    return was_logged


def _exchange(made: Path, path: Path, kept: Path) -> None:
    """A second name for the old file, then its first for the new one: at no moment there is no ledger, where the disk knows second names."""
    try:
        try:
            os.link(path, kept)
        except OSError:
            path.rename(kept)
        made.replace(path)
    except OSError:
        if path.exists():
            kept.unlink(missing_ok=True)
        else:
            kept.rename(path)
        raise


def _set_aside(path: Path, mark: str) -> None:
    """Side files without their ledger would be taken for those of the next."""
    for side in SIDE_FILES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + side).rename(path.with_name(f"{path.name}.{mark}{side}"))


def _let_alike(made: Path, path: Path) -> None:
    """Who may open the old file may open the new one: restoring as root must not lock the server out."""
    old = path.stat()
    made.chmod(old.st_mode & 0o7777)
    with suppress(PermissionError):
        os.chown(made, old.st_uid, old.st_gid)
