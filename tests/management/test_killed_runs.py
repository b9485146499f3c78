"""A billing run goes on after its server was killed."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import httpx2
from tests.conftest import Served, open_ledger, serving

from faktura.ledger.accounts import create_token
from faktura.ledger.listing_query import list_invoices
from faktura.ledger.verification import verify

ITEMS = {"sqlite": 2500, "postgresql": 1000}
"""Enough that a run is killed in the middle."""
WAIT_SECONDS_MAX = 90


def items(count: int) -> bytes:
    """Many items, some of which have faults, and a few twice."""
    rows = []
    for place in range(count):
        lines = [] if place % 100 == 7 else [{"name": "VPS", "unit_price": "1.50"}]
        same = place - 1 if place % 250 == 1 else place
        rows.append({"account": f"a{same % 5}", "period": "2026-10", "product": f"p{same}", "lines": lines})
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_a_killed_server_loses_no_item_and_issues_none_twice(engine: str, tmp_path: Path) -> None:
    """SIGKILL at random moments of a run, again and again: in the end every item came to what it must, and the books are whole."""
    path, count = tmp_path / "ledger.db", ITEMS[engine]
    twice, bad = count // 250, count // 100
    with open_ledger(path) as ledger:
        ledger.provider("vpsbg")
        for place in range(5):
            ledger.account("vpsbg", f"a{place}")
        token, _ = create_token(ledger.books, provider="vpsbg", reference=None, scopes=("admin",))
    bearer = {"Authorization": f"Bearer {token}"}
    seeded = random.Random(3)
    location = ""
    for attempt in range(4):
        with serving(path, FAKTURA_BILLING_LEASE_SECONDS="1") as served, httpx2.Client(base_url=served.url, headers=bearer) as client:
            if not location:
                answer = client.post(
                    "/manage/v1/billing-runs", content=items(count), headers={"Content-Type": "application/jsonl", "Idempotency-Key": "october"}
                )
                assert answer.status_code == 202
                location = answer.headers["Location"]
            if attempt < 3:
                time.sleep(seeded.uniform(0.05, 0.6))
                served.process.kill()
                served.process.wait()
            else:
                run = finished(served, client, location)
    assert run["counts"] == {"issued": count - bad - twice, "refused": bad, "billed-before": twice}
    with open_ledger(path) as ledger:
        assert len(list(list_invoices(ledger.books))) == count - bad - twice
        assert not list(verify(ledger.books))


def finished(served: Served, client: httpx2.Client, location: str) -> dict[str, object]:
    """The run, once it is done."""
    until = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < until:
        run: dict[str, object] = client.get(location).json()
        if run["state"] == "done":
            return run
        assert served.process.poll() is None
        time.sleep(0.2)
    raise AssertionError(run)
