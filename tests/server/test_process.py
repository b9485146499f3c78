"""The server as a process: its probes, its log, its end."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import open_ledger
from tests.server.conftest import Serve
from tests.server.wire import SECONDS_MAX, Site, request_bytes, serve_and_end

from faktura.domain.provider import Token, generate_token

STOP_SECONDS_MAX = 20
WELL_FORMED = ["a", "0123456789abcdef", "A.b_c-9", "x" * 64]
MALFORMED = ["", "x" * 65, "a b", 'a"b', "a,b", "ä", "a/b", "{}", "a\tb"]


@pytest.fixture(scope="module")
def logged(serve_logged: Serve) -> Iterator[Site]:
    """A server that keeps its log."""
    with serve_logged() as (site, _):
        yield site


def line_of(site: Site, request_id: str) -> dict[str, Any]:
    """The one line of a request."""
    (line,) = [line for line in site.lines() if line.get("request_id") == request_id]
    return line


@pytest.mark.parametrize(("target", "body"), [("/healthz", b'{"status":"ok"}'), ("/readyz", b'{"status":"ready"}')])
@pytest.mark.parametrize("host", ["vpsbg.test", "checkdomain.test", "elsewhere.test"])
def test_probes(logged: Site, target: str, body: bytes, host: str) -> None:
    """Probes answer 200 in JSON without a token, on every Host, and are not to be stored; HEAD answers the same without a body."""
    reply, head = (logged.get(target, host=host, method=method) for method in ("GET", "HEAD"))
    assert (reply.status, reply.body) == (200, body)
    assert (reply.header("content-type"), reply.header("cache-control")) == ("application/json", "no-store")
    assert (head.lasting()[:2], head.body) == (reply.lasting()[:2], b"")


@pytest.mark.parametrize("written", WELL_FORMED)
def test_a_well_formed_request_id_is_echoed(logged: Site, written: str) -> None:
    """A caller's X-Request-Id comes back and stands in the log."""
    assert logged.get("/v1/invoices", "vpsbg", headers=[("X-Request-Id", written)]).header("x-request-id") == written
    assert line_of(logged, written)["path"] == "/v1/invoices"


@pytest.mark.parametrize("written", MALFORMED)
def test_a_malformed_request_id_is_replaced(logged: Site, written: str) -> None:
    """Any other X-Request-Id is replaced by one of ours, which the log has too."""
    given = logged.get("/healthz", headers=[("X-Request-Id", written.encode())]).header("x-request-id") or ""
    assert re.fullmatch(r"[0-9a-f]{16}", given)
    assert line_of(logged, given)["path"] == "/healthz"


def test_every_request_has_an_id_of_its_own(logged: Site) -> None:
    """Requests without an id get different ones, errors and probes too."""
    ids = {logged.get(target).header("x-request-id") for target in ("/healthz", "/readyz", "/v1/invoices", "/v1/x", "/v1/invoices")}
    assert len(ids) == 5
    assert None not in ids


def test_the_access_log_says_who_asked_what(logged: Site) -> None:
    """A request is one JSON line with method, path without query, status, size, duration, provider, account and peer."""
    reply = logged.get("/v1/invoices?query=secret-number", "checkdomain", headers=[("X-Request-Id", "log-1")])
    stranger = logged.get("/v1/%22x%22%0A", host="vpsbg.test", headers=[("X-Request-Id", "log-2")])
    line, other = line_of(logged, "log-1"), line_of(logged, "log-2")
    known = ("event", "level", "method", "path", "status", "bytes", "provider", "peer")
    assert [line[key] for key in known] == ["request", "info", "GET", "/v1/invoices", 200, len(reply.body), "checkdomain", "127.0.0.1"]
    assert [other[key] for key in known] == ["request", "info", "GET", '/v1/"x"\n', 404, len(stranger.body), "vpsbg", "127.0.0.1"]
    assert (line["account_id"] > 0, other["account_id"]) == (True, None)
    assert isinstance(line["duration_us"], int)
    assert "secret-number" not in json.dumps(line)


def test_no_token_is_logged(logged: Site) -> None:
    """Neither good nor bad tokens are in the log, whatever way they were sent, nor in an answer."""
    assert logged.log is not None
    tokens = [*logged.tokens.values(), generate_token(), "fkt_malformed"]
    for token in tokens:
        asks = [("Authorization", f"Bearer {token}")]
        replies = [logged.get("/v1/invoices", headers=headers) for headers in (asks, asks * 2, [("Authorization", token)])]
        replies.append(logged.get(f"/v1/invoices?token={token}", headers=asks))
        assert all(token.encode() not in reply.body for reply in replies)
        assert all(token not in value for reply in replies for _, value in reply.headers)
        logged.talk(f"GET /v1/invoices HTTP/1.1\r\nAuthorization: Bearer {token}\r\nno colon\r\n\r\n".encode())
    assert len(logged.lines()) > 4 * len(tokens)
    text = logged.log.read_text(encoding="utf-8")
    assert not [token for token in tokens if token[:12] in text]


