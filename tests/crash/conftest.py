"""Ledgers of either engine, and servers of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.crash.cluster import Cluster
from tests.crash.home import Place, make_place
from tests.crash.nursery import Child, Nursery
from tests.database import database_at

Serve = Callable[[Place], Child]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Starts processes of faktura."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A database server to mistreat."""
    made = Cluster()
    yield made
    made.close()


@pytest.fixture
def place(engine: str, tmp_path: Path) -> Place:
    """A ledger with providers, accounts and tokens."""
    return make_place(database_at(tmp_path / "ledger.db"), tmp_path)


@pytest.fixture
def serve(nursery: Nursery) -> Iterator[Serve]:
    """Starts servers of a ledger, killed at the end."""
    with ExitStack() as stack:

        def start(place: Place) -> Child:
            child = nursery.start("serve", "--port", "0", "--json", environment=place.environment, log=place.log)
            stack.callback(child.kill)
            return child

        yield start
