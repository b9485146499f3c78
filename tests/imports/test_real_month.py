"""A real month, billed as our own invoices by one run: Online Retail, December 2010."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.database import execute

from faktura.bootstrap.billing import read_items
from faktura.domain.calendar import midnight, parse_date
from faktura.domain.party import Party
from faktura.ledger.accounts import add_account
from faktura.ledger.billing import BillingOutcome, run_billing
from faktura.ledger.verification import verify

FILES = Path(__file__).parents[3] / "shared" / "data" / "online-retail"
CENT = Decimal("0.01")
# Countries as the data set names them; rates of October 2026 for a consumer, None where the place of supply is outside the EU.
COUNTRIES: dict[str, tuple[str, str | None]] = {
    "United Kingdom": ("GB", None),
    "Germany": ("DE", "19"),
    "France": ("FR", "20"),
    "EIRE": ("IE", "23"),
    "Norway": ("NO", None),
    "Portugal": ("PT", "23"),
    "Belgium": ("BE", "21"),
    "Cyprus": ("CY", "19"),
    "Spain": ("ES", "21"),
    "Netherlands": ("NL", "21"),
    "Japan": ("JP", None),
    "Switzerland": ("CH", None),
    "Italy": ("IT", "22"),
    "Australia": ("AU", None),
    "Lithuania": ("LT", "21"),
    "Iceland": ("IS", None),
    "Sweden": ("SE", "25"),
    "Denmark": ("DK", "25"),
    "Channel Islands": ("JE", None),
    "Finland": ("FI", "25.5"),
    "Austria": ("AT", "20"),
    "Poland": ("PL", "23"),
    "Israel": ("IL", None),
    "Bahrain": ("BH", None),
}


def read_invoices() -> dict[str, list[dict[str, str]]]:
    """The month's rows by invoice number."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for path in sorted(FILES.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found[row["InvoiceNo"]].append(row)
    return found


def account_of(rows: list[dict[str, str]]) -> str:
    """Customer and country: some customers of the data set have several countries, walk-ins have all."""
    return f"{rows[0]['CustomerID'].removesuffix('.0') or 'walk-in'} {COUNTRIES[rows[0]['Country']][0]}"


def billing_lines(invoices: dict[str, list[dict[str, str]]]) -> Iterator[str]:
    """The billing file: credit notes have positive quantities, and an override reason, since the data do not say what they correct."""
    for number, rows in invoices.items():
        is_credit = number.startswith("C")
        lines = [
            {
                "name": row["Description"].strip() or row["StockCode"],
                "item_id": row["StockCode"],
                "quantity": str(-int(row["Quantity"]) if is_credit else int(row["Quantity"])),
                "unit_price": row["UnitPrice"],
            }
            for row in rows
        ]
        document: dict[str, Any] = {"account": account_of(rows), "period": "2026-10", "product": number, "lines": lines}
        if is_credit:
            document |= {"type_code": 381, "override_reason": "the source does not name the corrected invoice"}
        yield json.dumps(document)


def expected_total(rows: list[dict[str, str]], *, is_credit: bool) -> Decimal:
    """Net sum, and VAT on it where there is any: independent of the code under test."""
    net = sum((Decimal(row["Quantity"]) * Decimal(row["UnitPrice"])).quantize(CENT, ROUND_HALF_UP) for row in rows) * (-1 if is_credit else 1)
    rate = COUNTRIES[rows[0]["Country"]][1]
    return net + (net * Decimal(rate or 0) / 100).quantize(CENT, ROUND_HALF_UP)


@pytest.mark.shared
def test_a_real_month_is_billed(ledger: Any, tmp_path: Path) -> None:
    """2,025 documents of 42,481 lines by one run: totals to the cent, dense numbers, VAT by country, and the ledger is whole."""
    ledger.provider("checkdomain", seller=Party(name="Shop GmbH", country="DE", vat_id="DE136695976"))
    ledger.clock.now_us = midnight(parse_date("2026-10-31"), "Europe/Berlin") + 3_600_000_000
    invoices = read_invoices()
    buyers = {account_of(rows): Party(name=f"Customer {account_of(rows)}", country=COUNTRIES[rows[0]["Country"]][0]) for rows in invoices.values()}
    for reference, buyer in buyers.items():
        add_account(ledger.books, provider="checkdomain", reference=reference, buyer=buyer)
    file = tmp_path / "month.jsonl"
    file.write_text("\n".join(billing_lines(invoices)))
    reports = list(run_billing(ledger.books, provider="checkdomain", read=lambda: read_items(file, advance=lambda _: None)))
    assert [report.faults for report in reports if report.outcome is not BillingOutcome.ISSUED] == []
    assert sorted(report.number or "" for report in reports) == [f"2026-{seq:06d}" for seq in range(1, 2026)]
    rows = execute(
        ledger.books, "SELECT b.product, i.type_code, i.total_with_vat_minor, i.issue_date FROM billing_item b JOIN invoice i USING (account_id, invoice_id)"
    )
    issued = {product: (code, Decimal(total) / 100, day) for product, code, total, day in (row.values() for row in rows)}
    for number, found in invoices.items():
        is_credit = number.startswith("C")
        assert issued[number] == (381 if is_credit else 380, expected_total(found, is_credit=is_credit), "2026-10-31"), number
    assert next(verify(ledger.books), None) is None
