"""Reads the facts as they were written, for `faktura verify`: each with what the journal's digest covers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from faktura.domain.invoice import Invoice
from faktura.domain.numbering import Reset, Series
from faktura.domain.payment import Allocation, Refund, Reversal
from faktura.domain.recorded import Difference, SourceKind, SourceWord
from faktura.ledger.listing_ports import ListingRow
from faktura.ledger.plain_ports import PlainDocument, PlainMoney
from faktura.ledger.ports import BillingKey, JournalEntry, SeriesPlace, WrittenWord
from faktura.storage.driver import Driver, Row
from faktura.storage.invoice_store import InvoiceRows
from faktura.storage.plain_store import read_plain
from faktura.storage.rows import to_allocation, to_refund, to_reversal, to_standing

_BATCH = 1000


class AuditRows:
    """See `faktura.ledger.ports.AuditStore`."""

    def __init__(self, driver: Driver, invoices: InvoiceRows) -> None:
        self._driver = driver
        self._invoices = invoices

    def journal(self, provider_id: int, *, after: int = 0) -> Iterator[JournalEntry]:
        """The provider's journal from a sequence number on, a batch at a time."""
        while True:
            rows = self._driver.all("journal_after", provider_id=provider_id, sequence=after, limit=_BATCH)
            for row in rows:
                yield _to_entry(row)
            if len(rows) < _BATCH:
                return
            after = rows[-1]["sequence"]

    def journal_head(self, provider_id: int) -> tuple[int, bytes]:
        """How many entries the journal should have, and its chain."""
        row = self._driver.one("counter_get", provider_id=provider_id)
        return (0, b"") if row is None else (row["journal_sequence"], bytes(row["journal_chain"]))

    def plain(self, provider_id: int, *, first: int, last: int) -> Iterator[PlainDocument | PlainMoney]:
        """What the journal's entries from `first` to `last` tell of, as far as nothing uncommon hangs on it."""
        return read_plain(self._driver, provider_id, first=first, last=last)

    def written_invoice(self, account_id: int, invoice_id: int) -> Invoice | None:
        """The document as it was first written, without what later words added."""
        return self._invoices.written(account_id, invoice_id)

    def is_canonical(self, account_id: int, invoice_id: int) -> bool:
        """Whether a document's rows are exactly those that writing it again would make."""
        return self._invoices.is_canonical(account_id, invoice_id)

    def written_word(self, account_id: int, source_id: int) -> WrittenWord | None:
        """What one answer wrote down."""
        row = self._driver.one("audit_source", account_id=account_id, source_id=source_id)
        if row is None:
            return None
        key = {"account_id": account_id, "source_id": source_id, "invoice_id": row["invoice_id"]}
        observed = self._driver.one("audit_observation", **key)
        enrichments = self._driver.all("audit_enrichment", **key)
        conflicts = self._driver.all("audit_conflict", **key)
        terms = {term["term"] for term in enrichments}
        parts = self._invoices.get(account_id, row["invoice_id"]) if terms & {"line_count", "breakdown_count"} else None
        word = SourceWord(
            kind=SourceKind(row["kind"]),
            seen_at_us=row["seen_at_us"],
            digest=bytes(row["digest"]),
            observed=None if observed is None else to_standing(observed),
            added=tuple((term["term"], term["value"]) for term in enrichments),
            lines=parts.lines if parts and "line_count" in terms else None,
            vat_breakdown=parts.vat_breakdown if parts and "breakdown_count" in terms else None,
            differences=tuple(Difference(term=item["term"], kept=item["kept"], heard=item["heard"]) for item in conflicts),
        )
        rows = [row, *enrichments, *conflicts, *([observed] if observed is not None else [])]
        return WrittenWord(
            word=word,
            invoice_id=row["invoice_id"],
            body=bytes(row["body"]),
            recorded_at_us=tuple({item["recorded_at_us"] for item in rows}),
            observed_seen_at_us=None if observed is None else observed["seen_at_us"],
        )

    def first_source(self, account_id: int, invoice_id: int) -> int | None:
        """The word by which a recorded document came to be known."""
        rows = self._driver.all("source_of_invoice", account_id=account_id, invoice_id=invoice_id)
        return rows[0]["source_id"] if rows else None

    def allocation(self, account_id: int, allocation_id: int) -> Allocation | None:
        """An allocation as written."""
        row = self._driver.one("audit_allocation", account_id=account_id, allocation_id=allocation_id)
        return None if row is None else to_allocation(row)

    def billing_key(self, account_id: int, invoice_id: int) -> BillingKey | None:
        """What a document bills, if a billing run issued it."""
        rows = self._driver.all("billing_item_of_invoice", account_id=account_id, invoice_id=invoice_id)
        return BillingKey(**dict(zip(rows[0].keys(), rows[0], strict=True))) if rows else None

    def refund(self, account_id: int, refund_id: int) -> Refund | None:
        """A refund as written."""
        row = self._driver.one("audit_refund", account_id=account_id, refund_id=refund_id)
        return None if row is None else to_refund(row)

    def reversal(self, account_id: int, reversal_id: int) -> Reversal | None:
        """A reversal as written."""
        row = self._driver.one("audit_reversal", account_id=account_id, reversal_id=reversal_id)
        return None if row is None else to_reversal(row)

    def listing(self, account_id: int, invoice_id: int) -> ListingRow | None:
        """A document's standing as stored."""
        row = self._driver.one("audit_listing", account_id=account_id, invoice_id=invoice_id)
        if row is None:
            return None
        columns = {name: row[name] for name in ListingRow.__dataclass_fields__}
        return ListingRow(**columns)

    def ordinals(self, account_id: int) -> tuple[int, int | None, int | None]:
        """How many documents are listed, and the first and last ordinal."""
        row = self._driver.one("audit_ordinals", account_id=account_id)
        return (0, None, None) if row is None else (row["listed"], row["first_ordinal"], row["last_ordinal"])

    def disorder(self, account_id: int) -> int | None:
        """A document that is listed before an older one."""
        row = self._driver.one("audit_disorder", account_id=account_id)
        return None if row is None else row["invoice_id"]

    def counts(self, account_id: int) -> dict[str, int]:
        """How many rows of each kind hang on an account."""
        row = self._driver.one("audit_counts", account_id=account_id)
        return {} if row is None else dict(zip(row.keys(), row, strict=True))

    def foreign_account(self) -> int | None:
        """An account that rows name and that is not there."""
        row = self._driver.one("audit_foreign_accounts")
        return None if row is None else row["account_id"]

    def foreign_provider(self) -> int | None:
        """A provider that rows name and that is not there."""
        row = self._driver.one("audit_foreign_providers")
        return None if row is None else row["provider_id"]

    def ids(self, provider_id: int, *, low: int, high: int) -> tuple[int, int, int, int]:
        """Next id, next wire id, and the last ones given out, of a provider whose ids are `low` to `high`."""
        row = self._driver.one("audit_ids", provider_id=provider_id, low=low, high=high)
        return (0, 0, 0, 0) if row is None else (row["next_id"], row["next_wire_id"], row["last_id"], row["last_wire_id"])

    def series_numbers(self, series: Series) -> Iterator[SeriesPlace]:
        """The places of a series' documents in number order; by year where the series starts again."""
        year_digits = 4 if series.reset is Reset.YEAR else 0
        for row in self._driver.stream("audit_series", provider_id=series.provider_id, series=series.name, year_digits=year_digits):
            yield SeriesPlace(
                sequence=row["series_sequence"],
                issue_date=date.fromisoformat(row["issue_date"]),
                is_moved_in=bool(row["is_moved_in"]),
                missing_from=row["missing_from"],
            )


def _to_entry(row: Row) -> JournalEntry:
    return JournalEntry(
        sequence=row["sequence"],
        recorded_at_us=row["recorded_at_us"],
        actor=row["actor"],
        event=row["event"],
        account_id=row["account_id"],
        subject_id=row["subject_id"],
        digest=bytes(row["digest"]),
        chain=bytes(row["chain"]),
    )
