"""The demo's ledger: a provider of each dialect, with the documented sample invoices."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.bootstrap.demo_items import checkdomain_singles, vpsbg_items
from faktura.config import DatabaseUrl, Settings
from faktura.dialects.base import encoder
from faktura.domain.calendar import midnight
from faktura.domain.draft import parse_draft
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Provider, hash_token
from faktura.ledger.accounts import add_account, add_provider, create_token, find_provider, set_series
from faktura.ledger.commands import issue
from faktura.ledger.importing import record
from faktura.ledger.payments import pay
from faktura.ledger.ports import Books

_EUR = Currency("EUR")
_HOUR_US = 3_600_000_000

_VPSBG_SELLER = Party(name="Demo Hosting OOD", street="1 Vitosha Blvd", city="Sofia", post_code="1000", country="BG", vat_id="BG999999999")
_VPSBG_BUYER = Party(name="Primer EOOD", street="5 Shipka St", city="Plovdiv", post_code="4000", country="BG", registration_id="123456789")
_CHECKDOMAIN_SELLER = Party(name="Demo Domains GmbH", street="Musterstr. 1", city="Berlin", post_code="10115", country="DE", vat_id="DE999999999")
_CHECKDOMAIN_BUYER = Party(name="Beispiel AG", street="Hauptstr. 2", city="Hamburg", post_code="20095", country="DE")

_LAST_WIRE_ID, _LAST_ORDER = 8431, 7398
# The two invoices of the documented VPSBG sample: order 7390 was free, pro-forma 7398 is the newest.
_VPSBG_ITEMS = (
    {
        "id": _LAST_WIRE_ID,
        "invoice_number": "0000007398",
        "created_at": "2024-08-27T21:00:00.000000Z",
        "amount": 90,
        "amount_with_vat": 108,
        "type": "proform",
        "order_ids": [_LAST_ORDER],
    },
    {
        "id": 8425,
        "invoice_number": "0000001594",
        "created_at": "2024-08-04T21:00:00.000000Z",
        "amount": 0,
        "amount_with_vat": 0,
        "type": "original",
        "order_ids": [7390],
    },
)
_FIRST_WIRE_ID, _FIRST_NUMBER, _FIRST_ORDER = 8401, 1582, 6810
_PLANS = (("VPS Standard, 1 month", "15"), ("VPS Advanced, 3 months", "90"), ("Backup space, 1 month", "41.67"), ("VPS Pro, 1 month", "33.33"))

# The documented checkdomain sample, with the list's `created` and the item's own id in its link; invoice 2's details are ours.
_CHECKDOMAIN_ITEMS = (
    {"id": 1, "invoice_number": "1111-100001", "created": "2017-11-16T10:07:15+0100", "amount_total": 12, "amount_payed": Decimal("10.02")},
    {"id": 2, "invoice_number": "2222-200002", "created": "2017-10-09T08:32:46+0100", "amount_total": Decimal("24.68"), "amount_payed": Decimal("24.68")},
)
_CHECKDOMAIN_SINGLES = (
    {
        "tax": 19,
        "details": [{"quantity": 1, "unit_price": 12, "price": 12, "remark": "api.checkdomain.de / 17.11.2017 - 16.11.2018"}],
        "payments": [{"amount": Decimal("10.02"), "date": "2017-11-07T00:00:00+0100"}],
    },
    {
        "tax": 19,
        "details": [{"quantity": 2, "unit_price": Decimal("12.34"), "price": Decimal("24.68"), "remark": "demo.example / 09.10.2017 - 08.10.2018"}],
        "payments": [{"amount": Decimal("24.68"), "date": "2017-10-09T00:00:00+0200"}],
    },
)


@contextmanager
def open_demo(settings: Settings, folder: Path, *, invoices: int = 0) -> Iterator[tuple[Books, dict[str, str]]]:
    """The demo's ledger in a folder, and the token of each provider's account by dialect name.

    A ledger that is made here has so many `invoices` more for each provider; one that is there stays as it is. It is made
    aside and moved into place when it is whole, under a lock: a start that is killed, or two at once, leave a whole demo or none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ledger = folder / "ledger.db"
    with _locked(folder / "lock"):
        if not ledger.exists():
            with TemporaryDirectory(dir=folder) as aside:
                made = Path(aside) / "ledger.db"
                with open_books(replace(settings, database=DatabaseUrl(path=str(made))), create=True) as books:
                    fill_demo(books)
                    record_made_up(books, count=invoices)
                made.replace(ledger)
        with open_books(replace(settings, database=DatabaseUrl(path=str(ledger)))) as books:
            tokens = _tokens(books, folder / "tokens.json")
    with open_books(replace(settings, database=DatabaseUrl(path=str(ledger)))) as books:
        yield books, tokens


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fill_demo(books: Books) -> None:
    """Both providers in an empty ledger."""
    _make_vpsbg(books)
    _make_checkdomain(books)


