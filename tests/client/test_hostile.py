"""Servers that mean harm or are broken: a clear error each, no token elsewhere, no hang, no unbounded memory."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.client.conftest import TOKEN, client_at
from tests.client.hostile import Hostile, Parts, chunked, hostile, item, reply, vpsbg_page

from faktura.client import (
    CallError,
    ConnectError,
    FakturaError,
    ServerError,
    ThrottledError,
    TimedOutError,
    TooLargeError,
    WireError,
)

MEBIBYTE = 1024 * 1024
ZEROS = b"0" * MEBIBYTE


def endless(following: str = "/v1/invoices?page={page}", *, total: int | None = None) -> Callable[[int, str], Parts]:
    """A list in which every page names a next one."""

    def answer(count: int, target: str) -> Parts:
        del target
        pages = vpsbg_page([item(30 * count + place) for place in range(30)], page=count, pages=10**9, total=total, following=following.format(page=count + 1))
        return [reply(pages)]

    return answer


def always(*parts: bytes | float) -> Callable[[int, str], Parts]:
    """The same answer to everything."""
    return lambda _count, _target: parts


@contextmanager
def bounded_memory(bytes_max: int) -> Iterator[None]:
    """What happens inside never has more than so much memory of Python's."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < bytes_max, f"{peak / MEBIBYTE:.0f} MiB"


def read_all(server: Hostile, **options: object) -> list[object]:
    """Every invoice that the server gives."""
    with client_at(server, **options) as client:
        return list(client.invoices.list())


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.test/v1/invoices?page=2",
        "//evil.test/v1/invoices?page=2",
        "http://127.0.0.1:1/v1/invoices?page=2",
        "https://127.0.0.1:1/v1/invoices?page=2",
        "http://127.0.0.1/v1/invoices?page=2",
        "http://127.0.0.1@evil.test/v1/invoices?page=2",
        "http://127.0.0.1.evil.test/v1/invoices?page=2",
        "http:\\\\evil.test/v1/invoices?page=2",
    ],
)
def test_a_next_page_elsewhere(link: str) -> None:
    """A link to another host or port is an error; what came before it is read, and nothing is sent there."""
    with hostile(always(reply(vpsbg_page([item(1)], pages=2, total=2, following=link)))) as server:
        with pytest.raises(WireError, match=r"^vpsbg: GET http://127.0.0.1:\d+/v1/invoices\?page=1: (its next page|it leads to)"):
            read_all(server)
        assert len(server.heads) == 1


def test_a_next_page_at_another_server_gets_no_request() -> None:
    """A server on the other port hears nothing at all."""
    with hostile(always(reply(vpsbg_page([])))) as other:
        link = f"{other.url}/v1/invoices?page=2"
        with (
            hostile(always(reply(vpsbg_page([item(1)], total=2, following=link)))) as server,
            pytest.raises(WireError, match=r"at another host, 'http://127.0.0.1:"),
        ):
            read_all(server)
        assert other.heads == []


@pytest.mark.parametrize("link", ["ftp://127.0.0.1/v1/invoices?page=2", "javascript:alert(1)", "http://[::1/v1/invoices", "http://127.0.0.1:99999/v1"])
def test_a_next_page_that_is_no_address(link: str) -> None:
    """Links that are none are told as such."""
    with hostile(always(reply(vpsbg_page([item(1)], total=2, following=link)))) as server, pytest.raises(WireError, match=r"no address|no path of this API"):
        read_all(server)


@pytest.mark.parametrize("link", ["/v2/invoices?page=2", "/admin?page=2", "/v1/orders?page=2", "/v1x/invoices?page=2", "/v1/../secret?page=2"])
def test_a_next_page_that_is_no_list(link: str) -> None:
    """Only the list itself is followed."""
    with hostile(always(reply(vpsbg_page([item(1)], total=2, following=link)))) as server:
        with pytest.raises(WireError, match=r"no path of this API|no list of this API"):
            read_all(server)
        assert len(server.heads) == 1


