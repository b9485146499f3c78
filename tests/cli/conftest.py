from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.terminal import Terminal
from tests.database import make_blank, make_copy

SELLER = ("--seller-name", "Hosting OOD", "--seller-country", "BG", "--seller-vat-id", "BG123456789")


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A terminal without a ledger yet."""
    make_blank(tmp_path / "ledger.db")
    return Terminal(tmp_path / "ledger.db")


@pytest.fixture(scope="session")
def furnished(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a ledger with a provider of each dialect, made once."""
    terminal = Terminal(tmp_path_factory.mktemp("furnished") / "ledger.db")
    for name, dialect in (("vps", "vpsbg"), ("domains", "checkdomain")):
        terminal.ok("provider", "add", name, "--dialect", dialect, *SELLER, "--rate-limit", 0)
        terminal.ok("account", "add", name, "17850", "--name", "Primer EOOD", "--country", "BG")
    return terminal.database


@pytest.fixture
def shop(tmp_path: Path, furnished: Path) -> Terminal:
    """A terminal whose ledger has the providers `vps` and `domains`, and an account `17850` at each."""
    make_copy(furnished, tmp_path / "ledger.db")
    return Terminal(tmp_path / "ledger.db")
