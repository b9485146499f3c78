"""PostgreSQL killed under an idle server: every call is told so in its API's own words, and the same server goes on when the database is back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.crash.checks import check_acknowledged, check_order, check_verified, check_wire, look
from tests.crash.cluster import Cluster
from tests.crash.conftest import Serve
from tests.crash.home import Place, make_place
from tests.crash.load import BASE, Line, Write, require_away
from tests.crash.nursery import Nursery

pytestmark = pytest.mark.only("postgresql")


@pytest.fixture
def kept(engine: str, cluster: Cluster, tmp_path: Path) -> Iterator[Place]:
    """A ledger in the server that is killed."""
    yield make_place(cluster.create("away"), tmp_path)
    cluster.drop("away")


def issue(place: Place, line: Line, key: str) -> Write:
    """Issue a document."""
    body = {"account_id": place.accounts["dom/a0"], "lines": [{"name": "Domain", "unit_price": "10"}], "note": key}
    write = Write(kind="issue", key=key, provider="dom", path="/invoices", body=json.dumps(body).encode(), mark=key)
    write.status, write.headers, write.answer = line.send(place, write)
    return write


def statuses(place: Place, line: Line) -> dict[str, int]:
    """What each API answers; where the ledger is away, in its own words."""
    asked = {"/v1/invoices?page=1": "vps/a0", "/v1/invoices?page=1&limit=10": "dom/a0", f"{BASE}/invoices": "vps", "/readyz": "vps", "/healthz": "vps"}
    members = {"vps/a0": {"message"}, "dom/a0": {"code", "message", "errors"}, "vps": {"title", "status", "detail"}}
    found = {}
    for path, token in asked.items():
        found[path], headers, body = line.ask("GET", path, place.tokens[token])
        if found[path] == 503 and path != "/readyz":
            require_away(headers, body, "title" if token == "vps" else "message")
            assert set(json.loads(body)) == members[token], body
    return found


def test_a_server_outlives_its_database(kept: Place, cluster: Cluster, serve: Serve, nursery: Nursery) -> None:
    """503 with Retry-After while it is away, also while it recovers; one line and exit code 1 on the command line; then everything is there, and goes on."""
    told = []
    with closing(Line(serve(kept).url())) as line:
        assert set(statuses(kept, line).values()) == {200}
        for turn in range(2):
            told.append(issue(kept, line, f"before-{turn}"))
            cluster.kill()
            for _ in range(2):
                found = statuses(kept, line)
                assert found.pop("/healthz") == 200
                assert set(found.values()) == {503}
            refused = issue(kept, line, f"while-{turn}")
            assert refused.status == 503
            require_away(refused.headers, refused.answer, "title")
            kept.log.write_text("")
            assert nursery.start("account", "add", "vps", f"new-{turn}", environment=kept.environment, log=kept.log).wait() == 1
            errors = [text for text in kept.log.read_text().splitlines() if not text.startswith("{")]
            assert len(errors) == 1, errors
            assert errors[0].startswith("faktura: ")
            cluster.start()
            while set(statuses(kept, line).values()) != {200}:  # for a moment it is not asked whether it is back
                continue
            again = issue(kept, line, refused.key)
            assert again.status == 201
            told.append(again)
        assert all(write.status == 201 for write in told)
        check_wire(kept, line, kept.accounts)
    check_acknowledged(look(kept), told)
    check_order(look(kept))
    check_verified(kept)
