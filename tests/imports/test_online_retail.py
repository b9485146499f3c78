"""Online Retail, December 2010: 2,025 real invoices of a shop (UCI, CC BY 4.0), imported and served by both dialects."""

from __future__ import annotations

import csv
import http.client
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.conftest import SHARED, Served, open_ledger, serving
from tests.database import sqlite_only
from tests.imports.desk import Desk, read

pytestmark = pytest.mark.shared

FILES = sorted((SHARED / "data" / "online-retail").glob("*.csv"))
DIALECTS = ("vpsbg", "checkdomain")
PRESET = ("--preset", "online-retail")
ALL = (*PRESET, "--account", "all")
NEVER = datetime.max.replace(tzinfo=UTC)
LONDON, BERLIN = ZoneInfo("Europe/London"), ZoneInfo("Europe/Berlin")


@dataclass
class Expected:
    """An invoice as csv and Decimal alone make it."""

    number: str
    account: str = ""
    created: datetime = NEVER
    total: Decimal = Decimal(0)
    rows: list[dict[str, str]] = field(default_factory=list)

    @property
    def details(self) -> list[tuple[Decimal, Decimal, str]]:
        """Signed quantity, signed price and name of every row, in any order."""
        return sorted(
            (Decimal(row["Quantity"]), Decimal(row["Quantity"]) * Decimal(row["UnitPrice"]), row["Description"].strip() or row["StockCode"])
            for row in self.rows
        )


@pytest.fixture(scope="module")
def expected() -> dict[str, Expected]:
    """All invoices of the input by number, newest first as a list shows them; computed without a line of the product."""
    found: dict[str, Expected] = {}
    for path in FILES:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                invoice = found.setdefault(row["InvoiceNo"], Expected(row["InvoiceNo"]))
                invoice.account = row["CustomerID"].removesuffix(".0") or "walk-in"
                invoice.created = min(invoice.created, datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=LONDON))
                invoice.total += Decimal(row["Quantity"]) * Decimal(row["UnitPrice"])
                invoice.rows.append(row)
    ordered = sorted(found.values(), key=lambda invoice: (invoice.created, invoice.number), reverse=True)
    return {invoice.number: invoice for invoice in ordered}


def open_desk(folder: Path) -> Iterator[Desk]:
    """A desk of its own ledger, with a provider of each dialect."""
    with open_ledger(folder / "ledger.db") as ledger:
        for dialect in DIALECTS:
            ledger.provider(dialect)
        yield Desk(ledger, folder)


