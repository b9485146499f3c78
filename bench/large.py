"""Ledgers that are too large to issue one by one: rows written by SQL straight into the tables that faktura's migrations made.

`make bench-large` builds those of a million and ten million invoices once, in bench/large/. They hold what reading and issuing
need to be right: documents with lines and VAT, numbers, places in the list and rendered forms, counters, series and ends, each
as the product writes it (`check` compares). They lack journal entries of those documents, which `faktura verify` would say.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.retail import LIMIT
from bench.searchable import SEARCHABLE, build_searchable
from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.config import DatabaseUrl, Settings
from faktura.domain.draft import parse_draft
from faktura.domain.invoice import Draft
from faktura.domain.party import Party
from faktura.domain.provider import Provider, hash_token
from faktura.ledger.accounts import add_account, add_provider, create_token
from faktura.ledger.listing_ports import ListingRow
from faktura.ledger.ports import Books
from faktura.ledger.standing import FIRST_ORDINAL, current_standing, render
from faktura.storage.migration import load_migrations

SIZES = (1_000_000, 10_000_000)
DIALECT = "vpsbg"
"""Whose page has 30 invoices, and which keeps no single forms: ten million documents are 12 GB, not 16."""
PAGE = 30

_FROM_S = int(datetime(2012, 1, 1, tzinfo=UTC).timestamp())
_STEP_S = 30
_BATCH = 1_000_000
_SELLER = Party(name="Hosting OOD", country="BG", vat_id="BG123456789")
_BUYER = Party(name="Primer EOOD", country="BG")

_EUROS = """CASE WHEN {0} % 100 = 0 THEN printf('%d', {0} / 100) WHEN {0} % 10 = 0 THEN printf('%d.%d', {0} / 100, {0} % 100 / 10)
    ELSE printf('%d.%02d', {0} / 100, {0} % 100) END"""
# What each number k makes. Amounts are in cents; the VAT of 20 % is rounded half up, as the product does.
_NUMBERS = f"""
WITH RECURSIVE n(k) AS (SELECT :low UNION ALL SELECT k + 1 FROM n WHERE k < :high),
dated AS (SELECT k, :base + k AS id, :from_s + k * :step_s AS at_s, 100 + k * 7919 % 100000 AS net FROM n),
taxed AS (SELECT k, id, at_s, net, (net * 20 + 50) / 100 AS vat, net + (net * 20 + 50) / 100 AS gross FROM dated),
made AS (SELECT *, {{number}} AS number, {{created_s}} AS created_s, {_EUROS.format("net")} AS net_euros, {_EUROS.format("gross")} AS euros FROM taxed)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a dialect numbers, dates and shows what is made, in SQL."""

    number: str
    created_s: str
    item: str
    single: str = "NULL"


_HEAD = """'{"id":' || k || ',"invoice_number":"' || number || '","created":"' || strftime('%Y-%m-%dT%H:%M:%S', created_s, 'unixepoch')
 || '+0000","amount_total":' || euros || ',"amount_payed":0,"amount_open":' || euros || ',"is_open":true,"is_payed":false'"""
_DETAILS = """',"tax":20,"details":[{"quantity":1,"unit_price":' || euros || ',"price":' || euros || ',"remark":"Server, one month"}],"payments":[]'"""
_LINKS = """',"_links":{"self":{"href":"/v1/invoices/' || k || '"}}}'"""
_VPSBG_ITEM = """'{"id":' || k || ',"invoice_number":"' || number || '","created_at":"' || strftime('%Y-%m-%dT%H:%M:%S', created_s, 'unixepoch')
 || '.000000Z","amount":' || net_euros || ',"amount_with_vat":' || euros || ',"type":"original","order_ids":[]}'"""
FORMS = {
    "checkdomain": Form(
        number="strftime('%Y', at_s, 'unixepoch') || printf('-%06d', k)",
        created_s="at_s",
        item=f"CAST({_HEAD} || {_LINKS} AS BLOB)",
        single=f"CAST({_HEAD} || {_DETAILS} || {_LINKS} AS BLOB)",
    ),
    "vpsbg": Form(number="printf('%010d', k)", created_s="at_s - at_s % 86400", item=f"CAST({_VPSBG_ITEM} AS BLOB)"),
}
_INSERTS = (
    """INSERT INTO invoice (account_id, invoice_id, wire_id, origin, type_code, series, series_sequence, number, created_at_us, issue_date, currency,
      price_basis, seller, buyer, line_total_minor, allowance_total_minor, charge_total_minor, total_without_vat_minor, vat_total_minor,
      total_with_vat_minor, line_count, breakdown_count, order_ids, tax_country, recorded_at_us)
    SELECT :account_id, id, k, 'issued', 380, 'invoice', k, number, created_s * 1000000, date(at_s, 'unixepoch'), 'EUR',
      'net', :seller, :buyer, net, 0, 0, net, vat, gross, 1, 1, '[]', 'BG', at_s * 1000000 FROM made""",
    """INSERT INTO invoice_line (account_id, invoice_id, line_number, name, quantity, unit_code, unit_price, line_total_minor, net_amount_minor, vat_category,
      vat_rate)
    SELECT :account_id, id, 1, 'Server, one month', '1', 'C62', net_euros, net, net, 'S', '20' FROM made""",
    """INSERT INTO vat_breakdown (account_id, invoice_id, position, category, rate, taxable_amount_minor, tax_amount_minor)
    SELECT :account_id, id, 1, 'S', '20', net, vat FROM made""",
    "INSERT INTO issued_number (provider_id, series, number) SELECT :provider_id, 'invoice', number FROM made",
    """INSERT INTO listing (account_id, invoice_id, ordinal, created_at_us, wire_id, number_folded, paid_minor, due_minor, dialect_version, item, single)
    SELECT :account_id, id, :ordinal + k - 1, created_s * 1000000, k, number, 0, gross, :version, {item}, {single} FROM made""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Large:
    """A large ledger: its file, and the token and size of its one large account."""

    path: Path
    token: str
    invoices: int
    issuing_account_id: int
    """Another account, for issuing."""
    dialect: str
    schema: int

    @property
    def environment(self) -> dict[str, str]:
        """What tells a faktura of its own which ledger that is."""
        return {"FAKTURA_DATABASE": f"sqlite:///{self.path}"}

    @property
    def draft(self) -> Draft:
        """A document that its provider may issue."""
        line = {"name": "Server, one month", "quantity": 1, "unit_price": "10.08", "vat_rate": 20}
        return parse_draft({"lines": [line]}, currency=DIALECTS[self.dialect].defaults.currency, buyer=_BUYER)

    @contextmanager
    def books(self) -> Iterator[Books]:
        """The ledger, opened in this process."""
        with open_books(Settings(database=DatabaseUrl(path=str(self.path)))) as books:
            yield books


