from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.bookkeeper import Bookkeeper
from tests.conftest import open_ledger


@pytest.fixture
def bookkeeper(engine: str, tmp_path: Path) -> Iterator[Bookkeeper]:
    """A bookkeeper with an empty ledger, on each engine."""
    with open_ledger(tmp_path / "books.db") as ledger:
        yield Bookkeeper(ledger)