def test_the_access_log_can_be_off(serve_logged: Serve) -> None:
    """FAKTURA_ACCESS_LOG=off keeps requests out of the log."""
    with serve_logged(FAKTURA_ACCESS_LOG="off") as (site, _):
        assert site.get("/v1/invoices", "vpsbg").status == 200
        assert site.lines() == []


def test_the_default_provider_answers_where_nothing_else_decides(serve_logged: Serve) -> None:
    """FAKTURA_DEFAULT_PROVIDER names who answers without a token on a Host that is nobody's; a Host that is somebody's still decides."""
    with serve_logged(FAKTURA_DEFAULT_PROVIDER="checkdomain") as (site, _):
        bodies = [site.get("/v1/invoices", host=host).json() for host in ("elsewhere.test", "vpsbg.test")]
    assert bodies == [{"code": 401, "message": "Unauthorized", "errors": None}, {"message": "Unauthenticated."}]


def tokens_of(path: Path, provider_name: str) -> list[Token]:
    """The tokens of a provider as the ledger keeps them."""
    with open_ledger(path) as ledger, ledger.books.storage.reading() as tx:
        provider = tx.providers.find(provider_name)
        assert provider is not None
        return tx.accounts.tokens(provider.id)


@dataclass(frozen=True)
class Stopped:
    """A server that was used and then got SIGTERM."""

    site: Site
    path: Path
    status: int
    log_of_writes_left: bool
    used_us: tuple[int, int]
    """Before and after VPSBG's token was used."""


@pytest.fixture(scope="module")
def stopped(serve_logged: Serve) -> Stopped:
    """A server after its end. When it was told to stop, one caller kept a connection open and another was in the middle of a head."""
    with serve_logged() as (site, process):
        assert site.path is not None
        before = time.time_ns() // 1000
        assert site.get("/v1/invoices", "vpsbg").status == 200
        after = time.time_ns() // 1000
        with socket.create_connection(site.address, timeout=SECONDS_MAX) as kept, socket.create_connection(site.address) as slow:
            kept.sendall(request_bytes("/healthz").replace(b"Connection: close\r\n", b""))
            assert kept.recv(65536).startswith(b"HTTP/1.1 200")
            slow.sendall(b"GET /v1/invoices HTTP/1.1\r\nHost: x\r\nA: ")
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=STOP_SECONDS_MAX)
        return Stopped(site, site.path, status, Path(f"{site.path}-wal").exists(), (before, after))


def test_sigterm_writes_when_tokens_were_used(stopped: Stopped) -> None:
    """The last use of a token is in the ledger once the server has ended, and of an unused one it is still unknown."""
    (used,), (unused,) = tokens_of(stopped.path, "vpsbg"), tokens_of(stopped.path, "checkdomain")
    assert stopped.used_us[0] <= (used.last_used_at_us or 0) <= stopped.used_us[1]
    assert unused.last_used_at_us is None


def test_sigterm_ends_without_a_complaint(stopped: Stopped) -> None:
    """Nothing above info is logged on the way out, and nobody listens any more."""
    assert {line["level"] for line in stopped.site.lines(running=False)} == {"info"}
    with pytest.raises(ConnectionRefusedError):
        stopped.site.get("/healthz")


def test_sigterm_closes_the_ledger(stopped: Stopped) -> None:
    """A server that was told to stop ends with status 0 and has closed the ledger: the log of writes is folded into the file."""
    assert (stopped.status, stopped.log_of_writes_left) == (0, False)


def test_sigint_closes_the_ledger(serve_logged: Serve) -> None:
    """Ctrl-C ends a server as well: the last use is written, the ledger closed, and there is no traceback."""
    with serve_logged() as (site, process):
        assert site.path is not None
        assert site.get("/v1/invoices", "vpsbg").status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=STOP_SECONDS_MAX) in {0, 130}
        assert not Path(f"{site.path}-wal").exists()
        assert not [line for line in site.lines(running=False) if line["level"] != "info"]
        assert tokens_of(site.path, "vpsbg")[0].last_used_at_us is not None


def test_a_port_in_use_is_one_line(logged: Site) -> None:
    """`serve` on a port that is taken ends with one line that names it, and the server that has it serves on."""
    assert logged.path is not None
    port = logged.address[1]
    ended = serve_and_end(logged.path, port)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.startswith(f"faktura: cannot listen on 127.0.0.1:{port}: ")
    assert logged.get("/healthz").status == 200