@pytest.mark.parametrize(
    ("link", "message"), [("/v1/invoices?page=1", "does not lead on"), ("/v1/invoices?page=0", "does not lead on"), ("/v1/invoices?page=7", "skips")]
)
def test_a_next_page_that_does_not_lead_on(link: str, message: str) -> None:
    """Back to the same page, or past some, is an error."""
    with hostile(always(reply(vpsbg_page([item(1)], total=9, following=link)))) as server, pytest.raises(WireError, match=message):
        read_all(server)


def test_links_by_another_scheme_and_prefix_are_rewritten() -> None:
    """A gateway keeps its path prefix and scheme, whatever the links behind it say of them; query parameters that were not asked for are not sent."""

    def answer(count: int, target: str) -> Parts:
        del target
        links = {1: "{url}/v1/invoices?page=2&evil=1", 2: "/gate/v1/invoices?page=3", 3: None}
        following = (links[count] or "").format(url=server.url) or None
        return [reply(vpsbg_page([item(count)], page=count, pages=3, total=3, following=following))]

    with hostile(answer) as server, client_at(server, base_url=f"{server.url}/gate/v1") as client:
        assert [invoice.id for invoice in client.invoices.list()] == [1, 2, 3]
        assert server.targets == ["/gate/v1/invoices?page=1", "/gate/v1/invoices?page=2", "/gate/v1/invoices?page=3"]


def test_endless_pages() -> None:
    """A list that gives more than it announced ends in an error, soon; so does one that announces anything."""
    with hostile(endless(total=40)) as server:
        with pytest.raises(WireError, match="has no end: 90 documents came, 40 are announced"):
            read_all(server)
        assert len(server.heads) == 3
    with hostile(endless(total=10**15)) as server:
        with pytest.raises(WireError, match="has no end: 20 pages came"):
            read_all(server, _pages_max=20)
        assert len(server.heads) == 20


def test_a_page_that_repeats() -> None:
    """The same documents again, under another page's number, are an error."""

    def answer(count: int, target: str) -> Parts:
        del target
        return [reply(vpsbg_page([item(1), item(2)], page=count, pages=9, total=18, following=f"/v1/invoices?page={count + 1}"))]

    with hostile(answer) as server, pytest.raises(WireError, match=r"page=2: it repeats the page before"):
        read_all(server)


def test_pages_that_alternate() -> None:
    """Two pages in turns are an endless list."""

    def answer(count: int, target: str) -> Parts:
        del target
        ids = range(30) if count % 2 else range(30, 60)
        return [reply(vpsbg_page([item(number + 1) for number in ids], page=count, pages=9, total=60, following=f"/v1/invoices?page={count + 1}"))]

    with hostile(answer) as server, pytest.raises(WireError, match="has no end"):
        read_all(server)


def test_another_page_than_asked() -> None:
    """A server that always answers page 1 is told apart from one that goes on."""
    body = reply(vpsbg_page([item(1)], page=1, total=2, following="/v1/invoices?page=2"))
    with hostile(always(body)) as server, pytest.raises(WireError, match="page 2 was asked for, page 1 was answered"):
        read_all(server)


def test_pages_that_shift_are_no_error() -> None:
    """New documents push old ones to the next page: each comes once. A whole page of new ones is no repeated page, since the total grew."""
    shelves = {1: (range(100, 70, -1), 90), 2: (range(75, 45, -1), 95), 3: (range(75, 45, -1), 125), 4: (range(45, 15, -1), 125), 5: (range(15, 0, -1), 125)}

    def answer(count: int, target: str) -> Parts:
        del target
        ids, total = shelves[count]
        following = f"/v1/invoices?page={count + 1}" if count < 5 else None
        return [reply(vpsbg_page(map(item, ids), page=count, pages=5, total=total, following=following))]

    with hostile(answer) as server, client_at(server) as client:
        pages = list(client.invoices.pages())
    assert [invoice.id for page in pages for invoice in page.invoices] == list(range(100, 0, -1))
    assert [page.repeated for page in pages] == [0, 5, 30, 0, 0]


def test_an_empty_page_ends() -> None:
    """Whatever its link says."""
    with hostile(always(reply(vpsbg_page([], pages=9, total=9, following="/v1/invoices?page=2")))) as server:
        assert read_all(server) == []


