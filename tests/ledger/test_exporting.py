"""What accountants take along: which documents, and sums that never add two currencies or take the unknown for nothing."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.database import below, sqlite_only, unguard

from faktura.bootstrap.export_files import Form, Shape
from faktura.bootstrap.exports import export_file
from faktura.config import DatabaseUrl
from faktura.domain.draft import parse_draft
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.payment import Standing
from faktura.domain.recorded import Heard, SourceKind
from faktura.domain.state import State
from faktura.ledger.commands import credit, issue
from faktura.ledger.exporting import AMOUNTS, LeftOut, SumField, Wanted, chosen_documents, sum_documents
from faktura.ledger.importing import record
from faktura.ledger.listing_query import DocumentFilter, list_invoices
from faktura.ledger.payments import pay
from faktura.ledger.queries import get_invoice
from faktura.storage.document_rows import INVOICE_COLUMNS

EUR = Currency("EUR")
ISSUED = date(2024, 7, 2)


def heard(number: int, type_code: TypeCode | None, **terms: Any) -> Heard:
    """A document as a source gave it; what it does not say is unknown."""
    due, paid = terms.pop("due_minor", None), terms.pop("paid_minor", None)
    invoice = Invoice(
        id=0,
        account_id=0,
        wire_id=number,
        source_wire_id=number,
        origin=Origin.RECORDED,
        type_code=type_code,
        number=terms.pop("number", f"R{number}"),
        created_at_us=1_719_900_000_000_000 + number,
        issue_date=terms.pop("issue_date", ISSUED),
        currency=terms.pop("currency", EUR),
        recorded_at_us=0,
        **terms,
    )
    return Heard(invoice=invoice, standing=Standing(paid_minor=paid, due_minor=due), kind=SourceKind.LIST, body=str(number).encode(), seen_at_us=1)


@pytest.fixture
def shop(ledger: Any) -> Any:
    """Issued and recorded documents of two providers in three currencies, some amounts unknown, and a test provider's."""
    for name, settings in (("vpsbg", {}), ("checkdomain", {}), ("trial", {"is_test": True})):
        ledger.provider("vpsbg" if name == "trial" else name, name=name, **settings)
    ledger.one, ledger.two, ledger.other, ledger.trial = (
        ledger.account("vpsbg"), ledger.account("vpsbg", "two"), ledger.account("checkdomain"), ledger.account("trial"),
    )  # fmt: skip

    def issued(account: Any, **terms: Any) -> Invoice:
        draft = parse_draft({"lines": [{"name": "VPS", "unit_price": "100", "vat_rate": 20}]} | terms, currency=EUR, buyer=Party(name="B", country="BG"))
        return issue(ledger.books, account_id=account.id, draft=draft)

    first = issued(ledger.one)
    pay(ledger.books, account_id=ledger.one.id, amount_minor=5_000, currency=EUR, invoice_ids=[first.id])
    credit(ledger.books, account_id=ledger.two.id, invoice_id=issued(ledger.two).id)
    issued(ledger.other, currency="BGN")
    issued(ledger.one, type_code=325, order_ids=[7])
    issued(ledger.trial)
    known = {"total_without_vat_minor": 100, "vat_total_minor": 20, "total_with_vat_minor": 120}
    documents = [
        heard(900, TypeCode.INVOICE),
        heard(901, TypeCode.INVOICE, **known),
        heard(902, TypeCode.CREDIT_NOTE, **known, paid_minor=0, due_minor=120),
        heard(903, None, **known, source_type="mystery", paid_minor=0, due_minor=120),
        heard(904, TypeCode.INVOICE, **known, currency=Currency("JPY"), paid_minor=0, due_minor=120, issue_date=date(2024, 6, 30)),
    ]
    assert len(list(record(ledger.books, provider="vpsbg", documents=[("two", document) for document in documents]))) == 5
    return ledger


@pytest.mark.parametrize("by", [[field] for field in SumField] + [[SumField.ACCOUNT, SumField.MONTH, SumField.STATE], [SumField.CURRENCY, SumField.TYPE]])
def test_sums_are_what_a_walk_through_all_documents_adds_up(shop: Any, by: list[SumField]) -> None:
    """Each group has its documents' known amounts, credit notes negative, and beside each how many are unknown."""
    expected: dict[Any, list[Any]] = defaultdict(lambda: [0, [0] * 5, [0] * 5])
    sums = sum_documents(shop.books, Wanted(), by=by, left_out=LeftOut())
    for head in list_invoices(shop.books):
        invoice, standing = head.invoice, head.standing
        if head.provider == "trial" or invoice.type_code == TypeCode.PRO_FORMA:
            continue
        names = {
            "provider": head.provider,
            "account": head.account,
            "month": str(invoice.issue_date)[:7],
            "state": head.state and head.state.value,
            "type": {380: "invoice", 381: "credit note", 383: "debit note", None: "mystery (unknown)"}[invoice.type_code],
        }
        group = expected[tuple(names[column.value] for column in sums.columns), invoice.currency.code]
        group[0] += 1
        given = [invoice.total_without_vat_minor, invoice.vat_total_minor, invoice.total_with_vat_minor, standing.paid_minor, standing.due_minor]
        for place, value in enumerate(given):
            if value is None or invoice.type_code is None:
                group[2][place] += 1
            else:
                group[1][place] += -value if invoice.type_code is TypeCode.CREDIT_NOTE else value
    found = {
        (group.key, group.currency.code): [group.count, [item.known_minor for item in group.amounts], [item.unknown_count for item in group.amounts]]
        for group in sums.groups()
    }
    assert found == expected
    assert len(AMOUNTS) == 5


