"""VPSBG's list over the wire, fact by fact as numbered in docs/reference/wire.md: documents, pages and links."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.server.wire import Site, parse_reply, request_bytes, vpsbg_items

from faktura.bootstrap.books import DIALECTS
from faktura.dialects.base import encoder
from faktura.dialects.vpsbg import window
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Provider

ITEM_KEYS = ["id", "invoice_number", "created_at", "amount", "amount_with_vat", "type", "order_ids"]
META_KEYS = ["current_page", "from", "last_page", "links", "path", "per_page", "to", "total"]
PROVIDER = Provider(id=1, name="p", dialect="vpsbg", zone="Europe/Sofia", currency=Currency("EUR"), seller=Party(name="S", country="BG"))


def page_of(site: Site, query: str, account: str) -> dict[str, Any]:
    """A page of an account's list, which must be there."""
    reply = site.get(f"/v1/invoices?{query}", f"vpsbg/{account}")
    assert reply.status == 200
    return reply.json()


def page_labels(page: dict[str, Any]) -> str:
    """The labels between previous and next."""
    return " ".join(link["label"] for link in page["meta"]["links"][1:-1])


@pytest.mark.parametrize("account", ["pages-3", "write"])
def test_fact_2_a_page_holds_thirty(site: Site, account: str) -> None:
    """Pages hold 30, whatever `per_page` and `limit` ask; read and write keys both list."""
    page = page_of(site, "page=1&per_page=5&limit=5", account)
    assert (len(page["data"]), page["meta"]["per_page"], page["meta"]["to"]) == (30, 30, 30)


def test_fact_3_keys_come_in_the_documented_order(site: Site) -> None:
    """Item and envelope have exactly the documented keys, in their order."""
    page = page_of(site, "", "pages-3")
    assert list(page) == ["data", "links", "meta"]
    assert all(list(item) == ITEM_KEYS for item in page["data"])
    assert list(page["links"]) == ["first", "last", "prev", "next"]
    assert list(page["meta"]) == META_KEYS


def test_fact_4_newest_come_first(site: Site) -> None:
    """Through all pages, documents come newest first, and of one instant the higher id."""
    items = [item for number in (1, 2, 3) for item in page_of(site, f"page={number}", "pages-3")["data"]]
    keys = [(item["created_at"], item["id"]) for item in items]
    assert len(keys) == 75
    assert keys == sorted(set(keys), reverse=True)
    assert {item["type"] for item in items} == {"proform", "original"}


def test_fact_5_numbers_are_unique_per_type_only(site: Site) -> None:
    """A pro-forma's number is its lowest order id, padded to ten digits; an original counts on its own."""
    numbers = {(item["type"], item["invoice_number"]): item["order_ids"] for item in page_of(site, "", "issued")["data"]}
    assert numbers["proform", "0000000007"] == [42, 7]
    assert numbers["original", "0000000001"] == [7, 42]


def test_fact_7_the_instant_is_midnight_in_sofia(site: Site) -> None:
    """Issued invoices read 21:00:00.000000Z of the day before in summer, 22:00:00.000000Z in winter."""
    instants = [item["created_at"] for item in page_of(site, "", "issued")["data"]]
    assert instants == ["2024-07-15T21:00:00.000000Z", "2024-07-14T21:00:00.000000Z", "2024-01-14T22:00:00.000000Z", "2024-01-14T22:00:00.000000Z"]


def test_fact_8_amounts_are_written_without_idle_decimals(site: Site) -> None:
    """Amounts are numbers of two decimals at most, without `.0`: 41.67, 50, 0; a credit note's are negative."""
    body = site.get("/v1/invoices", "vpsbg/issued").body
    written = re.findall(rb'"invoice_number":"(\d+)".*?"amount":([^,]+),"amount_with_vat":([^,]+),"type":"(\w+)"', body)
    assert written == [
        (b"0000000003", b"-41.67", b"-50", b"credit_note"),
        (b"0000000002", b"0", b"0", b"original"),
        (b"0000000001", b"41.67", b"50", b"original"),
        (b"0000000007", b"41.67", b"50", b"proform"),
    ]


def test_fact_9_the_documented_call_works(site: Site) -> None:
    """`GET /v1/invoices?page` with an empty Accept header is answered with page 1 as JSON."""
    reply = parse_reply(site.talk(request_bytes("/v1/invoices?page", site.tokens["vpsbg/pages-3"], b"Accept:")))
    assert (reply.status, reply.header("content-type")) == (200, "application/json")
    assert reply.json()["meta"]["current_page"] == 1


