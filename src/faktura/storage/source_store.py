"""What other systems said: sources, observations, enrichments, conflicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from faktura.domain.invoice import Invoice
from faktura.domain.payment import Standing
from faktura.domain.recorded import Difference, Heard, SourceKind
from faktura.ledger.ports import KnownSource
from faktura.storage.driver import Driver
from faktura.storage.invoice_store import InvoiceRows
from faktura.storage.rows import invoice_row, settlements_text, to_settlements


class SourceRows:
    """See `faktura.ledger.ports.SourceStore`."""

    def __init__(self, driver: Driver, invoices: InvoiceRows) -> None:
        self._driver = driver
        self._invoices = invoices

    def insert(self, heard: Heard, *, account_id: int, invoice_id: int, source_id: int, digest: bytes, recorded_at_us: int) -> None:
        """Keep a source's own bytes."""
        self._driver.run(
            "source_insert",
            account_id=account_id,
            source_id=source_id,
            invoice_id=invoice_id,
            kind=heard.kind.value,
            digest=digest,
            body=heard.body,
            seen_at_us=heard.seen_at_us,
            recorded_at_us=recorded_at_us,
        )

    def known(self, account_id: int, invoice_id: int) -> list[KnownSource]:
        """All that was heard of a document, oldest first."""
        rows = self._driver.all("source_of_invoice", account_id=account_id, invoice_id=invoice_id)
        return [KnownSource(kind=SourceKind(row["kind"]), digest=bytes(row["digest"]), seen_at_us=row["seen_at_us"]) for row in rows]

    def observe(self, standing: Standing, *, account_id: int, invoice_id: int, source_id: int, seen_at_us: int, recorded_at_us: int) -> None:
        """Keep the paid and open amounts, and payments, that a source showed."""
        self._driver.run(
            "observation_insert",
            account_id=account_id,
            invoice_id=invoice_id,
            source_id=source_id,
            seen_at_us=seen_at_us,
            paid_minor=standing.paid_minor,
            due_minor=standing.due_minor,
            settlements=settlements_text(standing.settlements),
            recorded_at_us=recorded_at_us,
        )

    def observed(self, account_id: int, invoice_id: int) -> Standing | None:
        """The latest word on each of paid, due and payments; None when nobody said any."""
        rows = self._driver.all("observation_all", account_id=account_id, invoice_id=invoice_id)
        if not rows:
            return None
        standing = Standing()
        for row in rows:
            settlements = to_settlements(row["settlements"])
            standing = Standing(
                paid_minor=standing.paid_minor if row["paid_minor"] is None else row["paid_minor"],
                due_minor=standing.due_minor if row["due_minor"] is None else row["due_minor"],
                settlements=standing.settlements if settlements is None else settlements,
            )
        return standing

    def enrich(self, known: Invoice, enriched: Invoice, *, source_id: int, recorded_at_us: int) -> None:
        """Keep terms that were unknown, beside the row that did not say them, and parts that were missing."""
        before, after = invoice_row(known), invoice_row(enriched)
        rows = [
            {
                "account_id": known.account_id,
                "invoice_id": known.id,
                "term": column,
                "value": json.dumps(after[column], ensure_ascii=False),
                "source_id": source_id,
                "recorded_at_us": recorded_at_us,
            }
            for column in after
            if after[column] != before[column]
        ]
        self._driver.many("enrichment_insert", rows)
        parts = replace(
            enriched,
            lines=enriched.lines if known.lines is None else None,
            vat_breakdown=() if known.vat_breakdown else enriched.vat_breakdown,
            allowances_charges=(),
        )
        self._invoices.insert_parts([parts])

    def disagree(self, differences: Sequence[Difference], *, account_id: int, invoice_id: int, source_id: int, recorded_at_us: int) -> None:
        """Keep both versions of what a source contradicts."""
        rows = [
            {
                "account_id": account_id,
                "invoice_id": invoice_id,
                "source_id": source_id,
                "term": item.term,
                "kept": item.kept,
                "heard": item.heard,
                "recorded_at_us": recorded_at_us,
            }
            for item in differences
        ]
        self._driver.many("conflict_insert", rows)
