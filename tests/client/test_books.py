"""The client against real servers of a real ledger, both dialects."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice

import pytest
from tests.client.conftest import COUNT, client_of
from tests.server.wire import Site, checkdomain_items, vpsbg_items

from faktura.client import (
    InvalidRequestError,
    Invoice,
    NotFoundError,
    NotSupportedError,
    SettingError,
    ThrottledError,
    UnauthenticatedError,
)
from faktura.domain.invoice import TypeCode

both = pytest.mark.parametrize("dialect", ["vpsbg", "checkdomain"])
PAGES = {"vpsbg": 9, "checkdomain": 3}


@both
def test_all_pages_come_once_and_exactly(books: Site, dialect: str) -> None:
    """`list` gives every invoice once, newest first, in as few requests as there are pages, and the sums are those of what was recorded."""
    with client_of(books, f"{dialect}/many") as client:
        invoices = list(client.invoices.list())
        assert client.requests == PAGES[dialect]
    expected = vpsbg_items(COUNT) if dialect == "vpsbg" else checkdomain_items(COUNT)
    assert [invoice.id for invoice in invoices] == [item["id"] for item in reversed(expected)]
    assert [invoice.number for invoice in invoices] == [item["invoice_number"] for item in reversed(expected)]
    key = "amount_with_vat" if dialect == "vpsbg" else "amount_total"
    assert [invoice.total_with_vat for invoice in invoices] == [item[key] for item in reversed(expected)]
    assert {str(invoice.total_with_vat)[-3] for invoice in invoices} == {"."}


@both
def test_pages_are_asked_for_when_they_are_needed(books: Site, dialect: str) -> None:
    """The first invoices cost one request; an iterator that nobody reads costs none."""
    with client_of(books, f"{dialect}/many") as client:
        invoices = client.invoices.list()
        assert client.requests == 0
        assert len(list(islice(invoices, 5))) == 5
        assert client.requests == 1


@both
def test_an_empty_account(books: Site, dialect: str) -> None:
    """An account without documents has one page without any."""
    with client_of(books, f"{dialect}/none") as client:
        (page,) = client.invoices.pages()
        assert (page.number, page.total, page.invoices, page.next_number) == (1, 0, (), None)


@both
def test_a_page_says_where_it_stands(books: Site, dialect: str) -> None:
    """A page has number, pages and total as announced, and the raw answer that holds the raw items."""
    with client_of(books, f"{dialect}/many") as client:
        page = client.invoices.page(2)
        last = list(client.invoices.pages(start=PAGES[dialect]))
    assert (page.number, page.pages, page.total, page.next_number, page.faults) == (2, PAGES[dialect], COUNT, 3, ())
    assert all(invoice.raw in page.raw for invoice in page.invoices)
    assert [heard.invoice.wire_id for heard in page.heard] == [invoice.id for invoice in page.invoices]
    assert [page.next_number for page in last] == [None]


def test_a_smaller_limit(books: Site) -> None:
    """Where the API lets one choose, pages are as small as asked."""
    with client_of(books, "checkdomain/many") as client:
        pages = list(client.invoices.pages(limit=60))
        assert [len(page.invoices) for page in pages] == [60, 60, 60, 60, 10]
        with pytest.raises(SettingError, match="1 to 100"):
            client.invoices.page(1, limit=101)


def test_what_checkdomain_tells(books: Site) -> None:
    """List and single give typed terms; a credit note's are negative; what nobody said is None."""
    with client_of(books, "checkdomain/issued") as client:
        note, listed = client.invoices.list()
        invoice = client.invoices.get(listed.id)
        credited = client.invoices.get(note.id)
    assert (invoice.type_code, invoice.type_word, invoice.currency) == (TypeCode.INVOICE, "invoice", "EUR")
    assert [str(value) for value in (invoice.total_with_vat, invoice.paid, invoice.due)] == ["12.60", "4.61", "7.99"]
    assert (invoice.is_open, invoice.vat_rate) == (True, Decimal(20))
    assert (invoice.total_without_vat, invoice.vat_total, invoice.order_ids) == (None, None, None)
    assert invoice.lines is not None
    assert [(line.name, line.quantity, line.unit_price, str(line.total)) for line in invoice.lines] == [
        ("Server", Decimal(1), Decimal(12), "12.00"),
        ("Größe & 5", Decimal(1), Decimal("0.6"), "0.60"),
    ]
    assert invoice.payments is not None
    assert [str(payment.amount) for payment in invoice.payments] == ["4.01", "0.60"]
    assert all(payment.paid_at.utcoffset() == timedelta(hours=2) for payment in invoice.payments)
    assert invoice.created_at.utcoffset() == timedelta(hours=2)
    assert (listed.lines, listed.payments, listed.vat_rate, listed.total_with_vat) == (None, None, None, invoice.total_with_vat)
    assert (credited.type_code, str(credited.total_with_vat)) == (TypeCode.CREDIT_NOTE, "-0.60")
    assert credited.lines is not None
    assert [(line.quantity, str(line.total)) for line in credited.lines] == [(Decimal(-1), "-0.60")]


