"""A ledger of two providers, two accounts each, and servers of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import date
from pathlib import Path

import pytest
from tests.conftest import open_ledger, serving
from tests.database import below, make_copy, tables
from tests.management.site import Operation, Site, Wire, operations_of

from faktura.bootstrap.books import open_books
from faktura.config import DatabaseUrl, Settings
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.payment import Standing
from faktura.domain.recorded import Heard, SourceKind
from faktura.ledger.accounts import MANAGEMENT_SCOPES, create_token, revoke_token
from faktura.ledger.importing import record
from faktura.server.management.api import make_management
from faktura.server.management.openapi import make_openapi

Running = Callable[[], AbstractContextManager[Site]]
SENDER = Party(
    name="Hosting OOD",
    street="bul. Vitosha 1",
    city="Sofia",
    post_code="1000",
    country="BG",
    vat_id="BG175074752",
    electronic_address="9926:BG175074752",
    contact_name="Billing",
    phone="+359 2 1234567",
    email="billing@example.com",
    iban="BG80BNBG96611020345678",
)
"""A seller of whom everything is known that any profile asks for."""
DIALECTS = {"alpha": "vpsbg", "beta": "checkdomain"}


def came(now_us: int) -> Heard:
    """A document that came as an e-invoice."""
    invoice = Invoice(
        id=0,
        account_id=0,
        wire_id=0,
        origin=Origin.RECORDED,
        type_code=TypeCode.INVOICE,
        number="CAME-1",
        created_at_us=now_us,
        issue_date=date(2024, 7, 1),
        currency=Currency("EUR"),
        recorded_at_us=0,
        total_with_vat_minor=1200,
    )
    return Heard(invoice=invoice, standing=Standing(), kind=SourceKind.DOCUMENT, body=b"<Invoice/>")


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine


@pytest.fixture(scope="session")
def openapi() -> dict[str, object]:
    """The OpenAPI document, made in this process: what routes there are, the server under test does not say."""
    with open_books(Settings(database=DatabaseUrl(path=":memory:")), create=True) as books:
        return make_openapi(make_management(books, used=lambda *_: None, wake=lambda: None))


@pytest.fixture(scope="session")
def operations(openapi: dict[str, object]) -> Mapping[str, Operation]:
    """All operations that are routed."""
    return operations_of(openapi)


@pytest.fixture(scope="session")
def furnished(engine: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The path of a ledger, made once, and its tokens."""
    path = tmp_path_factory.mktemp("furnished") / "ledger.db"
    tokens = {}
    with open_ledger(path) as ledger:
        for name, dialect in DIALECTS.items():
            ledger.provider(dialect, name=name, seller=SENDER)
            for reference in ("first", "second"):
                ledger.account(name, f"{name}-{reference}")
            list(record(ledger.books, provider=name, documents=[(f"{name}-second", came(ledger.clock.now_us))]))
            tokens[name] = create_token(ledger.books, provider=name, reference=None, scopes=("admin",))[0]
            for scope in MANAGEMENT_SCOPES:
                tokens[f"{name}/{scope}"] = create_token(ledger.books, provider=name, reference=None, scopes=(scope,))[0]
        soon_us = ledger.clock.now_us + 1
        tokens["expired"] = create_token(ledger.books, provider="alpha", reference=None, scopes=("admin",), expires_at_us=soon_us)[0]
        tokens["revoked"], revoked = create_token(ledger.books, provider="alpha", reference=None, scopes=("admin",))
        revoke_token(ledger.books, token_id=revoked.id)
        tokens["customer"] = ledger.token("alpha", "alpha-first", scopes=("read", "write"))
    return path, tokens


@pytest.fixture(scope="session")
def run_site(engine: str, furnished: tuple[Path, dict[str, str]], operations: Mapping[str, Operation], tmp_path_factory: pytest.TempPathFactory) -> Running:
    """Runs a server of a fresh copy of the ledger."""
    original, tokens = furnished

    @contextmanager
    def start() -> Iterator[Site]:
        path = tmp_path_factory.mktemp("site") / "ledger.db"
        make_copy(original, path)
        with serving(path, FAKTURA_ACCESS_LOG="off") as served, closing(Wire(served.host)) as wire, below(path) as run:
            yield Site(wire, path, tokens, operations, served.process.pid, run, tables(path))

    return start


@pytest.fixture(scope="module")
def site(engine: str, run_site: Running) -> Iterator[Site]:
    """A server for a module's tests."""
    with run_site() as running:
        yield running
