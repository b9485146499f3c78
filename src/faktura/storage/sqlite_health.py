"""What a ledger in a SQLite file relies on: its own settings, the file's and the disk's."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from faktura.storage.facts import raise_wall
from faktura.storage.health import Check, fault, ok, warn
from faktura.storage.sqlite import SqliteStorage

_MIB = 1024 * 1024
FREE_BYTES_MIN = 100 * _MIB
FREE_BYTES_LOW = 1024 * _MIB
_FOUND_MAX = 3
_FULL = 2  # PRAGMA synchronous
_NETWORKS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone"}
)
_UNSURE = frozenset({"9p", "virtiofs", "vboxsf", "drvfs", "overlay", "tmpfs", "ramfs"})


def examine(storage: SqliteStorage) -> Iterator[Check]:
    """Look at a ledger's file; nothing is changed."""
    path = Path(storage.path).resolve()
    yield from _permissions(path)
    yield _file_system(path)
    yield _room(path)
    yield from _leftovers(path)
    with storage.connection() as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        yield (
            ok("journal", "WAL")
            if mode == "wal"
            else fault("journal", f"the journal mode is {mode}: readers and the writer wait for each other", "run `faktura migrate`")
        )
        synced = connection.execute("PRAGMA synchronous").fetchone()[0]
        yield (
            ok("sync", "every commit is synced")
            if synced == _FULL
            else fault("sync", f"PRAGMA synchronous is {synced}", "this is a fault of faktura: report it")
        )
        yield _quota(connection, storage.path)
        yield _wall(connection)
        found = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({_FOUND_MAX})").fetchall()]
    yield (
        ok("integrity", "PRAGMA quick_check finds nothing")
        if found == ["ok"]
        else fault("integrity", "; ".join(found), "restore a backup, and look for what damaged the file")
    )


def _permissions(path: Path) -> Iterator[Check]:
    files = (path, Path(f"{path}-wal"), Path(f"{path}-shm"))
    open_to_all = [file.name for file in files if file.exists() and file.stat().st_mode & stat.S_IRWXO]
    if open_to_all:
        yield warn("permissions", f"every user of this machine may read or write {', '.join(open_to_all)}", f"chmod o-rwx {path}*")
    else:
        yield ok("permissions", "the file is closed to other users")
    mode = path.parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        yield fault("folder", f"every user of this machine may replace files in {path.parent}", f"chmod o-w {path.parent}")
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        yield fault("folder", f"this user may not write to {path} and its folder", "run faktura as the user whose ledger it is")


def _file_system(path: Path) -> Check:
    kind = file_system_of(path)
    if kind is None:
        return ok("file system", "not known here; it must be a disk of this machine")
    if kind in _NETWORKS:
        return fault("file system", f"{kind} is a network file system, on which WAL and locks cannot be relied on", "move the ledger to a disk of this machine")
    if kind in _UNSURE:
        return warn("file system", f"{kind}: what it keeps may not outlast this machine or container", "keep the ledger on a disk or a volume")
    return ok("file system", kind)


def file_system_of(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The type of the file system that holds a path; None where the system does not tell (proc(5), mountinfo)."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    best: tuple[int, str | None] = (-1, None)
    for line in lines:
        before, _, after = line.partition(" - ")
        place = before.split(" ")[4].encode("ascii", "surrogateescape").decode("unicode_escape") if before.isascii() else before.split(" ")[4]
        if path.is_relative_to(place) and len(place) >= best[0]:  # of two mounts at one place, the later hides the earlier
            best = (len(place), after.split(" ")[0])
    return best[1]


def _room(path: Path) -> Check:
    free = shutil.disk_usage(path.parent).free
    said = f"{free // _MIB} MiB are free beside the ledger, which has {path.stat().st_size // _MIB}"
    if free < FREE_BYTES_MIN:
        return fault("disk", said, "make room: nothing can be issued on a full disk")
    if free < max(FREE_BYTES_LOW, path.stat().st_size):
        return warn("disk", said, "make room: a backup beside it would not fit")
    return ok("disk", said)


def _leftovers(path: Path) -> Iterator[Check]:
    for folder in sorted(path.parent.glob("faktura-import-*")):
        yield warn("leftovers", f"{folder.name} belongs to an import that runs, or was killed", f"if no import runs: rm -r {folder}")


def _quota(connection: sqlite3.Connection, path: str) -> Check:
    used, most = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "max_page_count"))
    said = f"{used} of {most} pages"
    return warn("size", f"{said} of {path} are used", "raise page_count_max in FAKTURA_DATABASE") if used * 10 > most * 9 else ok("size", said)


def _wall(connection: sqlite3.Connection) -> Check:
    """Whether the triggers that refuse to change facts are all there."""
    there = {(str(row[0]), str(row[1])) for row in connection.execute("SELECT type, name FROM sqlite_schema").fetchall()}
    wanted = {statement.split(" ")[5] for statement in raise_wall({name for kind, name in there if kind == "table"})}
    missing = sorted(wanted - {name for kind, name in there if kind == "trigger"})
    if missing:
        return fault(
            "facts", f"{len(missing)} triggers that guard facts are missing: {', '.join(missing[:_FOUND_MAX])}", "run `faktura migrate`, then `faktura verify`"
        )
    return ok("facts", "the file refuses to change them")
