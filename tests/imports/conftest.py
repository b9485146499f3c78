from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import Ledger
from tests.imports.desk import Desk


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine


@pytest.fixture
def desk(ledger: Ledger, tmp_path: Path) -> Desk:
    """An import desk whose ledger has a provider of each dialect with the account `demo`."""
    folder = tmp_path / "input"
    folder.mkdir()
    for dialect in ("vpsbg", "checkdomain"):
        ledger.provider(dialect)
        ledger.account(dialect)
    return Desk(ledger, folder)
