"""Money on the command line: shares, credit notes as credit, refunds, reversals, pro-formas that are paid and invoiced."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.cli.terminal import Terminal

LINES = [{"name": "VPS", "unit_price": 100, "vat_rate": 20}]


def issued(shop: Terminal, **terms: object) -> dict[str, Any]:
    """A document of 120.00."""
    said: dict[str, Any] = shop.ok("invoice", "issue", "vps", "17850", "-", "--json", stdin=json.dumps({"lines": LINES, **terms}).encode()).json()
    return said


def due(shop: Terminal, document: dict[str, Any]) -> Decimal:
    """What is due of it now."""
    shown: Decimal = shop.ok("invoice", "show", document["id"], "--json").json()["amount_due"]
    return shown


def credit_of(shop: Terminal) -> list[tuple[Any, ...]]:
    """Id, kind and rest of what is credit of the account."""
    return [(item["id"], item["kind"], item["credit"]) for item in shop.ok("account", "show", "vps", "17850", "--json").json()["credit"]]


def test_a_payment_is_split_by_shares(shop: Terminal) -> None:
    """--share gives a document that much; the one that is named gets the rest."""
    first, second = issued(shop), issued(shop)
    said = shop.ok("pay", first["id"], 150, "--share", f"{second['id']}=58.50", "--json").json()
    assert {item["invoice_id"]: item["amount"] for item in said["allocations"]} == {second["id"]: Decimal("58.50"), first["id"]: Decimal("91.50")}
    assert (due(shop, first), due(shop, second)) == (Decimal("28.50"), Decimal("61.50"))
    before = shop.dump()
    assert "61.50 EUR due, not 62.00 EUR" in shop("pay", first["id"], 100, "--share", f"{second['id']}=62").refused()
    assert shop.dump() == before


@pytest.mark.parametrize("share", ["1", "=5", "1=", "x=1", "1=x", "-1=5", "1=0.001", f"{2**63}=1", "²=1"])
def test_a_wrong_share_is_one_line(shop: Terminal, share: str) -> None:
    """What is no ID=AMOUNT is told so, and a document is not named twice."""
    invoice = issued(shop)
    assert shop("pay", invoice["id"], 1, "--share", share).refused()
    assert "twice" in shop("pay", invoice["id"], 1, "--share", f"{invoice['id']}=1", "--share", f"{invoice['id']}=1").refused()


def test_credit_notes_and_payments_settle_and_go_back(shop: Terminal) -> None:
    """`account show` lists both as credit; allocate and refund take the id of either."""
    paid, other = issued(shop), issued(shop)
    payment = shop.ok("pay", paid["id"], 150, "--json").json()
    note = shop.ok("credit", paid["id"], "--json").json()
    assert credit_of(shop) == [(payment["id"], "payment", 30), (note["id"], "credit note", 120)]
    said = shop.ok("allocate", note["id"], "--share", f"{other['id']}=50").out
    assert f"{other['number']}: 50.00 EUR paid, 70.00 EUR due" in said
    assert f"70.00 EUR is credit of the account (credit note {note['number']})" in said
    assert shop.ok("refund", note["id"], "20.50", "--reference", "R 1", "--json").json()["credit_note_id"] == note["id"]
    assert "recorded already" in shop("refund", note["id"], "20.50", "--reference", "R 1").refused()
    assert f"30.00 EUR of payment {payment['id']} given back" in shop.ok("refund", payment["id"]).out
    assert credit_of(shop) == [(note["id"], "credit note", Decimal("49.50"))]
    assert "used up" in shop("refund", payment["id"]).refused()
    assert "49.50 EUR left, not 50.00 EUR" in shop("refund", note["id"], 50).refused()
    assert "credit note" in shop.ok("account", "show", "vps", "17850").out
    assert shop.ok("verify").code == 0


def test_a_reversed_payment_is_due_again(shop: Terminal) -> None:
    """`reverse` tells what is due again, and the payment is no credit any more."""
    invoice = issued(shop)
    payment = shop.ok("pay", invoice["id"], 150, "--json").json()
    said = shop.ok("reverse", payment["id"], "insufficient funds").out
    assert f"payment {payment['id']} of 150.00 EUR counts no more" in said
    assert f"{invoice['number']}: 120.00 EUR due" in said
    assert credit_of(shop) == []
    for words in (("reverse", payment["id"], "again"), ("refund", payment["id"]), ("allocate", payment["id"], invoice["id"])):
        assert "was reversed" in shop(*words).refused()
    note = shop.ok("credit", invoice["id"], "--json").json()
    assert "is not a payment" in shop("reverse", note["id"], "no").refused()
    assert "no payment and no credit note" in shop("reverse", 7, "no").refused()
    second = shop.ok("deposit", "vps", "17850", 5, "--json").json()
    said_json = shop.ok("reverse", second["id"], "charged back", "--json").json()
    assert (said_json["payment_id"], said_json["reason"], said_json["invoice_ids"]) == (second["id"], "charged back", [])


def test_a_pro_forma_is_paid_and_then_invoiced(shop: Terminal) -> None:
    """Its payment is kept for it, shows on it, and settles the invoice made from it; a second invoice is refused."""
    pro_forma = issued(shop, type_code=325, order_ids=[7398])
    said = shop.ok("pay", pro_forma["id"], 100).out
    assert f"{pro_forma['number']}: 20.00 EUR due" in said
    (kept,) = shop.ok("account", "show", "vps", "17850", "--json").json()["credit"]
    assert (kept["pro_forma_id"], kept["credit"]) == (pro_forma["id"], 100)
    invoice = shop.ok("invoice", "from-pro-forma", pro_forma["id"], "--due", "2099-01-01", "--json").json()
    assert (invoice["type_code"], invoice["pro_forma_id"], invoice["due_date"]) == (380, pro_forma["id"], "2099-01-01")
    assert (invoice["paid_amount"], invoice["amount_due"], invoice["state"]) == (100, 20, "partly-paid")
    assert f"invoice {invoice['number']}" in shop("invoice", "from-pro-forma", pro_forma["id"]).refused()
    assert f"pay invoice {invoice['number']}" in shop("pay", pro_forma["id"], 20).refused()
    assert "state: partly-paid" in shop.ok("invoice", "show", invoice["id"]).out
    assert shop("invoice", "from-pro-forma", pro_forma["id"], "--date", "soon").refused()
    assert shop.ok("verify").code == 0