def record_made_up(books: Books, *, count: int) -> None:
    """So many invoices more at each provider, newer than the sample's: the same ones each time."""
    if not count:
        return
    with books.storage.reading() as tx:
        vpsbg, checkdomain = find_provider(tx, "vpsbg"), find_provider(tx, "checkdomain")
    first_number = _FIRST_NUMBER + 13
    items = vpsbg_items(count, first_id=_LAST_WIRE_ID + 1, first_order=_LAST_ORDER, first_number=first_number)
    _record(books, vpsbg, [{"data": items}])
    set_series(books, provider="vpsbg", name="invoice", next_number=first_number + sum(item["type"] != "proform" for item in items))
    _record(books, checkdomain, checkdomain_singles(count, first_id=len(_CHECKDOMAIN_ITEMS) + 1))


def _tokens(books: Books, path: Path) -> dict[str, str]:
    """Those of an earlier start that are still good, others anew. Only the demo keeps tokens, readable by its owner alone."""
    tokens = _read_tokens(books, path)
    for name in ("vpsbg", "checkdomain"):
        if name not in tokens:
            tokens[name], _ = create_token(books, provider=name, reference="demo", label="demo")
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(tokens, file)
    fresh.replace(path)
    return tokens


def _make_vpsbg(books: Books) -> None:
    """Twelve orders, a pro-forma and an invoice each, in the year before the sample; then the sample's two."""
    provider = _add_provider(books, "vpsbg", _VPSBG_SELLER, next_wire_id=_FIRST_WIRE_ID)
    account = add_account(books, provider="vpsbg", reference="demo", buyer=_VPSBG_BUYER)
    set_series(books, provider="vpsbg", name="invoice", next_number=_FIRST_NUMBER)
    for month in range(12):
        day = date(2023, 8, 7) + timedelta(days=30 * month)
        order = _FIRST_ORDER + 47 * month
        name, price = _PLANS[month % len(_PLANS)]
        line = {"name": name, "unit_price": price, "vat_rate": 20, "period": {"start": str(day), "end": str(day + timedelta(days=29))}, "order_id": order}
        for type_code, issued_on in ((325, day), (380, day + timedelta(days=2))):
            then = replace(books, clock=partial(int, midnight(issued_on, provider.zone) + 10 * _HOUR_US))
            document = {"type_code": type_code, "order_ids": [order], "lines": [line]}
            invoice = issue(then, account_id=account.id, draft=parse_draft(document, currency=_EUR, buyer=_VPSBG_BUYER))
            if type_code == 380:  # noqa: PLR2004 - BT-3, an invoice
                pay(then, account_id=account.id, amount_minor=invoice.total_with_vat_minor or 0, currency=_EUR, invoice_ids=[invoice.id])
    _record(books, provider, [{"data": _VPSBG_ITEMS}])
    set_series(books, provider="vpsbg", name="invoice", next_number=_FIRST_NUMBER + 13)


def _make_checkdomain(books: Books) -> None:
    """The documented sample's two invoices, as a list page and two single answers."""
    provider = _add_provider(books, "checkdomain", _CHECKDOMAIN_SELLER)
    add_account(books, provider="checkdomain", reference="demo", buyer=_CHECKDOMAIN_BUYER)
    items = [item | {"amount_open": item["amount_total"] - item["amount_payed"]} for item in _CHECKDOMAIN_ITEMS]  # type: ignore[operator]
    _record(books, provider, [{"_embedded": {"invoices": items}}])
    _record(books, provider, (item | single for item, single in zip(items, _CHECKDOMAIN_SINGLES, strict=True)))


def _add_provider(books: Books, name: str, seller: Party, *, next_wire_id: int = 1) -> Provider:
    dialect = DIALECTS[name]
    defaults = dialect.defaults
    provider = Provider(
        id=0,
        name=name,
        dialect=name,
        zone=defaults.zone,
        currency=defaults.currency,
        seller=seller,
        hosts=defaults.hosts,
        rate_limit=defaults.rate_limit,
        rate_window_seconds=defaults.rate_window_seconds,
    )
    return add_provider(books, provider=provider, series=default_series(dialect), next_wire_id=next_wire_id)


def _record(books: Books, provider: Provider, answers: Iterable[dict[str, object]]) -> None:
    parsed = (DIALECTS[provider.dialect].parse_answer(encoder.encode(answer), provider=provider) for answer in answers)
    for _ in record(books, provider=provider.name, documents=(("demo", heard) for answer in parsed for heard in answer.documents)):
        pass


def _read_tokens(books: Books, path: Path) -> dict[str, str]:
    """The tokens of an earlier start that this ledger knows."""
    try:
        tokens = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    serving = books.storage.serving().serving
    good = {}
    for name, token in tokens.items() if isinstance(tokens, dict) else ():
        token_hash = hash_token(token) if isinstance(token, str) else None
        if token_hash and serving.page(token_hash, now_us=books.clock(), skip=0, size=0):
            good[str(name)] = token
    return good
