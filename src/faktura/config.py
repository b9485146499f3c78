"""Settings: environment variables that begin with FAKTURA_. Every one is listed in docs/reference/settings.md."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from faktura.domain.errors import SettingError

_PASSWORD = re.compile(r"(?<=:)(?!//)[^@]*(?=@)|(?<=password=)[^&\s]*")
NAMES = (
    "FAKTURA_DATABASE",
    "FAKTURA_MIGRATION_DATABASE",
    "FAKTURA_TRUSTED_PROXIES",
    "FAKTURA_DEFAULT_PROVIDER",
    "FAKTURA_ACCESS_LOG",
    "FAKTURA_BILLING_LEASE_SECONDS",
    "FAKTURA_ACTOR",
    "FAKTURA_METRICS_PORT",
    "FAKTURA_METRICS_HOST",
    "FAKTURA_WORKERS",
    "FAKTURA_SOURCES",
    "FAKTURA_DIALECTS",
)
"""Every variable that is read. FAKTURA_DIALECTS is read where the command line starts: it adds to what all others are about."""
WORKERS_MAX = 256
"""Processes that serve together, at most."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """Which ledger to use."""

    path: str = ""
    """SQLite's file; empty for a server."""
    url: str | None = None
    """PostgreSQL's connection URL."""
    migration_url: str | None = None
    """Where PostgreSQL's schema is changed, by a role that may; otherwise `url`."""
    page_count_max: int | None = None
    """SQLite's own limit on the file, in pages of 4 KiB: a quota."""

    @property
    def label(self) -> str:
        """The ledger's place, without a password."""
        return self.path if self.url is None else masked(self.url)

    @property
    def scratch_folder(self) -> Path | None:
        """Where an import sorts what it reads: beside SQLite's file, where there is room; None, the system's temporary folder, for a server."""
        return Path(self.path).parent if self.url is None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says."""

    database: DatabaseUrl
    trusted_proxies: tuple[Network, ...] = ()
    """Peers whose X-Forwarded-Proto and X-Forwarded-Host are believed."""
    default_provider: str | None = None
    """Who answers where neither token nor Host decides; otherwise the oldest provider."""
    access_log: bool = True
    billing_lease_seconds: int = 60
    """How long a billing run is left alone after its server last made progress with it."""
    actor: str = "operator"
    """Who the journal says did what commands do."""
    metrics_port: int | None = None
    """Where Prometheus may ask; nowhere for None, any free port for 0."""
    metrics_host: str = "127.0.0.1"
    workers: int = 1
    """Processes that serve."""
    sources: str = "sources.toml"
    """The file that names what is pulled from."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment; SettingError names the variable that cannot be used."""
    return Settings(
        database=_database(environment),
        trusted_proxies=tuple(_network(text) for text in environment.get("FAKTURA_TRUSTED_PROXIES", "").split(",") if text.strip()),
        default_provider=environment.get("FAKTURA_DEFAULT_PROVIDER") or None,
        access_log=_switch("FAKTURA_ACCESS_LOG", environment.get("FAKTURA_ACCESS_LOG") or "on"),
        billing_lease_seconds=_seconds("FAKTURA_BILLING_LEASE_SECONDS", environment.get("FAKTURA_BILLING_LEASE_SECONDS") or "60"),
        actor=environment.get("FAKTURA_ACTOR") or environment.get("USER") or "operator",
        metrics_port=_port("FAKTURA_METRICS_PORT", environment.get("FAKTURA_METRICS_PORT") or ""),
        metrics_host=environment.get("FAKTURA_METRICS_HOST") or "127.0.0.1",
        workers=_workers("FAKTURA_WORKERS", environment.get("FAKTURA_WORKERS") or "1"),
        sources=environment.get("FAKTURA_SOURCES") or "sources.toml",
    )


def _database(environment: Mapping[str, str]) -> DatabaseUrl:
    database = parse_database_url(environment.get("FAKTURA_DATABASE") or "sqlite:///faktura.db")
    migration = environment.get("FAKTURA_MIGRATION_DATABASE")
    if not migration or database.url is None:
        return database
    migration_url = parse_database_url(migration).url
    if migration_url is None:
        raise SettingError("FAKTURA_MIGRATION_DATABASE must be postgresql://…, as FAKTURA_DATABASE is")
    return replace(database, migration_url=migration_url)


def parse_database_url(url: str) -> DatabaseUrl:
    """`sqlite:///relative/path`, `sqlite:////absolute/path`; `?page_count_max=N` bounds the file. `postgresql://…` is passed to libpq as it is."""
    if url.startswith(("postgresql://", "postgres://")):
        return DatabaseUrl(url=url)
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "%00" in parts.path or "\x00" in parts.path or parts.scheme != "sqlite" or parts.netloc or parts.path in {"", "/"} or set(options) - {"page_count_max"}:
        message = f"FAKTURA_DATABASE names the ledger and must be sqlite:///PATH (four slashes before an absolute path) or postgresql://…, not {masked(url)!r}"
        raise SettingError(message)
    pages = options.get("page_count_max", "")
    if "page_count_max" in options and not (pages.isascii() and pages.isdigit() and int(pages) > 0):
        message = f"page_count_max in FAKTURA_DATABASE must be a number of pages, not {pages!r}"
        raise SettingError(message)
    return DatabaseUrl(path=unquote(parts.path.removeprefix("/")), page_count_max=int(pages) if pages else None)


def masked(text: str) -> str:
    """A setting as it may be shown: without a password."""
    return _PASSWORD.sub("…", text)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        message = f"FAKTURA_TRUSTED_PROXIES: {text.strip()!r} is not an IP address or network"
        raise SettingError(message) from error


def _seconds(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) > 0):  # noqa: PLR2004 - a day has five digits
        message = f"{name} must be a number of seconds, not {text!r}"
        raise SettingError(message)
    return int(text)


def _port(name: str, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 2**16):  # noqa: PLR2004 - 65535 has five digits
        message = f"{name} must be a port, 0 for any that is free, not {text!r}"
        raise SettingError(message)
    return int(text)


def _workers(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 0 < int(text) <= WORKERS_MAX):  # noqa: PLR2004 - 256 has three digits
        message = f"{name} must be a number from 1 to {WORKERS_MAX}, not {text!r}"
        raise SettingError(message)
    return int(text)


def _switch(name: str, text: str) -> bool:
    if text not in {"on", "off"}:
        message = f"{name} must be on or off, not {text!r}"
        raise SettingError(message)
    return text == "on"
