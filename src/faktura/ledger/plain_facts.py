"""A quick look at many facts at once: those that are surely whole need no closer one.

Most documents and payments are plain: nothing came of them later but that they were paid. Storage reads those of many journal
entries together. Here they are held against everything that `faktura.ledger.verification` asks of them, and whatever is not
exactly as it should be is left to it: it looks one by one, and finds the words. So nothing is found here, and nothing missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from faktura.domain.calendar import midnight
from faktura.domain.errors import FakturaError
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.payment import Settlement, Standing, settle
from faktura.domain.provider import Provider
from faktura.domain.totals import compute
from faktura.ledger.plain_ports import PlainDocument, PlainMoney
from faktura.ledger.ports import Books, Dialect, JournalEntry, Transaction
from faktura.ledger.standing import render

UNREADABLE = (FakturaError, ValueError, KeyError, TypeError, ArithmeticError)
"""What values raise that cannot be what was written."""


def find_whole(tx: Transaction, books: Books, provider: Provider, entries: Sequence[JournalEntry]) -> dict[int, Mapping[str, int]]:
    """Of consecutive entries of a provider's journal those whose facts are surely whole: by sequence, how many rows of each table they account for."""
    by_sequence = {entry.sequence: entry for entry in entries}
    dialect = books.dialects[provider.dialect]
    whole: dict[int, Mapping[str, int]] = {}
    for found in tx.audit.plain(provider.id, first=entries[0].sequence, last=entries[-1].sequence):
        entry = by_sequence[found.sequence]
        if found.digest == entry.digest:
            if isinstance(found, PlainMoney):
                if not found.is_overdrawn:
                    whole[found.sequence] = {found.table: 1}
            elif _is_whole(found, entry, dialect, provider):
                whole[found.sequence] = found.rows
    return whole


def count_rows(counter: Counter[str], rows: Mapping[str, int]) -> None:
    """Add so many rows of each table."""
    for table, count in rows.items():
        counter[table] += count


def _is_whole(found: PlainDocument, entry: JournalEntry, dialect: Dialect, provider: Provider) -> bool:
    """Whether a document of the right digest adds up, bears a number that was given out, and is listed as its facts say."""
    invoice = found.invoice
    try:
        if invoice.origin is Origin.ISSUED and (
            arithmetic_faults(invoice) or not found.is_number_used or found.is_moved_in is not (entry.event == "invoice.moved-in")
        ):
            return False
        standing = _standing(found, provider)
        if standing is None or (invoice.origin is Origin.ISSUED and (standing.due_minor or 0) < 0):
            return False
        is_listed = found.listing.ordinal is not None
        return is_listed is dialect.lists(invoice.type_code) and render(dialect, invoice, standing, provider, ordinal=found.listing.ordinal) == found.listing
    except UNREADABLE:
        return False


def _standing(found: PlainDocument, provider: Provider) -> Standing | None:
    """As `faktura.ledger.standing.current_standing` says it of a document on which nothing uncommon hangs; None where something does."""
    invoice, settled = found.invoice, found.settled
    if found.observed is not None:
        return found.observed
    if settled and invoice.type_code is TypeCode.PRO_FORMA:
        return None
    if (invoice.origin is Origin.RECORDED and not settled) or invoice.total_with_vat_minor is None:
        return Standing()
    settlements = tuple(Settlement(amount_minor=amount, paid_at_us=midnight(day, provider.zone)) for amount, day in settled)
    return settle(invoice.total_with_vat_minor, settlements)


def arithmetic_faults(invoice: Invoice) -> list[str]:
    """BR-CO-10 to BR-CO-17 of an issued document, computed anew from its lines."""
    if invoice.lines is None or invoice.price_basis is None:
        return ["an issued document has lines and a price basis"]
    reasons = {group.category: group.exemption_reason for group in invoice.vat_breakdown if group.category and group.exemption_reason}
    lines, items, totals = compute(
        lines=invoice.lines, allowances_charges=invoice.allowances_charges, price_basis=invoice.price_basis, exemption_reasons=reasons
    )
    same = (lines, items, totals.vat_breakdown) == (invoice.lines, invoice.allowances_charges, invoice.vat_breakdown)
    names = ("line_total", "allowance_total", "charge_total", "total_without_vat", "vat_total", "total_with_vat")
    wrong = [name for name in names if getattr(totals, f"{name}_minor") != getattr(invoice, f"{name}_minor")]
    return ([] if same else ["net amounts or VAT breakdown do not follow from the lines"]) + [f"{name} does not follow from the lines" for name in wrong]
