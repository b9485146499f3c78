"""`faktura doctor`: everything that the ledger relies on and does not control, looked at once."""

from __future__ import annotations

import ipaddress
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import version
from itertools import islice

from faktura import __version__
from faktura.bootstrap.books import DIALECTS, now_us, open_storage
from faktura.config import NAMES, Settings, masked, read_settings
from faktura.domain.calendar import MICROSECONDS, instant_text
from faktura.domain.errors import FakturaError, SettingError
from faktura.ledger.ports import Books
from faktura.ledger.verification import verify
from faktura.storage.health import Check, Level, fault, ok, warn
from faktura.storage.migration import load_migrations
from faktura.storage.sqlite import SqliteStorage
from faktura.storage.sqlite_health import examine as examine_sqlite

_LIBRARIES = ("litestar", "msgspec", "prometheus-client", "psycopg", "python-stdnum", "structlog", "typer", "tzdata", "uvicorn")
_CLOCKS_APART_US = 2 * MICROSECONDS
"""More than this between two clocks is told, and more than a minute is a fault: dates and the order of the journal come from them."""
_CLOCKS_WRONG_US = 60 * MICROSECONDS
_FINDINGS_SHOWN_MAX = 10


def examine(environment: Mapping[str, str], *, full: bool = False) -> Iterator[Check]:
    """Every check, as it is made. Nothing is changed, and whatever fails is a check of its own. `full` recomputes the whole ledger."""
    yield from _variables(environment)
    yield from _versions()
    try:
        settings = read_settings(environment)
    except SettingError as error:
        yield fault("settings", str(error), "see docs/reference/settings.md; nothing else can be looked at before")
        return
    yield from _settings(settings)
    try:
        storage = open_storage(settings.database)
    except FakturaError as error:
        yield fault("ledger", str(error), "name another with FAKTURA_DATABASE, or make it")
        return
    try:
        books = Books(storage=storage, dialects=DIALECTS, clock=now_us, actor=settings.actor)
        is_current = True
        for check in _schema(storage.version(), settings):
            is_current = is_current and check.level is not Level.FAULT
            yield check
        yield from _engine(storage)
        if is_current:
            yield from _contents(books, settings)
            if full:
                yield from _verified(books)
    except Exception as error:  # noqa: BLE001 - whatever keeps the doctor from looking is what is wrong
        yield fault("ledger", f"{error} ({type(error).__name__})" if not isinstance(error, FakturaError) else str(error), "see the message")
    finally:
        storage.close()


def _variables(environment: Mapping[str, str]) -> Iterator[Check]:
    """Each FAKTURA_ variable that is set: its value, or that nobody reads it."""
    for name in sorted(name for name in environment if name.startswith("FAKTURA_")):
        if name in NAMES:
            yield ok("settings", f"{name}={masked(environment[name])}")
            continue
        near = get_close_matches(name, NAMES, n=1)
        yield warn(
            "settings", f"{name} is no setting of faktura, and changes nothing", f"did you mean {near[0]}?" if near else "see docs/reference/settings.md"
        )


def _settings(settings: Settings) -> Iterator[Check]:
    """Settings that can be read and are still no good idea."""
    if any(network.prefixlen == 0 for network in settings.trusted_proxies):
        yield warn("settings", "FAKTURA_TRUSTED_PROXIES believes everybody: callers may forge their address", "name the proxy's own address")
    if settings.metrics_port is not None and not _is_loopback(settings.metrics_host):
        yield warn("settings", f"/metrics listens on {settings.metrics_host}", "make sure that only Prometheus reaches it")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _versions() -> Iterator[Check]:
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    yield ok("versions", f"faktura {__version__}, Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}")
    yield ok("versions", libraries)


def _schema(found: int, settings: Settings) -> Iterator[Check]:
    newest = load_migrations()[-1].version
    said = f"{settings.database.label} has schema {found}"
    if found == newest:
        yield ok("ledger", f"{said}, as this release needs")
    elif found < newest:
        yield fault("ledger", f"{said}, this release needs {newest}", "run `faktura migrate` (what it would do: `faktura migrate --dry-run`)")
    else:
        yield fault("ledger", f"{said}, this release knows up to {newest}", "use a newer faktura")


def _engine(storage: object) -> Iterable[Check]:
    if isinstance(storage, SqliteStorage):
        return examine_sqlite(storage)
    return _examine_postgresql(storage)


def _examine_postgresql(storage: object) -> Iterator[Check]:
    from faktura.storage.postgresql import PostgresqlStorage  # noqa: PLC0415 - the driver loads where it is used
    from faktura.storage.postgresql_health import clock_offset_us  # noqa: PLC0415
    from faktura.storage.postgresql_health import examine as examine_postgresql  # noqa: PLC0415

    if not isinstance(storage, PostgresqlStorage):
        raise TypeError(type(storage))
    yield from examine_postgresql(storage)
    yield clocks(clock_offset_us(storage))


def clocks(offset_us: int) -> Check:
    """How far this machine's clock is ahead of the database server's."""
    said = f"{abs(offset_us) // 1000} ms {'ahead of' if offset_us >= 0 else 'behind'} the database server's"
    if abs(offset_us) > _CLOCKS_WRONG_US:
        return fault("clock", said, "set both by NTP: documents get their dates from this machine")
    if abs(offset_us) > _CLOCKS_APART_US:
        return warn("clock", said, "set both by NTP")
    return ok("clock", said)


def _contents(books: Books, settings: Settings) -> Iterator[Check]:
    with books.storage.reading() as tx:
        try:
            providers = tx.providers.all()
        except SettingError as error:  # such as a time zone that is not known here: legal dates cannot be told
            yield fault("providers", str(error), "install tzdata anew, if it is a time zone")
            return
        recorded = [at for provider in providers if (at := tx.providers.recorded_last_us(provider.id)) is not None]
        stale = [provider.name for provider in providers if tx.listings.stale(provider.id, dialect_version=DIALECTS[provider.dialect].version, limit=1)]
    yield _clock(books.clock(), max(recorded, default=0))
    yield ok("time zone", "those of all providers are known")
    if stale:
        yield warn("renderings", f"an older release rendered documents of {', '.join(stale)}: each call renders them again", "run `faktura migrate`")
    if not providers:
        yield warn("providers", "the ledger has none yet", "faktura provider add")
    name = settings.default_provider
    if name is not None and name not in {provider.name for provider in providers}:
        yield fault(
            "settings", f"FAKTURA_DEFAULT_PROVIDER: there is no provider {name!r}", "`faktura serve` will not start: name one of `faktura provider list`"
        )


def _clock(now: int, newest: int) -> Check:
    if now < newest:
        said = f"it is {instant_text(now)} here, and the ledger has entries of {instant_text(newest)}"
        return fault("clock", said, "set the clock by NTP before anything is issued; if it is right now, it was wrong then")
    return ok("clock", f"{instant_text(now)}, after whatever is recorded")


def _verified(books: Books) -> Iterator[Check]:
    found = list(islice(verify(books), _FINDINGS_SHOWN_MAX))
    for finding in found:
        yield fault("verify", str(finding), "see `faktura verify --all`")
    if not found:
        yield ok("verify", "the ledger is whole")