def test_what_vpsbg_tells(books: Site) -> None:
    """Amounts with and without VAT, orders, and midnight in Sofia as the legal date; paid and open are unknown, never zero."""
    with client_of(books, "vpsbg/issued") as client:
        note, invoice = client.invoices.list()
    assert [str(value) for value in (invoice.total_without_vat, invoice.vat_total, invoice.total_with_vat)] == ["10.50", "2.10", "12.60"]
    assert [str(value) for value in (note.total_without_vat, note.vat_total, note.total_with_vat)] == ["-0.50", "-0.10", "-0.60"]
    assert (invoice.paid, invoice.due, invoice.is_open, invoice.lines, invoice.payments, invoice.vat_rate) == (None,) * 6
    assert invoice.issue_date == date(2024, 7, 15)
    assert invoice.created_at == datetime(2024, 7, 14, 21, tzinfo=UTC)
    assert invoice.created_at.date() == invoice.issue_date
    assert invoice.order_ids == (7,)


@both
def test_search(books: Site, dialect: str) -> None:
    """A part of a number finds what has it, in the API where it can, else by going through the list."""
    wanted = {"vpsbg": "000017", "checkdomain": "2010-00017"}[dialect]
    with client_of(books, f"{dialect}/many") as client:
        found = list(client.invoices.search(wanted))
        assert client.requests == {"vpsbg": 9, "checkdomain": 1}[dialect]
        assert list(client.invoices.search("no such number")) == []
    assert len(found) == {"vpsbg": 11, "checkdomain": 10}[dialect]
    assert all(wanted in invoice.number for invoice in found)


@pytest.mark.parametrize("search", ["", " ", "\ud800", "x" * 256])
def test_a_search_for_nothing_is_refused(books: Site, search: str) -> None:
    """An empty or impossible search is a mistake, not the whole list."""
    with client_of(books, "checkdomain/many") as client:
        with pytest.raises(SettingError, match="search"):
            client.invoices.search(search)
        assert client.requests == 0


def test_what_an_api_has_not(books: Site) -> None:
    """VPSBG has no single invoice and no search of pages: that is said without a request."""
    with client_of(books, "vpsbg/many") as client:
        with pytest.raises(NotSupportedError, match="vpsbg: this API has no call for one invoice"):
            client.invoices.get(1)
        with pytest.raises(NotSupportedError, match="cannot be searched"):
            client.invoices.pages(search="17")
        assert client.requests == 0


def test_not_found(books: Site) -> None:
    """An id that is none, and a page beyond the end, are NotFoundErrors that name the URL."""
    with client_of(books, "checkdomain/many") as client:
        with pytest.raises(NotFoundError, match=rf"^checkdomain: GET {books.url}/v1/invoices/999999: 404\. ") as caught:
            client.invoices.get(999_999)
        assert caught.value.status == 404
        with pytest.raises(NotFoundError):
            client.invoices.page(99)
        assert client.requests == 2


@pytest.mark.parametrize("wrong", [0, -1, True, "1", 2**63, None])
def test_ids_that_are_none(books: Site, wrong: object) -> None:
    """What can be no id is refused here."""
    with client_of(books, "checkdomain/many") as client, pytest.raises(SettingError, match="positive whole number"):
        client.invoices.get(wrong)  # type: ignore[arg-type]


@both
def test_a_wrong_token(books: Site, dialect: str) -> None:
    """A token that the server does not know is one request and a clear error without the token."""
    site = Site(books.url, {dialect: "fkt_wrong"})
    with client_of(site, dialect) as client:
        with pytest.raises(UnauthenticatedError, match=r"401. The provider does not know this token") as caught:
            client.invoices.page(1)
        assert client.requests == 1
    assert "fkt_wrong" not in str(caught.value)


@both
def test_a_limit_that_is_used_up(books: Site, dialect: str) -> None:
    """A real 429 with an hour to wait is not waited for: the error says until when; `limit` tells where the account stands."""
    with client_of(books, f"{dialect}-tight") as client:
        for left in (2, 1, 0):
            client.invoices.page(1)
            assert client.limit is not None
            assert (client.limit.limit, client.limit.remaining) == (3, left)
        with pytest.raises(ThrottledError, match=r"429. Too many requests: it asks to come back at") as caught:
            client.invoices.page(1)
        assert client.requests == 4
    assert caught.value.retry_at is not None
    assert timedelta(minutes=59) < caught.value.retry_at - datetime.now(UTC) < timedelta(minutes=61)


@both
def test_a_limit_that_ends_soon_is_waited_for(books: Site, dialect: str) -> None:
    """More pages than a short window allows come nevertheless: the client waits as it is told."""
    with client_of(books, f"{dialect}-brief", attempts_max=10) as client:
        ids = (
            [invoice.id for invoice in client.invoices.list()]
            if dialect == "vpsbg"
            else [i.id for page in client.invoices.pages(limit=60) for i in page.invoices]
        )
    assert len(set(ids)) == len(ids) == COUNT


def test_invalid_requests_say_what_is_wrong(books: Site) -> None:
    """What the API refuses by field is told by field."""
    said = r"400. The provider does not accept this request.* not valid UTF-8"
    with client_of(books, "checkdomain/many") as client, pytest.raises(InvalidRequestError, match=said) as caught:
        client._transport.get("/v1/invoices?query=%ff")
    assert caught.value.errors == {"query": ["This value is not valid UTF-8."]}


def test_another_currency_and_zone(books: Site) -> None:
    """Currency and zone are the caller's to say, since the API does not."""
    with client_of(books, "vpsbg/issued", currency="BGN", zone="UTC") as client:
        *_, invoice = client.invoices.list()
    assert isinstance(invoice, Invoice)
    assert (invoice.currency, invoice.issue_date) == ("BGN", date(2024, 7, 14))