@pytest.fixture(scope="module")
def shop(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A ledger that has it all by customer and as one account, for both dialects, from the files as they are."""
    for desk in open_desk(tmp_path_factory.mktemp("retail")):
        for dialect, options in (("checkdomain", PRESET), ("checkdomain", ALL), ("vpsbg", ALL), ("vpsbg", PRESET)):
            said = desk.lines(*FILES, provider=dialect, options=options)
            assert (said.code, said.outcomes) == (0, {"new": 2025})
        yield desk


def shuffled(folder: Path, *, seed: int, file_count: int) -> list[Path]:
    """All rows of all files in a random order, spread over so many files."""
    lines = [line for path in FILES for line in path.read_bytes().splitlines(keepends=True)[1:]]
    header = FILES[0].read_bytes().splitlines(keepends=True)[0]
    random.Random(seed).shuffle(lines)
    paths = [folder / f"shuffled-{seed}-{place}.csv" for place in range(file_count)]
    for place, path in enumerate(paths):
        path.write_bytes(header + b"".join(lines[place::file_count]))
    return paths


@pytest.fixture(scope="module")
def mixed(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A ledger made of shuffled rows: by customer from seven files, as one account from one."""
    for desk in open_desk(tmp_path_factory.mktemp("mixed")):
        for dialect, options, count in (("checkdomain", PRESET, 7), ("vpsbg", ALL, 1)):
            said = desk.lines(*shuffled(desk.folder, seed=count, file_count=count), provider=dialect, options=options)
            assert (said.code, said.outcomes) == (0, {"new": 2025})
        yield desk


@pytest.fixture(scope="module")
def served(shop: Desk) -> Iterator[Served]:
    """A server of that ledger."""
    with serving(shop.ledger.path, FAKTURA_ACCESS_LOG="off") as running:
        yield running


@pytest.fixture
def get(served: Served) -> Iterator[Callable[[str, str], dict[str, Any]]]:
    """Fetches a path with a token; numbers are Decimal."""
    with closing(http.client.HTTPConnection(served.host)) as connection:

        def fetch(path: str, token: str) -> dict[str, Any]:
            connection.request("GET", path.removeprefix(served.url), headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, body
            return read(body)

        yield fetch


Get = Callable[[str, str], dict[str, Any]]


def vpsbg_pages(get: Get, token: str) -> Iterator[dict[str, Any]]:
    """The pages of the list, by its own links."""
    url: str | None = "/v1/invoices"
    while url:
        page = get(url, token)
        yield page
        url = page["links"]["next"]


def checkdomain_pages(get: Get, token: str) -> Iterator[dict[str, Any]]:
    """The pages of the list, by its own links, from `limit=100` on."""
    url: str | None = "/v1/invoices?limit=100"
    while url:
        page = get(url, token)
        yield page
        url = page["_links"].get("next", {}).get("href")


def test_the_input_is_what_it_is_said_to_be(expected: dict[str, Expected]) -> None:
    """2,025 invoices, 326 of them credit notes, in 42,481 rows, with the oddities that the other tests count."""
    rows = [row for invoice in expected.values() for row in invoice.rows]
    assert (len(expected), sum(number.startswith("C") for number in expected), len(rows)) == (2025, 326, 42_481)
    assert sum(not row["CustomerID"] for row in rows) == 15_631
    assert sum(Decimal(row["UnitPrice"]) == 0 for row in rows) == 273
    assert sum(not row["Description"].strip() for row in rows) == 125


@pytest.mark.only("sqlite")
def test_vpsbg_serves_all_page_after_page(shop: Desk, get: Get, expected: dict[str, Expected]) -> None:
    """30 a page: complete, in order, no duplicates, each amount and the sum equal to the input to the cent, credit notes negative."""
    pages = list(vpsbg_pages(get, shop.ledger.token("vpsbg", "all")))
    assert len(pages) == 68
    assert [len(page["data"]) for page in pages] == [30] * 67 + [15]
    assert {(page["meta"]["total"], page["meta"]["last_page"]) for page in pages} == {(2025, 68)}
    items = [item for page in pages for item in page["data"]]
    assert len({item["id"] for item in items}) == 2025
    assert [item["invoice_number"] for item in items] == list(expected)
    for item, invoice in zip(items, expected.values(), strict=True):
        assert item["amount"] == item["amount_with_vat"] == invoice.total, invoice.number
        assert item["type"] == ("credit_note" if invoice.number.startswith("C") else "original")
        assert item["created_at"] == f"{invoice.created.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000000Z"
    assert sum(item["amount_with_vat"] for item in items) == sum(invoice.total for invoice in expected.values()) == Decimal("748957.02")


def test_checkdomain_serves_all_page_after_page(shop: Desk, get: Get, expected: dict[str, Expected]) -> None:
    """100 a page: complete, in order, no duplicates, each amount and the sum equal to the input to the cent; paid amounts are unknown."""
    pages = list(checkdomain_pages(get, shop.ledger.token("checkdomain", "all")))
    assert [len(page["_embedded"]["invoices"]) for page in pages] == [100] * 20 + [25]
    assert {(page["total"], page["pages"], page["limit"]) for page in pages} == {(2025, 21, 100)}
    items = [item for page in pages for item in page["_embedded"]["invoices"]]
    assert len({item["id"] for item in items}) == 2025
    assert [item["invoice_number"] for item in items] == list(expected)
    for item, invoice in zip(items, expected.values(), strict=True):
        assert item["amount_total"] == invoice.total, invoice.number
        assert item["created"] == f"{invoice.created.astimezone(BERLIN):%Y-%m-%dT%H:%M:%S%z}"
        assert (item["amount_payed"], item["amount_open"], item["is_open"]) == (None, None, None)
    assert sum(item["amount_total"] for item in items) == sum(invoice.total for invoice in expected.values())


def test_each_details_add_up(shop: Desk, get: Get, expected: dict[str, Expected]) -> None:
    """In checkdomain's single form every invoice has a detail a row, and their prices add up to amount_total; no row is dropped."""
    token = shop.ledger.token("checkdomain", "all")
    for item in shop.shown("all"):
        single = get(f"/v1/invoices/{item['id']}", token)
        invoice = expected[single["invoice_number"]]
        assert sum(detail["price"] for detail in single["details"]) == single["amount_total"] == invoice.total
        assert sorted((detail["quantity"], detail["price"], detail["remark"]) for detail in single["details"]) == invoice.details
        assert all(detail["unit_price"] >= 0 for detail in single["details"])
        assert single["tax"] == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_customer_sees_exactly_its_own(shop: Desk, get: Get, expected: dict[str, Expected], dialect: str) -> None:
    """Each customer's account lists its invoices in order and to the cent, all accounts together list everything; a sample over HTTP."""
    by_account: dict[str, list[Expected]] = defaultdict(list)
    for invoice in expected.values():
        by_account[invoice.account].append(invoice)
    key = "amount_total" if dialect == "checkdomain" else "amount_with_vat"
    listed: dict[str, list[tuple[str, Decimal]]] = defaultdict(list)
    rows = shop.terminal.select(
        "SELECT a.reference, l.item FROM listing l JOIN account a USING (account_id) JOIN provider p USING (provider_id) "
        "WHERE p.name = ? AND a.reference <> 'all' ORDER BY l.account_id, l.ordinal DESC",
        dialect,
    )
    for reference, body in rows:
        item = read(body)
        listed[reference].append((item["invoice_number"], item[key]))
    assert listed == {account: [(invoice.number, invoice.total) for invoice in invoices] for account, invoices in by_account.items()}
    assert len(listed) == 949
    for account in [*random.Random(dialect).sample(sorted(listed), 15), "walk-in"]:
        token = shop.ledger.token(dialect, account)
        pages = vpsbg_pages(get, token) if dialect == "vpsbg" else checkdomain_pages(get, token)
        items = [item for page in pages for item in (page["data"] if dialect == "vpsbg" else page["_embedded"]["invoices"])]
        assert [(item["invoice_number"], item[key]) for item in items] == listed[account]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_odd_rows_are_kept_and_counted(shop: Desk, expected: dict[str, Expected], dialect: str) -> None:
    """Rows without customer are the account walk-in's, zero prices stay zero, a missing description is the stock code: nothing is dropped."""
    rows = [(invoice, row) for invoice in expected.values() for row in invoice.rows]
    stored = shop.terminal.select(
        "SELECT a.reference, i.number, l.name, l.item_id, l.unit_price FROM invoice_line l JOIN invoice i USING (account_id, invoice_id) "
        "JOIN account a USING (account_id) JOIN provider p USING (provider_id) WHERE p.name = ? AND a.reference <> 'all'",
        dialect,
    )
    assert sorted((number, name, item_id) for _, number, name, item_id, _ in stored) == sorted(
        (invoice.number, row["Description"].strip() or row["StockCode"], row["StockCode"]) for invoice, row in rows
    )
    assert sum(reference == "walk-in" for reference, *_ in stored) == 15_631
    assert {number for reference, number, *_ in stored if reference == "walk-in"} == {invoice.number for invoice, row in rows if not row["CustomerID"]}
    assert sum(price == "0" for *_, price in stored) == 273
    nameless = [(invoice.number, row["StockCode"]) for invoice, row in rows if not row["Description"].strip()]
    by_code = {(number, item_id) for _, number, name, item_id, _ in stored if name == item_id}
    assert set(nameless) <= by_code


def content(desk: Desk) -> dict[str, Any]:
    """What a ledger serves of every account: list items as they are, single forms with their details in one order."""
    rows = desk.terminal.select(
        "SELECT p.name || '/' || a.reference, l.item, l.single FROM listing l JOIN account a USING (account_id) JOIN provider p USING (provider_id) "
        "ORDER BY p.name, a.reference, l.ordinal DESC"
    )
    found: dict[str, Any] = defaultdict(list)
    for account, item, single in rows:
        body = json.loads(single) if single else {}
        body["details"] = sorted(json.dumps(detail) for detail in body.get("details", ()))
        found[account].append((item, body))
    return found


@sqlite_only  # rows are brought in order before any engine sees them, and one import of all this is much of a test run
def test_shuffled_rows_make_the_same_ledger(shop: Desk, mixed: Desk) -> None:
    """All rows of all files in a random order, in one file or seven: the same documents with the same ids, the same lists in the same order."""
    ours, theirs = content(shop), content(mixed)
    assert len(theirs) == 949 + 1
    assert sum(map(len, theirs.values())) == 2 * 2025
    for account, documents in theirs.items():
        assert documents == ours[account], account


@pytest.mark.only("sqlite")
def test_a_second_run_changes_nothing(shop: Desk, tmp_path: Path) -> None:
    """The same rows again, in another order: exit code 0, all unchanged, and that is said; journal, facts and lists are as before."""
    unwatched = ("account ", "token ")  # a revision has its own test, tokens are made by looking
    before = [line for line in shop.terminal.dump() if not line.startswith(unwatched)]
    journal = shop.terminal.select("SELECT COUNT(*), MAX(sequence) FROM journal")
    said = shop.terminal("import", *shuffled(tmp_path, seed=9, file_count=3), "--provider", "vpsbg", *ALL)
    assert (said.code, said.out, said.err) == (0, "2025 unchanged; nothing changed\n", "")
    assert shop.terminal.select("SELECT COUNT(*), MAX(sequence) FROM journal") == journal
    assert [line for line in shop.terminal.dump() if not line.startswith(unwatched)] == before
