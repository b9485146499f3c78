"""Bytes that are no request, or one without end: refused while they come, and a server that is as well as before."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from tests.server.conftest import Serve
from tests.server.wire import Site, parse_reply, request_bytes

OPEN = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


@pytest.fixture(autouse=True)
def healthy_after(site: Site) -> Iterator[None]:
    """After each test the server still serves."""
    yield
    assert site.get("/healthz").status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 8_000 + b"\r\n",
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a" * 40_000 + b": b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 20_000 + b"\r\nCookie: " + b"a" * 20_000 + b"\r\n\r\n",
    ],
    ids=["large header", "many headers", "long target", "long name", "two headers"],
)
def test_too_large_a_head_is_a_431(site: Site, sent: bytes) -> None:
    """A head above the bound is refused with a 431 that names the bound, and the server hangs up."""
    reply = parse_reply(site.talk(sent))
    assert (reply.status, reply.header("connection"), reply.header("content-type")) == (431, "close", "application/json")
    assert reply.json() == {"message": "The request's headers are larger than 32768 bytes."}


@pytest.mark.parametrize("endless", [b"A: ", b"", b"A: b\r\n"], ids=["value", "name", "headers"])
def test_a_head_without_end_is_refused_while_it_comes(site: Site, endless: bytes) -> None:
    """A header that never ends, or headers that never do, are a 431 before they are over."""
    part = (b"A: b\r\n" if endless.endswith(b"\n") else b"a") * 8_192
    reply = parse_reply(site.talk(OPEN + endless, *[part] * 64))
    assert reply.status == 431


def test_a_head_below_the_bound_is_served(site: Site) -> None:
    """Headers of thirty thousand bytes together are no fault, on each request of a connection anew."""
    large = b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 30_000 + b"\r\n\r\n"
    said = site.talk(large * 3 + OPEN + b"\r\n")
    assert said.count(b"HTTP/1.1 200 OK") == 4


@pytest.mark.parametrize("trailer", [b"A: " + b"a" * 120_000 + b"\r\n", b"A: b\r\n" * 20_000], ids=["one", "many"])
def test_trailers_without_bound_are_not_kept(site: Site, trailer: bytes) -> None:
    """After a chunked body trailers above the bound end the connection: nothing after them is served, so nobody collects them."""
    chunked = b"POST /v1/invoices HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    said = site.talk(chunked, trailer, b"\r\n", OPEN + b"\r\n")
    assert b'"status":"ok"' not in said


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        bytes(range(255, 0, -1)),
        b"hello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz?\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_request_is_a_400(site: Site, sent: bytes) -> None:
    """Garbage, other protocols and ambiguous lengths get one 400 in JSON, and the server hangs up."""
    said = site.talk(sent)
    reply = parse_reply(said)
    assert (reply.status, reply.header("connection")) == (400, "close")
    assert reply.json()["message"]
    assert said.count(b"HTTP/1.1 ") == 1


def test_a_caller_who_leaves_in_the_middle_is_forgotten(site: Site) -> None:
    """Connections that end within a head or a body leave nothing behind that the next caller would see."""
    body = b"POST /v1/invoices HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nabc"
    for sent in (b"", b"G", b"GET /healthz HTTP/1.1\r\nHo", body) * 25:
        with socket.create_connection(site.address) as connection:
            connection.sendall(sent)
    assert parse_reply(site.talk(request_bytes("/healthz"))).json() == {"status": "ok"}


def test_thousands_of_requests_at_once_are_answered_in_order(site: Site) -> None:
    """Requests that come without waiting for answers get each its own, in order."""
    requests = b"".join(b"GET /v1/%d HTTP/1.1\r\nHost: api.vpsbg.eu\r\n\r\n" % number for number in range(2000))
    said = site.talk(requests + OPEN + b"\r\n")
    routes = [part.partition(b" could")[0] for part in said.split(b"The route v1/")[1:]]
    assert routes == [b"%d" % number for number in range(2000)]
    assert said.endswith(b'{"status":"ok"}')


def test_many_callers_at_once_get_each_their_own(site: Site) -> None:
    """Callers of both providers, of lists, searches and single documents at the same time, get what they get alone."""
    calls = [
        ("/v1/invoices?page=2", "vpsbg/pages-3"),
        ("/v1/invoices", "vpsbg/none"),
        ("/v1/invoices?query=2010-00&limit=100", "checkdomain/many"),
        ("/v1/invoices?query=a", "checkdomain/odd"),
        ("/v1/invoices/30001", "checkdomain/many"),
        ("/v1/invoices/30001", "checkdomain/ten"),
    ]
    alone = [site.get(target, account).lasting() for target, account in calls]
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda call: site.get(*call), calls * 50))
    assert [reply.lasting() for reply in replies] == alone * 50


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not tell the size of a process there")
def test_a_caller_who_never_reads_is_not_read_either(serve_logged: Serve) -> None:
    """Requests that pour in while no answer is taken wait in the caller's hands: the server's memory does not grow with them."""
    requests = b"GET /v1/invoices HTTP/1.1\r\nHost: x\r\n\r\n" * 5000
    with serve_logged(FAKTURA_ACCESS_LOG="off") as (site, process), socket.create_connection(site.address, timeout=1) as connection:
        before = resident_bytes(process.pid)
        with suppress(TimeoutError, ConnectionError):
            for _ in range(60):
                connection.sendall(requests)
        assert resident_bytes(process.pid) - before < 100_000_000
        assert site.get("/healthz").status == 200


def resident_bytes(pid: int) -> int:
    """The memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])
