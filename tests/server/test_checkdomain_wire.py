"""checkdomain's list and single call over the wire, fact by fact as numbered in docs/reference/wire.md."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from tests.server.wire import Site, checkdomain_items

ENVELOPE_KEYS = ["page", "limit", "pages", "total", "_links", "_embedded"]
HEAD_KEYS = ["id", "invoice_number", "created", "amount_total", "amount_payed", "amount_open", "is_open", "is_payed"]
ODD_NUMBERS = ("A%B-1", "A_B-2", "A\\B-3", "AXB-4", "Größe & 5", "6+6=12", "7 7/7?#")


def page_of(site: Site, query: str, account: str) -> dict[str, Any]:
    """A page of an account's list, which must be there."""
    reply = site.get(f"/v1/invoices{query and '?'}{query}", f"checkdomain/{account}")
    assert reply.status == 200
    return reply.json()


def items_of(page: dict[str, Any]) -> list[dict[str, Any]]:
    """The documents of a page."""
    items = page["_embedded"]["invoices"]
    assert isinstance(items, list)
    return items


def numbers_of(page: dict[str, Any]) -> list[str]:
    """The numbers of the documents of a page."""
    return [item["invoice_number"] for item in items_of(page)]


def single(site: Site, account: str, wire_id: int) -> dict[str, Any]:
    """One document, which must be there."""
    reply = site.get(f"/v1/invoices/{wire_id}", f"checkdomain/{account}")
    assert reply.status == 200
    return reply.json()


def test_fact_19_query_is_part_of_the_number(site: Site) -> None:
    """`query` finds documents by their number, `page` and `limit` page through what it finds."""
    found = page_of(site, "query=2010-0001", "many")
    assert (found["total"], found["pages"]) == (100, 10)
    assert numbers_of(found) == [f"2010-0001{place:02}" for place in range(99, 89, -1)]
    assert numbers_of(page_of(site, "query=2010-0001&page=3&limit=45", "many")) == [f"2010-0001{place:02}" for place in range(9, -1, -1)]


@pytest.mark.parametrize("written", "abc 1a a1 -1 +1 1.0 %201 %D9%A1 1%0A 0x1 1/ 1/2".split())
def test_fact_19_the_invoice_is_digits(site: Site, written: str) -> None:
    """What is not all digits is no document: 404."""
    assert site.get(f"/v1/invoices/{written}", "checkdomain/ten").status == 404


def test_fact_19_the_sandbox_host_is_this_api(demo_site: Site) -> None:
    """The documented sandbox host, like the other one, answers in checkdomain's words where no token decides."""
    replies = [demo_site.get("/v1/invoices", host=host) for host in ("api.checkdomain.de", "sandbox.api.checkdomain.de")]
    assert [reply.json() for reply in replies] == [{"code": 401, "message": "Unauthorized", "errors": None}] * 2


@pytest.mark.parametrize(
    ("account", "query", "pages", "links"),
    [
        ("none", "", 1, ["self", "first", "last"]),
        ("ten", "", 1, ["self", "first", "last"]),
        ("eleven", "", 2, ["self", "first", "last", "next"]),
        ("eleven", "page=2", 2, ["self", "first", "last", "previous"]),
        ("many", "page=2", 25, ["self", "first", "last", "next", "previous"]),
        ("many", "page=3&limit=100", 3, ["self", "first", "last", "previous"]),
    ],
)
def test_fact_20_envelope_and_links(site: Site, account: str, query: str, pages: int, links: list[str]) -> None:
    """The envelope's keys in their order; first and last always, next not on the last page, previous not on the first."""
    page = page_of(site, query, account)
    assert list(page) == ENVELOPE_KEYS
    assert list(page["_embedded"]) == ["invoices"]
    assert (page["pages"], list(page["_links"])) == (pages, links)


@pytest.mark.parametrize("query", ["limit=20&page=2", "page=2&x=1&limit=20", "limit=7&page=1&limit=20&page=2"])
def test_fact_20_hrefs_are_paths_with_page_then_limit(site: Site, query: str) -> None:
    """Hrefs are relative paths; `page` comes before `limit`, and limit last, however they were asked."""
    links = {rel: link["href"] for rel, link in page_of(site, query, "many")["_links"].items()}
    assert links == {
        "self": "/v1/invoices?page=2&limit=20",
        "first": "/v1/invoices?page=1&limit=20",
        "last": "/v1/invoices?page=13&limit=20",
        "next": "/v1/invoices?page=3&limit=20",
        "previous": "/v1/invoices?page=1&limit=20",
    }


@pytest.mark.parametrize("text", ["2010", "-", "2010-0001"])
def test_fact_20_query_comes_before_page_and_limit(site: Site, text: str) -> None:
    """Every link keeps `query`, before `page` and `limit`."""
    links = page_of(site, f"page=2&limit=20&query={text}", "many")["_links"]
    assert {link["href"].partition("&")[0] for link in links.values()} == {f"/v1/invoices?query={text}"}
    assert re.fullmatch(r"/v1/invoices\?query=[0-9-]+&page=3&limit=20", links["next"]["href"])


