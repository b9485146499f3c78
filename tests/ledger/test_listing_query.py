"""Lists of documents: filtered, sorted, in pages that neither repeat nor miss, along indexes only."""

from __future__ import annotations

import base64
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.database import sqlite_only

from faktura.bootstrap.books import DIALECTS
from faktura.dialects.base import encoder
from faktura.domain.calendar import legal_date
from faktura.domain.draft import parse_draft
from faktura.domain.errors import InvalidDocumentError, NotFoundError
from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.moment import Moment
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Account
from faktura.domain.state import State
from faktura.ledger import listing_query
from faktura.ledger.commands import credit, issue
from faktura.ledger.cursor import decode_cursor, encode_cursor
from faktura.ledger.importing import record
from faktura.ledger.listing_query import DocumentFilter, DocumentHead, list_documents
from faktura.ledger.payments import pay
from faktura.ledger.selection import DocumentSort, Place, Selection
from faktura.storage.invoice_store import _selected
from faktura.storage.statement import load_statements

EUR = Currency("EUR")
ALL = DocumentFilter()
DAY_US = 86_400_000_000


def invoice(ledger: Any, account: Account, **terms: Any) -> Invoice:
    """An invoice of 120.00."""
    document = {"lines": [{"name": "VPS", "unit_price": "100", "vat_rate": 20}]} | terms
    return issue(ledger.books, account_id=account.id, draft=parse_draft(document, currency=EUR, buyer=Party(name="B", country="BG")))


@pytest.fixture
def shop(ledger: Any) -> Any:
    """A provider with two accounts, documents of every type and state, and one beside it with an account of its own."""
    provider = ledger.provider("vpsbg")
    ledger.provider("checkdomain")
    ledger.one, ledger.two, ledger.other = ledger.account("vpsbg"), ledger.account("vpsbg", "two"), ledger.account("checkdomain")
    documents = []
    for number in range(1, 13):
        ledger.clock.now_us += DAY_US // 2
        account = ledger.one if number % 3 else ledger.two
        soon = legal_date(ledger.clock.now_us, "Europe/Sofia") + timedelta(days=1)
        order = {"order_ids": [number]} if number % 2 else {"lines": [{"name": "VPS", "unit_price": "100", "vat_rate": 20, "order_id": number}]}
        documents.append(invoice(ledger, account, **order, **({"due_date": soon.isoformat()} if number % 4 == 0 else {})))
    for place, amount in ((0, 12_000), (1, 5_000), (3, 100)):
        pay(ledger.books, account_id=documents[place].account_id, amount_minor=amount, currency=EUR, invoice_ids=[documents[place].id])
    for place in (4, 5):
        credit(ledger.books, account_id=documents[place].account_id, invoice_id=documents[place].id)
    credit(ledger.books, account_id=documents[6].account_id, invoice_id=documents[6].id, quantities={1: Decimal("0.5")})
    invoice(ledger, ledger.one, type_code=325, order_ids=[77])
    found = {"id": 9, "invoice_number": "Ab-ß/9", "created_at": "2024-07-01T21:00:00.000000Z", "amount": 1, "amount_with_vat": 1.2, "type": "original"}
    body = encoder.encode({"data": [found | {"order_ids": [5, 901]}]})
    heard = DIALECTS["vpsbg"].parse_answer(body, provider=provider).documents
    list(record(ledger.books, provider="vpsbg", documents=[("two", document) for document in heard]))
    ledger.other_invoice = invoice(ledger, ledger.other)
    ledger.clock.now_us += 3 * DAY_US
    return ledger


def walk(ledger: Any, size: int, **asked: Any) -> list[DocumentHead]:
    """All pages of a list, as who follows cursors reads them."""
    found: list[DocumentHead] = []
    after = None
    for _ in range(1000):
        page = list_documents(ledger.books, provider="vpsbg", after=after, limit=size, **asked)
        assert len(page.items) <= size
        found += page.items
        if page.next_after is None:
            return found
        key = {
            "provider": "vpsbg",
            "filters": asked.get("filters", ALL),
            "sort": asked.get("sort", DocumentSort.NEWEST),
            "moment": asked.get("moment", Moment()),
        }
        after = decode_cursor(encode_cursor(page.next_after, **key), **key)
    raise AssertionError("the list has no end")


