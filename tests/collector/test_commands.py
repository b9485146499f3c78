"""`faktura pull` and `faktura changes`, as a bookkeeper types them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import Terminal
from tests.conftest import BUYER, open_ledger
from tests.database import make_blank
from tests.server.faulty import standing_in

from faktura.domain.draft import parse_draft
from faktura.domain.money import Currency
from faktura.ledger.commands import issue
from faktura.server.fault_plan import FaultKind, FaultPlan
from faktura.server.faults import FaultyApp

EUR = Currency("EUR")
COUNT = 45


@dataclass
class Market:
    """Both providers, on one server that can be made to misbehave."""

    url: str
    app: FaultyApp
    tokens: dict[str, str]

    def sources(self, folder: Path) -> Path:
        """A file of two sources: one token in the environment, one in a file."""
        (folder / "domains.token").write_text(f"{self.tokens['checkdomain']}\n", encoding="ascii")
        path = folder / "sources.toml"
        path.write_text(
            f"""[vps]\nprovider = "vpsbg"\nbase_url = "{self.url}/v1"\ntoken_env = "VPS_TOKEN"\n
[domains]\nprovider = "checkdomain"\nbase_url = "{self.url}/v1"\ntoken_file = "domains.token"\naccount = "our domains"\n""",
            encoding="utf-8",
        )
        return path


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    """Forty-five invoices of each provider."""
    with ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(tmp_path / "market.db"))
        for dialect in ("vpsbg", "checkdomain"):
            ledger.provider(dialect)
            account = ledger.account(dialect)
            for place in range(COUNT):
                ledger.clock.now_us += 86_400_000_000
                line = {"name": "VPS", "unit_price": str(10 + place), "vat_rate": 20, "order_id": 7}
                issue(ledger.books, account_id=account.id, draft=parse_draft({"type_code": 380, "lines": [line]}, currency=EUR, buyer=BUYER))
        url, app = stack.enter_context(standing_in(ledger.books))
        yield Market(url, app, {dialect: ledger.token(dialect) for dialect in ("vpsbg", "checkdomain")})


@pytest.fixture
def terminal(engine: str, tmp_path: Path) -> Terminal:
    """A bookkeeper's terminal without a ledger yet, on each engine."""
    make_blank(tmp_path / "books.db")
    return Terminal(tmp_path / "books.db")


def test_one_command_gathers_every_source(terminal: Terminal, market: Market, tmp_path: Path) -> None:
    """A ledger is made, both accounts come, a table says so; again nothing changes, and one source alone can be asked."""
    sources: dict[str, Any] = {"FAKTURA_SOURCES": str(market.sources(tmp_path)), "VPS_TOKEN": market.tokens["vpsbg"]}
    first = terminal.ok("pull", **sources)
    rows = [line.split() for line in first.out.splitlines()]
    assert rows[1] == ["vps", "2", "45", "0", "0", "0", "0", "0", "0", "45", "45"]
    assert rows[2] == ["domains", "46", "45", "0", "0", "0", "0", "45", "0", "45", "45"]
    assert first.err == ""
    before = terminal.dump()
    again = terminal.ok("pull", "vps", **sources)
    assert "nothing changed" in again.out
    assert "domains" not in again.out
    summary = terminal.ok("pull", "domains", "--json", **sources).lines()[-1]["summary"]
    assert (summary["requests"], summary["known"], summary["complete"]) == (1, 45, True)
    assert terminal.dump() == before
    listed = terminal.ok("invoice", "list", "--provider", "domains", "--limit", 100, "--json").lines()
    assert {item["account"] for item in listed} == {"our domains"}
    assert sum(item["total_with_vat"] for item in listed) == sum(Decimal(10 + place) * Decimal("1.2") for place in range(COUNT))
    assert terminal.ok("changes").out == "nothing contradicts what was heard before\n"
    assert terminal.ok("verify").code == 0


def test_an_ad_hoc_source_has_a_stable_name(terminal: Terminal, market: Market) -> None:
    """By provider and host, or as it is called."""
    options = ("pull", "--provider", "vpsbg", "--base-url", f"{market.url}/v1", "--token-env", "VPS_TOKEN")
    place = market.url.removeprefix("http://").replace(":", "-")
    assert f"vpsbg-{place} " in terminal.ok(*options, VPS_TOKEN=market.tokens["vpsbg"]).out
    assert "mine " in terminal.ok(*options, "--name", "mine", VPS_TOKEN=market.tokens["vpsbg"]).out


