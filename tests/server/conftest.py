"""Servers that many tests of the wire share: one without limits and many documents, one with tight limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from decimal import Decimal

import pytest
from tests.conftest import BUYER, Ledger, Served, open_ledger, serving
from tests.database import database_environment
from tests.server.wire import Site, checkdomain_items, record_answer, vpsbg_items

from faktura.bootstrap.books import DIALECTS
from faktura.domain.calendar import midnight
from faktura.domain.draft import parse_draft
from faktura.domain.invoice import Invoice
from faktura.domain.money import Currency
from faktura.ledger.commands import credit, issue
from faktura.ledger.payments import pay

EUR = Currency("EUR")
Serve = Callable[..., AbstractContextManager[tuple[Site, subprocess.Popen[str]]]]
_HOUR_US = 3_600_000_000
_VPSBG_SIZES = {"none": 0, "thirty": 30, "thirty-one": 31, "pages-3": 75, "pages-14": 400, "pages-30": 900}
_CHECKDOMAIN_SIZES = {"none": 0, "ten": 10, "eleven": 11, "many": 250}
# Numbers that mean something to LIKE, to URLs and to case folding.
_ODD_NUMBERS = ("A%B-1", "A_B-2", "A\\B-3", "AXB-4", "Größe & 5", "6+6=12", "7 7/7?#")


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine


@pytest.fixture(scope="session")
def demo_site(demo: Served) -> Site:
    """The demo; accounts `vpsbg` and `checkdomain`."""
    return Site(demo.url, demo.tokens)


@pytest.fixture(scope="session")
def site(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server without limits, with accounts of several sizes at both providers: `vpsbg/NAME`, `checkdomain/NAME`."""
    path = tmp_path_factory.mktemp("site") / "ledger.db"
    with open_ledger(path) as ledger:
        tokens = _fill_vpsbg(ledger) | _fill_checkdomain(ledger)
    with serving(path) as served:
        yield Site(served.url, tokens, path)


@pytest.fixture(scope="session")
def limited(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that allows three requests a window, believes the proxy 127.0.0.2, and has two providers without limits, `public` with a public_url and `plain`.

    Every account has a window of its own, so each test takes an account, or as a stranger a peer, for itself.
    """
    path = tmp_path_factory.mktemp("limited") / "ledger.db"
    tokens = {}
    with open_ledger(path) as ledger:
        ledger.provider("vpsbg", hosts=("api.vpsbg.eu",), rate_limit=3, rate_window_seconds=60)
        ledger.provider("checkdomain", hosts=("api.checkdomain.de",), rate_limit=3, rate_window_seconds=3600)
        ledger.provider("vpsbg", name="public", public_url="https://api.example.eu")
        ledger.provider("vpsbg", name="plain")
        for provider in ("vpsbg", "checkdomain", "public", "plain"):
            for name in "abcdef":
                ledger.account(provider, name)
                tokens[f"{provider}/{name}"] = ledger.token(provider, name)
    with serving(path, FAKTURA_TRUSTED_PROXIES="127.0.0.2") as served:
        yield Site(served.url, tokens, path)


@pytest.fixture(scope="session")
def serve_logged(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Starts a server of a small ledger with both providers, and keeps what it logs; tests may break or stop it."""

    @contextmanager
    def start(**environment: str) -> Iterator[tuple[Site, subprocess.Popen[str]]]:
        folder = tmp_path_factory.mktemp("logged")
        path, log = folder / "ledger.db", folder / "log"
        tokens = {}
        with open_ledger(path) as ledger:
            for dialect, items in (("vpsbg", {"data": vpsbg_items(3)}), ("checkdomain", {"_embedded": {"invoices": checkdomain_items(3)}})):
                defaults = DIALECTS[dialect].defaults
                limits = {"rate_limit": defaults.rate_limit, "rate_window_seconds": defaults.rate_window_seconds}
                provider = ledger.provider(dialect, hosts=(f"{dialect}.test",), **limits)
                ledger.account(dialect)
                tokens[dialect] = ledger.token(dialect)
                record_answer(ledger.books, DIALECTS[dialect], provider, "demo", items)
        command = [sys.executable, "-m", "faktura", "serve", "--port", "0", "--json"]
        variables = os.environ | database_environment(path) | environment
        with log.open("w") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables) as process:
            try:
                assert process.stdout is not None
                yield Site(json.loads(process.stdout.readline())["url"], tokens, path, log), process
            finally:
                process.kill()

    return start


