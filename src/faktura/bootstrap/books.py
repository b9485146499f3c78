"""Opens the ledger that the settings name."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from faktura.bootstrap.profile_rules import OfficialRules
from faktura.config import DatabaseUrl, Settings
from faktura.dialects import known
from faktura.dialects.base import WireDialect
from faktura.domain.errors import SchemaError, SettingError
from faktura.domain.invoice import TypeCode
from faktura.domain.numbering import TEST_PREFIX, NumberMethod, Series
from faktura.ledger.ports import Books
from faktura.ledger.standing import restore
from faktura.storage.migration import Migration, check_version, load_migrations
from faktura.storage.sqlite import SqliteStorage

if TYPE_CHECKING:
    from faktura.storage.postgresql import PostgresqlStorage

logging.getLogger("psycopg").addHandler(logging.NullHandler())  # a failure is told once, in our words, and not by the driver as well

DIALECTS = known.DIALECTS


def now_us() -> int:
    """The machine's clock."""
    return time.time_ns() // 1000


@contextmanager
def open_books(settings: Settings, *, create: bool = False) -> Iterator[Books]:
    """The ledger, closed at the end of the block.

    SchemaError where its schema is not this release's; SettingError where there is none and none is to be created.
    """
    storage, rules = open_storage(settings.database, create=create), OfficialRules()
    try:
        version, newest = storage.version(), load_migrations()[-1].version
        check_version(version)
        if version == 0 and create:
            storage.migrate()
        elif version < newest:
            message = f"the ledger {settings.database.label} has schema {version}, this release needs {newest}: run `faktura migrate`"
            raise SchemaError(message)
        yield Books(storage=storage, dialects=DIALECTS, clock=now_us, actor=settings.actor, profile_rules=rules)
    finally:
        rules.close()
        storage.close()


def migrate(settings: Settings) -> list[str]:
    """Bring the ledger to this release's schema and renderings; what was done, a line each."""
    storage = open_storage(settings.database, create=True)
    try:
        done = [_title(migration) for migration in storage.migrate()]
        books = Books(storage=storage, dialects=DIALECTS, clock=now_us, actor=settings.actor)
        with storage.reading() as tx:
            providers = tx.providers.all()
        for provider in providers:
            count = restore(books, provider)
            if count:
                done.append(_rendered(count, provider.name))
    finally:
        storage.close()
    return done


def plan(settings: Settings) -> list[str]:
    """What `migrate` would do, a line each; nothing is changed, and a ledger that is not there is not made. SchemaError for one that is too new."""
    url, path = settings.database.url, Path(settings.database.path)
    if url is None and path.parent.is_dir() and not path.exists():
        return [_title(migration) for migration in load_migrations()]
    storage = open_storage(settings.database, create=False)
    try:
        version = storage.version()
        check_version(version)
        todo = [_title(migration) for migration in load_migrations() if migration.version > version]
        try:
            return todo + (_stale(storage) if version else [])
        except Exception:
            if not todo:
                raise
            return [*todo, "documents that an older release rendered, rendered anew: how many, this ledger's schema cannot tell yet"]
    finally:
        storage.close()


def _stale(storage: SqliteStorage | PostgresqlStorage) -> list[str]:
    with storage.reading() as tx:
        counts = [(tx.listings.stale_count(provider.id, dialect_version=DIALECTS[provider.dialect].version), provider.name) for provider in tx.providers.all()]
    return [_rendered(count, name) for count, name in counts if count]


def _title(migration: Migration) -> str:
    return f"{migration.version:04} {migration.name}"


def _rendered(count: int, provider: str) -> str:
    return f"{count} documents of {provider} rendered anew"


def default_series(dialect: WireDialect, *, is_test: bool = False) -> tuple[Series, ...]:
    """The series that a provider of a dialect starts with: one for invoices and their corrections, one for pro-formas."""
    defaults = dialect.defaults
    mark = TEST_PREFIX if is_test else ""
    method = NumberMethod.ORDER if defaults.pro_formas_by_order else NumberMethod.COUNTER
    corrections = (TypeCode.INVOICE, TypeCode.CREDIT_NOTE, TypeCode.DEBIT_NOTE)
    return (
        Series(provider_id=0, name="invoice", type_codes=corrections, method=NumberMethod.COUNTER, template=mark + defaults.invoice_template),
        Series(provider_id=0, name="pro-forma", type_codes=(TypeCode.PRO_FORMA,), method=method, template=mark + defaults.pro_forma_template),
    )


def open_storage(database: DatabaseUrl, *, create: bool = False) -> SqliteStorage | PostgresqlStorage:
    """What keeps the ledger that a URL names, of whatever schema; whoever opens it closes it.

    SettingError where there is none and none is to be created, and for a URL that is none.
    """
    if database.url is not None:
        return _open_server(database.url, database.migration_url)
    path = Path(database.path)
    if not path.exists() and not create:
        message = f"there is no ledger at {path}: `faktura provider add` or `faktura migrate` makes one, FAKTURA_DATABASE names another"
        raise SettingError(message)
    if not path.parent.is_dir():
        message = f"the folder of the ledger does not exist: {path.parent}"
        raise SettingError(message)
    return SqliteStorage(str(path), page_count_max=database.page_count_max)


def _open_server(url: str, migration_url: str | None) -> PostgresqlStorage:
    import psycopg  # noqa: PLC0415 - the driver loads where it is used
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    from faktura.storage.postgresql import PostgresqlStorage as Opened  # noqa: PLC0415

    for name, given in (("FAKTURA_DATABASE", url), ("FAKTURA_MIGRATION_DATABASE", migration_url)):
        try:
            conninfo_to_dict(given or "")
        except psycopg.ProgrammingError as error:
            reason = str(error).partition('"')[0].rstrip(" :")  # what libpq quotes may be the password
            message = f"{name} is not a PostgreSQL URL: {reason}"
            raise SettingError(message) from error
    return Opened(url, migration_url=migration_url)
