"""Clients of servers that these tests start: real ones, and hostile ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from tests.client.hostile import Hostile
from tests.conftest import BUYER, Ledger, open_ledger, serving
from tests.server.wire import Site, checkdomain_items, record_answer, vpsbg_items

from faktura.bootstrap.books import DIALECTS
from faktura.client import Client
from faktura.domain.calendar import midnight
from faktura.domain.draft import parse_draft
from faktura.domain.money import Currency
from faktura.ledger.commands import credit, issue
from faktura.ledger.payments import pay

COUNT = 250
TOKEN = "fkt_s3cretS3cretS3cretS3cret"
_EUR = Currency("EUR")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever proxy the machine has is none of these tests' matter."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of a real ledger: `DIALECT/many`, `DIALECT/none`, `DIALECT/issued` without limits; `DIALECT-tight/demo` may ask three times."""
    path = tmp_path_factory.mktemp("books") / "ledger.db"
    tokens = {}
    with open_ledger(path) as ledger:
        for dialect in DIALECTS:
            provider = ledger.provider(dialect)
            for name in ("many", "none"):
                ledger.account(dialect, name)
                tokens[f"{dialect}/{name}"] = ledger.token(dialect, name)
            items = vpsbg_items(COUNT) if dialect == "vpsbg" else checkdomain_items(COUNT)
            answer: dict[str, object] = {"data": items} if dialect == "vpsbg" else {"_embedded": {"invoices": items}}
            record_answer(ledger.books, DIALECTS[dialect], provider, "many", answer)
            tokens[f"{dialect}/issued"] = _issue(ledger, dialect)
            for kind, window in (("tight", 3600), ("brief", 2)):
                provider = ledger.provider(dialect, name=f"{dialect}-{kind}", rate_limit=3, rate_window_seconds=window)
                ledger.account(provider.name)
                tokens[provider.name] = ledger.token(provider.name)
                record_answer(ledger.books, DIALECTS[dialect], provider, "demo", answer)
    with serving(path) as served:
        yield Site(served.url, tokens, path)


def client_of(site: Site, account: str, **options: object) -> Client:
    """A client of an account of a real server."""
    dialect = account.partition("/")[0].partition("-")[0]
    return Client(provider=dialect, token=site.tokens[account], base_url=f"{site.url}/v1", **options)  # type: ignore[arg-type]


def client_at(server: Hostile, **options: object) -> Client:
    """A client of a hostile server, in a hurry: it never really waits between attempts."""
    given = {"provider": "vpsbg", "token": TOKEN, "base_url": server.base_url, "timeout_seconds": 5, "deadline_seconds": 10, "_sleep": lambda _: None}
    return Client(**(given | options))  # type: ignore[arg-type]


def _issue(ledger: Ledger, dialect: str) -> str:
    """An account with an invoice, paid in part, and a credit note for one of its lines."""
    account = ledger.account(dialect, "issued")
    ledger.clock.now_us = midnight(date(2024, 7, 15), "Europe/Sofia") + 36_000_000_000
    line = {"name": "Server", "quantity": 1, "unit_price": "10", "vat_rate": 20}
    small = line | {"name": "Größe & 5", "unit_price": "0.5"}
    issued = issue(ledger.books, account_id=account.id, draft=parse_draft({"lines": [line, small], "order_ids": [7]}, currency=_EUR, buyer=BUYER))
    pay(ledger.books, account_id=account.id, amount_minor=401, currency=_EUR, invoice_ids=[issued.id])
    credit(ledger.books, account_id=account.id, invoice_id=issued.id, quantities={2: Decimal(1)})
    return ledger.token(dialect, "issued")
