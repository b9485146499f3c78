"""Copies of a ledger: to the other engine, to a backup, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from faktura import __version__
from faktura.bootstrap.books import DIALECTS, migrate, now_us, open_storage
from faktura.config import DatabaseUrl, Settings
from faktura.domain.calendar import instant_text, to_datetime
from faktura.domain.errors import ConflictError, InputError, SchemaError, SettingError
from faktura.ledger.ports import Books
from faktura.ledger.verification import verify
from faktura.storage import backup as files
from faktura.storage import copying
from faktura.storage.backup import Manifest
from faktura.storage.copying import LedgerSum, Readable, Writable, layout
from faktura.storage.migration import check_version, load_migrations
from faktura.storage.sqlite import SqliteStorage

__all__ = ["LedgerSum", "Manifest", "Restored", "add_up", "copy", "make_backup", "restore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did."""

    ledger: LedgerSum
    """What the ledger holds now."""
    manifest: Manifest | None
    """What the backup said of itself; None where its manifest was not asked for."""
    kept: Path | None
    """Where the old ledger is, if there was one."""


def copy(source: DatabaseUrl, target: DatabaseUrl) -> LedgerSum:
    """Copy one consistent state of a ledger into an empty database, whose schema is made; both were read and hold the same.

    SchemaError where the source's schema is not this release's, ConflictError where the target holds anything. An interrupted
    copy leaves the target empty.
    """
    version = _version(source)
    if version != load_migrations()[-1].version:
        message = f"the ledger {source.label} has schema {version}, this release needs {load_migrations()[-1].version}: run `faktura migrate` on it"
        raise SchemaError(message)
    _check_empty(target)
    _migrate(target)
    with _reading(source) as read, _writing(target) as written:
        return copying.copy(read, written, layout(version))


def add_up(database: DatabaseUrl) -> LedgerSum:
    """Read one consistent state of a ledger: what it holds, as copies and backups print it."""
    with _reading(database) as read:
        return copying.add_up(read, layout(_version(database)))


def make_backup(settings: Settings, file: Path, *, overwrite: bool = False) -> Manifest:
    """A ledger's file that holds one consistent state, with all that was acknowledged before this call; the server may go on writing.

    The file has its name when it is whole and durable. ConflictError where the name is taken.
    """
    database = settings.database
    version = _version(database)
    _check_apart(database, file)
    with files.disk(f"no backup was made at {file}"):
        files.check_free(file, replace=overwrite)
        taken_at_us = now_us()
        with files.workshop(file) as folder:
            made = folder / "backup.db"
            if database.url is None:
                files.copy_pages(database.path, made)
                version = _version(DatabaseUrl(path=str(made)))  # of what was copied: a migration may have come between
            else:
                files.make_ledger(made, version)
                with _reading(database) as read, copying.writing(str(made)) as written:
                    copying.copy(read, written, layout(version))
            files.finish(made)
            with copying.reading(str(made)) as read:
                found = copying.add_up(read, layout(version))
            manifest = Manifest(
                sha256=files.sha256(made),
                size_bytes=made.stat().st_size,
                digest=found.digest,
                rows=found.rows,
                schema=version,
                release=__version__,
                engine="sqlite" if database.url is None else "postgresql",
                taken_at=instant_text(taken_at_us) or "",
            )
            files.publish(made, manifest, file, replace=overwrite)
    return manifest


def _check_apart(database: DatabaseUrl, file: Path) -> None:
    """SettingError where a backup, or what stands beside it, would take the name of the ledger or of what SQLite keeps beside that."""
    if database.url is not None:
        return
    ledger = Path(database.path).resolve()
    names = {ledger, *(ledger.with_name(ledger.name + mark) for mark in files.SIDE_FILES)}
    if names & {file.resolve(), files.manifest_path(file.resolve())}:
        message = f"{file} is the ledger itself, or belongs to it: name another file"
        raise SettingError(message)


