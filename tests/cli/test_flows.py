"""What people do on the command line, from an empty folder to paid and credited invoices."""

from __future__ import annotations

import http.client
import json
import signal
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import Terminal
from tests.conftest import running
from tests.database import database_environment, dump

LINES = [{"name": "VPS Advanced, 3 months", "unit_price": 30, "quantity": 3, "vat_rate": 20, "order_id": 7398}]


def document(**terms: object) -> bytes:
    """An invoice over 90 and 20 % VAT."""
    return json.dumps({"order_ids": [7398], "lines": LINES, **terms}).encode()


def issued(shop: Terminal, provider: str = "vps", **terms: object) -> dict[str, Any]:
    """An issued document, as `invoice issue --json` tells it."""
    said: dict[str, Any] = shop.ok("invoice", "issue", provider, "17850", "-", "--json", stdin=document(**terms)).json()
    return said


def test_providers_are_added_set_and_listed(terminal: Terminal) -> None:
    """The first provider makes the ledger; settings are the dialect's unless named, and can change."""
    (added,) = terminal.ok("provider", "add", "vps", "--dialect", "vpsbg", "--seller-name", "Hosting OOD", "--json").json()
    expected = {"name": "vps", "dialect": "vpsbg", "zone": "Europe/Sofia", "currency": "EUR", "seller": {"name": "Hosting OOD"}}
    assert expected.items() <= added.items()
    assert (added["rate_limit"], added["rate_window_seconds"], added["public_url"]) == (60, 60, None)
    options = ("--public-url", "https://api.example.com", "--host", "api.example.com", "--rate-limit", 0, "--json")
    (changed,) = terminal.ok("provider", "set", "vps", *options).json()
    assert (changed["public_url"], changed["hosts"], changed["rate_limit"]) == ("https://api.example.com", ["api.example.com"], 0)
    assert terminal.ok("provider", "list", "--json").json() == [changed]


def test_accounts_are_added_and_listed(shop: Terminal) -> None:
    """An account keeps its buyer, and the list counts what its API shows."""
    shop.ok("account", "add", "vps", "K 2/Ä", "--json")
    issued(shop)
    first, second = shop.ok("account", "list", "vps", "--json").json()
    assert (first["reference"], first["listed"], first["buyer"]) == ("17850", 1, {"name": "Primer EOOD", "country": "BG"})
    assert (second["reference"], second["listed"], second["buyer"]) == ("K 2/Ä", 0, None)


def test_series_are_listed_and_set(shop: Terminal) -> None:
    """A provider starts with a series for invoices and corrections and one for pro-formas; number and template can be set."""
    found = {item["name"]: item for item in shop.ok("series", "list", "vps", "--json").json()}
    assert found["invoice"]["type_codes"] == [380, 381, 383]
    assert (found["pro-forma"]["type_codes"], found["pro-forma"]["method"]) == ([325], "order")
    (changed,) = shop.ok("series", "set", "vps", "invoice", "--next", 1595, "--template", "{year}-{seq:06d}", "--json").json()
    assert (changed["next_number"], changed["template"]) == (1595, "{year}-{seq:06d}")
    invoice = issued(shop)
    assert invoice["number"] == f"{invoice['issue_date'][:4]}-001595"


def test_a_token_is_shown_once_and_only_its_hash_is_kept(shop: Terminal) -> None:
    """The key is printed by `create` alone; neither a list nor any byte of what the ledger keeps has it."""
    key = shop.ok("token", "create", "vps", "17850", "--label", "bookkeeping").out.strip()
    other = shop.ok("token", "create", "vps", "17850", "--write", "--expires", "2099-01-01", "--json").json()
    first, second = shop.ok("token", "list", "vps", "--json").json()
    assert (first["label"], first["scopes"], first["account"], first["expires_at"]) == ("bookkeeping", ["read"], "17850", None)
    assert (second["scopes"], second["expires_at"]) == (["read", "write"], "2099-01-01T00:00:00.000000Z")
    assert first["begins"] == key[:8]
    assert second["begins"] == other["token"][:8]
    listed = shop.ok("token", "list", "vps").out + shop.ok("token", "list", "vps", "--json").out
    kept = b"".join(path.read_bytes() for path in shop.database.parent.iterdir()) + "\n".join(dump(shop.database)).encode()
    assert b"bookkeeping" in kept
    for secret in (key, other["token"]):
        assert len(secret) >= 32
        assert secret not in listed
        assert secret.encode() not in kept
        assert secret[9:].encode() not in kept


def test_a_revoked_token_is_told_so_and_stays_revoked(shop: Terminal) -> None:
    """Revoking sets the instant once; revoking again changes nothing."""
    made = shop.ok("token", "create", "vps", "17850", "--json").json()
    assert made["revoked_at"] is None
    shop.ok("token", "revoke", made["id"])
    (revoked,) = shop.ok("token", "list", "vps", "--json").json()
    assert revoked["revoked_at"] >= made["created_at"]
    shop.ok("token", "revoke", made["id"])
    assert shop.ok("token", "list", "vps", "--json").json() == [revoked]


