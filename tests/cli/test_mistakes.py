"""Mistakes a person makes, and what hostile sources bring to a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.terminal import Terminal


def test_money_waits_and_is_allocated(shop: Terminal) -> None:
    """deposit, account show, allocate: what is credit of an account is seen and used."""
    document = json.dumps({"lines": [{"name": "VPS", "unit_price": 100}]}).encode()
    deposit = shop.ok("deposit", "vps", "17850", "200", "--json").json()
    invoice = shop.ok("invoice", "issue", "vps", "17850", "-", "--json", stdin=document).json()
    assert shop.ok("account", "show", "vps", "17850", "--json").json()["credit"][0]["credit"] == 200
    assert "200.00 EUR" in shop.ok("account", "show", "vps", "17850").out
    said = shop.ok("allocate", deposit["id"], invoice["id"]).out
    assert f"{invoice['number']}: 120.00 EUR paid, 0.00 EUR due" in said
    assert "80.00 EUR is credit of the account" in said


def test_a_payment_is_not_doubled_by_mistake(shop: Terminal) -> None:
    """The same reference, amount and date again is refused; --again means it."""
    shop.ok("deposit", "vps", "17850", "5", "--reference", "SEPA 1")
    assert "recorded already" in shop("deposit", "vps", "17850", "5", "--reference", "SEPA 1").refused()
    shop.ok("deposit", "vps", "17850", "5", "--reference", "SEPA 1", "--again")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("token create vps 17850 --days 5 --expires 2030-01-01", "not both"),
        ("series set vps invoice", "nothing to set"),
        ("series set vps invoice --reset year", "{year}"),
        ("provider add x --dialect vpsbg --seller-name S --credit-note-word original", "a word of its own"),
        ("provider add x --dialect checkdomain --seller-name S --credit-note-word credit", "does not show"),
        ("provider set vps --host evil/host", "not a host name"),
    ],
)
def test_what_cannot_be_meant_is_refused(shop: Terminal, words: str, reason: str) -> None:
    """Options that contradict each other, do nothing or cannot work are told, and nothing is written."""
    before = shop.dump()
    assert reason in shop(*words.split()).refused()
    assert shop.dump() == before


def test_a_default_provider_that_is_not_there_stops_the_server(shop: Terminal) -> None:
    """Serve names the providers there are, instead of answering as another one."""
    assert "there is no provider 'nope'; known: vps, domains" in shop("serve", "--port", "0", FAKTURA_DEFAULT_PROVIDER="nope").refused()


@pytest.mark.parametrize("number", ["", " ", "a\nb", "a\x00b", "\x1b[31mred", "9" * 256])
def test_a_number_that_is_none_is_not_recorded(shop: Terminal, tmp_path: Path, number: str) -> None:
    """Sources may write any number, but a printable one: the item is a fault, and the terminal stays as it was."""
    item = {"id": 1, "created_at": "2024-01-01T00:00:00Z", "amount": 1, "amount_with_vat": 1, "type": "original", "order_ids": []}
    file = tmp_path / "page.json"
    file.write_text(json.dumps({"data": [item | {"invoice_number": number}, item | {"id": 2, "invoice_number": "fine"}]}))
    said = shop("import", file, "--provider", "vps", "--account", "17850")
    assert (said.code, said.out) == (3, "1 new\n")
    assert f"{file}: item 1: " in said.err
    assert "\x1b" not in said.err


def test_what_sources_say_is_harmless_in_a_table(shop: Terminal, tmp_path: Path) -> None:
    """A type or name with control characters is shown with escapes."""
    item = {"id": 1, "invoice_number": "1", "created_at": "2024-01-01T00:00:00Z", "amount": 1, "amount_with_vat": 1, "type": "\x1b[31m", "order_ids": []}
    file = tmp_path / "page.json"
    file.write_text(json.dumps({"data": [item]}))
    shop.ok("import", file, "--provider", "vps", "--account", "17850")
    said = shop.ok("invoice", "list").out
    assert "\x1b" not in said
    assert "\\x1b[31m" in said


def test_the_journal_is_a_feed_without_gaps(shop: Terminal) -> None:
    """Read in pieces, each after the last number seen, it is the same as read at once; numbers have no gap, digests follow."""
    for _ in range(3):
        shop.ok("deposit", "vps", "17850", "1")
    whole = shop.ok("journal", "vps", "--json").lines()
    assert [entry["sequence"] for entry in whole] == list(range(1, len(whole) + 1))
    assert [entry["event"] for entry in whole][-3:] == ["payment.recorded"] * 3
    pieces: list[object] = []
    while piece := shop.ok("journal", "vps", "--json", "--limit", 2, "--after", len(pieces)).lines():
        pieces += piece
    assert pieces == whole
    assert "payment.recorded" in shop.ok("journal", "vps").out
