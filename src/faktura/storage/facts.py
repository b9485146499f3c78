"""Which tables hold facts, and the second wall around them: SQLite itself refuses to change or delete a fact.

The first wall is that no statement of ours tries. The second stands in the file, so it also stops another program that opens it.
It is no part of the migrations, which are SQL that every engine shares.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

FACTS = (
    *("invoice", "invoice_line", "allowance_charge", "vat_breakdown"),
    *("payment", "allocation", "refund", "reversal"),
    *("source", "observation", "enrichment", "conflict"),
    *("journal", "billing_item", "issued_number", "series_jump", "moved_in", "period_lock", "vat_id_check", "document_file"),
)
"""Tables whose rows are only ever inserted. A table that this schema does not have yet may stand here."""

OTHERS = (
    *("provider", "counter", "series", "account", "account_reference", "token", "listing", "number_part", "schema_migration"),
    *("draft", "idempotency", "billing_run", "billing_run_item"),
)
"""Settings, counters, standings, drafts, answers given and the progress of runs: every table is either here or a fact."""

WORK = ("draft", "billing_run", "billing_run_item")
"""Others whose rows may be deleted: work that is done, or was given up."""

MESSAGE = "facts of a ledger are only ever inserted"


def raise_wall(tables: Collection[str]) -> Iterator[str]:
    """Statements that guard the fact tables among those there are; running them again changes nothing."""
    for table in FACTS:
        if table in tables:
            for verb in ("update", "delete"):
                refusal = f"SELECT RAISE(ABORT, '{MESSAGE}: {table} refuses to {verb}')"
                yield f"CREATE TRIGGER IF NOT EXISTS fact_{table}_{verb} BEFORE {verb.upper()} ON {table} BEGIN {refusal}; END"


def drop_wall() -> Iterator[str]:
    """Statements that let a migration reach the facts; the wall is raised again in the same transaction."""
    for table in FACTS:
        for verb in ("update", "delete"):
            yield f"DROP TRIGGER IF EXISTS fact_{table}_{verb}"