def test_what_changed_and_what_is_gone_is_told(terminal: Terminal, market: Market, tmp_path: Path) -> None:
    """Exit code 3; each is named as it is found, and `changes` lists it with both versions, however often it is pulled."""
    environment: dict[str, Any] = {"FAKTURA_SOURCES": str(market.sources(tmp_path)), "VPS_TOKEN": market.tokens["vpsbg"]}
    terminal.ok("pull", **environment)
    while len(market.app.changed) < 2 or not market.app.vanished:
        market.app.plan = FaultPlan(seed=random.randrange(10**6), rates={FaultKind.CHANGE: Decimal(1), FaultKind.VANISH: Decimal(1)})
        terminal("pull", "vps", **environment)
    market.app.plan = FaultPlan()
    told = terminal("pull", "--full", **environment)
    assert told.code == 3
    gone = [item for item in market.app.vanished if item.provider == "vpsbg"]
    changes = terminal("changes", "--source", "vps", "--json")
    assert changes.code == 3
    found = changes.lines()
    absent = [item for item in found if any(difference["heard"] == "absent" for difference in item["differences"])]
    assert {json.loads(item["kept"])["id"] for item in absent} == {item.wire_id for item in gone}
    conflicts = {json.loads(item["kept"])["id"]: item for item in found if item["kind"] == "conflict"}
    for changed in (item for item in market.app.changed if item not in market.app.vanished):
        item = conflicts[changed.wire_id]
        assert {difference["term"] for difference in item["differences"]} <= {"total_without_vat", "total_with_vat", "issue_date"}
        assert json.loads(item["kept"]) != json.loads(item["heard"])
    assert terminal("changes", "--since", "2999-01-01").code == 0
    assert "gone: its source does not show it any more" in terminal("changes").out
    before = terminal.dump()
    assert terminal("pull", "--full", **environment).code == 0, "what was told once is listed, and told no more"
    assert terminal.dump() == before
    assert terminal.ok("verify")


def test_a_source_that_fails_stops_no_other(terminal: Terminal, market: Market, tmp_path: Path) -> None:
    """Exit code 1, the reason in a line, and the others are there."""
    path = market.sources(tmp_path)
    path.write_text(
        path.read_text(encoding="utf-8") + '[dead]\nprovider = "vpsbg"\nbase_url = "http://127.0.0.1:1/v1"\ntoken_env = "VPS_TOKEN"\n', encoding="utf-8"
    )
    said = terminal("pull", "--json", FAKTURA_SOURCES=str(path), VPS_TOKEN=market.tokens["vpsbg"])
    summaries = {item["summary"]["source"]: item["summary"] for item in said.lines() if "summary" in item}
    assert said.code == 1
    assert [summaries[name]["complete"] for name in ("vps", "domains", "dead")] == [True, True, False]
    assert "faktura: dead: " in said.err
    assert market.tokens["vpsbg"] not in said.err + said.out
    assert {row[0] for row in terminal.select("SELECT name FROM provider")} == {"vps", "domains"}, "who never answered leaves nothing"


