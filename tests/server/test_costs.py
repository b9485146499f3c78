"""What requests and documents cost, counted: a change that makes them dearer fails here, whatever machine it runs on.

The bounds stand in one table each. They are what was counted when they were written: whoever makes something cheaper lowers them.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from tests.conftest import Ledger, open_ledger
from tests.database import sqlite_only
from tests.server.wire import checkdomain_items, record_answer
from tests.tracing import bytecodes, machine_steps, statements

from faktura.bootstrap.books import DIALECTS
from faktura.config import read_settings
from faktura.domain.draft import parse_draft
from faktura.domain.money import Currency
from faktura.domain.provider import generate_token
from faktura.ledger import number_parts
from faktura.ledger.billing import BATCH_SIZE, BillingItem, BillingOutcome, run_billing
from faktura.ledger.commands import issue
from faktura.server.app import App
from faktura.storage import searching

SIZE = 30
EUR = Currency("EUR")
DOCUMENT: dict[str, Any] = {"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]}
LARGE, SMALL = 400, 40

ROUTES: dict[str, tuple[str, str | None]] = {
    "list": (f"/v1/invoices?page=1&limit={SIZE}", "large"),
    "deep": (f"/v1/invoices?page=9&limit={SIZE}", "large"),
    "single": ("/v1/invoices/107", "large"),
    "search": (f"/v1/invoices?query=000123&page=1&limit={SIZE}", "large"),
    "search-often": (f"/v1/invoices?query=201&page=1&limit={SIZE}", "large"),
    "search-small": (f"/v1/invoices?query=000012&page=1&limit={SIZE}", "small"),
    "unchanged": (f"/v1/invoices?page=1&limit={SIZE}", "large"),
    "no-token": (f"/v1/invoices?page=1&limit={SIZE}", None),
    "bad-token": (f"/v1/invoices?page=1&limit={SIZE}", "nobody"),
}
"""Path and account."""
STATUSES = {"unchanged": 304, "no-token": 401, "bad-token": 401}
"""Where it is not 200."""

STATEMENTS = {
    # One statement finds the token's account and the rows; on PostgreSQL, in the same round trip, the token is told first.
    "list": {"sqlite": 1, "postgresql": 2},
    "deep": {"sqlite": 1, "postgresql": 2},
    "single": {"sqlite": 1, "postgresql": 2},
    # Before a search the account's row is asked for: who is refused, or has the answer, has nothing looked for.
    "search": {"sqlite": 2, "postgresql": 4},
    # What is known to occur often is a page; its total is remembered.
    "search-often": {"sqlite": 2, "postgresql": 4},
    # An account is found to have no parts, and then looked through.
    "search-small": {"sqlite": 3, "postgresql": 6},
    # The account's row alone tells that the caller has the answer.
    "unchanged": {"sqlite": 1, "postgresql": 2},
    "no-token": {"sqlite": 0, "postgresql": 0},
    # It may have been made since: it is looked up each time.
    "bad-token": {"sqlite": 1, "postgresql": 2},
}
"""By route, once the server is warm."""

STEPS = {"list": 20 * SIZE, "deep": 20 * SIZE, "single": 80, "unchanged": 40, "search": 260, "search-often": 60 * SIZE}
"""Instructions of SQLite's machine: so many for each row that is shown, and none for rows that are not. Its releases differ by some percent."""

BYTECODES = {"list": 2100, "single": 2000, "unchanged": 1800, "no-token": 1500}
"""Instructions of Python, from the request's scope to the answer's last byte, without the log. Releases of Python differ by some percent."""

ISSUE_STATEMENTS = {"sqlite": 22, "postgresql": 22}
"""A document of one line: its rows, what it reads, and its transaction."""
PART_STATEMENTS = 8
"""More of them in an account that lists many documents: the parts of a number of ten characters."""
ITEM_STATEMENTS = {"sqlite": 22, "postgresql": 22}
"""A further item of a billing run, judged and issued."""


class Site:
    """An application in this process, over a ledger with a large account, which has parts of numbers, and a small one."""

    def __init__(self, ledger: Ledger, tokens: dict[str, str]) -> None:
        self.ledger = ledger
        self._tokens = tokens
        self._app = App(ledger.books, DIALECTS, read_settings({"FAKTURA_ACCESS_LOG": "off"}))
        self._loop = asyncio.new_event_loop()
        self._tags: dict[str, bytes] = {}

    def run(self, route: str) -> Coroutine[Any, Any, None]:
        """The work of a request; it asserts the status."""
        path, account = ROUTES[route]
        target, _, query = path.partition("?")
        headers = [(b"host", b"localhost")]
        if route == "unchanged":
            headers.append((b"if-none-match", self._tags["list"]))
        if account is not None:
            headers.append((b"authorization", b"Bearer " + self._tokens[account].encode()))
        scope = {"type": "http", "method": "GET", "path": target, "query_string": query.encode(), "headers": headers, "scheme": "http"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] == STATUSES.get(route, 200)
                self._tags[route] = dict(message["headers"]).get(b"etag", b"")

        async def receive() -> dict[str, Any]:
            raise AssertionError("a GET has no body")

        return self._app(scope | {"client": ("127.0.0.1", 1)}, receive, send)

    def call(self, route: str) -> None:
        """A request, with all that it waits for."""
        self._loop.run_until_complete(self.run(route))

    def warm(self, route: str) -> None:
        """As often as a driver asks before it keeps a statement prepared."""
        for each in ["list"] + [route] * 8:
            self.call(each)

    def bytecodes(self, route: str) -> int:
        """What Python runs for a request that nothing is waited for."""

        async def run() -> int:
            work = self.run(route)
            with bytecodes() as counted, pytest.raises(StopIteration):
                work.send(None)
            return counted.count

        return self._loop.run_until_complete(run())