def _fill_vpsbg(ledger: Ledger) -> dict[str, str]:
    provider = ledger.provider("vpsbg", hosts=("api.vpsbg.eu",))
    tokens = {}
    for place, (name, count) in enumerate(_VPSBG_SIZES.items()):
        ledger.account("vpsbg", name)
        tokens[f"vpsbg/{name}"] = ledger.token("vpsbg", name)
        record_answer(ledger.books, DIALECTS["vpsbg"], provider, name, {"data": vpsbg_items(count, first_id=10_000 * place + 1)})
    tokens["vpsbg/write"] = ledger.token("vpsbg", "pages-3", scopes=("write",))
    account_id = ledger.account("vpsbg", "issued").id
    tokens["vpsbg/issued"] = ledger.token("vpsbg", "issued")
    _issue(ledger, account_id, date(2024, 1, 15), {"type_code": 325, "order_ids": [42, 7], "lines": [_line("41.67")]})
    winter = _issue(ledger, account_id, date(2024, 1, 15), {"type_code": 380, "order_ids": [7, 42], "lines": [_line("41.67")]})
    _issue(ledger, account_id, date(2024, 7, 15), {"type_code": 380, "lines": [_line("0")]})
    _set_day(ledger, date(2024, 7, 16))
    credit(ledger.books, account_id=account_id, invoice_id=winter.id)
    return tokens


def _fill_checkdomain(ledger: Ledger) -> dict[str, str]:
    provider = ledger.provider("checkdomain", hosts=("api.checkdomain.de",))
    odd = [item | {"invoice_number": number} for item, number in zip(checkdomain_items(7, first_id=90_001), _ODD_NUMBERS, strict=True)]
    bare = {"id": 95_001, "invoice_number": "bare", "created": "2020-07-01T00:00:00+0200", "amount_total": 5}
    answers = {name: checkdomain_items(count, first_id=10_000 * place + 1) for place, (name, count) in enumerate(_CHECKDOMAIN_SIZES.items())}
    tokens = {}
    for name, items in (answers | {"odd": odd, "bare": [bare], "issued": []}).items():
        ledger.account("checkdomain", name)
        tokens[f"checkdomain/{name}"] = ledger.token("checkdomain", name)
        record_answer(ledger.books, DIALECTS["checkdomain"], provider, name, {"_embedded": {"invoices": items}})
    with ledger.books.storage.reading() as tx:
        account = tx.accounts.find(provider.id, "issued")
    assert account is not None
    _issue(ledger, account.id, date(2024, 1, 15), {"type_code": 325, "lines": [_line("10")]})
    winter = _issue(ledger, account.id, date(2024, 1, 15), {"type_code": 380, "lines": [_line("10"), _line("0.5")]})
    _set_day(ledger, date(2024, 2, 1))
    pay(ledger.books, account_id=account.id, amount_minor=400, currency=EUR, invoice_ids=[winter.id])
    _issue(ledger, account.id, date(2024, 7, 15), {"type_code": 380, "lines": [_line("10")]})
    _set_day(ledger, date(2024, 7, 16))
    credit(ledger.books, account_id=account.id, invoice_id=winter.id, quantities={2: Decimal(1)})
    return tokens


def _line(price: str) -> dict[str, object]:
    return {"name": "Server", "quantity": 1, "unit_price": price, "vat_rate": 20}


def _set_day(ledger: Ledger, day: date) -> None:
    """Let it be half past ten in Sofia, an hour less in Berlin."""
    ledger.clock.now_us = midnight(day, "Europe/Sofia") + 21 * _HOUR_US // 2


def _issue(ledger: Ledger, account_id: int, day: date, document: dict[str, object]) -> Invoice:
    _set_day(ledger, day)
    return issue(ledger.books, account_id=account_id, draft=parse_draft(document, currency=EUR, buyer=BUYER))