def test_pages_without_links_are_counted() -> None:
    """Where links are lost though more pages are announced, the number leads on."""

    def answer(count: int, target: str) -> Parts:
        del target
        return [reply(vpsbg_page([item(count)], page=count, pages=3, total=3))]

    with hostile(answer) as server:
        assert len(read_all(server)) == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin(status: int) -> None:
    """Nothing is sent there, not even a request without the token."""
    with hostile(always(reply(vpsbg_page([])))) as other, hostile(always(reply(b"", f"Location: {other.url}/v1/invoices", status=status))) as server:
        with pytest.raises(WireError, match=r"it redirects to another origin, 'http://127.0.0.1:.*nothing was sent there"):
            read_all(server)
        assert (len(server.heads), other.heads) == (1, [])


@pytest.mark.parametrize("location", ["https://127.0.0.1/v1/invoices", "//evil.test/", "http://evil.test:80", "file:///etc/passwd", "http://[", "gopher:x"])
def test_redirects_elsewhere(location: str) -> None:
    """By another scheme, host, or to what is no address: an error each."""
    with hostile(always(reply(b"", f"Location: {location}", status=302))) as server:
        with pytest.raises(WireError, match=r"another origin|no address"):
            read_all(server)
        assert len(server.heads) == 1


def test_a_redirect_within_the_origin_is_followed() -> None:
    """With the token, and whatever bytes its address has."""

    def answer(count: int, target: str) -> Parts:
        return [reply(b"", "Location: /v1/invoices/?page=1 x\xe4", status=308)] if count == 1 else [reply(vpsbg_page([item(1)]))]

    with hostile(answer) as server:
        assert len(read_all(server)) == 1
        assert server.targets == ["/v1/invoices?page=1", "/v1/invoices/?page=1%20x%C3%A4"]
        assert all(f"Authorization: Bearer {TOKEN}".encode() in head for head in server.heads)


def test_redirects_in_a_circle() -> None:
    """Few are followed."""
    with hostile(always(reply(b"", "Location: /v1/invoices?page=1", status=302))) as server:
        with pytest.raises(WireError, match="redirects more than 5 times"):
            read_all(server)
        assert len(server.heads) == 6


@pytest.mark.parametrize("status", [204, 206, 300, 304])
def test_other_statuses(status: int) -> None:
    """Only a 200 is an answer."""
    with hostile(always(b"HTTP/1.1 %d X\r\nConnection: close\r\n\r\n" % status)) as server, pytest.raises(WireError, match=f"has the status {status}"):
        read_all(server)


def test_a_declared_gigabyte() -> None:
    """It is refused before it is read."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 2**30
    with hostile(lambda _count, _target: [head, *(ZEROS for _ in range(1024))]) as server, bounded_memory(4 * MEBIBYTE):
        with pytest.raises(TooLargeError, match="more than 16777216 bytes"):
            read_all(server)
        assert len(server.heads) == 1


def test_an_undeclared_gigabyte() -> None:
    """Neither chunks nor a body until the end of the connection are read further than the bound."""
    with hostile(lambda _count, _target: chunked(ZEROS for _ in range(1024))) as server, bounded_memory(64 * MEBIBYTE), pytest.raises(TooLargeError):
        read_all(server)
    whole = [b"HTTP/1.1 200 OK\r\n\r\n", *(ZEROS for _ in range(1024))]
    with hostile(always(*whole)) as server, bounded_memory(64 * MEBIBYTE), pytest.raises(TooLargeError):
        read_all(server)


def test_an_error_of_a_gigabyte() -> None:
    """The bound is for errors too."""
    head = b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n" % 2**30
    with hostile(always(head, ZEROS)) as server, pytest.raises(TooLargeError):
        read_all(server)


def test_a_gzip_bomb() -> None:
    """A gigabyte in a megabyte is unpacked as far as the bound, no further."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(ZEROS) for _ in range(1024)) + packer.flush()
    assert len(bomb) < 2 * MEBIBYTE
    with hostile(always(reply(bomb, "Content-Encoding: gzip"))) as server, bounded_memory(64 * MEBIBYTE), pytest.raises(TooLargeError):
        read_all(server)