def test_unknown_is_not_zero(shop: Any) -> None:
    """An invoice whose source named no amount is counted, and counted as unknown; so is what a document of an unknown type adds."""
    (group,) = sum_documents(shop.books, Wanted(provider="vpsbg", filters=DocumentFilter(number="R900")), by=[], left_out=LeftOut()).groups()
    assert (group.count, [(item.known_minor, item.unknown_count) for item in group.amounts]) == (1, [(0, 1)] * 5)
    (group,) = sum_documents(shop.books, Wanted(filters=DocumentFilter(number="R903")), by=[], left_out=LeftOut()).groups()
    assert [(item.known_minor, item.unknown_count) for item in group.amounts] == [(0, 1)] * 5


def test_pro_formas_and_trials_are_there_by_name_only(shop: Any) -> None:
    """A pro-forma is no invoice, and a test provider's documents are none either, until somebody names them; how many is told."""
    left_out = LeftOut()
    with closing(chosen_documents(shop.books, Wanted(), left_out=left_out)) as found:
        heads = list(found)
    assert (left_out.pro_formas, left_out.of_test_providers, len(heads)) == (1, 1, 9)
    asked = Wanted(filters=DocumentFilter(type_codes=(TypeCode.PRO_FORMA,)))
    with closing(chosen_documents(shop.books, asked, left_out=LeftOut())) as found:
        assert [head.invoice.type_code for head in found] == [TypeCode.PRO_FORMA]
    with closing(chosen_documents(shop.books, Wanted(provider="trial"), left_out=LeftOut())) as found:
        assert [head.provider for head in found] == ["trial"]


def test_a_currency_is_chosen(shop: Any) -> None:
    """A list of one currency has all documents in it, and no other."""
    for code in ("EUR", "BGN", "JPY", "USD"):
        found = {head.invoice.id for head in list_invoices(shop.books, filters=DocumentFilter(currency=Currency(code)))}
        assert found == {head.invoice.id for head in list_invoices(shop.books) if head.invoice.currency.code == code}
    mixed = DocumentFilter(currency=EUR, state=State.PARTLY_PAID, type_codes=(TypeCode.INVOICE,), issued_from=date(2024, 8, 1))
    assert [head.invoice.number for head in list_invoices(shop.books, filters=mixed)] == ["0000000001"]


def test_whole_documents_are_as_each_on_its_own(shop: Any) -> None:
    """A document of a long list has the lines, groups, payments and state that `get_invoice` shows."""
    assert len(list(list_invoices(shop.books, is_whole=True, limit=2))) == 2
    for head in list_invoices(shop.books, is_whole=True):
        alone = get_invoice(shop.books, invoice_id=head.invoice.id)
        assert (head.invoice, head.standing, head.state) == (alone.invoice, alone.standing, alone.state)


@sqlite_only
def test_memory_does_not_grow_with_the_ledger(shop: Any, tmp_path: Path) -> None:
    """Eight times the documents need no more memory, for sums and for every kind of file but a little for what they hold meanwhile."""
    _multiply(shop, 400, start=0)
    small = _peaks(shop, tmp_path)
    _multiply(shop, 2_800, start=400)
    for name, peak in _peaks(shop, tmp_path).items():
        assert peak < small[name] + 300_000, name


def _peaks(shop: Any, tmp_path: Path) -> dict[str, int]:
    """The most memory that Python held for each way to use the documents."""
    wanted = Wanted(sort=None)
    uses: dict[str, Any] = {"sums": lambda: sum_documents(shop.books, wanted, by=list(SumField), left_out=LeftOut())}
    for shape in (Shape(form=Form.CSV), Shape(form=Form.JSONL), Shape(form=Form.XLSX, lines=True)):
        uses[shape.form] = lambda shape=shape: export_file(shop.books, wanted, shape, tmp_path / "file", database=DatabaseUrl(path="other"))
    found = {}
    for name, use in uses.items():
        tracemalloc.start()
        use()
        found[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found


def _multiply(shop: Any, count: int, *, start: int) -> None:
    """Copy the first invoice so many times, past the ledger."""
    unguard(shop.books)
    own = {"invoice_id": "i.invoice_id + 1000 + n", "wire_id": "i.wire_id + 1000 + n", "number": "i.number || '-' || n", "series_sequence": "NULL"}
    columns = ", ".join(own.get(name, f"i.{name}") for name in INVOICE_COLUMNS)
    with below(shop.books) as run:
        (first,) = run("SELECT account_id, invoice_id FROM invoice WHERE number = '0000000001' AND account_id = ?", [shop.one.id])
        numbers = f"(WITH RECURSIVE c(n) AS (SELECT {start} UNION ALL SELECT n + 1 FROM c WHERE n < {start + count - 1}) SELECT n FROM c)"
        where = f"i, {numbers} WHERE account_id = {first['account_id']} AND invoice_id = {first['invoice_id']}"
        run(f"INSERT INTO invoice ({', '.join(INVOICE_COLUMNS)}) SELECT {columns} FROM invoice {where}")
        for table in ("invoice_line", "vat_breakdown", "listing"):
            names = [row["name"] for row in run(f"SELECT name FROM pragma_table_info('{table}')")]
            own = {"invoice_id": "invoice_id + 1000 + n", "wire_id": "wire_id + 1000 + n", "ordinal": "NULL"}
            run(f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(own.get(name, name) for name in names)} FROM {table} {where}")
