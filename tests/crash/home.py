"""Where a soak's ledgers live: made fresh from one that is filled once, on either engine, and looked at past faktura."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psycopg
from tests.crash.cluster import Cluster

from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.config import DatabaseUrl, Settings
from faktura.domain.party import Party
from faktura.domain.provider import Provider
from faktura.ledger.accounts import add_account, add_provider, create_token
from faktura.ledger.ports import Books

PROVIDERS = {"vps": "vpsbg", "dom": "checkdomain", "past": "vpsbg", "heard": "checkdomain"}
"""Two that issue, one that moves in, one whose documents are recorded from elsewhere; and their dialects."""
ISSUING = ("vps", "dom")
ACCOUNTS = ("a0", "a1", "a2")
_BUYER = Party(name="Primer EOOD", country="BG")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A ledger."""

    database: DatabaseUrl
    folder: Path
    """What belongs to it beside the database: files of commands, the log."""
    tokens: Mapping[str, str]
    """`vps` (admin), and `vps/a0` of an account."""
    accounts: Mapping[str, int]
    """Ids by `vps/a0`."""

    @property
    def environment(self) -> dict[str, str]:
        """What tells a faktura of its own to work here."""
        at = self.database
        limit = f"?page_count_max={at.page_count_max}" if at.page_count_max else ""
        url = at.url or f"sqlite:///{at.path}{limit}"
        return {
            "FAKTURA_DATABASE": url,
            "FAKTURA_MIGRATION_DATABASE": at.migration_url or "",
            "FAKTURA_ACCESS_LOG": "off",
            "FAKTURA_BILLING_LEASE_SECONDS": "1",
        }

    @property
    def log(self) -> Path:
        """What its servers and commands wrote to standard error."""
        return self.folder / "log"

    @contextmanager
    def books(self) -> Iterator[Books]:
        """The ledger, open in this process."""
        with open_books(Settings(database=self.database)) as books:
            yield books

    def rows(self, *queries: str) -> list[list[tuple[Any, ...]]]:
        """What queries find in one state of the ledger, past faktura."""
        if self.database.url is not None:
            with psycopg.connect(str(self.database.migration_url)) as server:
                server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                return [server.execute(query.encode()).fetchall() for query in queries]
        with closing(sqlite3.connect(self.database.path, isolation_level=None, timeout=60)) as connection:
            connection.execute("BEGIN")
            return [connection.execute(query).fetchall() for query in queries]


class Home(Protocol):
    """Makes ledgers of one engine."""

    engine: str

    def fresh(self) -> Place:
        """A ledger with providers, accounts and tokens, and nothing else."""

    def drop(self, place: Place) -> None:
        """Forget a ledger that has done its service."""

    def close(self, *, keep: bool = False) -> None:
        """Forget them all, unless they are to be looked at."""


@dataclass
class SqliteHome:
    """Files in a folder."""

    engine: str = "sqlite"
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="faktura-soak-")))
    _made: int = 0

    def __post_init__(self) -> None:
        self._template = _fill(DatabaseUrl(path=str(self.folder / "template.db")))

    def fresh(self) -> Place:
        """A copy of the filled ledger."""
        self._made += 1
        folder = self.folder / f"ledger-{self._made}"
        folder.mkdir()
        shutil.copyfile(self.folder / "template.db", folder / "ledger.db")
        tokens, accounts = self._template
        return Place(database=DatabaseUrl(path=str(folder / "ledger.db")), folder=folder, tokens=tokens, accounts=accounts)

    def drop(self, place: Place) -> None:
        """Remove it."""
        shutil.rmtree(place.folder)

    def close(self, *, keep: bool = False) -> None:
        """Remove all, unless they are to be looked at."""
        if not keep:
            shutil.rmtree(self.folder)


@dataclass
class PostgresqlHome:
    """Databases of a server of one's own."""

    engine: str = "postgresql"
    cluster: Cluster = field(default_factory=Cluster)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="faktura-soak-")))
    _made: int = 0

    def __post_init__(self) -> None:
        self._template = _fill(self.cluster.create("template"))

    def fresh(self) -> Place:
        """A copy of the filled ledger."""
        self._made += 1
        folder = self.folder / f"ledger_{self._made}"
        folder.mkdir()
        tokens, accounts = self._template
        return Place(database=self.cluster.create(folder.name, template="template"), folder=folder, tokens=tokens, accounts=accounts)

    def drop(self, place: Place) -> None:
        """Remove it."""
        self.cluster.drop(place.folder.name)
        shutil.rmtree(place.folder)

    def close(self, *, keep: bool = False) -> None:
        """Remove all, unless they are to be looked at."""
        self.cluster.close(keep=keep)
        if not keep:
            shutil.rmtree(self.folder)


def make_home(engine: str) -> SqliteHome | PostgresqlHome:
    """The home of an engine's ledgers."""
    return SqliteHome() if engine == "sqlite" else PostgresqlHome()


def make_place(database: DatabaseUrl, folder: Path) -> Place:
    """A filled ledger at a database of somebody else's."""
    tokens, accounts = _fill(database)
    return Place(database=database, folder=folder, tokens=tokens, accounts=accounts)


def _fill(database: DatabaseUrl) -> tuple[dict[str, str], dict[str, int]]:
    """Providers and accounts; the tokens, and the accounts' ids."""
    tokens, accounts = {}, {}
    with open_books(Settings(database=database), create=True) as books:
        for name, dialect in PROVIDERS.items():
            defaults = DIALECTS[dialect].defaults
            seller = Party(name="Hosting OOD", country="BG", vat_id="BG175074752")
            provider = Provider(id=0, name=name, dialect=dialect, zone=defaults.zone, currency=defaults.currency, seller=seller)
            add_provider(books, provider=provider, series=default_series(DIALECTS[dialect]))
            tokens[name] = create_token(books, provider=name, reference=None, scopes=("admin",))[0]
            for reference in ACCOUNTS:
                accounts[f"{name}/{reference}"] = add_account(books, provider=name, reference=reference, buyer=_BUYER).id
                tokens[f"{name}/{reference}"] = create_token(books, provider=name, reference=reference)[0]
    return tokens, accounts
