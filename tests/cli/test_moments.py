"""What the command line lists and shows, filtered and sorted, now and as it was."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.cli.terminal import Terminal


def issued(shop: Terminal, provider: str = "vps", **terms: object) -> dict[str, Any]:
    """An invoice over 120.00 at the one provider, 119.00 at the other."""
    document = {"lines": [{"name": "VPS", "unit_price": 100}], **terms}
    said: dict[str, Any] = shop.ok("invoice", "issue", provider, "17850", "-", "--json", stdin=json.dumps(document).encode()).json()
    return said


def instant() -> str:
    """Now, as --as-of takes it, and a moment later the clock has moved on."""
    now = datetime.now(UTC)
    time.sleep(0.002)
    return f"{now:%Y-%m-%dT%H:%M:%S.%fZ}"


def listed(shop: Terminal, *options: object) -> list[str]:
    """Numbers that `invoice list` tells."""
    return [item["number"] for item in shop.ok("invoice", "list", "--json", *options).lines()]


def test_lists_are_filtered_and_sorted(shop: Terminal) -> None:
    """Each new option of `invoice list`, alone and together with the old ones; providers are sorted into one list."""
    first = issued(shop, order_ids=[7398], issue_date="2024-01-15", due_date="2024-01-20")
    second = issued(shop, issue_date="2024-02-15")
    other = issued(shop, "domains", issue_date="2024-02-01")
    shop.ok("pay", second["id"], 20)
    note = shop.ok("credit", first["id"], "--json").json()
    third = issued(shop)
    assert listed(shop, "--type", 381) == [note["number"]]
    assert listed(shop, "--type", 381, "--type", 380, "--provider", "vps") == [third["number"], note["number"], second["number"], first["number"]]
    assert listed(shop, "--state", "credited") == [first["number"]]
    assert listed(shop, "--state", "partly-paid") == [second["number"]]
    assert listed(shop, "--from", "2024-02-01", "--to", "2024-02-15", "--sort", "issue_date") == [other["number"], second["number"]]
    assert listed(shop, "--order-id", 7398) == [note["number"], first["number"]]
    assert listed(shop, "--provider", "vps", "--sort", "-number", "--limit", 2) == [third["number"], note["number"]]
    assert listed(shop, "--provider", "vps", "--sort", "id", "--open") == [second["number"], third["number"]]
    assert shop.ok("invoice", "list", "--json", "--number", first["number"], "--provider", "vps").lines()[0]["state"] == "credited"
    assert len(shop.ok("invoice", "list", "--state", "open").out.splitlines()) == 3


def test_the_ledger_is_read_as_it_was(shop: Terminal) -> None:
    """--as-of tells what was known at an instant: list, document and balance; what came later is not there."""
    invoice = issued(shop)
    before = instant()
    shop.ok("pay", invoice["id"], 100)
    later = issued(shop)
    then = shop.ok("invoice", "show", invoice["id"], "--as-of", before, "--json").json()
    assert (then["amount_due"], then["state"], then["payments"]) == (120, "open", [])
    now = shop.ok("invoice", "show", invoice["id"], "--json").json()
    assert (now["amount_due"], now["state"]) == (20, "partly-paid")
    assert listed(shop, "--as-of", before) == [invoice["number"]]
    assert listed(shop, "--as-of", before, "--open") == [invoice["number"]]
    assert "no document" in shop("invoice", "show", later["id"], "--as-of", before).refused()
    (balance,) = shop.ok("account", "show", "vps", "17850", "--as-of", before, "--json").json()["balances"]
    assert (balance["invoiced"], balance["paid"], balance["due"]) == (120, 0, 120)
    (balance,) = shop.ok("account", "show", "vps", "17850", "--json").json()["balances"]
    assert (balance["invoiced"], balance["paid"], balance["due"], balance["unknown"]) == (240, 100, 140, 0)


def test_the_ledger_is_read_by_value_date(shop: Terminal) -> None:
    """--on counts what was issued and paid by a date, whenever it was entered; a payment without an invoice is credit."""
    invoice = issued(shop, issue_date="2024-03-01", due_date="2024-03-10")
    shop.ok("pay", invoice["id"], 150, "--date", "2024-03-20")
    expected = {"2024-02-29": None, "2024-03-10": (120, 0, 0), "2024-03-11": (120, 120, 0), "2024-03-20": (0, 0, 30)}
    for day, amounts in expected.items():
        balances = shop.ok("account", "show", "vps", "17850", "--on", day, "--json").json()["balances"]
        assert [(item["due"], item["overdue"], item["credit"]["payments"]) for item in balances] == ([amounts] if amounts else [])
    assert listed(shop, "--on", "2024-02-29") == []
    assert listed(shop, "--on", "2024-03-11", "--state", "overdue") == [invoice["number"]]
    assert "150.00 EUR" not in shop.ok("account", "show", "vps", "17850", "--on", "2024-03-19").out
    shown = shop.ok("account", "show", "vps", "17850").out
    assert "invoiced" in shown
    assert "30.00 EUR" in shown


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("invoice list --as-of yesterday", "'yesterday' is not a date and time"),
        ("invoice list --as-of 2024-01-01T00:00:00", "no offset"),
        ("invoice show 1 --on 2024-02-30", "day is out of range"),
        ("invoice list --from soon", "'soon' is not a date"),
        ("invoice list --type 390", "325 (pro-forma)"),
        ("account show vps 17850 --on 1", "'1' is not a date"),
    ],
)
def test_a_moment_that_is_none_is_refused(shop: Terminal, words: str, reason: str) -> None:
    """An instant, date or type that is none is one line."""
    assert reason in shop(*words.split()).refused()


@pytest.mark.parametrize("words", ["invoice list --state unpaid", "invoice list --sort total", "invoice list --order-id 0"])
def test_a_word_that_is_none_is_a_usage_error(shop: Terminal, words: str) -> None:
    """The parser names the states and orders that there are."""
    said = shop(*words.split())
    assert (said.code, said.out) == (2, "")