@pytest.mark.parametrize("written", ["2", "%2B2", "+2", "%202", "2%20", "%09%0A2", "02x&page=2", "1&page=2", "a&page=1&page=2"])
def test_fact_11_page_is_parsed_as_php_does(site: Site, written: str) -> None:
    """An integer as FILTER_VALIDATE_INT takes it counts, signed or with spaces around; a repeated parameter takes its last value."""
    assert page_of(site, f"page={written}", "pages-3")["meta"]["current_page"] == 2


@pytest.mark.parametrize(
    "written",
    """02 2.0 1e1 0x2 abc -1 -2 0 %00 2%00 %2B02 %2B%2B2 2,5 2;page=2 %D9%A2 %EF%BC%92 %C2%B2 2%C2%A0 %FF2 %20
    9223372036854775808 18446744073709551618 99999999999999999999999999 2&page= 2&page=x 2&page[]=2 2&page[a]=2""".split(),
)
def test_fact_11_any_other_page_is_page_one(site: Site, written: str) -> None:
    """What is no integer of at least 1 for PHP is page 1, never a refusal."""
    page = page_of(site, f"page={written}", "pages-3")
    assert (page["meta"]["current_page"], page["meta"]["from"]) == (1, 1)


@pytest.mark.parametrize("query", ["", "page", "page=", "page[]=2", "page%5B%5D=2", "Page=2", "xpage=2"])
def test_fact_11_no_page_is_page_one(site: Site, query: str) -> None:
    """Without a `page`, with an empty one or with an array the answer is page 1."""
    assert page_of(site, query, "pages-3")["meta"]["current_page"] == 1


@pytest.mark.parametrize("asked", [4, 5, 1000, 2**53, 2**63 - 1])
def test_fact_12_beyond_the_end_is_an_empty_page(site: Site, asked: int) -> None:
    """Beyond the end: 200, no data, the page as asked, from and to null, no next, and the page before as prev."""
    page = page_of(site, f"page={asked}", "pages-3")
    path = page["meta"]["path"]
    assert page["data"] == []
    assert {key: page["meta"][key] for key in ("current_page", "from", "to", "last_page", "total")} == {
        "current_page": asked,
        "from": None,
        "to": None,
        "last_page": 3,
        "total": 75,
    }
    assert page["links"] == {"first": f"{path}?page=1", "last": f"{path}?page=3", "prev": f"{path}?page={asked - 1}", "next": None}


def test_fact_12_an_empty_list_has_one_page(site: Site) -> None:
    """An account without documents has last_page 1 and total 0."""
    page = page_of(site, "", "none")
    meta = page["meta"]
    assert (page["data"], meta["last_page"], meta["total"], meta["from"], meta["to"]) == ([], 1, 0, None, None)
    assert (page["links"]["prev"], page["links"]["next"]) == (None, None)
    assert page_labels(page) == "1"


@pytest.mark.parametrize(("account", "last_page"), [("thirty", 1), ("thirty-one", 2), ("pages-3", 3), ("pages-14", 14), ("pages-30", 30)])
def test_fact_12_the_last_page_holds_the_rest(site: Site, account: str, last_page: int) -> None:
    """The last page is the ceiling of total by 30; its `to` is the total, and nothing is next."""
    page = page_of(site, f"page={last_page}", account)
    meta = page["meta"]
    assert (meta["last_page"], meta["to"], page["links"]["next"]) == (last_page, meta["total"], None)
    assert len(page["data"]) == meta["total"] - 30 * (last_page - 1) == meta["to"] - meta["from"] + 1


@pytest.mark.parametrize("target", ["/v1/invoices?x=1&page=2&per_page=9", "/v1/invoices/?page=2&x", "/v1/invoices?page=2"])
@pytest.mark.parametrize("host", ["api.vpsbg.eu", "localhost:8443", "[::1]:80"])
def test_fact_13_links_carry_only_the_page(site: Site, target: str, host: str) -> None:
    """Links are absolute on the request's scheme and host and carry `page` alone; `path` has neither query nor trailing slash."""
    page = site.get(target, "vpsbg/pages-3", host=host).json()
    path = f"http://{host}/v1/invoices"
    assert page["meta"]["path"] == path
    assert page["links"] == {"first": f"{path}?page=1", "last": f"{path}?page=3", "prev": f"{path}?page=1", "next": f"{path}?page=3"}
    assert [link["url"] for link in page["meta"]["links"]] == [f"{path}?page={number}" for number in (1, 1, 2, 3, 3)]


