"""The VAT report and the sales ledger of a period, by tax point, over what was issued: 380, 381 and 383, never a pro-forma."""

from __future__ import annotations

from collections.abc import Generator
from datetime import date

from faktura.domain.errors import InvalidDocumentError, fault
from faktura.domain.vat_report import SalesRow, VatReport, sales_rows, summarize
from faktura.ledger.accounts import find_provider
from faktura.ledger.ports import Books, Transaction


def vat_report(books: Books, *, provider: str, start: date, end: date) -> VatReport:
    """The sums of a period from `start` to `end`, both included; NotFoundError for an unknown provider.

    A document counts in the period of its tax point (BT-7), else of its issue date; a credit note in its own, with negative amounts.
    """
    with books.storage.reading() as tx:
        lock = tx.vat.last_lock(find_provider(tx, provider).id)
        rows = _rows(tx, provider, start, end)
        return summarize(rows, provider=provider, start=start, end=end, locked_through=lock.locked_through if lock else None)


def sales_ledger(books: Books, *, provider: str, start: date, end: date) -> Generator[SalesRow]:
    """The same period document by document, in the order of series and number; streams. Close the iterator, or read it to its end."""
    with books.storage.reading() as tx:
        yield from _rows(tx, provider, start, end)


def _rows(tx: Transaction, provider: str, start: date, end: date) -> Generator[SalesRow]:
    if end < start:
        raise InvalidDocumentError([fault("PERIOD", "end", f"{end} is before {start}, on which the period begins")])
    for invoice in tx.vat.taxed(find_provider(tx, provider).id, start=start, end=end):
        yield from sales_rows(invoice)