def restore(settings: Settings, file: Path, *, with_checksum: bool = True) -> Restored:
    """Put a backup in the place of the ledger that the settings name, after everything about it was verified.

    A backup of an older schema is migrated first. The old SQLite ledger is kept beside; a PostgreSQL database must be empty.
    InputError for a backup that is damaged, LedgerBusyError where the ledger is in use: then nothing was changed.
    """
    if not file.is_file():
        message = f"{file}: there is no such file"
        raise InputError(message)
    manifest = files.read_manifest(file) if with_checksum else None
    if settings.database.url is not None:
        _check_empty(settings.database)
        with TemporaryDirectory(prefix="faktura-restore-") as folder:
            staged = Path(folder) / "ledger.db"
            _stage(settings, file, staged, manifest)
            return Restored(ledger=copy(DatabaseUrl(path=str(staged)), settings.database), manifest=manifest, kept=None)
    path = Path(settings.database.path).resolve()
    if file.resolve() == path:
        message = f"{file} is the ledger itself"
        raise SettingError(message)
    with files.disk(f"{file} was not restored"):
        if path.exists():
            with files.alone(path):
                pass  # known before the long work; asked again when the files change places
        with files.workshop(path) as aside:
            staged = aside / "ledger.db"
            _stage(settings, file, staged, manifest)
            found = add_up(DatabaseUrl(path=str(staged)))
            mark = f"before-restore-{to_datetime(now_us()):%Y%m%dT%H%M%S.%fZ}"
            return Restored(ledger=found, manifest=manifest, kept=files.put_in_place(staged, path, mark=mark))


def _stage(settings: Settings, file: Path, staged: Path, manifest: Manifest | None) -> None:
    """A backup as a ledger of this release's schema, in a file of its own: whole, or InputError."""
    with files.disk(f"{file} could not be read, or copied to {staged.parent}"):
        files.fetch(file, staged, manifest)
    version = _version(DatabaseUrl(path=str(staged)), name=str(file))
    files.check_integrity(staged)
    with copying.reading(str(staged)) as read:
        found = copying.add_up(read, layout(version))
    if manifest is not None and found.digest != manifest.digest:
        message = f"{file} does not hold what its manifest says: its digest is {found.digest}, not {manifest.digest}; nothing was changed"
        raise InputError(message)
    migrate(replace(settings, database=DatabaseUrl(path=str(staged))))
    with closing(SqliteStorage(str(staged))) as storage:
        finding = next(verify(Books(storage=storage, dialects=DIALECTS, clock=now_us, actor=settings.actor)), None)
    if finding is not None:
        message = f"{file} is no whole ledger: {finding}; nothing was changed"
        raise InputError(message)


def _version(database: DatabaseUrl, *, name: str | None = None) -> int:
    """The schema of a ledger; SchemaError where there is none, or one that this release does not know."""
    with closing(open_storage(database)) as storage:
        version = storage.version()
        check_version(version)
    if version == 0:
        message = f"there is no ledger in {name or database.label}"
        raise SchemaError(message)
    return version


def _check_empty(target: DatabaseUrl) -> None:
    """ConflictError where the database holds a ledger already: known before anything is changed, and asked again when it is filled."""
    with closing(open_storage(target, create=True)) as storage:
        if storage.version():
            with storage.reading() as tx:
                if tx.providers.all():
                    message = f"{target.label} holds a ledger already; nothing is ever written over one: name a new, empty database"
                    raise ConflictError(message)


def _migrate(target: DatabaseUrl) -> None:
    with closing(open_storage(target, create=True)) as storage:
        storage.migrate()


@contextmanager
def _reading(database: DatabaseUrl) -> Iterator[Readable]:
    with closing(open_storage(database)) as storage:
        if isinstance(storage, SqliteStorage):
            ends: AbstractContextManager[Readable] = copying.reading(storage.path)
        else:
            from faktura.storage import copying_postgresql  # noqa: PLC0415 - the driver loads where it is used

            ends = copying_postgresql.reading(storage)
        with ends as read:
            yield read


@contextmanager
def _writing(database: DatabaseUrl) -> Iterator[Writable]:
    # As the owner of the schema: COPY is not for roles that row-level security is for.
    with closing(open_storage(replace(database, url=database.migration_url or database.url))) as storage:
        if isinstance(storage, SqliteStorage):
            ends: AbstractContextManager[Writable] = copying.writing(storage.path, page_count_max=database.page_count_max)
        else:
            from faktura.storage import copying_postgresql  # noqa: PLC0415 - the driver loads where it is used

            ends = copying_postgresql.writing(storage)
        with ends as written:
            yield written