@pytest.fixture(scope="module")
def site(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A warm server."""
    with pytest.MonkeyPatch.context() as patch, open_ledger(tmp_path_factory.mktemp("costs") / "ledger.db") as ledger:
        patch.setattr(number_parts, "PARTED_ABOVE", 100)
        patch.setattr(searching, "PARTED_ABOVE", 100)
        patch.setattr(searching, "HITS_MAX", 100)
        provider = ledger.provider("checkdomain", rate_limit=10**6)
        tokens = {"nobody": generate_token()}
        for place, (reference, count) in enumerate({"large": LARGE, "small": SMALL}.items()):
            ledger.account("checkdomain", reference)
            tokens[reference] = ledger.token("checkdomain", reference)
            items = checkdomain_items(count, first_id=10_000 * place + 1)
            record_answer(ledger.books, DIALECTS["checkdomain"], provider, reference, {"_embedded": {"invoices": items}})
        yield Site(ledger, tokens)


@pytest.mark.parametrize("route", ROUTES)
def test_statements_of_a_request(site: Site, engine: str, route: str) -> None:
    """A request asks the database so often and no more, however large the account and deep the page."""
    site.warm(route)
    with statements(site.ledger.books) as counted:
        site.call(route)
    assert counted.count == STATEMENTS[route][engine]


@sqlite_only
@pytest.mark.parametrize("route", STEPS)
def test_rows_touched_by_a_request(site: Site, engine: str, route: str) -> None:
    """A request looks at the rows that it shows: no scan of an account, no sort of it, no walk to a deep page."""
    site.warm(route)
    with machine_steps(site.ledger.books) as counted:
        site.call(route)
    assert counted.count <= STEPS[route]


@sqlite_only
@pytest.mark.parametrize("route", BYTECODES)
def test_bytecodes_of_a_request(site: Site, engine: str, route: str) -> None:
    """What Python itself does for a request stays within bounds, and a request from memory waits for nothing."""
    site.warm(route)
    assert site.bytecodes(route) <= BYTECODES[route]


@sqlite_only
def test_requests_leave_nothing_behind(site: Site, engine: str) -> None:
    """A thousand requests later the process has the memory blocks that it had, but for some tables that grow by themselves."""
    for route in ("list", "single", "no-token"):
        site.warm(route)
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(1000):
            site.call(route)
        gc.collect()
        assert sys.getallocatedblocks() - before < 500, route


@pytest.mark.parametrize("is_large", [False, True])
def test_statements_of_a_document(ledger: Ledger, engine: str, monkeypatch: pytest.MonkeyPatch, *, is_large: bool) -> None:
    """A document costs the same statements when the ledger is small and when it has grown."""
    monkeypatch.setattr(number_parts, "PARTED_ABOVE", 0 if is_large else 1000)
    ledger.provider("vpsbg")
    account = ledger.account("vpsbg")
    draft = parse_draft(DOCUMENT, currency=EUR, buyer=account.buyer)
    counts = []
    for size in (10, 150):
        for _ in range(size):
            issue(ledger.books, account_id=account.id, draft=draft)
        with statements(ledger.books) as counted:
            issue(ledger.books, account_id=account.id, draft=draft)
        counts.append(counted.count - PART_STATEMENTS * is_large)
    assert counts[0] == counts[1] <= ISSUE_STATEMENTS[engine]


def test_statements_of_an_item(ledger: Ledger, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item of a billing run costs the same statements in a small run and in a large one, in a small ledger and a larger."""
    monkeypatch.setattr(number_parts, "PARTED_ABOVE", 1000)
    ledger.provider("vpsbg")
    for place in range(20):
        ledger.account("vpsbg", f"a{place}")

    def run(count: int, period: str) -> int:
        lines = [{"account": f"a{place % 20}", "period": period, "product": f"p{place}", **DOCUMENT} for place in range(count)]
        items = [BillingItem(position=place, data=line) for place, line in enumerate(lines)]
        with statements(ledger.books) as counted:
            reports = list(run_billing(ledger.books, provider="vpsbg", read=lambda: items))
        assert {report.outcome for report in reports} == {BillingOutcome.ISSUED}
        return counted.count

    run(BATCH_SIZE, "2024-01")
    small, large = run(BATCH_SIZE, "2024-02"), run(3 * BATCH_SIZE, "2024-03")
    assert large <= 3 * small
    assert small / BATCH_SIZE <= ITEM_STATEMENTS[engine]
