"""The schema can be distributed by account: docs/scale.md says how far each step goes."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import open_ledger
from tests.database import execute, tables

from faktura.storage.postgresql import PostgresqlStorage
from faktura.storage.statement import load_statements

SHARED = {
    *("provider", "counter", "series", "series_jump", "issued_number", "account_reference", "token", "journal", "schema_migration"),
    *("idempotency", "billing_run", "billing_run_item", "period_lock"),
}
"""Tables of a provider, or of the ledger: small, or asked by a key that no account is known for yet."""

ASK_EVERYWHERE = {
    # An operator's question, by an id or over all accounts of a provider.
    *("invoice_account", "invoice_place", "payment_account", "payment_page", "overview", "account_all", "account_page", "draft_get", "draft_page"),
    *("contradictions", "contradicted_count"),
    # Reports, migrations and proofs, which read everything anyway.
    *("vat_taxed", "stale_listings", "stale_listings_count", "audit_series", "audit_ids", "audit_foreign_accounts", "audit_foreign_providers"),
    *("plain_odd", "plain_documents", "plain_lines", "plain_breakdowns", "plain_sources", "plain_settlements", "plain_payments", "plain_allocations"),
    # A series that is set, or begins a year.
    *("series_first_own", "series_high", "series_first_date"),
}
"""Statements that go to every part of a cluster. One that serves a customer, or writes, is never among them."""

OWNER_KNOWN = {"serve_owner", "serve_page", "serve_list", "serve_search", "serve_search_whole", "serve_single", "serve_file"}
"""Statements that find the account by its token, and then its rows along it."""
FRAGMENTS = {"allocation_moment", "allocation_of_credit_note_moment"}
"""Parts of statements that ask for an account."""


def keys(folder: Path) -> dict[str, list[list[str]]]:
    """The columns of each unique key, by table."""
    with open_ledger(folder / "ledger.db") as ledger:
        found: dict[str, list[list[str]]] = {table: [] for table in tables(ledger.books)}
        for table in found:
            if isinstance(ledger.books.storage, PostgresqlStorage):
                rows = execute(ledger.books, POSTGRESQL_KEYS, [table])
            else:
                rows = execute(ledger.books, SQLITE_KEYS, [table])
            by_index: dict[str, list[str]] = {}
            for row in rows:
                by_index.setdefault(row["index_name"], []).append(row["column_name"])
            found[table] = list(by_index.values())
    return found


SQLITE_KEYS = """SELECT l.name AS index_name, c.name AS column_name FROM pragma_index_list(?) l, pragma_index_info(l.name) c
WHERE l."unique" ORDER BY l.name, c.seqno"""
POSTGRESQL_KEYS = """SELECT i.indexrelid::regclass::text AS index_name, a.attname AS column_name
FROM pg_index i, unnest(i.indkey::int[]) WITH ORDINALITY k(attnum, place), pg_attribute a
WHERE i.indrelid = ?::regclass AND i.indisunique AND a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY 1, k.place"""


def test_account_owned_tables_lead_their_keys_with_the_account(engine: str, tmp_path: Path) -> None:
    """A unique key that did not begin with the account could not be kept where the accounts are distributed."""
    found = keys(tmp_path)
    assert set(found) >= {*SHARED, "account", "invoice", "listing", "payment"}
    for table, of_table in found.items():
        if table not in SHARED:
            assert of_table or table == "account", table
            assert {columns[0] for columns in of_table} <= {"account_id"}, (table, of_table)


def test_statements_join_along_the_account(engine: str, tmp_path: Path) -> None:
    """Tables of accounts are joined by account, and a statement that asks for none is one that may ask everywhere."""
    owned = set(keys(tmp_path)) - SHARED
    asking = set()
    for name, text in load_statements().items():
        for table, _, condition in re.findall(r"\bJOIN (\w+) (\w+)\s+ON (.*)", text):
            assert table not in owned or "account_id" in condition, (name, table)
        touched = set(re.findall(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)", text)) & owned
        if touched and not re.search(r"account_id = :account_id|VALUES \(:account_id", text):
            asking.add(name)
    assert asking == ASK_EVERYWHERE | OWNER_KNOWN | FRAGMENTS


def test_the_document_names_them() -> None:
    """docs/scale.md lists what asks every part of a cluster."""
    text = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
    assert {name for name in re.findall(r"`(\w+)`", text) if name in load_statements()} >= ASK_EVERYWHERE | OWNER_KNOWN