def key_of(sort: DocumentSort) -> Any:
    """What a sort compares."""
    return lambda item: (str(getattr(item.invoice, sort.term)) if sort.term != "id" else "", item.invoice.id)


@pytest.mark.parametrize("sort", DocumentSort)
@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_pages_make_the_sorted_list(shop: Any, sort: DocumentSort, size: int) -> None:
    """Pages of any size make up the list as a plain sort makes it, of the provider's documents only."""
    found = walk(shop, size, sort=sort)
    assert len(found) == 17
    assert [item.invoice.id for item in found] == [item.invoice.id for item in sorted(found, key=key_of(sort), reverse=sort.is_descending)]
    mine = walk(shop, size, sort=sort, filters=DocumentFilter(account_id=shop.two.id))
    assert [item.invoice.id for item in mine] == [item.invoice.id for item in found if item.account == "two"]


FILTERS: dict[str, tuple[DocumentFilter, Any]] = {
    "number": (DocumentFilter(number="aB-SS/9"), lambda item: item.invoice.number == "Ab-ß/9"),
    "no number": (DocumentFilter(number="Ab"), lambda _: False),
    "types": (DocumentFilter(type_codes=(TypeCode.CREDIT_NOTE, TypeCode.PRO_FORMA)), lambda item: item.invoice.type_code in {325, 381}),
    "from": (DocumentFilter(issued_from=date(2024, 8, 4)), lambda item: item.invoice.issue_date >= date(2024, 8, 4)),
    "to": (DocumentFilter(issued_to=date(2024, 8, 4)), lambda item: item.invoice.issue_date <= date(2024, 8, 4)),
    "order": (DocumentFilter(order_id=5), lambda item: 5 in (item.invoice.order_ids or ())),
    "order of a line": (DocumentFilter(order_id=6), lambda item: item.invoice.number in {"0000000006", "0000000014"}),
    "no order": (DocumentFilter(order_id=90), lambda _: False),
} | {state.value: (DocumentFilter(state=state), lambda item, state=state: item.state is state) for state in State}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("when", ["now", "then"])
def test_filters_choose_what_they_say(shop: Any, name: str, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter leaves exactly the documents that a look at each would leave, now and then, even where a page looks at three only."""
    filters, wanted = FILTERS[name]
    moment = Moment(as_of_us=shop.clock.now_us) if when == "then" else Moment()
    everything = walk(shop, 100, moment=moment)
    monkeypatch.setattr(listing_query, "EXAMINED_MAX", 3)
    for sort in (DocumentSort.NEWEST, DocumentSort.ISSUE_DATE):
        found = walk(shop, 2, filters=filters, moment=moment, sort=sort)
        expected = sorted(filter(wanted, everything), key=key_of(sort), reverse=sort.is_descending)
        assert [item.invoice.id for item in found] == [item.invoice.id for item in expected]
    assert found or name.startswith("no ")


def test_states_are_what_people_expect(shop: Any) -> None:
    """Paid, partly paid, overdue, credited and open documents of the fixture; what nobody said has no state."""
    states = {item.invoice.number: item.state for item in walk(shop, 100) if item.invoice.type_code == TypeCode.INVOICE}
    expected = ["paid", "partly-paid", "open", "overdue", "credited", "credited", "partly-paid", "overdue", "open", "open", "open", "overdue"]
    assert [states[f"{number:010d}"] for number in range(1, 13)] == expected
    assert states["Ab-ß/9"] is None
    assert {item.state for item in walk(shop, 100, filters=DocumentFilter(type_codes=(TypeCode.PRO_FORMA,)))} == {"open"}


def test_a_list_stays_stable_while_documents_are_issued(shop: Any) -> None:
    """What is issued between two pages neither shifts the next page nor shows twice."""
    before = [item.invoice.id for item in walk(shop, 100)]
    found, after = [], None
    while True:
        page = list_documents(shop.books, provider="vpsbg", after=after, limit=3)
        found += [item.invoice.id for item in page.items]
        invoice(shop, shop.one)
        after = page.next_after
        if after is None:
            break
    assert found == before


def test_another_accounts_documents_are_not_there(shop: Any) -> None:
    """Neither an account nor a cursor of another provider or account is known; whatever number a cursor carries, it is a fault."""
    with pytest.raises(NotFoundError):
        list_documents(shop.books, provider="vpsbg", filters=DocumentFilter(account_id=shop.other.id), limit=5)
    for after in (shop.other_invoice.id, 0, -1, 2**63 - 1, 2**64 - 1, 2**200, 19_999_999_999):
        with pytest.raises(InvalidDocumentError, match="cursor"):
            list_documents(shop.books, provider="vpsbg", after=after, limit=5)
    theirs = list_documents(shop.books, provider="vpsbg", filters=DocumentFilter(account_id=shop.two.id), limit=1).next_after
    with pytest.raises(InvalidDocumentError, match="cursor"):
        list_documents(shop.books, provider="vpsbg", filters=DocumentFilter(account_id=shop.one.id), after=theirs, limit=1)


def test_a_cursor_belongs_to_its_list() -> None:
    """A cursor comes back as it went, and is refused by a list of another provider, filter, order or moment."""
    own: dict[str, Any] = {"provider": "p", "filters": ALL, "sort": DocumentSort.NEWEST, "moment": Moment()}
    text = encode_cursor(10_000_000_007, **own)
    assert decode_cursor(text, **own) == 10_000_000_007
    others: list[dict[str, Any]] = [{"provider": "q"}, {"sort": DocumentSort.ID}, {"moment": Moment(as_of_us=1)}, {"moment": Moment(on=date(2024, 1, 1))}]
    others += [{"filters": filters} for filters, _ in FILTERS.values()]
    for other in others:
        with pytest.raises(InvalidDocumentError, match="another"):
            decode_cursor(text, **(own | other))


@given(text=st.one_of(st.text(max_size=60), st.binary(min_size=16, max_size=16).map(lambda body: base64.urlsafe_b64encode(body).decode().rstrip("="))))
def test_whatever_is_no_cursor_is_a_fault(text: str) -> None:
    """Any text, and any sixteen bytes, are refused in an orderly way."""
    with pytest.raises(InvalidDocumentError, match="cursor"):
        decode_cursor(text, provider="p", filters=ALL, sort=DocumentSort.NEWEST, moment=Moment())


PLACE = Place(invoice_id=10_000_000_005, account_id=1, issue_date="2024-01-01", number="1")
WHOSE: list[dict[str, Any]] = [{"provider_id": 1}, {"provider_id": 1, "account_id": 10_000_000_001}]
ASKED: list[dict[str, Any]] = [
    {},
    {"after": PLACE},
    {"issued_from": date(2024, 1, 1), "issued_to": date(2024, 2, 1), "after": PLACE},
    {"type_codes": (TypeCode.INVOICE,), "is_due": True},
    {"moment": Moment(as_of_us=1, on=date(2024, 1, 1))},
]


@sqlite_only
@pytest.mark.parametrize("sort", DocumentSort)
def test_lists_neither_scan_nor_sort(ledger: Any, sort: DocumentSort) -> None:
    """A provider's and an account's lists, in every order and with filters, walk along an index from where a page begins."""
    for whose in WHOSE:
        for asked in ASKED:
            plan = explain(ledger, Selection(limit=10, sort=sort, **whose, **asked))
            assert not [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step], (whose, asked, plan)
            (start,) = [step for step in plan if " i USING" in step]
            assert "after" not in asked or ">" in start or "<" in start, (whose, asked, plan)


@sqlite_only
@pytest.mark.parametrize("sort", DocumentSort)
def test_a_number_is_found_along_its_index(ledger: Any, sort: DocumentSort) -> None:
    """Who asks for a number does not walk through a list, however it is sorted."""
    for whose in WHOSE:
        for asked in ASKED:
            plan = explain(ledger, Selection(limit=10, sort=sort, number_folded="1", **whose, **asked))
            assert "listing_number" in plan[0], plan
            assert not [step for step in plan if "SCAN" in step], plan


def explain(ledger: Any, selection: Selection) -> list[str]:
    """The engine's plan for a selection."""
    fragments, given_ = _selected(selection)
    text = "\n".join(load_statements()[name] for name in fragments)
    return [row[3] for row in ledger.books.storage._connect().execute(f"EXPLAIN QUERY PLAN {text}", given_)]
