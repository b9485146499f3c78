"""The demo is made whole, or not at all."""

from __future__ import annotations

import json
import stat
import sys
import urllib.error
import urllib.request
from pathlib import Path
from subprocess import PIPE, Popen, run
from typing import Any

import pytest

from faktura.bootstrap import demo
from faktura.bootstrap.demo import open_demo
from faktura.config import DatabaseUrl, Settings
from faktura.domain.invoice import TypeCode
from faktura.ledger.accounts import find_provider
from faktura.ledger.listing_query import list_invoices
from faktura.ledger.verification import verify
from faktura.server.fault_plan import FaultKind

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


@pytest.mark.parametrize("count", [1, 9, 100])
def test_more_invoices_are_the_same_each_time(tmp_path: Path, count: int) -> None:
    """So many more for each provider, of every kind that there is; the next number comes after theirs; a ledger that is there keeps what it has."""
    found = []
    for name in ("a", "b"):
        with open_demo(SETTINGS, tmp_path / name, invoices=count) as (books, _):
            found.append(
                [(entry.invoice.number, entry.invoice.created_at_us, entry.invoice.total_with_vat_minor, entry.state) for entry in list_invoices(books)]
            )
            assert list(verify(books)) == []
            with books.storage.reading() as tx:
                provider = find_provider(tx, "vpsbg")
                (series,) = (item for item in tx.series.all(provider.id) if item.name == "invoice")
                originals = [entry.invoice.number for entry in list_invoices(books, provider="vpsbg") if entry.invoice.type_code is not TypeCode.PRO_FORMA]
            assert int(max(originals)) == series.next_number - 1
            types = {entry.invoice.type_code for entry in list_invoices(books, provider="checkdomain")}
            assert (TypeCode.CREDIT_NOTE in types) == (count == 100)
    assert found[0] == found[1]
    assert len(found[0]) == 28 + 2 * count
    with open_demo(SETTINGS, tmp_path / "a", invoices=5) as (books, _):
        assert len(list(list_invoices(books))) == 28 + 2 * count


def test_faults_from_the_command_line(tmp_path: Path) -> None:
    """They befall requests, the log names them, and the last line says what was done, in JSON and in words."""
    command = [sys.executable, "-m", "faktura", "demo", "--port", "0", "--data", str(tmp_path), "--invoices", "40"]
    faults = ["--fault", "all=0", "--fault", "429=1", "--fault", "slow=1", "--fault-delay", "0.01", "--fault-retry-after", "7", "--fault-seed", "3"]
    for options in (["--json"], []):
        with Popen([*command, *faults, *options], stdout=PIPE, stderr=PIPE, text=True) as process:
            assert process.stdout is not None
            said = process.stdout.readline()
            if options:
                started = json.loads(said)
                request = urllib.request.Request(f"{started['url']}/v1/invoices", headers={"Authorization": f"Bearer {started['tokens']['vpsbg']}"})
                with pytest.raises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(request)
                refused.value.close()
                assert (refused.value.code, refused.value.headers["Retry-After"]) == (429, "7")
            process.terminate()
            rest, log = process.communicate(timeout=20)
            assert process.returncode == 0
        if options:
            assert json.loads(rest) == {"faults": {"slow": 1, "429": 1}, "changed": {}, "vanished": {}, "added": {}}
            assert '"faults":"slow 429"' in log
        else:
            assert rest.splitlines()[-1] == "faults: none"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fault", "fire"], ", ".join(FaultKind)),
        (["--fault", "cut=2"], "from 0 to 1"),
        (["--fault", "cut="], "from 0 to 1"),
        (["--fault-delay", "-1"], "--fault-delay"),
        (["--fault-delay", "nan"], "delay"),
    ],
)
def test_a_fault_that_is_none_is_refused(tmp_path: Path, options: list[str], said: str) -> None:
    """A wrong word is told in a line, and nothing is made."""
    done = run([sys.executable, "-m", "faktura", "demo", "--data", str(tmp_path / "demo"), *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "demo").exists()
