"""The demo is made whole, or not at all."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from faktura.bootstrap import demo
from faktura.bootstrap.demo import open_demo
from faktura.config import DatabaseUrl, Settings
from faktura.ledger.listing_query import list_invoices
from faktura.ledger.verification import verify

SETTINGS = Settings(database=DatabaseUrl(path="unused"))


def test_a_start_that_is_interrupted_leaves_nothing_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it is made, the demo is made anew at the next start, whole."""

    def interrupted(books: Any) -> None:
        demo._make_vpsbg(books)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(demo, "fill_demo", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_demo(SETTINGS, tmp_path).__enter__()
    assert not (tmp_path / "ledger.db").exists()
    with open_demo(SETTINGS, tmp_path) as (books, tokens):
        assert len(list(list_invoices(books))) == 28
        assert set(tokens) == {"vpsbg", "checkdomain"}
        assert list(verify(books)) == []


def test_the_demo_is_used_again(tmp_path: Path) -> None:
    """A second start has the same ledger and tokens; the file of tokens is its owner's alone; a lost one is made anew."""
    with open_demo(SETTINGS, tmp_path) as (_, first):
        pass
    with open_demo(SETTINGS, tmp_path) as (books, second):
        assert len(list(list_invoices(books))) == 28
    assert first == second
    path = tmp_path / "tokens.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("no json")
    with open_demo(SETTINGS, tmp_path) as (_, third):
        assert set(third) == set(first)
        assert third != first


def test_the_demo_is_a_file_whatever_the_environment_names(tmp_path: Path) -> None:
    """It is for a first look, so it needs no server and writes into nobody's ledger, though FAKTURA_DATABASE names one."""
    there = Settings(database=DatabaseUrl(url="postgresql://127.0.0.1:9/nobody"))
    with open_demo(there, tmp_path) as (books, _):
        assert len(list(list_invoices(books))) == 28
    assert (tmp_path / "ledger.db").is_file()


def test_two_starts_at_once_share_one_demo(tmp_path: Path) -> None:
    """Two processes that make the demo in one folder at the same time both serve it."""
    command = [sys.executable, "-m", "faktura", "demo", "--port", "0", "--json", "--data", str(tmp_path)]
    started = [Popen(command, stdout=PIPE, stderr=PIPE, text=True) for _ in range(2)]
    try:
        lines = [process.stdout.readline() for process in started if process.stdout]
        assert all(line.startswith('{"url"') for line in lines), lines
        assert len({line.partition('"tokens"')[2] for line in lines}) == 1
    finally:
        for process in started:
            process.terminate()
            process.communicate(timeout=20)
