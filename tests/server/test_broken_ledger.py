"""What callers and operators see while the ledger cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.database import below, execute, sqlite_only
from tests.server.conftest import Serve
from tests.server.wire import Site

BODIES = {"vpsbg": b'{"message":"Server Error"}', "checkdomain": b'{"code":500,"message":"Internal Server Error","errors":null}'}
MISSING = ("no such table", 'relation "listing" does not exist')


@pytest.fixture(scope="module")
def breakable(serve_logged: Serve) -> Iterator[Site]:
    """A server whose ledger tests may break and mend."""
    with serve_logged() as (site, _):
        yield site


@contextmanager
def without(site: Site, table: str) -> Iterator[None]:
    """The ledger lacks a table meanwhile."""
    assert site.path is not None
    execute(site.path, f"ALTER TABLE {table} RENAME TO {table}_away")
    try:
        yield
    finally:
        execute(site.path, f"ALTER TABLE {table}_away RENAME TO {table}")


@pytest.mark.parametrize("target", ["/v1/invoices", "/v1/invoices?page=2"])
def test_fact_16_server_error(breakable: Site, target: str) -> None:
    """VPSBG's 500 says Server Error and nothing of what went wrong; once the ledger is well, so is the answer."""
    with without(breakable, "listing"):
        reply = breakable.get(target, "vpsbg")
    assert (reply.status, reply.body) == (500, BODIES["vpsbg"])
    assert breakable.get(target, "vpsbg").status == 200


@pytest.mark.parametrize("host", ["checkdomain.test", "vpsbg.test"])
@pytest.mark.parametrize("target", ["/v1/invoices", "/v1/invoices/1", "/v1/invoices?query=2010"])
def test_fact_24_server_error(breakable: Site, target: str, host: str) -> None:
    """Checkdomain's 500 has the three keys; the token decides whose words they are, also where the Host is another's."""
    with without(breakable, "listing"):
        reply = breakable.get(target, "checkdomain", host=host)
    assert (reply.status, reply.body) == (500, BODIES["checkdomain"])
    assert breakable.get(target, "checkdomain").status == 200


def test_fact_17_a_server_error_carries_the_limit(breakable: Site) -> None:
    """Every throttled route tells what remains, with a 500 too."""
    with without(breakable, "listing"):
        reply = breakable.get("/v1/invoices", "vpsbg")
    assert (reply.status, reply.header("x-ratelimit-limit")) == (500, "60")
    assert reply.header("x-ratelimit-remaining") is not None


def test_fact_25_a_server_error_carries_the_limit(breakable: Site) -> None:
    """Limit, remaining and reset are on every response, on a 500 too."""
    with without(breakable, "listing"):
        reply = breakable.get("/v1/invoices", "checkdomain", host="checkdomain.test")
    assert (reply.status, reply.header("x-ratelimit-limit")) == (500, "1000")
    assert (reply.header("x-ratelimit-remaining") or "").isdigit()
    assert (reply.header("x-ratelimit-reset") or "").isdigit()


def test_a_server_error_is_one_line_of_the_log(breakable: Site) -> None:
    """What went wrong stands in the log, one JSON line with the request's id, and no token."""
    with without(breakable, "listing"):
        reply = breakable.get("/v1/invoices", "vpsbg", headers=[("X-Request-Id", "broken-1")])
    assert reply.header("x-request-id") == "broken-1"
    lines = breakable.lines()
    failed = [line for line in lines if line.get("request_id") == "broken-1"]
    assert [(line["level"], line["status"], any(words in line["exception"] for words in MISSING)) for line in failed] == [("error", 500, True)]
    assert "fkt_" not in str(lines)


def test_readyz_is_503_while_the_ledger_cannot_be_read(breakable: Site) -> None:
    """/readyz says 503 in JSON while the ledger cannot be read and 200 once it can; /healthz stays 200."""
    with without(breakable, "provider"):
        ready, healthy = breakable.get("/readyz"), breakable.get("/healthz")
    assert (healthy.status, healthy.json()) == (200, {"status": "ok"})
    assert (ready.status, ready.header("content-type")) == (503, "application/json")
    assert breakable.get("/readyz").status == 200


@pytest.mark.parametrize(("dialect", "target"), [("vpsbg", "/v1/invoices"), ("checkdomain", "/v1/invoices?query=2010"), ("checkdomain", "/v1/invoices/2")])
def test_what_an_older_release_rendered_is_rendered_anew(breakable: Site, dialect: str, target: str) -> None:
    """Wire forms that an older dialect version stored are not served: the answer is what this release renders."""
    before = breakable.get(target, dialect)
    assert breakable.path is not None
    kept = execute(breakable.path, "SELECT dialect_version, item, single, invoice_id FROM listing")
    execute(breakable.path, "UPDATE listing SET dialect_version = 0, item = ?, single = ?", (b"{}", b"{}"))
    stale = breakable.get(target, dialect)
    with below(breakable.path) as run:
        for row in kept:
            run("UPDATE listing SET dialect_version = ?, item = ?, single = ? WHERE invoice_id = ?", list(row.values()))
    assert stale.lasting() == before.lasting()
    assert before.status == 200


@sqlite_only
def test_a_file_that_is_away_is_a_503(serve_logged: Serve) -> None:
    """A ledger file that was overwritten is said to be unavailable for now, with Retry-After, to lists and searches alike."""
    with serve_logged() as (site, _):
        assert isinstance(site.path, Path)
        assert site.get("/v1/invoices", "vpsbg").status == 200
        for path in (site.path, Path(f"{site.path}-wal")):
            path.write_bytes(b"not a database " * 4096)
        replies = [site.get("/v1/invoices", "vpsbg"), site.get("/v1/invoices?query=1", "checkdomain")]
    assert [(reply.status, reply.header("retry-after")) for reply in replies] == [(503, "2")] * 2
    assert all(reply.json()["message"] for reply in replies)
