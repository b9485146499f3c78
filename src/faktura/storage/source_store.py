"""What other systems said: sources, observations, enrichments, conflicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from faktura.domain.invoice import Invoice
from faktura.domain.payment import Standing
from faktura.domain.recorded import KnownSource, NewWord, SourceKind, SourceWord
from faktura.storage.document_rows import invoice_row
from faktura.storage.driver import Driver
from faktura.storage.invoice_store import InvoiceRows
from faktura.storage.rows import LAST_INSTANT_US, settlements_text, to_standing


class SourceRows:
    """See `faktura.ledger.ports.SourceStore`."""

    def __init__(self, driver: Driver, invoices: InvoiceRows) -> None:
        self._driver = driver
        self._invoices = invoices

    def insert(self, word: SourceWord, body: bytes, *, account_id: int, invoice_id: int, source_id: int, recorded_at_us: int) -> None:
        """Keep a source's own bytes, what it showed as paid and open, and what contradicts."""
        key = {"account_id": account_id, "invoice_id": invoice_id, "source_id": source_id, "recorded_at_us": recorded_at_us}
        self.insert_all([NewWord(word=word, body=body, account_id=account_id, invoice_id=invoice_id, source_id=source_id)], recorded_at_us=recorded_at_us)
        rows = [{**key, "term": item.term, "kept": item.kept, "heard": item.heard} for item in word.differences]
        if rows:
            self._driver.many("conflict_insert", rows)
        if word.added:
            self._driver.many("enrichment_insert", [{**key, "term": term, "value": value} for term, value in word.added])

    def insert_all(self, words: Sequence[NewWord], *, recorded_at_us: int) -> None:
        """The same for words that neither add nor contradict anything."""
        sources, observations = [], []
        for new in words:
            word, observed = new.word, new.word.observed
            sources.append((new.account_id, new.source_id, new.invoice_id, word.kind.value, word.digest, new.body, word.seen_at_us, recorded_at_us))
            if observed is not None:
                settlements = settlements_text(observed.settlements)
                key = (new.account_id, new.invoice_id, new.source_id, word.seen_at_us)
                observations.append((*key, observed.paid_minor, observed.due_minor, settlements, recorded_at_us))
        self._driver.many("source_insert", sources)
        self._driver.many("observation_insert", observations)

    def insert_parts(self, known: Invoice, word: SourceWord) -> None:
        """Write the lines and VAT breakdown that a known document lacked until this word."""
        if word.lines is not None or word.vat_breakdown is not None:
            self._invoices.insert_parts([replace(known, lines=word.lines, vat_breakdown=word.vat_breakdown or (), allowances_charges=())])

    def added(self, known: Invoice, enriched: Invoice) -> tuple[tuple[str, str], ...]:
        """The columns of the invoice row that an enriched document says and the known one did not: (column, value as JSON)."""
        before, after = invoice_row(known), invoice_row(enriched)
        return tuple((column, json.dumps(after[column], ensure_ascii=False)) for column in sorted(after) if after[column] != before[column])

    def known(self, account_id: int, invoice_id: int) -> list[KnownSource]:
        """All that was heard of a document, oldest first."""
        rows = self._driver.all("source_of_invoice", account_id=account_id, invoice_id=invoice_id)
        return [
            KnownSource(
                kind=SourceKind(row["kind"]),
                digest=bytes(row["digest"]),
                seen_at_us=row["seen_at_us"],
                contradicts=row["conflicts"] > 0,
                is_other=row["others"] > 0,
            )
            for row in rows
        ]

    def observed(self, account_id: int, invoice_id: int, *, as_of_us: int | None = None, seen_before_us: int | None = None) -> Standing | None:
        """The latest word on each of paid, due and payments, of those recorded and seen up to then; None when nobody said any."""
        bounds = {
            "as_of_us": LAST_INSTANT_US if as_of_us is None else as_of_us,
            "seen_before_us": LAST_INSTANT_US if seen_before_us is None else seen_before_us,
        }
        rows = self._driver.all("observation_all", account_id=account_id, invoice_id=invoice_id, **bounds)
        if not rows:
            return None
        standing = Standing()
        for row in rows:
            said = to_standing(row)
            standing = Standing(
                paid_minor=standing.paid_minor if said.paid_minor is None else said.paid_minor,
                due_minor=standing.due_minor if said.due_minor is None else said.due_minor,
                settlements=standing.settlements if said.settlements is None else said.settlements,
            )
        return standing