def find(folder: Path, invoices: int, dialect: str = DIALECT) -> Large | None:
    """The ledger of that size, if it was built, and for this schema."""
    try:
        said = json.loads(_told_in(folder, invoices, dialect).read_text(encoding="utf-8"))
    except OSError:
        return None
    found = Large(**said | {"path": _path_in(folder, invoices, dialect)})
    return found if found.schema == load_migrations()[-1].version and found.path.exists() else None


def build(folder: Path, invoices: int, dialect: str = DIALECT) -> Large:
    """Build the ledger of that size in a folder, in place of one that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = _path_in(folder, invoices, dialect)
    _told_in(folder, invoices, dialect).unlink(missing_ok=True)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with open_books(Settings(database=DatabaseUrl(path=str(path))), create=True) as books:
        currency = DIALECTS[dialect].defaults.currency
        provider = Provider(id=0, name=dialect, dialect=dialect, zone="UTC", currency=currency, seller=_SELLER, rate_limit=LIMIT)
        provider = add_provider(books, provider=provider, series=default_series(DIALECTS[dialect]))
        large, small = (add_account(books, provider=dialect, reference=name, buyer=_BUYER) for name in ("large", "issuing"))
        token = create_token(books, provider=dialect, reference="large")[0]
    fill(path, provider=provider, account_id=large.id, invoices=invoices)
    told: dict[str, Any] = {"token": token, "invoices": invoices, "issuing_account_id": small.id, "dialect": dialect, "schema": load_migrations()[-1].version}
    made = Large(**told, path=path)
    check(made)
    _told_in(folder, invoices, dialect).write_text(json.dumps(told) + "\n", encoding="utf-8")
    return made


def fill(path: Path, *, provider: Provider, account_id: int, invoices: int) -> None:
    """Write so many documents into an account that has none. A ledger that is broken off is of no use: nothing is synced before the end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000", "temp_store = FILE", "threads = 2"):
            connection.execute(f"PRAGMA {pragma}")
        indexes = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        given = {
            "provider_id": provider.id,
            "account_id": account_id,
            "base": connection.execute("SELECT next_id - 1 FROM counter WHERE provider_id = ?", (provider.id,)).fetchone()[0],
            "from_s": _FROM_S,
            "step_s": _STEP_S,
            "seller": json.dumps(_SELLER.to_mapping(), ensure_ascii=False),
            "buyer": json.dumps(_BUYER.to_mapping(), ensure_ascii=False),
            "ordinal": FIRST_ORDINAL,
            "version": DIALECTS[provider.dialect].version,
        }
        for insert in _INSERTS:
            for low in range(1, invoices + 1, _BATCH):
                connection.execute(_with_numbers(insert, FORMS[provider.dialect]), given | {"low": low, "high": min(low + _BATCH - 1, invoices)})
        for _, sql in indexes:
            connection.execute(sql)
        last_date = datetime.fromtimestamp(_FROM_S + invoices * _STEP_S, UTC).date().isoformat()
        connection.execute("UPDATE counter SET next_id = next_id + ?, next_wire_id = ? WHERE provider_id = ?", (invoices, invoices + 1, provider.id))
        connection.execute(
            "UPDATE series SET next_number = ?, last_date = ? WHERE provider_id = ? AND name = 'invoice'", (invoices + 1, last_date, provider.id)
        )
        ends = (FIRST_ORDINAL, FIRST_ORDINAL + invoices - 1, account_id)
        connection.execute("UPDATE account SET first_ordinal = ?, last_ordinal = ?, revision = revision + 1 WHERE account_id = ?", ends)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def check(large: Large) -> None:
    """ValueError where the total or a page is wrong, or a document is not what the product would write and render."""
    now_us, token_hash = time.time_ns() // 1000, hash_token(large.token)
    if token_hash is None:
        raise AssertionError("a generated token hashes")
    with large.books() as books:
        for skip in (0, large.invoices // 2, (large.invoices - 1) // PAGE * PAGE):
            served = books.storage.serving().serving.page(token_hash, now_us=now_us, skip=skip, size=PAGE)
            expected = list(range(large.invoices - skip, max(0, large.invoices - skip - PAGE), -1))
            if served is None or served.total != large.invoices or [json.loads(row[1])["id"] for row in served.rows] != expected:
                message = f"{large.path}: wrong total or page after {skip} documents"
                raise ValueError(message)
            for _, item, invoice_id in served.rows:
                _check_document(large, books, served.account_id, invoice_id, item)


def _check_document(large: Large, books: Books, account_id: int, invoice_id: int, item: bytes) -> None:
    with books.storage.reading() as tx:
        provider, invoice = tx.providers.find(large.dialect), tx.invoices.get(account_id, invoice_id)
        if provider is None or invoice is None or not tx.audit.is_canonical(account_id, invoice_id):
            message = f"{large.path}: document {invoice_id} is not as the product writes it"
            raise ValueError(message)
        rendered = render(DIALECTS[large.dialect], invoice, current_standing(tx, invoice, provider), provider)
    with closing(sqlite3.connect(large.path)) as connection:
        columns = ", ".join(ListingRow.__slots__)
        row = connection.execute(f"SELECT {columns} FROM listing WHERE account_id = ? AND invoice_id = ?", (account_id, invoice_id)).fetchone()
    stored = ListingRow(**dict(zip(ListingRow.__slots__, row, strict=True)))
    if replace(stored, ordinal=None) != rendered or stored.item != item:
        message = f"{large.path}: {stored} should be {rendered}"
        raise ValueError(message)


def _with_numbers(insert: str, form: Form) -> str:
    """The insert in a dialect's form, with the numbers before its SELECT."""
    head, found, select = insert.partition("SELECT")
    numbers = _NUMBERS.replace("{number}", form.number).replace("{created_s}", form.created_s)
    return head + numbers + found + select.replace("{item}", form.item).replace("{single}", form.single)


def _path_in(folder: Path, invoices: int, dialect: str) -> Path:
    return folder / f"{dialect}-{invoices}.db"


def _told_in(folder: Path, invoices: int, dialect: str) -> Path:
    return folder / f"{dialect}-{invoices}.json"


def main() -> None:
    """Build what is not there yet."""
    from bench.__main__ import KEPT  # noqa: PLC0415 - which runs rows that use this module

    for invoices in SIZES:
        began, found = time.monotonic(), find(KEPT, invoices)
        made = found or build(KEPT, invoices)
        verb = "is there" if found else f"built in {time.monotonic() - began:,.0f} s"
        print(f"{made.path.name}: {made.path.stat().st_size / 1e9:.2f} GB, {verb}", flush=True)
    began = time.monotonic()
    searchable = KEPT / f"searchable-{SEARCHABLE}.db"
    build_searchable(searchable)
    print(f"{searchable.name}: {searchable.stat().st_size / 1e9:.2f} GB, {time.monotonic() - began:,.0f} s", flush=True)


if __name__ == "__main__":
    main()