def test_every_invoice_in_json_has_its_ledger_id(shop: Terminal) -> None:
    """issue, list, show, credit and import name documents by the id that the other commands take."""
    invoice = issued(shop)
    listed = shop.ok("invoice", "list", "--json").lines()
    shown = shop.ok("invoice", "show", invoice["id"], "--json").json()
    note = shop.ok("credit", invoice["id"], "--json").json()
    assert [item["id"] for item in listed] == [invoice["id"]]
    assert shown == invoice
    assert listed[0].items() <= shown.items()
    assert note["preceding_invoice"]["id"] == invoice["id"]
    ids = {row[0] for row in shop.select("SELECT invoice_id FROM invoice")}
    assert {invoice["id"], note["id"]} == ids


def test_an_invoice_is_issued_from_json_toml_and_standard_input(shop: Terminal, tmp_path: Path) -> None:
    """The three ways of giving a document make the same invoice, numbered one after the other."""
    as_json, as_toml = tmp_path / "invoice.json", tmp_path / "invoice.toml"
    as_json.write_bytes(document())
    as_toml.write_text(
        'order_ids = [7398]\n[[lines]]\nname = "VPS Advanced, 3 months"\nunit_price = 30\nquantity = 3\nvat_rate = 20\norder_id = 7398\n', encoding="utf-8"
    )
    made = [shop.ok("invoice", "issue", "vps", "17850", file, "--json").json() for file in (as_json, as_toml)]
    made.append(issued(shop))
    assert [item["number"] for item in made] == ["0000000001", "0000000002", "0000000003"]
    own = {"id", "wire_id", "number", "created_at", "recorded_at"}
    first, second, third = ({key: value for key, value in item.items() if key not in own} for item in made)
    assert first == second == third
    assert (first["total_without_vat"], first["vat_total"], first["total_with_vat"]) == (90, 18, 108)
    assert (first["paid_amount"], first["amount_due"]) == (0, 108)


def test_decimals_of_a_document_are_exact(shop: Terminal, tmp_path: Path) -> None:
    """A TOML or JSON number is taken as it is written: 0.1 + 0.2 is 0.3, and 1.005 is rounded as one."""
    file = tmp_path / "invoice.toml"
    rows = ("0.1", "0.2", "1.005", "0.29")
    file.write_text("".join(f'[[lines]]\nname = "x"\nunit_price = {row}\nquantity = 100\nvat_rate = 20.0\n' for row in rows), encoding="utf-8")
    by_toml = shop.ok("invoice", "issue", "vps", "17850", file, "--json").json()
    lines = ",".join(f'{{"name":"x","unit_price":{row},"quantity":100,"vat_rate":20.0}}' for row in rows)
    by_json = shop.ok("invoice", "issue", "vps", "17850", "-", "--json", stdin=f'{{"lines":[{lines}]}}'.encode()).json()
    for made in (by_toml, by_json):
        assert [line["unit_price"] for line in made["lines"]] == [Decimal(row) for row in rows]
        assert [line["line_total"] for line in made["lines"]] == [Decimal(row) * 100 for row in rows]
        assert made["total_without_vat"] == Decimal("159.50")


def test_a_payment_settles_and_its_excess_is_credit(shop: Terminal) -> None:
    """A payment fills the documents in the order given; what is over is credit of the account, and a second one finds nothing due."""
    first, second = issued(shop), issued(shop)
    part = shop.ok("pay", first["id"], "8.50", "--reference", "SEPA 4711", "--json").json()
    assert (part["amount"], part["credit"]) == (Decimal("8.50"), 0)
    assert part["allocations"] == [{"invoice_id": first["id"], "amount": Decimal("8.50")}]
    over = shop.ok("pay", first["id"], 250, "--also", second["id"], "--date", first["issue_date"], "--json").json()
    assert [item["amount"] for item in over["allocations"]] == [Decimal("99.50"), 108]
    assert (over["credit"], over["paid_on"]) == (Decimal("42.50"), first["issue_date"])
    standings = [(item["paid_amount"], item["amount_due"]) for item in shop.ok("invoice", "list", "--json").lines()]
    assert standings == [(108, 0), (108, 0)]
    before = shop.dump()
    assert "nothing is due" in shop("pay", first["id"], 1).refused()
    assert shop.dump() == before


def test_the_list_filters_by_provider_account_number_and_open(shop: Terminal) -> None:
    """Filters narrow the list, newest first, and --limit cuts it."""
    shop.ok("account", "add", "vps", "other", "--name", "Other EOOD", "--country", "BG")
    first, second, third = issued(shop), issued(shop), issued(shop, "domains")
    other = shop.ok("invoice", "issue", "vps", "other", "-", "--json", stdin=document()).json()
    shop.ok("pay", first["id"], 108)

    def listed(*options: object) -> list[int]:
        return [item["id"] for item in shop.ok("invoice", "list", "--json", *options).lines()]

    assert set(listed()) == {first["id"], second["id"], third["id"], other["id"]}
    assert listed("--provider", "domains") == [third["id"]]
    assert listed("--provider", "vps", "--account", "17850") == [second["id"], first["id"]]
    assert listed("--provider", "vps", "--account", "17850", "--open") == [second["id"]]
    assert listed("--number", second["number"], "--account", "17850") == [second["id"]]
    assert listed("--limit", 1, "--provider", "vps", "--account", "17850") == [second["id"]]