def test_gzip_is_read() -> None:
    """It is what the client asks for."""
    body = gzip.compress(json.dumps(vpsbg_page([item(1)])).encode())
    with hostile(always(reply(body, "Content-Encoding: gzip"))) as server:
        assert len(read_all(server)) == 1
        assert b"Accept-Encoding: gzip\r\n" in server.heads[0]


@pytest.mark.parametrize(
    ("body", "encoding", "message"),
    [
        (b"x", "br", "packed as 'br', which was not asked for"),
        (gzip.compress(b"{}", mtime=0), "gzip, gzip", "packed as 'gzip, gzip'"),
        (b"{}", "gzip", "said to be gzip, and is not"),
        (gzip.compress(b"{}", mtime=0) + b"more", "gzip", "something follows"),
    ],
)
def test_other_packings(body: bytes, encoding: str, message: str) -> None:
    """What was not asked for, or is not what it says, is an error."""
    with hostile(always(reply(body, f"Content-Encoding: {encoding}"))) as server, pytest.raises(WireError, match=message):
        read_all(server)


def test_gzip_that_ends_early_is_asked_for_again() -> None:
    """It is an answer that was cut."""
    whole = gzip.compress(json.dumps(vpsbg_page([item(1)])).encode())

    def answer(count: int, target: str) -> Parts:
        return [reply(whole if count > 1 else whole[:-9], "Content-Encoding: gzip")]

    with hostile(answer) as server:
        assert len(read_all(server)) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'"data"',
        b'{"data": null}',
        b'{"data": {}}',
        b'{"data": [1], "links": [], "meta": {}}',
        b'{"data": [], "links": {"next": 5}}',
        b'{"data": [], "links": {"next": null}, "meta": {"total": "many"}}',
        b'{"data": [], "meta": {"total": -1}}',
        b'{"data": [], "meta": {"total": 1e400}}',
        b'{"data": [], "meta": {"last_page": 99999999999999999999}}',
        b'{"data": [], "meta": {"current_page": ' + b"9" * 5000 + b"}}",
        b'{"data": [], "meta": {"total": NaN}}',
        b'{"data": [' + b"[" * 100_000,
        b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"data": [], "x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        b'\xff\xfe{"data": []}',
        b'{"data": [],}',
        b'{"data": [{"invoice_number": "\\ud800"}]}',
    ],
)
def test_bodies_that_are_no_list(body: bytes) -> None:
    """Not JSON, other types, absurd numbers, deep nesting: a WireError that names the request, asked once."""
    with hostile(always(reply(body))) as server:
        with pytest.raises(WireError, match=r"^vpsbg: GET http://127.0.0.1:\d+/v1/invoices\?page=1: "):
            read_all(server)
        assert len(server.heads) == 1


_WRONG: list[dict[str, Any]] = [
    {"id": 0},
    {"id": -1},
    {"id": 2**63},
    {"id": "x"},
    {"id": 1.5},
    {"id": None},
    {"id": 10**900},
    {"invoice_number": ""},
    {"invoice_number": "a\x00b"},
    {"invoice_number": "9" * 256},
    {"invoice_number": 5},
    {"amount": "1e999999999"},
    {"amount": "1e99999999999999999999999999"},
    {"amount": "NaN"},
    {"amount": "sNaN"},
    {"amount": "Infinity"},
    {"amount": 10**15},
    {"amount": "0.001"},
    {"amount": True},
    {"amount": None},
    {"amount": [1]},
    {"created_at": "yesterday"},
    {"created_at": "0001-01-01T00:00:00Z"},
    {"created_at": "9999-12-31T23:59:59Z"},
    {"created_at": "2024-13-01T00:00:00Z"},
    {"created_at": "2024-01-01T00:00:00"},
    {"created_at": 5},
    {"type": None},
    {"order_ids": 7},
    {"order_ids": ["x"]},
]