def test_an_outage_that_empties_the_list_is_not_believed(terminal: Terminal, market: Market, tmp_path: Path) -> None:
    """A source that suddenly shows nearly nothing is mistaken, unless the bookkeeper says otherwise."""
    environment: dict[str, Any] = {"FAKTURA_SOURCES": str(market.sources(tmp_path)), "VPS_TOKEN": market.tokens["vpsbg"]}
    terminal.ok("pull", **environment)
    market.app.plan = FaultPlan(rates={FaultKind.VANISH: Decimal(1)})
    while len([item for item in market.app.vanished if item.provider == "vpsbg"]) < 40:
        terminal("pull", "--provider", "vpsbg", "--base-url", f"{market.url}/v1", "--token-env", "VPS_TOKEN", "--name", "other", **environment)
    market.app.plan = FaultPlan()
    before = terminal.dump()
    said = terminal("pull", "vps", **environment)
    assert (said.code, terminal.dump() == before) == (3, True)
    assert "taken for its mistake" in said.err
    said = terminal("pull", "vps", "--accept-vanished", **environment)
    assert said.code == 3
    assert "gone: " in said.err
    assert "nothing changed" in terminal.ok("pull", "vps", **environment).out


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[a]\nprovider = 'vpsbg'\n", "source a: name either token_env or token_file"),
        ("[a]\nprovider = 'vpsbg'\ntoken_env = 'X'\ntoken_file = 'y'\n", "source a: name either token_env or token_file"),
        ("[a]\nprovider = 'whmcs'\ntoken_env = 'X'\n", "a: provider must be one of"),
        ("[a]\ntoken_env = 'X'\n", "a: provider must be one of"),
        ("[a]\nprovider = 'vpsbg'\ntoken = 'secret'\n", "a: token is not a setting of a source"),
        ("[a]\nprovider = 'vpsbg'\ntoken_env = 3\n", "a: token_env must be text"),
        ("[A]\nprovider = 'vpsbg'\ntoken_env = 'X'\n", "'A' is not a usable name"),
        ("a = 1\n", "a must be a table, such as [a]"),
        ("[a\n", "the sources cannot be read from"),
        ("", "names no source"),
    ],
)
def test_a_wrong_file_is_said(terminal: Terminal, tmp_path: Path, text: str, complaint: str) -> None:
    """Before anything is asked for, in one line that names the source and the setting."""
    path = tmp_path / "sources.toml"
    path.write_text(text, encoding="utf-8")
    said = terminal("pull", FAKTURA_SOURCES=str(path)).refused()
    assert complaint in said
    assert "secret" not in said


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--provider", "vpsbg"), "name either token_env or token_file"),
        (("--base-url", "http://x/v1", "--token-env", "T"), "provider must be one of"),
        (("some", "--provider", "vpsbg", "--token-env", "T"), "not both"),
        (("--provider", "vpsbg", "--token-env", "T", "--name", "Ü"), "not a usable name"),
        (("--provider", "vpsbg", "--token-env", "T", "--base-url", "http://[x/v1"), "not the address of an API"),
    ],
)
def test_wrong_options_are_said(terminal: Terminal, arguments: tuple[str, ...], complaint: str) -> None:
    """In one line."""
    assert complaint in terminal("pull", *arguments, T="x").refused()


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    ("option", "value"),
    [("--currency", "EURO"), ("--zone", "Mars/Olympus"), ("--base-url", "ftp://x/v1"), ("--token-env", "NOT_THERE"), ("--token-file", "/nowhere")],
)
def test_a_source_that_cannot_be_asked_fails_alone(terminal: Terminal, market: Market, option: str, value: str) -> None:
    """A token, an address, a currency or a zone that is none: told with the source's name, and nothing is kept."""
    given = {"--provider": "vpsbg", "--base-url": f"{market.url}/v1", "--token-env": "VPS_TOKEN"}
    if option == "--token-file":
        del given["--token-env"]
    given[option] = value
    said = terminal("pull", *(word for pair in given.items() for word in pair), VPS_TOKEN=market.tokens["vpsbg"])
    assert said.code == 1
    assert said.err.startswith("faktura: ")
    assert "Traceback" not in said.err
    assert terminal.select("SELECT name FROM provider") == []


def test_pulls_that_are_killed_go_on(terminal: Terminal, market: Market, tmp_path: Path) -> None:
    """Killed at any moment, several times: the next pull makes it whole, and nothing is double."""
    environment: dict[str, Any] = {"FAKTURA_SOURCES": str(market.sources(tmp_path)), "VPS_TOKEN": market.tokens["vpsbg"]}
    terminal.ok("migrate")
    market.app.plan = FaultPlan(rates={FaultKind.SLOW: Decimal(1)}, delay_seconds=0.02)
    for seconds in (0.5, 0.7, 0.9, 1.1):
        process = subprocess.Popen([sys.executable, "-m", "faktura", "pull"], env=os.environ | terminal._environment(environment), stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        process.kill()
        process.wait()
    market.app.plan = FaultPlan()
    summaries = [line["summary"] for line in terminal.ok("pull", "--json", **environment).lines() if "summary" in line]
    assert [(item["known"], item["total"], item["details_left"]) for item in summaries] == [(45, 45, 0), (45, 45, 0)]
    assert terminal.select("SELECT COUNT(*) AS documents, COUNT(DISTINCT source_wire_id) AS ids FROM invoice GROUP BY account_id") == [(45, 45), (45, 45)]
    assert "nothing changed" in terminal.ok("pull", "domains", **environment).out
    assert terminal.ok("verify")


def test_two_pulls_at_once_double_nothing(terminal: Terminal, market: Market, tmp_path: Path) -> None:
    """A cron job that starts before the last one ended."""
    environment: dict[str, Any] = {"FAKTURA_SOURCES": str(market.sources(tmp_path)), "VPS_TOKEN": market.tokens["vpsbg"]}
    together = [
        subprocess.Popen([sys.executable, "-m", "faktura", "pull"], env=os.environ | terminal._environment(environment), stdout=subprocess.DEVNULL)
        for _ in range(3)
    ]
    assert [process.wait() for process in together] == [0, 0, 0]
    assert terminal.select("SELECT COUNT(*) AS documents, COUNT(DISTINCT source_wire_id) AS ids FROM invoice GROUP BY account_id") == [(45, 45), (45, 45)]
    assert terminal.ok("verify")
