"""`faktura verify` finds whatever was changed behind the ledger's back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.database import database_at, execute, is_forbidden, past_the_walls, unguard

from faktura.bootstrap.books import DIALECTS, default_series, open_books
from faktura.bootstrap.demo import fill_demo
from faktura.config import Settings
from faktura.dialects.base import encoder
from faktura.domain.draft import parse_draft
from faktura.domain.invoice import Draft
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.ledger.accounts import IDS_PER_PROVIDER, add_provider, find_account, find_provider, set_series
from faktura.ledger.billing import BillingItem, run_billing
from faktura.ledger.commands import credit, issue
from faktura.ledger.exactly_once import joined
from faktura.ledger.handing_out import hand_out
from faktura.ledger.history import PastLine
from faktura.ledger.importing import record
from faktura.ledger.moving_in import write_batch
from faktura.ledger.payments import allocate_credit, pay
from faktura.ledger.periods import lock_period
from faktura.ledger.ports import Books
from faktura.ledger.pro_forma import invoice_pro_forma
from faktura.ledger.refunds import refund, reverse_payment
from faktura.ledger.vat_checks import record_vat_check
from faktura.ledger.verification import _verify_series, verify

EUR = Currency("EUR")
BUYER: dict[str, Any] = {"currency": EUR, "buyer": Party(name="B", country="BG")}
TABLES = (
    "invoice invoice_line allowance_charge vat_breakdown payment allocation refund reversal source observation enrichment conflict journal listing "
    "billing_item issued_number vat_id_check period_lock moved_in series_jump document_file"
).split()


def hear(books: Books, **changes: Any) -> None:
    """A further word of the demo's checkdomain source about its invoice 2."""
    item = {"id": 2, "invoice_number": "2222-200002", "created": "2017-10-09T08:32:46+0100", "amount_total": Decimal("24.68")} | changes
    with books.storage.reading() as tx:
        provider = find_provider(tx, "checkdomain")
    heard = DIALECTS["checkdomain"].parse_answer(encoder.encode(item), provider=provider).documents
    list(record(books, provider="checkdomain", documents=[("demo", document) for document in heard]))


