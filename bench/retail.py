"""The shop that rows over HTTP are measured on: Online Retail as often as is asked, imported by faktura itself."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.bootstrap.imports import Report, import_line_items
from faktura.config import DatabaseUrl, Settings
from faktura.documents.line_items import online_retail_layout, with_account
from faktura.domain.party import Party
from faktura.domain.provider import Provider
from faktura.ledger.accounts import add_account, add_provider, create_token
from faktura.ledger.ports import Books

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "online-retail"
"""The real rows (UCI, CC BY 4.0), where they lie beside the project; otherwise rows of their kind are made."""
HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
ACCOUNT = "all"
"""The account that has every invoice."""
LIMIT = 1_000_000_000
"""Requests a window: the limiter counts, and never refuses."""

_SEED = 2010
_MADE_INVOICES = 2_025
_COPY_DAYS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A ledger with the shop's invoices at a provider of each dialect, in one account."""

    database: DatabaseUrl
    tokens: Mapping[str, str]
    """Dialect -> the token of its account."""

    @property
    def environment(self) -> dict[str, str]:
        """What tells a faktura of its own which ledger that is."""
        if self.database.url is None:
            return {"FAKTURA_DATABASE": f"sqlite:///{self.database.path}"}
        return {"FAKTURA_DATABASE": self.database.url, "FAKTURA_MIGRATION_DATABASE": self.database.migration_url or ""}


def build_shop(database: DatabaseUrl, folder: Path, *, copies: int, dialects: Sequence[str] = ("checkdomain", "vpsbg")) -> Shop:
    """A new ledger with so many times the shop's December, 2,025 invoices each; `folder` takes the files that it is imported from."""
    path = folder / f"retail-{copies}.csv"
    if not path.exists():
        write_csv(path, retail_rows(copies=copies))
    settings = Settings(database=database)
    tokens = {}
    with open_books(settings, create=True) as books:
        for dialect in dialects:
            add_bench_provider(books, dialect)
            add_account(books, provider=dialect, reference=ACCOUNT, buyer=None)
            report = Report(tell=lambda _: None)
            layout = with_account(online_retail_layout(), ACCOUNT)
            import_line_items(books, settings, provider=dialect, layout=layout, files=[path], report=report, advance=lambda _: None)
            tokens[dialect] = create_token(books, provider=dialect, reference=ACCOUNT)[0]
    return Shop(database=database, tokens=tokens)


def add_bench_provider(books: Books, dialect: str) -> Provider:
    """A provider named after its dialect, whose limit counts and is never reached."""
    defaults = DIALECTS[dialect].defaults
    provider = Provider(
        id=0,
        name=dialect,
        dialect=dialect,
        zone=defaults.zone,
        currency=defaults.currency,
        seller=Party(name="Hosting OOD", country="BG", vat_id="BG123456789"),
        hosts=defaults.hosts,
        rate_limit=LIMIT,
        rate_window_seconds=defaults.rate_window_seconds,
    )
    return add_provider(books, provider=provider, series=default_series(DIALECTS[dialect]))


def retail_rows(*, copies: int) -> Iterator[tuple[str, ...]]:
    """The shop's rows so many times, each copy with numbers and a month of its own."""
    for copy in range(copies):
        shift = timedelta(days=_COPY_DAYS * copy)
        for number, code, name, quantity, day, price, customer, country in _real_rows() if FOLDER.is_dir() else _made_rows():
            moved = (datetime.fromisoformat(day) + shift).isoformat(sep=" ")
            yield (f"{number}-{copy}" if copy else number, code, name, quantity, moved, price, customer, country)


def write_csv(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write rows below the shop's header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows)


def _real_rows() -> Iterator[list[str]]:
    for path in sorted(FOLDER.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            next(reader)
            yield from reader


def _made_rows() -> Iterator[list[str]]:
    """Rows of the same kind: some twenty lines an invoice, one invoice in six a credit note with negative quantities."""
    random_ = random.Random(_SEED)
    products = [
        (f"{random_.randrange(10_000, 99_999)}", f"ARTICLE {place} IN A BOX OF TWELVE", f"{random_.randrange(20, 2_000) / 100:.2f}") for place in range(3_000)
    ]
    at = datetime(2010, 12, 1, 8, 26)  # noqa: DTZ001 - as the files say it, without a zone
    for place in range(_MADE_INVOICES):
        at += timedelta(minutes=random_.randrange(1, 25))
        is_credit = random_.random() < 0.16
        customer = f"{12_000 + int(random_.paretovariate(1)) % 6_000}.0"
        for _ in range(1 + int(random_.expovariate(1 / (2 if is_credit else 24)))):
            code, name, price = random_.choice(products)
            quantity = random_.randrange(1, 25)
            number, quantity = (f"C{536_365 + place}", -quantity) if is_credit else (f"{536_365 + place}", quantity)
            yield [number, code, name, str(quantity), at.isoformat(sep=" "), price, customer, "United Kingdom"]
