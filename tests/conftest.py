"""What tests share: ledgers, and real servers in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tests.database import choose_engine, database_at, database_environment

from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.bootstrap.demo import fill_demo
from faktura.config import Settings
from faktura.domain.party import Party
from faktura.domain.provider import Account, Provider
from faktura.ledger.accounts import add_account, add_provider, create_token
from faktura.ledger.ports import Books

settings.register_profile("suite", deadline=None)  # nothing here is timed: the machine may be busy
settings.load_profile("suite")

SHARED = Path(__file__).parents[2] / "shared"
SELLER = Party(name="Hosting OOD", country="BG", vat_id="BG123456789")
BUYER = Party(name="Primer EOOD", country="BG")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Which engine keeps a test's ledgers: what asks for it runs on each. A fixture of a wide scope that keeps a ledger must ask too."""
    return str(request.param)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that does not ask for an engine has SQLite."""
    choose_engine(_params(item).get("engine", "sqlite"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests about one engine run on that one only. Tests of real input skip, saying so, where it does not lie beside the project."""
    others = [item for item in items if _is_for_another_engine(item)]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]
    if SHARED.is_dir():
        return
    skip = pytest.mark.skip(reason="the real input (../shared) is not beside this checkout")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(skip)


def _is_for_another_engine(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("only")
    return marker is not None and _params(item).get("engine", marker.args[0]) != marker.args[0]


def _params(item: pytest.Item) -> dict[str, Any]:
    return getattr(getattr(item, "callspec", None), "params", {})


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now_us: int = 1_722_500_000_000_000  # 2024-08-01 in Sofia
    step_us: int = 0

    def __call__(self) -> int:
        """Now; each look moves it on by `step_us`."""
        self.now_us += self.step_us
        return self.now_us


@dataclass
class Ledger:
    """An open ledger in a file, with ways to fill it."""

    books: Books
    path: Path
    clock: Clock
    url: str = field(init=False)

    def __post_init__(self) -> None:
        at = database_at(self.path)
        self.url = at.url or f"sqlite:///{self.path}"

    def provider(self, dialect: str, **settings: object) -> Provider:
        """A provider named after its dialect, without a rate limit unless settings say so."""
        defaults = DIALECTS[dialect].defaults
        provider = Provider(id=0, name=dialect, dialect=dialect, zone=defaults.zone, currency=defaults.currency, seller=SELLER)
        return add_provider(self.books, provider=replace(provider, **settings), series=default_series(DIALECTS[dialect], is_test=bool(settings.get("is_test"))))  # type: ignore[arg-type]

    def account(self, dialect: str, reference: str = "demo") -> Account:
        """An account of that provider."""
        return add_account(self.books, provider=dialect, reference=reference, buyer=BUYER)

    def token(self, dialect: str, reference: str = "demo", **options: object) -> str:
        """A token for an account."""
        return create_token(self.books, provider=dialect, reference=reference, **options)[0]  # type: ignore[arg-type]


@contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    """A ledger at a path, made if it is not there, with a clock of its own."""
    clock = Clock()
    with open_books(Settings(database=database_at(path)), create=True) as books:
        yield Ledger(replace(books, clock=clock), path, clock)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger in a file."""
    with open_ledger(tmp_path / "ledger.db") as opened:
        yield opened


@dataclass
class Served:
    """A running server."""

    url: str
    tokens: dict[str, str]
    process: subprocess.Popen[str]

    @property
    def host(self) -> str:
        """127.0.0.1:PORT."""
        return self.url.removeprefix("http://")


@contextmanager
def running(*arguments: str, environment: dict[str, str] | None = None) -> Iterator[Served]:
    """A faktura server in a process of its own (`serve` or `demo` with --port 0 --json), stopped at the end."""
    command = [sys.executable, "-m", "faktura", *arguments, "--port", "0", "--json"]
    log = open(os.devnull, "w") if "FAKTURA_TEST_LOG" not in os.environ else None  # noqa: SIM115, PTH123 - closed below
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | (environment or {}))
    try:
        if process.stdout is None:
            raise AssertionError("stdout is a pipe")
        line = process.stdout.readline()
        if not line:
            message = f"{' '.join(arguments)} ended with {process.wait()} before it served"
            raise AssertionError(message)
        said = json.loads(line)
        yield Served(said["url"], said.get("tokens", {}), process)
    finally:
        process.terminate()
        process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()
        if log is not None:
            log.close()


@contextmanager
def serving(path: Path, **environment: str) -> Iterator[Served]:
    """A server of the ledger at a path."""
    with running("serve", environment={**database_environment(path), **environment}) as served:
        yield served


@pytest.fixture
def serve(ledger: Ledger) -> Iterator[Callable[[], Served]]:
    """Starts a server of the test's ledger, once it is filled."""
    started = []

    def start() -> Served:
        context = serving(ledger.path)
        started.append(context)
        return context.__enter__()

    yield start
    for context in started:
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def demo(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo, as `make demo` starts it, its limits as documented; it is a file of its own always, so on PostgreSQL a server of the same ledger."""
    folder = tmp_path_factory.mktemp("demo")
    if engine == "sqlite":
        with running("demo", "--data", str(folder)) as served:
            yield served
        return
    with open_books(Settings(database=database_at(folder / "ledger.db")), create=True) as books:
        fill_demo(books)
        tokens = {name: create_token(books, provider=name, reference="demo")[0] for name in DIALECTS}
    with serving(folder / "ledger.db") as served:
        yield replace(served, tokens=tokens)