@pytest.mark.parametrize(
    ("account", "number", "labels"),
    [
        ("pages-3", 2, "1 2 3"),
        ("pages-14", 7, "1 2 3 4 5 6 7 8 9 10 ... 13 14"),
        ("pages-14", 8, "1 2 ... 5 6 7 8 9 10 11 12 13 14"),
        ("pages-30", 8, "1 2 ... 5 6 7 8 9 10 11 ... 29 30"),
        ("pages-30", 23, "1 2 ... 20 21 22 23 24 25 26 ... 29 30"),
        ("pages-30", 24, "1 2 ... 21 22 23 24 25 26 27 28 29 30"),
        ("pages-30", 99, "1 2 ... 21 22 23 24 25 26 27 28 29 30"),
    ],
)
def test_fact_14_meta_links_show_a_window(site: Site, account: str, number: int, labels: str) -> None:
    """`meta.links` are previous, the window and next, each of exactly url, label and active; the gap has no url."""
    page = page_of(site, f"page={number}", account)
    path, links = page["meta"]["path"], page["meta"]["links"]
    assert page_labels(page) == labels
    assert all(list(link) == ["url", "label", "active"] for link in links)
    assert [link["url"] for link in links] == [
        page["links"]["prev"],
        *(None if label == "..." else f"{path}?page={label}" for label in labels.split()),
        page["links"]["next"],
    ]
    assert [link["label"] for link in links if link["active"]] == ([str(number)] if number <= page["meta"]["last_page"] else [])


def shown(*runs: range | tuple[int, ...]) -> list[int | None]:
    """Runs of pages with a gap between each two."""
    pages: list[int | None] = []
    for run in runs:
        pages += [*([None] if pages else []), *run]
    return pages


def test_fact_14_the_checked_windows() -> None:
    """The windows that were checked against the framework, and all pages of a list of 13."""
    assert window(5, 13) == shown(range(1, 14))
    assert window(7, 14) == shown(range(1, 11), (13, 14))
    assert window(8, 14) == shown((1, 2), range(5, 15))
    assert window(8, 30) == shown((1, 2), range(5, 12), (29, 30))
    assert window(23, 30) == shown((1, 2), range(20, 27), (29, 30))
    assert window(24, 30) == shown((1, 2), range(21, 31))


def oracle(page: int, last_page: int) -> list[int | None]:
    """The window as a set: both ends, three neighbours, ten at an end that is near; gaps wherever a number is missing."""
    near_start, near_end = page <= 7, page > last_page - 7
    chosen = {1, 2, last_page - 1, last_page}
    if last_page < 14:
        chosen = set(range(1, last_page + 1))
    elif near_start:
        chosen |= set(range(1, 11))
    elif near_end:
        chosen |= {last_page - back for back in range(10)}
    else:
        chosen |= {page + step for step in range(-3, 4)}
    result: list[int | None] = []
    for number in range(1, last_page + 1):
        if number in chosen:
            result.append(number)
        elif result[-1] is not None:
            result.append(None)
    return result


def test_fact_14_every_window_follows_the_rule() -> None:
    """For each page, and some beyond the end, of lists of up to 60 pages the window is what an independent reading of the rule gives."""
    for last_page in range(1, 61):
        for page in range(1, last_page + 4):
            assert window(page, last_page) == oracle(page, last_page), (page, last_page)


def test_fact_15_labels_are_rendered_as_documented(site: Site) -> None:
    """Previous and next read as in the document, not as the framework writes them, and without a fourth key."""
    reply = site.get("/v1/invoices", "vpsbg/thirty")
    assert '{"url":null,"label":"« Previous","active":false},'.encode() in reply.body
    assert '{"url":null,"label":"Next »","active":false}]'.encode() in reply.body


@pytest.mark.parametrize("labels", [("« Previous", "Next »"), ("&laquo; Previous", "Next &raquo;"), ("pagination.previous", "")])
def test_fact_15_labels_are_never_interpreted(labels: tuple[str, str]) -> None:
    """A page is understood the same whatever its links are called, and with the fourth key of newer frameworks."""
    links: list[dict[str, object]] = [{"url": None, "label": label, "page": None, "active": False, "other": {}} for label in labels]
    body = {
        "data": vpsbg_items(2),
        "links": {"first": "x", "last": "x", "prev": None, "next": "https://api.vpsbg.eu/v1/invoices?page=2"},
        "meta": {"current_page": 1, "last_page": 2, "links": links, "total": 32},
    }
    answer = DIALECTS["vpsbg"].parse_answer(encoder.encode(body), provider=PROVIDER)
    assert (len(answer.documents), answer.faults) == (2, ())
    assert (answer.page, answer.pages, answer.total) == (1, 2, 32)
    assert answer.next_url == "https://api.vpsbg.eu/v1/invoices?page=2"