@pytest.mark.parametrize("text", ["ö", "&", "+", " ", "=", "?", "#", "/", "%", "_", "\\"])
def test_fact_20_links_keep_any_query(site: Site, text: str) -> None:
    """A link's `query` is the text that was asked, whatever its characters mean in a URL; following it finds the same."""
    page = page_of(site, f"query={quote(text, safe='')}", "odd")
    href = page["_links"]["self"]["href"]
    assert dict(parse_qsl(urlsplit(href).query)) == {"query": text, "page": "1", "limit": "10"}
    assert site.get(href, "checkdomain/odd").json() == page
    assert items_of(page)


def test_fact_21_items_have_the_documented_keys(site: Site) -> None:
    """An item's keys in their order; its link leads to itself."""
    for item in items_of(page_of(site, "limit=100", "many")):
        assert list(item) == [*HEAD_KEYS, "_links"]
        assert item["_links"] == {"self": {"href": f"/v1/invoices/{item['id']}"}}


def test_fact_21_a_single_adds_tax_details_payments(site: Site) -> None:
    """The single form has the item's keys and values, then tax, details and payments, then its link."""
    item = items_of(page_of(site, "query=2024-000001", "issued"))[0]
    whole = single(site, "issued", item["id"])
    assert list(whole) == [*HEAD_KEYS, "tax", "details", "payments", "_links"]
    assert {key: whole[key] for key in item} == item
    assert [list(detail) for detail in whole["details"]] == [["quantity", "unit_price", "price", "remark"]] * 2
    assert [list(payment) for payment in whole["payments"]] == [["amount", "date"]] * len(whole["payments"])


def test_fact_21_unknown_is_null_and_not_left_out(site: Site) -> None:
    """What a source did not say is written as null, in the item and in the single form."""
    whole = single(site, "bare", 95_001)
    unknown = ("amount_payed", "amount_open", "is_open", "is_payed")
    assert [items_of(page_of(site, "", "bare"))[0][key] for key in unknown] == [None] * 4
    assert [whole[key] for key in (*unknown, "tax", "details", "payments")] == [None] * 7


def test_fact_22_ten_are_listed_by_default(site: Site) -> None:
    """Without a limit a page holds ten."""
    page = page_of(site, "", "many")
    assert (page["page"], page["limit"], page["pages"], page["total"], len(items_of(page))) == (1, 10, 25, 250, 10)


@pytest.mark.parametrize("asked", ["100", "101", "1000", "9223372036854775808", "9" * 40])
def test_fact_22_a_hundred_are_listed_at_most(site: Site, asked: str) -> None:
    """A limit above 100 is 100, and echoed so in `limit` and the links."""
    page = page_of(site, f"limit={asked}", "many")
    assert (page["limit"], len(items_of(page))) == (100, 100)
    assert page["_links"]["next"]["href"] == "/v1/invoices?page=2&limit=100"


def test_fact_22_the_provider_s_own_client_reads_all(site: Site) -> None:
    """`limit=100&page=N` for N up to the first answer's `pages` brings every document once, newest first."""
    pages = page_of(site, "limit=100&page=1", "many")["pages"]
    items = [item for number in range(1, pages + 1) for item in items_of(page_of(site, f"limit=100&page={number}", "many"))]
    assert pages == 3
    assert [item["id"] for item in items] == [item["id"] for item in reversed(checkdomain_items(250, first_id=30_001))]


def test_fact_23_dates_have_berlin_s_offset_without_a_colon(site: Site) -> None:
    """Winter reads +0100 and summer +0200, at the instant of issue."""
    created = {item["invoice_number"]: item["created"] for item in items_of(page_of(site, "", "issued"))}
    assert created == {"2024-000001": "2024-01-15T09:30:00+0100", "2024-000002": "2024-07-15T09:30:00+0200", "2024-000003": "2024-07-16T09:30:00+0200"}
    assert single(site, "bare", 95_001)["created"] == "2020-07-01T00:00:00+0200"


def test_fact_23_numbers_are_written_without_idle_decimals(site: Site) -> None:
    """Numbers have two decimals at most and no `.0`: 12.6, 4, 0; none has an exponent."""
    body = site.get("/v1/invoices", "checkdomain/issued").body
    written = re.findall(rb'"amount_total":([^,]+),"amount_payed":([^,]+),"amount_open":([^,]+),', body)
    assert written == [(b"-0.6", b"-0.6", b"0"), (b"12", b"0", b"12"), (b"12.6", b"4.6", b"8")]