@pytest.mark.parametrize("wrong", _WRONG, ids=lambda wrong: str(wrong)[:40])
def test_items_that_cannot_be_read(wrong: dict[str, Any]) -> None:
    """They are faults of their page, beside those that can; `list` stops there, and says where."""
    body = json.dumps(vpsbg_page([item(1), item(2, **wrong), item(3)], total=3))
    with hostile(always(reply(body))) as server, client_at(server) as client:
        (page,) = client.invoices.pages()
        assert [invoice.id for invoice in page.invoices] == [1, 3]
        assert [fault.position for fault in page.faults] == [2]
        with pytest.raises(WireError, match="page=1: items cannot be read, item 2: "):
            next(client.invoices.list())


@pytest.mark.parametrize("number", ["1e400", "1E+999999999", "1e-400", "-1e999999999999999999999", "9" * 900, "0." + "0" * 900 + "1"])
def test_amounts_as_numbers_that_nobody_owes(number: str) -> None:
    """Written as JSON numbers they are faults too, at once."""
    body = json.dumps(vpsbg_page([item(1, amount_with_vat="X")], total=1)).replace('"X"', number)
    with hostile(always(reply(body))) as server, client_at(server) as client:
        (page,) = client.invoices.pages()
        assert (page.invoices, [fault.position for fault in page.faults]) == ((), [1])


@pytest.mark.parametrize("number", ["1" + "0" * 15_000_000, "1." + "0" * 15_000_000, "1." + "0" * 1000])
def test_a_number_of_millions_of_digits(number: str) -> None:
    """It is not taken for an amount, whatever its value."""
    body = json.dumps(vpsbg_page([item(1, amount="X")], total=1)).replace('"X"', number)
    with hostile(always(reply(body))) as server, bounded_memory(64 * MEBIBYTE), pytest.raises(WireError, match="a thousand digits or more"):
        read_all(server)


def test_a_link_of_millions_of_characters() -> None:
    """It is not taken apart."""
    body = reply(vpsbg_page([item(1)], total=2, following="/v1/invoices?" + "&" * 10_000_000 + "page=2"))
    with hostile(always(body)) as server, bounded_memory(64 * MEBIBYTE), pytest.raises(WireError, match="no address"):
        read_all(server)


@pytest.mark.parametrize("provider", ["vpsbg", "checkdomain"])
@pytest.mark.parametrize(
    "body", [b'{"errors": [' + b"{}," * 4_000_000 + b"{}]}", b'{"message": "\xff"}', b'{"code": ' + b"9" * 5000 + b"}", b'{"message": "\\ud800"}']
)
def test_errors_that_mean_harm(provider: str, body: bytes) -> None:
    """Their status says enough, in little memory."""
    with (
        hostile(always(reply(body, status=404))) as server,
        bounded_memory(64 * MEBIBYTE),
        client_at(server, provider=provider) as client,
        pytest.raises(CallError, match="404"),
    ):
        client.invoices.page(1)


def test_a_switch_of_protocols() -> None:
    """Nobody asked for one."""
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"
    with hostile(always(head)) as server, pytest.raises(WireError, match=r"has the status 101|no proper HTTP"):
        read_all(server)


def test_millions_of_items() -> None:
    """An answer that is small as text and huge as values is not taken apart."""
    body = b'{"data": [' + b"0," * 7_000_000 + b"0]}"
    with hostile(always(reply(body))) as server, bounded_memory(64 * MEBIBYTE), pytest.raises(WireError, match="more than 200000 values"):
        read_all(server)


def test_checkdomain_answers_of_other_kinds() -> None:
    """A single invoice where a list was asked for, another invoice, a list where one was asked for."""
    single = {"id": 5, "invoice_number": "5", "created": "2020-07-01T00:00:00+0200", "amount_total": 5}
    with hostile(always(reply(single))) as server, client_at(server, provider="checkdomain") as client:
        assert client.invoices.get(5).id == 5
        with pytest.raises(WireError, match="a single invoice where a list was asked for"):
            client.invoices.page(1)
        with pytest.raises(WireError, match="something else than invoice 6"):
            client.invoices.get(6)
    with (
        hostile(always(reply({"_embedded": {"invoices": [single]}}))) as server,
        client_at(server, provider="checkdomain") as client,
        pytest.raises(WireError, match="something else than invoice 5"),
    ):
        client.invoices.get(5)