def move_in(books: Books) -> None:
    """History of a provider of its own: with a gap, a falling date, a payment and a credit note; then a document issued here."""
    with books.storage.reading() as tx:
        provider = find_provider(tx, "vpsbg")
    add_provider(books, provider=replace(provider, name="past", hosts=()), series=default_series(DIALECTS["vpsbg"]))
    base: dict[str, Any] = {"account": "a", "buyer": {"name": "B", "country": "BG"}, "lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]}
    said: list[dict[str, Any]] = [
        {"number": "0000000005", "issue_date": "2023-05-05", "payments": [{"amount": "7", "reference": "x"}]},
        {"number": "0000000007", "issue_date": "2023-05-04"},
        {"number": "0000000011", "issue_date": "2023-06-04", "type_code": 381, "preceding_invoice": "0000000005"},
    ]
    lines = [PastLine(source=0, position=position, data=base | item) for position, item in enumerate(said)]
    assert {report.outcome for report in write_batch(books, provider="past", lines=lines, create_accounts=True)} == {"moved-in"}
    with books.storage.reading() as tx:
        account = find_account(tx, find_provider(tx, "past"), "a")
    issue(books, account_id=account.id, draft=parse_draft({"lines": base["lines"]}, currency=EUR, buyer=account.buyer))


def move_money(books: Books, account_id: int) -> None:
    """Money that goes back and forth: a prepaid pro-forma and its invoice, a refund of each kind, a reversal, credit that settles something else."""
    terms: dict[str, Any] = {"account_id": account_id, "currency": EUR}
    document = {"type_code": 325, "lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}], "order_ids": [77]}
    pro_formas = [issue(books, account_id=account_id, draft=parse_draft(document | {"order_ids": [order]}, **BUYER)) for order in (77, 78)]
    prepaid = [pay(books, amount_minor=1100, invoice_ids=[found.id], reference="PRE", is_repeated=True, **terms).payment for found in pro_formas]
    invoice = invoice_pro_forma(books, account_id=account_id, pro_forma_id=pro_formas[0].id)
    bounced = pay(books, amount_minor=50, shares_minor={invoice.id: 30}, **terms).payment
    reverse_payment(books, account_id=account_id, payment_id=bounced.id, reason="no funds")
    refund(books, account_id=account_id, payment_id=prepaid[1].id, amount_minor=100, reference="BACK")
    note = credit(books, account_id=account_id, invoice_id=invoice.id)
    refund(books, account_id=account_id, credit_note_id=note.id, amount_minor=200)
    other = issue(books, account_id=account_id, draft=parse_draft(document | {"type_code": 380}, **BUYER))
    allocate_credit(books, account_id=account_id, credit_note_id=note.id, invoice_ids=[other.id])


@pytest.fixture(scope="module")
def books(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """The demo, and one of everything else: allowances, a partial credit note, part payments, an enrichment, a conflict."""
    folder: Path = tmp_path_factory.mktemp("verify")
    with open_books(Settings(database=database_at(str(folder / "ledger.db"))), create=True) as opened:
        fill_demo(opened)
        with opened.storage.reading() as tx:
            account = find_account(tx, find_provider(tx, "vpsbg"), "demo")
        line = {"name": "VPS", "quantity": "3", "unit_price": "10.005", "vat_rate": 20, "item_id": "A1", "order_id": 9}
        line |= {"period": {"start": "2024-01-01", "end": "2024-01-31"}, "allowances_charges": [{"amount": "1", "reason": "loyal"}]}
        free = {"name": "Export", "unit_price": "5", "vat_rate": 0, "vat_category": "G"}
        document = {"lines": [line, free], "exemption_reasons": {"G": "Export outside the EU"}, "order_ids": [9], "note": "Thanks", "payment_terms": "30 days"}
        document |= {"allowances_charges": [{"charge": True, "amount": "2", "reason": "setup", "vat_rate": 20}]}
        document |= {
            "due_date": "2027-01-01",
            "tax_point_date": "2024-01-31",
            "override_reason": "goods beside",
            "period": {"start": "2024-01-01", "end": "2024-01-31"},
        }
        draft = parse_draft(document, currency=EUR, buyer=Party(name="B", country="BG"))
        invoice = issue(opened, account_id=account.id, draft=draft)
        pay(opened, account_id=account.id, amount_minor=1000, currency=EUR, invoice_ids=[invoice.id], reference="SEPA")
        credit(opened, account_id=account.id, invoice_id=invoice.id, quantities={1: Decimal(1)}, note="less")
        move_money(opened, account.id)
        hear(opened, amount_total=Decimal("24.69"), tax=7, invoice_number="other")
        items = [BillingItem(position=1, data={"account": "demo", "period": "2026-10", "product": "VPS", "lines": [{"name": "VPS", "unit_price": "1"}]})]
        assert [report.outcome for report in run_billing(opened, provider="vpsbg", read=lambda: items)] == ["issued"]
        move_in(opened)
        record_vat_check(opened, account_id=account.id, vat_id="BG175074752", is_valid=True, consultation="WAPI1", name="B", address="Sofia")
        for form in ("ubl.xml", "pdf.de"):
            hand_out(opened, account_id=account.id, invoice_id=invoice.id, form=form, make=lambda: b"<Invoice/>")
        lock_period(opened, provider="vpsbg", through=date(2024, 1, 31))
        lock_period(opened, provider="vpsbg", through=date(2024, 2, 29))
        with opened.storage.reading() as tx:
            following = {series.name: series.next_number + 10 for series in tx.series.all(invoice.id // IDS_PER_PROVIDER)}
        set_series(opened, provider="vpsbg", name="invoice", next_number=following["invoice"])
        issue(opened, account_id=account.id, draft=draft_of_one_line())
        set_series(opened, provider="vpsbg", name="invoice", next_number=following["invoice"] + 5)
        unguard(opened)
        yield opened


def draft_of_one_line() -> Draft:
    """An invoice over ten."""
    return parse_draft({"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]}, **BUYER)


def rows(books: Books, table: str) -> list[dict[str, Any]]:
    """Some rows of a table: the first, the last, and one from the middle."""
    found = execute(books, f"SELECT * FROM {table} ORDER BY 1, 2, 3")
    places = {0, len(found) - 1, len(found) // 2}
    return [found[place] for place in sorted(places)]


def where(row: dict[str, Any]) -> tuple[str, list[object]]:
    """What finds a row by all its values."""
    return " AND ".join(f"{column} IS NOT DISTINCT FROM ?" for column in row), list(row.values())


def change(books: Books, table: str, row: dict[str, Any], column: str, value: object) -> dict[str, Any]:
    """Write a value past the ledger; the row as it is then."""
    condition, values = where(row)
    (changed,) = execute(books, f"UPDATE {table} SET {column} = ? WHERE {condition} RETURNING *", [value, *values])
    return changed


def others(value: object) -> list[object]:
    """Values that differ as little as can be."""
    if value is None:
        return [1]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, bytes):
        return [bytes([value[0] ^ 1]) + value[1:], value[:-1]]
    text = str(value)
    return [text + "0", text[:-1] + chr(ord(text[-1]) ^ 1)] if text else ["0"]


def test_the_untouched_ledger_is_whole(books: Books) -> None:
    """Nothing is found where nothing was changed."""
    assert list(verify(books)) == []


@pytest.mark.parametrize("table", TABLES)
def test_every_changed_value_is_found(books: Books, engine: str, table: str) -> None:
    """Whatever column of whatever fact, standing or journal row is changed by as little as a bit: it is found. A server is asked of one change in four values."""
    missed, tried = [], 0
    kept = rows(books, table)
    for turn, row in enumerate(kept):
        for place, (column, value) in enumerate(row.items()):
            if engine != "sqlite" and (place + turn) % min(len(kept), 4):
                continue
            found = others(value)
            for other in found if engine == "sqlite" else [found[place % len(found)]]:
                try:
                    changed = change(books, table, row, column, other)
                except Exception as error:  # noqa: BLE001 - a constraint already forbids this change
                    assert is_forbidden(error)  # noqa: PT017
                    continue
                tried += 1
                try:
                    if next(verify(books), None) is None:
                        missed.append((column, value, other))
                finally:
                    change(books, table, changed, column, value)
    assert missed == []
    assert tried >= 3
    assert list(verify(books)) == []


@pytest.mark.parametrize("table", TABLES)
def test_every_deleted_row_is_found(books: Books, table: str) -> None:
    """A fact, standing or journal row that is gone is missed."""
    for row in rows(books, table):
        condition, values = where(row)
        execute(books, f"DELETE FROM {table} WHERE {condition}", values)
        assert next(verify(books), None) is not None
        execute(books, f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", values)
    assert list(verify(books)) == []


FOREIGN = {
    "a provider that is gone": "DELETE FROM provider WHERE name = 'past'",
    "an account of no provider": "UPDATE account SET provider_id = 99 WHERE reference = 'a'",
    "a provider's counters": "DELETE FROM counter WHERE provider_id = 1",
    "ids that come twice": "UPDATE counter SET next_id = next_id - 2 WHERE provider_id = 1",
    "wire ids that come twice": "UPDATE counter SET next_wire_id = next_wire_id - 1 WHERE provider_id = 1",
    "a jump that nobody made": "INSERT INTO series_jump SELECT 1, name, next_number, next_number + 5, 0 FROM series WHERE provider_id = 1 AND name = 'invoice'",
    "a number that no document bears": "INSERT INTO issued_number VALUES (1, 'invoice', '0000000099')",
    "a lock that nobody set": "INSERT INTO period_lock VALUES (1, 1, '2020-01-31', 'x', 0)",
    "a journal of nobody": "INSERT INTO journal SELECT 99, 1, recorded_at_us, actor, event, NULL, NULL, digest, chain FROM journal LIMIT 1",
    "a proof that nobody gave": "INSERT INTO vat_id_check SELECT account_id, 1, vat_id, 1, 0, NULL, NULL, NULL, 0 FROM vat_id_check LIMIT 1",
    "a further key of a document": "INSERT INTO billing_item SELECT account_id, 'x', product, invoice_id, recorded_at_us FROM billing_item LIMIT 1",
    "history that was issued here": "INSERT INTO moved_in SELECT account_id, invoice_id, NULL, 0, 0 FROM invoice WHERE type_code = 383 OR series = 'pro-forma' LIMIT 1",
    "a file that nobody was handed": "INSERT INTO document_file SELECT account_id, 1, invoice_id, 'cii.xml', sha256, release, body, 0 FROM document_file LIMIT 1",
    "money that nobody gave back": "INSERT INTO refund SELECT account_id, 1, payment_id, NULL, 1, paid_on, NULL, 0 FROM payment LIMIT 1",
    "lines of two documents exchanged": """UPDATE invoice_line SET name = (SELECT name FROM invoice_line other WHERE other.name <> invoice_line.name LIMIT 1)
        WHERE (invoice_id, line_number) = (
          SELECT invoice_id, line_number FROM invoice_line WHERE name <> (SELECT name FROM invoice_line ORDER BY invoice_id, line_number LIMIT 1)
          ORDER BY invoice_id, line_number LIMIT 1
        )""",
    "a series that counts on without a document": "UPDATE series SET next_number = next_number + 1 WHERE name = 'invoice' AND provider_id = 1",
}


@pytest.mark.parametrize("sql", FOREIGN.values(), ids=FOREIGN)
def test_every_foreign_row_is_found(books: Books, sql: str) -> None:
    """What was put in, or taken with all that hangs on it, behind the ledger's back."""
    with past_the_walls(books) as (tx, connection):
        assert connection.execute(sql).rowcount == 1
        found = list(verify(joined(books, tx)))
    assert found != []


def test_money_that_is_used_twice_is_named(books: Books) -> None:
    """A payment used beyond its amount, one both refunded and reversed, a credit note given back beyond its total: each in its own words."""
    by_payment, by_note = sorted(rows(books, "refund"), key=lambda row: row["payment_id"] is None)
    (reversal,) = rows(books, "reversal")
    for table, row, column, value, words in (
        ("refund", by_payment, "amount_minor", 99_999, "more is allocated and refunded than was paid"),
        ("reversal", reversal, "payment_id", by_payment["payment_id"], "it was refunded, and reversed too"),
        ("refund", by_note, "amount_minor", 99_999, "more is settled than the document's total"),
    ):
        changed = change(books, table, row, column, value)
        try:
            assert any(words in str(found) for found in verify(books)), words
        finally:
            change(books, table, changed, column, row[column])
    assert list(verify(books)) == []


def test_a_gap_in_the_numbers_is_found(books: Books) -> None:
    """A counter moved without a word leaves a gap that verify names."""
    execute(books, "UPDATE series SET next_number = next_number + 1 WHERE name = 'invoice'")
    found = next(verify(books), None)
    assert found is not None
    assert "follows from its documents" in str(found)
    execute(books, "UPDATE series SET next_number = next_number - 1 WHERE name = 'invoice'")


def test_a_gap_is_no_licence(books: Books) -> None:
    """Where history lacks numbers nothing else may be missing, no document of our own may stand there, and none of history passes for one of ours."""

    def found_after(*changes: str) -> list[str]:
        with past_the_walls(books) as (tx, connection):
            for sql in changes:
                connection.execute(sql)
            return [str(finding) for finding in _verify_series(tx, *_past_series(tx))]

    past = "series = 'invoice' AND account_id = (SELECT account_id FROM account WHERE reference = 'a')"
    assert found_after() == []
    assert found_after(f"UPDATE invoice SET series_sequence = 4 WHERE series_sequence = 5 AND {past}")
    assert found_after("UPDATE moved_in SET missing_from = 9 WHERE missing_from = 8")
    assert found_after("UPDATE moved_in SET missing_from = NULL WHERE missing_from = 6")
    assert found_after("DELETE FROM moved_in WHERE missing_from = 8")
    assert found_after(f"UPDATE invoice SET series_sequence = 8 WHERE series_sequence = 12 AND {past}")
    assert found_after(f"UPDATE invoice SET issue_date = '2023-01-01' WHERE series_sequence = 12 AND {past}")
    assert found_after("INSERT INTO series_jump SELECT provider_id, 'invoice', 12, 13, 0 FROM provider WHERE name = 'past'")


def _past_series(tx: Any) -> tuple[Any, Any]:
    provider = find_provider(tx, "past")
    return provider, next(series for series in tx.series.all(provider.id) if series.name == "invoice")
