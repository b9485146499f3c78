"""Generated ledgers and files: the same for the same seed, so that everybody measures the same rows."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.bootstrap.imports import Report, import_line_items
from faktura.config import DatabaseUrl, Settings
from faktura.documents.line_items import ONLINE_RETAIL, online_retail_layout
from faktura.domain.party import Party
from faktura.domain.provider import Provider
from faktura.ledger.accounts import add_account, add_provider
from faktura.ledger.billing import BillingItem, run_billing
from faktura.ledger.payments import pay
from faktura.ledger.ports import Books
from faktura.ledger.verification import verify

_WORDS = "CREAM HANGING HEART T-LIGHT HOLDER WHITE METAL LANTERN KNITTED UNION FLAG HOT WATER BOTTLE GLASS STAR FROSTED SET OF BABUSHKA NESTING BOXES".split()
_GOODS = 4_000
_ONE_CREDIT_NOTE_OF = 12
_ONE_PART_PAYMENT_OF = 5
_PRICES = 200
"""As few as a shop has: the real file's 42,481 rows have 2,063 pairs of quantity and price."""
_LINES_MEAN = 20
_CSV_ACCOUNT_DOCUMENTS = 40


def write_line_items(path: Path, *, documents: int, seed: int = 1) -> int:
    """A file in the columns of Online Retail, some 20 rows a document; returns how many rows."""
    chance = random.Random(seed)
    prices = [f"{chance.randrange(29, 1999) / 100:.2f}" for _ in range(_PRICES)]
    goods = [
        (f"{chance.randrange(10_000, 99_999)}{chance.choice(['', 'A', 'B'])}", " ".join(chance.sample(_WORDS, 4)), chance.choice(prices)) for _ in range(_GOODS)
    ]
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*ONLINE_RETAIL.values(), "Country"])
        for place in range(documents):
            is_credit = not (place + 1) % _ONE_CREDIT_NOTE_OF
            day, minute = date(2011, 1, 1) + timedelta(days=place % 360), chance.randrange(600, 1080)
            customer = f"{12_346 + chance.randrange(1 + documents // _CSV_ACCOUNT_DOCUMENTS)}.0"
            for _ in range(min(200, 1 + int(chance.expovariate(1 / _LINES_MEAN)))):
                code, name, price = chance.choice(goods)
                quantity = chance.choice([1, 2, 3, 4, 6, 8, 12, 24, 48]) * (-1 if is_credit else 1)
                moment = f"{day} {minute // 60:02}:{minute % 60:02}:00"
                writer.writerow([f"{'C' if is_credit else ''}{536_365 + place}", moment, quantity, price, name, code, customer, "United Kingdom"])
                rows += 1
    return rows


def add_providers(books: Books) -> None:
    """A provider of each dialect, which bills from Sofia."""
    for place, (name, dialect) in enumerate(DIALECTS.items(), 1):
        settings = dialect.defaults
        provider = Provider(
            id=place,
            name=name,
            dialect=name,
            zone=settings.zone,
            currency=settings.currency,
            seller=Party(name="Hosting OOD", street="ul. Primerna 1", city="Sofia", post_code="1000", country="BG", vat_id="BG123456789"),
            hosts=(),
            rate_limit=settings.rate_limit,
            rate_window_seconds=settings.rate_window_seconds,
        )
        add_provider(books, provider=provider, series=default_series(dialect))


def bill(books: Books, *, provider: str, documents: int, accounts: int, seed: int = 2, tell: Callable[[int], None] = lambda _: None) -> None:
    """Monthly billing runs: each account a document a month, of one to four lines, until there are so many."""
    chance = random.Random(seed)
    for place in range(accounts):
        buyer = Party(name=f"Customer {place} EOOD", street=f"ul. Vitosha {place % 200}", city="Sofia", post_code="1000", country="BG")
        add_account(books, provider=provider, reference=f"c{place:06}", buyer=buyer)

    prices = [f"{chance.randrange(199, 9999) / 100:.2f}" for _ in range(_PRICES)]

    def month(number: int, count: int) -> Iterator[BillingItem]:
        start = date(2026 + number // 12, number % 12 + 1, 1)
        period = {"start": str(start), "end": str((start + timedelta(days=31)).replace(day=1) - timedelta(days=1))}
        for place in range(count):
            lines = [
                {
                    "name": f"VPS {chance.choice('SMLX')} vps{place}-{line}.example.net",
                    "quantity": str(chance.randrange(1, 4)),
                    "unit_price": chance.choice(prices),
                }
                | {"vat_rate": 20, "item_id": f"VPS-{chance.choice('SMLX')}", "period": period, "order_id": place * 10 + line + 1}
                for line in range(chance.choice([1, 1, 1, 2, 2, 4]))
            ]
            yield BillingItem(
                position=place + 1, data={"account": f"c{place:06}", "period": f"{start:%Y-%m}", "product": "VPS", "lines": lines, "payment_terms": "14 days"}
            )

    done = 0
    while done < documents:
        count = min(accounts, documents - done)
        items = list(month(done // accounts, count))
        for report in run_billing(books, provider=provider, read=lambda items=items: iter(items)):  # type: ignore[misc]
            assert report.outcome == "issued", report  # noqa: S101
        done += count
        tell(done)


def take_payments(books: Books, *, provider: str, one_of: int) -> None:
    """A payment in full for each of so many documents, and one in part for some."""
    with books.storage.reading() as tx:
        owner = tx.providers.find(provider)
        assert owner is not None  # noqa: S101
        found = [entry for entry in tx.audit.journal(owner.id) if entry.event == "invoice.issued"][::one_of]
    for place, entry in enumerate(found):
        with books.storage.reading() as tx:
            invoice = tx.invoices.get(entry.account_id or 0, entry.subject_id or 0)
        assert invoice is not None  # noqa: S101
        amount = (invoice.total_with_vat_minor or 0) // (1 if (place + 1) % _ONE_PART_PAYMENT_OF else 2)
        pay(books, account_id=invoice.account_id, amount_minor=amount, currency=invoice.currency, invoice_ids=[invoice.id], reference=f"SEPA {place}")


def import_file(books: Books, settings: Settings, path: Path, *, provider: str) -> None:
    """Line items, as `faktura import` takes them."""
    report = Report(lambda _: None)
    import_line_items(books, settings, provider=provider, layout=online_retail_layout(), files=[path], report=report, advance=lambda _: None)
    assert report.is_clean  # noqa: S101


def peak_megabytes(work: str, database: str, *arguments: str) -> int:
    """Peak memory of a piece of work (`verify`, `import`) on a SQLite ledger, in a process of its own."""
    command = [sys.executable, "-m", "bench.filling", work, database, *arguments]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(said.stdout)


def _main(work: str, database: str, *arguments: str) -> None:
    settings = Settings(database=DatabaseUrl(path=database))
    with open_books(settings) as books:
        if work == "import":
            import_file(books, settings, Path(arguments[0]), provider="checkdomain")
        elif list(verify(books)):
            raise AssertionError("the ledger is not whole")
    status = Path("/proc/self/status").read_text(encoding="ascii")  # rusage's peak would be that of whoever started this, too
    print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)


if __name__ == "__main__":
    _main(*sys.argv[1:])
