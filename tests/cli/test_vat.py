"""VAT on the command line: report, lock, proofs."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.cli.terminal import Terminal

TODAY = date.today()  # noqa: DTZ011 - only days around it matter
PERIOD = ("--from", TODAY - timedelta(days=40), "--to", TODAY + timedelta(days=2))


def issued(shop: Terminal, reference: str, **terms: object) -> dict[str, Any]:
    """An issued document, as `invoice issue --json` tells it."""
    document = {"lines": [{"name": "VPS", "unit_price": 10}], **terms}
    said: dict[str, Any] = shop.ok("invoice", "issue", "vps", reference, "-", "--json", stdin=json.dumps(document).encode()).json()
    return said


@pytest.fixture
def trade(shop: Terminal) -> Terminal:
    """Invoices at home, to a business and to a consumer abroad, and a credit note."""
    shop.ok("account", "add", "vps", "gmbh", "--name", "Domains GmbH", "--country", "DE", "--vat-id", "DE136695976")
    shop.ok("account", "add", "vps", "marie", "--name", "Marie", "--country", "FR")
    for reference in ("17850", "gmbh", "marie"):
        issued(shop, reference)
    shop.ok("credit", issued(shop, "17850")["id"])
    return shop


def test_the_report_for_programs(trade: Terminal) -> None:
    """Sums by country, category and rate, the one-stop shop and the recapitulative statement, as one object with exact decimals."""
    said = trade.ok("vat-report", "vps", *PERIOD, "--json").json()
    assert (said["provider"], said["locked_through"]) == ("vps", None)
    home, german, french = said["summary"]
    assert home == {"tax_country": "BG", "category": "S", "rate": 20, "currency": "EUR", "taxable": 10, "tax": 2, "documents": 3}
    assert (german["tax_country"], german["category"], german["taxable"], german["tax"]) == ("DE", "AE", 10, 0)
    assert said["oss"] == [{"tax_country": "FR", "rate": 20, "currency": "EUR", "taxable": Decimal("10.00"), "tax": 2}]
    assert said["recapitulative"] == [{"vat_id": "DE136695976", "category": "AE", "currency": "EUR", "taxable": 10}]
    assert french["documents"] == 1


def test_the_sales_ledger(trade: Terminal) -> None:
    """--documents lists each document; with --json one a line, credit notes negative."""
    rows = trade.ok("vat-report", "vps", *PERIOD, "--documents", "--json").lines()
    assert [(row["number"], row["type_code"], row["taxable"]) for row in rows] == [
        ("0000000001", 380, 10),
        ("0000000002", 380, 10),
        ("0000000003", 380, 10),
        ("0000000004", 380, 10),
        ("0000000005", 381, -10),
    ]
    assert (rows[1]["buyer_name"], rows[1]["buyer_vat_id"], rows[1]["tax_country"]) == ("Domains GmbH", "DE136695976", "DE")
    shown = trade.ok("vat-report", "vps", *PERIOD, "--documents").out
    assert "Domains GmbH" in shown
    assert "-10.00" in shown


def test_the_report_for_people(trade: Terminal) -> None:
    """Three tables with their titles; an empty period says that there is nothing."""
    said = trade.ok("vat-report", "vps", *PERIOD).out
    assert [line for line in said.splitlines() if line.endswith(":")] == ["VAT by country, category and rate:", "One-stop shop:", "Recapitulative statement:"]
    assert trade.ok("vat-report", "vps", "--from", "2001-01-01", "--to", "2001-01-31").out.count(": nothing\n") == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("vat-report", "nobody", "--from", "2026-10-01", "--to", "2026-10-31"), "no provider"),
        (("vat-report", "vps", "--from", "2026-10-31", "--to", "2026-10-01"), "is before"),
        (("vat-report", "vps", "--from", "October", "--to", "2026-10-01"), "--from: 'October' is not a date"),
        (("vat-report", "vps", "--from", "2026-10-31", "--to", "2026-10-01", "--documents"), "is before"),
        (("lock-period", "vps", "--through", "2998-10-31"), "is not over"),
        (("lock-period", "vps", "--through", "31.10.2026"), "--through: "),
        (("lock-period", "nobody", "--through", "2020-10-31"), "no provider"),
        (("account", "vat-check", "vps", "nobody", "--vat-id", "DE136695976", "--valid"), "no account"),
        (("account", "vat-check", "vps", "17850", "--vat-id", " ", "--valid"), "vat_id: must be a text"),
        (("account", "vat-check", "vps", "17850", "--vat-id", "DE1", "--valid", "--checked-at", "soon"), "--checked-at: "),
        (("account", "vat-check", "vps", "17850", "--vat-id", "DE1", "--valid", "--checked-at", "2998-01-01T00:00:00Z"), "checked_at: is in the future"),
        (("account", "vat-checks", "vps", "nobody"), "no account"),
    ],
)
def test_mistakes_are_one_line(shop: Terminal, arguments: tuple[str, ...], says: str) -> None:
    """Each mistake is told in a line, and nothing is written."""
    before = shop.dump()
    assert says in shop(*arguments).refused()
    assert shop.dump() == before


def test_whether_the_id_is_valid_must_be_said(shop: Terminal) -> None:
    """A check without an answer is no check: a usage error."""
    assert shop("account", "vat-check", "vps", "17850", "--vat-id", "DE136695976").code == 2


def test_a_locked_period_takes_no_document(shop: Terminal) -> None:
    """Once locked, a document with a date in the period is refused with its rule; the report says that it is final."""
    yesterday = TODAY - timedelta(days=2)
    assert shop.ok("lock-period", "vps", "--through", yesterday).out == f"vps is locked through {yesterday}\n"
    assert shop.ok("lock-period", "vps", "--through", yesterday, "--json").json()["locked_through"] == str(yesterday)
    document = json.dumps({"lines": [{"name": "VPS", "unit_price": 10}], "tax_point_date": str(yesterday)}).encode()
    assert "[PERIOD-LOCKED]" in shop("invoice", "issue", "vps", "17850", "-", stdin=document).refused()
    assert issued(shop, "17850")["number"] == "0000000001"
    assert shop.ok("vat-report", "vps", *PERIOD, "--json").json()["locked_through"] == str(yesterday)
    assert "a lock never goes back" in shop("lock-period", "vps", "--through", yesterday - timedelta(days=1)).refused()
    assert shop.ok("verify").out == "the ledger is whole\n"


def test_proofs_are_kept_and_listed(shop: Terminal) -> None:
    """What VIES answered is listed as it was kept, oldest first."""
    options = ("--consultation", "WAPIAAAAW1BYzv4D", "--name", "Primer EOOD", "--address", "Sofia", "--checked-at", "2024-08-01T09:30:00Z", "--json")
    (kept,) = shop.ok("account", "vat-check", "vps", "17850", "--vat-id", "BG175074752", "--valid", *options).json()
    shop.ok("account", "vat-check", "vps", "17850", "--vat-id", "BG175074752", "--invalid")
    first, second = shop.ok("account", "vat-checks", "vps", "17850", "--json").json()
    assert first == kept
    assert (first["valid"], first["checked_at"], first["consultation"]) == (True, "2024-08-01T09:30:00.000000Z", "WAPIAAAAW1BYzv4D")
    assert (second["valid"], second["consultation"]) == (False, None)
    assert "WAPIAAAAW1BYzv4D" in shop.ok("account", "vat-checks", "vps", "17850").out
    assert shop.ok("verify").out == "the ledger is whole\n"