def test_a_credit_note_takes_back_all_or_some_lines(shop: Terminal) -> None:
    """`--line 1=1` credits one of three; the rest can be credited later, and beyond the total nothing."""
    invoice = issued(shop, lines=[*LINES, {"name": "Backup", "unit_price": "41.67", "vat_rate": 20}])
    part = shop.ok("credit", invoice["id"], "--line", "1=1", "--note", "one month too much", "--json").json()
    assert (part["type_code"], part["total_with_vat"], part["note"]) == (381, 36, "one month too much")
    assert [(line["quantity"], line["name"]) for line in part["lines"]] == [(1, LINES[0]["name"])]
    after = shop.ok("invoice", "show", invoice["id"], "--json").json()
    assert (after["paid_amount"], after["amount_due"]) == (36, invoice["total_with_vat"] - 36)
    before = shop.dump()
    assert "left to credit" in shop("credit", invoice["id"]).refused()
    assert shop.dump() == before
    shop.ok("credit", invoice["id"], "--line", "1=2", "--line", "2=1")
    assert shop.ok("invoice", "show", invoice["id"], "--json").json()["amount_due"] == 0
    assert "0.00 EUR left to credit" in shop("credit", invoice["id"], "--line", "2=1").refused()
    numbers = [item["number"] for item in shop.ok("invoice", "list", "--json").lines()]
    assert numbers == ["0000000003", "0000000002", "0000000001"]


def test_a_line_named_twice_is_not_dropped_silently(shop: Terminal) -> None:
    """`--line 1=1 --line 1=2` either credits three or is refused: neither of the two may get lost."""
    invoice = issued(shop)
    said = shop("credit", invoice["id"], "--line", "1=1", "--line", "1=2", "--json")
    assert said.code == 1 or said.json()["total_with_vat"] == 108, said


@pytest.mark.parametrize("line", ["4=1", "1=4", "1=0", "1=-1", "0=1", "1", "=", "one=1", "1=one", "1=1e0"])
def test_a_wrong_part_of_a_line_is_refused(shop: Terminal, line: str) -> None:
    """A line or quantity that the invoice does not have is a one-line error, and no number is taken."""
    invoice = issued(shop)
    before = shop.dump()
    assert shop("credit", invoice["id"], "--line", line).refused()
    assert shop.dump() == before


def test_migrate_makes_a_ledger_and_then_has_nothing_to_do(terminal: Terminal) -> None:
    """The first run tells what it applied, the second that there is nothing; both work with --json."""
    assert terminal.ok("migrate", "--json").json()[0].startswith("0001 ")
    assert terminal.ok("migrate", "--json").json() == []
    assert terminal.ok("migrate").out == "nothing to do\n"
    assert terminal.ok("provider", "list", "--json").json() == []


def test_serve_answers_until_it_is_told_to_stop(shop: Terminal) -> None:
    """`serve --port 0 --json` says its address once it accepts, and answers both dialects, each to its own token."""
    keys = {name: shop.ok("token", "create", name, "17850").out.strip() for name in ("vps", "domains")}
    numbers = {name: issued(shop, name)["number"] for name in keys}
    with running("serve", environment=database_environment(shop.database)) as served:
        with closing(http.client.HTTPConnection(served.host)) as client:
            answers = {}
            for name, key in keys.items():
                client.request("GET", "/v1/invoices", headers={"Authorization": f"Bearer {key}"})
                answers[name] = json.loads(client.getresponse().read())
        assert [item["invoice_number"] for item in answers["vps"]["data"]] == [numbers["vps"]]
        assert [item["invoice_number"] for item in answers["domains"]["_embedded"]["invoices"]] == [numbers["domains"]]
        served.process.terminate()
        assert served.process.wait(timeout=30) in {0, -signal.SIGTERM}
    left = {path.name for path in shop.database.parent.iterdir()}
    assert left <= {"ledger.db"}, "SIGTERM closes the ledger: a copy of its file is then the whole of it"


def test_the_journal_tells_who_acted(shop: Terminal) -> None:
    """FAKTURA_ACTOR is written beside what a command did; without it the user's name."""
    shop.ok("account", "add", "vps", "by-name", FAKTURA_ACTOR="Ivana")
    shop.ok("account", "add", "vps", "by-user", FAKTURA_ACTOR="", USER="ivan")
    actors = shop.select("SELECT actor FROM journal WHERE event = 'account.added' AND provider_id = 1 ORDER BY sequence")
    assert actors[1:] == [("Ivana",), ("ivan",)]