def test_fact_27_a_wrong_offset_keeps_the_instant(site: Site) -> None:
    """A document that a source dated +0100 in summer is served an hour later at +0200."""
    recorded = {item["id"]: item["created"] for item in checkdomain_items(250, first_id=30_001)}
    served = {item["id"]: item["created"] for number in (1, 2, 3) for item in items_of(page_of(site, f"limit=100&page={number}", "many"))}
    assert recorded[30_001 + 6 * 28] == "2010-07-01T10:07:15+0100"
    assert served[30_001 + 6 * 28] == "2010-07-01T11:07:15+0200"
    assert served[30_001] == recorded[30_001] == "2010-01-01T10:07:15+0100"


@pytest.mark.parametrize("account", ["ten", "many", "issued"])
def test_fact_28_open_is_total_less_payed(site: Site, account: str) -> None:
    """amount_open is amount_total - amount_payed, and both flags say whether it is 0."""
    for item in items_of(page_of(site, "limit=100", account)):
        assert Decimal(item["amount_open"]) == Decimal(item["amount_total"]) - Decimal(item["amount_payed"])
        assert item["is_payed"] is (not item["is_open"])
        assert item["is_payed"] is (item["amount_open"] == 0)


def test_decision_details_add_up_to_the_total(site: Site) -> None:
    """Prices in details include VAT and add up to amount_total; tax is the one rate."""
    whole = single(site, "issued", items_of(page_of(site, "query=2024-000001", "issued"))[0]["id"])
    assert (whole["tax"], [detail["price"] for detail in whole["details"]]) == (20, [12, Decimal("0.6")])
    assert sum(detail["price"] for detail in whole["details"]) == whole["amount_total"] == Decimal("12.6")
    assert [(payment["amount"], payment["date"]) for payment in whole["payments"]] == [
        (4, "2024-02-01T00:00:00+0100"),
        (Decimal("0.6"), "2024-07-16T00:00:00+0200"),
    ]


def test_decision_a_credit_note_is_negative(site: Site) -> None:
    """A credit note has negative amounts and quantity and a positive unit price; a pro-forma is not listed."""
    page = page_of(site, "", "issued")
    whole = single(site, "issued", items_of(page)[0]["id"])
    assert page["total"] == 3
    assert (whole["amount_total"], whole["amount_payed"], whole["amount_open"], whole["is_payed"]) == (Decimal("-0.6"), Decimal("-0.6"), 0, True)
    assert [(detail["quantity"], detail["unit_price"], detail["price"]) for detail in whole["details"]] == [(-1, Decimal("0.6"), Decimal("-0.6"))]


@pytest.mark.parametrize(
    "query", ["page=abc", "page=", "page[]=2", "page=2x", "page=0x2", "page=%D9%A2", "limit=abc", "limit=", "limit[]=5", "limit=%00", "page=x&limit=y"]
)
def test_decision_a_page_or_limit_that_is_no_number_is_the_default(site: Site, query: str) -> None:
    """Page 1 and ten documents are served where `page` or `limit` is not numeric."""
    page = page_of(site, query, "many")
    assert (page["page"], page["limit"], len(items_of(page))) == (1, 10, 10)


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=00",
        "limit=0",
        "page=26",
        "page=4&limit=100",
        "page=9223372036854775808",
        "page=" + "9" * 40,
        "page=2&query=2010-000249",
        "page=2&query=nothing",
    ],
)
def test_decision_page_zero_and_beyond_the_end_are_not_found(site: Site, query: str) -> None:
    """`page` 0, `limit` 0 and a page beyond the end are 404, of a search too."""
    reply = site.get(f"/v1/invoices?{query}", "checkdomain/many")
    assert (reply.status, reply.json()) == (404, {"code": 404, "message": "Not Found", "errors": None})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("%", ODD_NUMBERS[:1]),
        ("_", ODD_NUMBERS[1:2]),
        ("\\", ODD_NUMBERS[2:3]),
        ("a_b", ODD_NUMBERS[1:2]),
        ("A", ODD_NUMBERS[:4]),
        ("axB-", ODD_NUMBERS[3:4]),
        ("A%", ODD_NUMBERS[:1]),
        ("größe", ODD_NUMBERS[4:5]),
        ("GRÖSSE", ODD_NUMBERS[4:5]),
        *((text, ()) for text in ("%%", "\\%", "'", '"', "*", "[A]")),
    ],
)
def test_decision_query_is_literal_and_without_case(site: Site, text: str, found: tuple[str, ...]) -> None:
    """`query` is any part of the number in any case; percent sign, underscore and backslash mean themselves."""
    page = page_of(site, f"query={quote(text, safe='')}", "odd")
    assert sorted(numbers_of(page)) == sorted(found)
    assert page["total"] == len(found)


def test_decision_an_empty_query_lists_all(site: Site) -> None:
    """An empty `query` is none, and stands in no link."""
    assert page_of(site, "query=", "many") == page_of(site, "", "many")
