"""A provider's office: it speaks to a real server over HTTP, with a token of its own, and keeps a model of what must be so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
from tests.conftest import Ledger, open_ledger, serving

from faktura.domain.party import Party
from faktura.ledger.accounts import create_token

VAT_IDS = {"BG": "BG175074752", "DE": "DE136695976"}
SELLERS = {"vpsbg": "BG", "checkdomain": "DE"}


@dataclass
class Office:
    """Calls of one token."""

    http: httpx2.Client
    token: str
    path: Path

    def call(self, method: str, path: str, body: object = None, **headers: str) -> httpx2.Response:
        """A call of the management API; header names with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()} | {"Authorization": f"Bearer {self.token}"}
        if body is None:
            return self.http.request(method, f"/manage/v1{path}", headers=named)
        return self.http.request(method, f"/manage/v1{path}", content=json.dumps(body, default=str), headers={"Content-Type": "application/json"} | named)

    def get(self, path: str) -> Any:
        """What a GET answers, which must be 200."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: object = None, *, status: int = 201, **headers: str) -> Any:
        """What a POST answers."""
        answer = self.call("POST", path, body, **headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def all(self, path: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """Every item of a list, page by page."""
        items, cursor = [], ""
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}")
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = f"&cursor={page['next']}"


@contextmanager
def open_office(path: Path, dialect: str = "vpsbg", **settings: object) -> Iterator[Office]:
    """A server of a new ledger with one provider, and an admin token of it."""
    with open_ledger(path) as ledger:
        token = add_office(ledger, dialect, **settings)
    with ExitStack() as stack:
        served = stack.enter_context(serving(path))
        yield Office(stack.enter_context(httpx2.Client(base_url=served.url, timeout=60)), token, path)


def add_office(ledger: Ledger, dialect: str, **settings: object) -> str:
    """The admin token of a new provider."""
    country = SELLERS[dialect]
    provider = ledger.provider(dialect, **{"seller": Party(name="Hosting", country=country, vat_id=VAT_IDS[country]), **settings})
    return create_token(ledger.books, provider=provider.name, reference=None, scopes=("admin",))[0]


@dataclass
class Expected:
    """A document as it must be."""

    id: int
    account_id: int
    number: str
    type_code: int
    net: Decimal
    vat: Decimal
    key: tuple[str, str, str]
    """Country, category, rate."""
    is_overdue: bool = False
    settled: Decimal = field(default_factory=lambda: Decimal("0.00"))
    credited: Decimal = field(default_factory=lambda: Decimal("0.00"))

    @property
    def total(self) -> Decimal:
        """With VAT."""
        return self.net + self.vat

    @property
    def state(self) -> str:
        """As it must be derived."""
        if self.credited and self.credited >= self.total:
            return "credited"
        if self.settled == self.total:
            return "paid"
        if self.is_overdue:
            return "overdue"
        return "partly-paid" if self.settled else "open"
