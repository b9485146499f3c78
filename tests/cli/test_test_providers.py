"""Test providers: apart from legal ones, and marked on every document."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from tests.cli.conftest import SELLER
from tests.cli.terminal import Terminal
from tests.database import execute

from faktura.domain.draft import parse_draft
from faktura.domain.errors import ConflictError, SettingError
from faktura.domain.money import Currency
from faktura.domain.provider import hash_token
from faktura.ledger import commands
from faktura.ledger.accounts import set_provider, set_series

LINES = [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]


@pytest.fixture
def trial(shop: Terminal) -> Terminal:
    """A shop with a test provider of each dialect beside the legal ones."""
    for name, dialect in (("try-vps", "vpsbg"), ("try-domains", "checkdomain")):
        shop.ok("provider", "add", name, "--dialect", dialect, *SELLER, "--rate-limit", 0, "--test")
        shop.ok("account", "add", name, "17850", "--name", "Primer EOOD", "--country", "BG")
    return shop


def issue(shop: Terminal, provider: str, **document: Any) -> dict[str, Any]:
    """An issued document as `--json` shows it."""
    found: dict[str, Any] = shop.ok("invoice", "issue", provider, "17850", "-", "--json", stdin=json.dumps({"lines": LINES} | document).encode()).json()
    return found


def test_every_number_and_every_answer_is_marked(trial: Terminal) -> None:
    """Invoices, credit notes and order-numbered pro-formas of a test provider begin with TEST-; list and show say is_test; legal ones neither."""
    invoice = issue(trial, "try-vps")
    assert (invoice["number"], invoice["is_test"]) == ("TEST-0000000001", True)
    pro_forma = issue(trial, "try-vps", type_code=325, order_ids=[7398, 7401])
    assert (pro_forma["number"], pro_forma["is_test"]) == ("TEST-0000007398", True)
    credit = trial.ok("credit", invoice["id"], "--json").json()
    assert credit["number"] == "TEST-0000000002"
    assert issue(trial, "try-domains")["number"].startswith("TEST-")
    legal = issue(trial, "vps")
    assert (legal["number"], legal["is_test"]) == ("0000000001", False)
    listed = {(item["provider"], item["is_test"], item["number"].startswith("TEST-")) for item in trial.ok("invoice", "list", "--json").lines()}
    assert listed == {("try-vps", True, True), ("try-domains", True, True), ("vps", False, False)}
    assert {item["name"]: item["is_test"] for item in trial.ok("provider", "list", "--json").json()} == {
        "vps": False, "domains": False, "try-vps": True, "try-domains": True,
    }  # fmt: skip
    assert trial.ok("verify").out == "the ledger is whole\n"


@pytest.mark.parametrize("name", ["try-vps", "try-domains"])
def test_the_wire_shows_the_mark(trial: Terminal, name: str) -> None:
    """Both APIs carry the marked number as it is."""
    issue(trial, name)
    ((item,),) = trial.select("SELECT item FROM listing")
    assert json.loads(item)["invoice_number"].startswith("TEST-")


def test_templates_keep_the_mark(trial: Terminal) -> None:
    """A test series cannot lose the mark, a legal one cannot get it; then nothing is changed."""
    before = trial.dump()
    for words in (("try-vps", "invoice", "{seq:010d}"), ("try-vps", "pro-forma", "test-{seq}"), ("vps", "invoice", "TEST-{seq}")):
        assert "begin with TEST-" in trial("series", "set", words[0], words[1], "--template", words[2]).refused()
    assert trial.dump() == before
    trial.ok("series", "set", "try-vps", "invoice", "--template", "TEST-{year}-{seq}")


def test_a_test_provider_never_becomes_legal(ledger: Any) -> None:
    """Nor a legal one a test: whether it is one is fixed, and kept with the provider."""
    ledger.provider("vpsbg", is_test=True)
    ledger.provider("checkdomain")
    for name, wanted in (("vpsbg", False), ("checkdomain", True)):
        with pytest.raises(ConflictError, match="cannot change"):
            set_provider(ledger.books, name=name, change=partial(replace, is_test=wanted))
    with ledger.books.storage.reading() as tx:
        assert [provider.is_test for provider in tx.providers.all()] == [True, False]
    with pytest.raises(SettingError, match="begin with TEST-"):
        set_series(ledger.books, provider="vpsbg", name="invoice", template="{seq}")


def test_a_ledger_from_before_has_legal_providers(shop: Terminal) -> None:
    """Providers whose settings say nothing of tests are legal ones."""
    settings = json.loads(shop.select("SELECT settings FROM provider WHERE name = 'vps'")[0][0])
    del settings["is_test"]
    execute(shop.database, "UPDATE provider SET settings = ? WHERE name = 'vps'", (json.dumps(settings),))
    assert [item["is_test"] for item in shop.ok("provider", "list", "--json").json()] == [False, False]
    assert issue(shop, "vps")["is_test"] is False
    assert [item["is_test"] for item in shop.ok("invoice", "list", "--json").lines()] == [False]


def test_search_finds_marked_numbers(ledger: Any) -> None:
    """The query of checkdomain finds a marked number by any part of it."""
    ledger.provider("checkdomain", is_test=True)
    account = ledger.account("checkdomain")
    token = ledger.token("checkdomain")
    draft = parse_draft({"lines": LINES}, currency=Currency("EUR"), buyer=account.buyer)
    commands.issue(ledger.books, account_id=account.id, draft=draft)
    token_hash = hash_token(token)
    assert token_hash is not None
    page = ledger.books.storage.serving().serving.search(token_hash, now_us=ledger.clock(), text="test-", skip=0, size=10)
    assert page is not None
    assert page.total == 1
