"""A server with a few hundred invoices at both providers, for clients that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conftest import open_ledger, serving
from tests.server.wire import Site, checkdomain_items, record_answer, vpsbg_items

from faktura.bootstrap.books import DIALECTS

COUNT = 437


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine


@pytest.fixture(scope="session")
def shop(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server; account `demo` of each provider lists 437 invoices."""
    path = tmp_path_factory.mktemp("shop") / "ledger.db"
    tokens = {}
    with open_ledger(path) as ledger:
        for dialect, answer in (("vpsbg", {"data": vpsbg_items(COUNT)}), ("checkdomain", {"_embedded": {"invoices": checkdomain_items(COUNT)}})):
            provider = ledger.provider(dialect)
            ledger.account(dialect)
            tokens[dialect] = ledger.token(dialect)
            record_answer(ledger.books, DIALECTS[dialect], provider, "demo", answer)
    with serving(path) as served:
        yield Site(served.url, tokens, path)
