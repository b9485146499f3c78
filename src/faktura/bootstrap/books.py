"""Opens the ledger that the settings name."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from faktura.config import Settings
from faktura.dialects.base import WireDialect
from faktura.dialects.checkdomain import Checkdomain
from faktura.dialects.vpsbg import Vpsbg
from faktura.domain.errors import SchemaError, SettingError
from faktura.domain.invoice import TypeCode
from faktura.domain.numbering import TEST_PREFIX, NumberMethod, Series
from faktura.ledger.ports import Books
from faktura.ledger.standing import restore
from faktura.storage.migration import check_version, load_migrations
from faktura.storage.sqlite import SqliteStorage

if TYPE_CHECKING:
    from faktura.storage.postgresql import PostgresqlStorage

logging.getLogger("psycopg").addHandler(logging.NullHandler())  # a failure is told once, in our words, and not by the driver as well

DIALECTS: dict[str, WireDialect] = {dialect.name: dialect for dialect in (Vpsbg(), Checkdomain())}


def now_us() -> int:
    """The machine's clock."""
    return time.time_ns() // 1000


@contextmanager
def open_books(settings: Settings, *, create: bool = False) -> Iterator[Books]:
    """The ledger, closed at the end of the block.

    SchemaError where its schema is not this release's; SettingError where there is none and none is to be created.
    """
    storage = _storage(settings, create=create)
    try:
        version, newest = storage.version(), load_migrations()[-1].version
        check_version(version)
        if version == 0 and create:
            storage.migrate()
        elif version < newest:
            message = f"the ledger {settings.database.label} has schema {version}, this release needs {newest}: run `faktura migrate`"
            raise SchemaError(message)
        yield Books(storage=storage, dialects=DIALECTS, clock=now_us, actor=settings.actor)
    finally:
        storage.close()


def migrate(settings: Settings) -> list[str]:
    """Bring the ledger to this release's schema and renderings; what was done, a line each."""
    storage = _storage(settings, create=True)
    try:
        done = [f"{migration.version:04} {migration.name}" for migration in storage.migrate()]
        books = Books(storage=storage, dialects=DIALECTS, clock=now_us, actor=settings.actor)
        with storage.reading() as tx:
            providers = tx.providers.all()
        for provider in providers:
            count = restore(books, provider)
            if count:
                done.append(f"{count} documents of {provider.name} rendered anew")
    finally:
        storage.close()
    return done


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


def _storage(settings: Settings, *, create: bool) -> SqliteStorage | PostgresqlStorage:
    if settings.database.url is not None:
        from faktura.storage.postgresql import PostgresqlStorage as Opened  # noqa: PLC0415 - the driver loads where it is used

        return Opened(settings.database.url, migration_url=settings.database.migration_url)
    path = Path(settings.database.path)
    if not path.exists() and not create:
        message = f"there is no ledger at {path}: `faktura provider add` or `faktura migrate` makes one, FAKTURA_DATABASE names another"
        raise SettingError(message)
    if not path.parent.is_dir():
        message = f"the folder of the ledger does not exist: {path.parent}"
        raise SettingError(message)
    return SqliteStorage(str(path), page_count_max=settings.database.page_count_max)
