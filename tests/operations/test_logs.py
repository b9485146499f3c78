"""The log tells of each request once, under its id, and never a token."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from tests.conftest import Ledger
from tests.database import execute
from tests.operations.watched import Watched, furnish, watching

from faktura.domain.provider import generate_token
from faktura.ledger.billing_runs import accept_run, begin_run, receive_items

WAIT_SECONDS_MAX = 20


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine


@pytest.fixture
def server(ledger: Ledger) -> Iterator[Watched]:
    """A watched server of a small ledger."""
    with watching(ledger, furnish(ledger)) as watched:
        yield watched


def talk(server: Watched, sent: bytes) -> bytes:
    """What the server says to bytes as they are, until it hangs up."""
    said = b""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20) as connection:
        connection.sendall(sent)
        while chunk := connection.recv(65536):
            said += chunk
    return said


def ask_everything(server: Watched, token: str) -> None:
    """Send a token in every place where callers put one, rightly or by mistake, so that the call is answered, refused, malformed or fails."""
    places = [
        f"/v1/invoices?token={token}",
        f"/v1/{token}",
        f"/v1/invoices/{token}",
        f"/v1/invoices?query={token}",
        f"/v1/%66kt_{token[4:]}",
        f"/{quote(token + ' x')}",
    ]
    places += [
        f"/manage/v1/{token}",
        f"/manage/v1/accounts?{token}=1",
        f"/manage/v1/accounts?reference={token}",
        f"/manage/v1/accounts/{token}",
        "/manage/v1/openapi.json",
    ]
    for place in places:
        for method in ("GET", "POST", "OPTIONS"):
            server.ask(method, place, token, Idempotency_Key=token, If_Match=token, User_Agent=token, Cookie=token)
            server.ask(method, place, None, X_Request_Id=token, X_Forwarded_For=token, Authorization=token)
    body = f'{{"reference": "{token}", "{token}": 1'.encode()
    for closing in (b"}", b""):
        server.ask("POST", "/manage/v1/accounts", token, body=body + closing, Content_Type="application/json", Idempotency_Key=token)
    for raw in (
        f"GET {token}\r\n\r\n",
        f"{token} / HTTP/1.1\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization: Bearer {token}\r\nno colon\r\n\r\n",
        f"GET / HTTP/1.1\r\nX: {token * 900}\r\n\r\n",
    ):
        talk(server, raw.encode())


def test_no_token_is_ever_logged(ledger: Ledger, server: Watched) -> None:
    """Neither good nor unknown nor broken tokens are in any line, whether calls are answered, refused, malformed or fail."""
    tokens = [*server.tokens.values(), generate_token(), "fkt_" + "x" * 40]
    for token in tokens:
        ask_everything(server, token)
    execute(ledger.books, "ALTER TABLE token RENAME TO token_away")
    try:
        for token in tokens:
            server.ask("GET", f"/v1/invoices/{token}", token)
            server.ask("GET", f"/manage/v1/accounts/{token}", token)
    finally:
        execute(ledger.books, "ALTER TABLE token_away RENAME TO token")
    lines = server.lines()
    assert {"info", "error"} <= {line["level"] for line in lines}
    text = server.log.read_text(encoding="utf-8")
    assert not [token for token in tokens if token[4:16] in text]
    assert len(lines) > 60 * len(tokens)


def test_every_answer_and_every_line_has_the_request_s_id(server: Watched) -> None:
    """A sane id comes back and is logged, whichever API answers; any other is replaced; each answer is one line."""
    asks = [("GET", "/v1/invoices", "vpsbg"), ("GET", "/v1/invoices", None), ("GET", "/manage/v1/accounts", "manager"), ("POST", "/manage/v1/accounts", None)]
    asks += [("DELETE", "/manage/v1/nothing", "manager"), ("GET", "/healthz", None), ("GET", "/readyz", None), ("GET", "/manage/v1/openapi.json", None)]
    given = {}
    for place, (method, target, token) in enumerate(asks):
        assert server.ask(method, target, token, X_Request_Id=f"mine-{place}").headers["x-request-id"] == f"mine-{place}"
        given[f"mine-{place}"] = target
        made = server.ask(method, target, token, X_Request_Id="not one\tof {ours}").headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{16}", made)
        given[made] = target
    found = [(line["request_id"], line["path"]) for line in server.lines() if line.get("request_id") in given]
    assert sorted(found) == sorted(given.items())


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"no request\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431)],
)
def test_what_is_no_request_has_an_id_too(server: Watched, sent: bytes, status: int) -> None:
    """Bytes that are no request are answered with an id and logged under it, with their peer and nothing of what they said."""
    found = re.search(rb"\r\nx-request-id: ([0-9a-f]{16})\r\n", talk(server, sent))
    assert found
    (line,) = [line for line in server.lines() if line.get("request_id") == found[1].decode()]
    assert (line["status"], line["route"], line["peer"], line["path"]) == (status, "malformed", "127.0.0.1", "")


def test_a_failed_management_call_is_one_line_with_its_id(ledger: Ledger, server: Watched) -> None:
    """What went wrong in a management call stands in the request's own line."""
    execute(ledger.books, "ALTER TABLE account RENAME TO account_away")
    try:
        answer = server.manage("GET", "/accounts", X_Request_Id="broken-1")
    finally:
        execute(ledger.books, "ALTER TABLE account_away RENAME TO account")
    assert answer.status in {500, 503}
    (line,) = [line for line in server.lines() if line.get("request_id") == "broken-1"]
    assert (line["event"], line["level"], line["status"], line["route"]) == ("request failed", "error", answer.status, "listAccounts")
    assert "account" in line["exception"]


def test_a_failing_billing_run_is_named(ledger: Ledger) -> None:
    """What stops the billing worker is logged with the run that met it."""
    tokens = furnish(ledger)
    with ledger.books.storage.reading() as tx:
        provider = tx.providers.all()[0]
    run = receive_items(ledger.books, begin_run(ledger.books, provider_id=provider.id, is_dry_run=False), [(1, "{}")])
    accept_run(ledger.books, run)
    execute(ledger.books, "ALTER TABLE billing_run_item RENAME TO billing_run_item_away")
    with watching(ledger, tokens) as server:
        until = time.monotonic() + WAIT_SECONDS_MAX
        while not (found := [line for line in server.lines() if line["event"] == "billing runs wait"]) and time.monotonic() < until:
            time.sleep(0.1)
        execute(ledger.books, "ALTER TABLE billing_run_item_away RENAME TO billing_run_item")
    assert found[0]["run_id"] == run.id
    assert found[0]["level"] == "error"