@pytest.mark.parametrize(
    "body",
    ['{"errors": {"children": {"page": {"errors": 5}}}}', '{"errors": {"children": [1]}}', '{"errors": 5}', "[" * 50_000, "", '{"errors": {"a": ["b"]}}'],
)
@pytest.mark.parametrize("provider", ["vpsbg", "checkdomain"])
def test_errors_of_wrong_types(provider: str, body: str) -> None:
    """The status says enough."""
    with hostile(always(reply(body, status=422))) as server, client_at(server, provider=provider) as client:
        with pytest.raises(CallError, match="422") as caught:
            client.invoices.page(1)
        assert (caught.value.status, client.requests) == (422, 1)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"HTTP/1.1 200 O"],
        [b"HTTP/1.1 200 OK\r\nContent-Type: applic"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"],
    ],
)
def test_connections_that_are_cut(parts: list[bytes]) -> None:
    """In the headers or the body: asked for again, a few times, then an error."""
    with hostile(always(*parts)) as server:
        with pytest.raises(ConnectError, match=r"the connection was cut|Connection reset"):
            read_all(server)
        assert len(server.heads) == 4
    good = reply(vpsbg_page([item(1)]))
    with hostile(lambda count, _target: [good] if count > 2 else parts) as server:
        assert len(read_all(server)) == 1


def drip(data: bytes) -> Iterator[bytes | float]:
    """A byte at a time, for much longer than a test lasts."""
    for place in range(len(data)):
        yield data[place : place + 1]
        yield 0.05


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        lambda _count, _target: drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10_000),
        lambda _count, _target: [HEAD, *drip(b" " * 10_000)],
        lambda _count, _target: drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        lambda _count, _target: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *drip(b"1\r\n \r\n" * 10_000)],
    ],
    ids=["headers", "body", "informational", "chunks"],
)
def test_drips(answer: Callable[[int, str], Parts]) -> None:
    """Bytes that come in time one by one do not keep the client beyond the time of the whole answer."""
    with hostile(answer) as server:
        started = time.monotonic()
        with pytest.raises(TimedOutError, match=r"did not come within 0.5 seconds"):
            read_all(server, deadline_seconds=0.5, attempts_max=2)
        assert len(server.heads) == 2
        assert time.monotonic() - started < 20


@pytest.mark.parametrize("parts", [[60.0], [HEAD, 60.0]])
def test_silence(parts: list[bytes | float]) -> None:
    """No byte for too long is an error before the whole time is over."""
    with hostile(always(*parts)) as server, pytest.raises(TimedOutError, match=r"nothing came for 0.3 seconds"):
        read_all(server, timeout_seconds=0.3, attempts_max=1)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: x\r\n" * 200_000,
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 4_000_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 4_000_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-Trailer: x\r\n" * 200_000,
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
    ],
    ids=["many", "long", "chunk extension", "trailers", "ssh", "two lengths", "negative chunk"],
)
def test_headers_that_are_none(head: bytes) -> None:
    """Header bombs and other protocols: an error, in little memory, not asked for again."""
    with hostile(always(head, 30.0)) as server, bounded_memory(16 * MEBIBYTE):
        with pytest.raises(WireError, match="no proper HTTP"):
            read_all(server)
        assert len(server.heads) == 1


def test_nobody_there() -> None:
    """A port where nobody listens is told after the last attempt."""
    with hostile(always()) as server:
        pass
    slept: list[float] = []
    with pytest.raises(ConnectError, match="Connection refused"):
        read_all(server, _sleep=slept.append, _random=lambda: 1.0)
    assert slept == [0.5, 1, 2]


def test_a_host_without_address() -> None:
    """A name that nobody has is a clear error too."""
    with hostile(always()) as server, pytest.raises(ConnectError, match=r"vpsbg: GET http://nowhere.invalid/v1/invoices"):
        read_all(server, base_url="http://nowhere.invalid/v1", attempts_max=1)


def test_every_error_is_of_one_family() -> None:
    """Whoever catches FakturaError catches all."""
    assert all(issubclass(kind, FakturaError) for kind in (CallError, ServerError, ThrottledError, WireError))
