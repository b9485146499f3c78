"""Reads are answered while the ledger's one writer is held and more calls wait for it than there are threads."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx2
from tests.conftest import Ledger

from faktura.ledger.accounts import create_token
from faktura.server.management.api import THREADS_MAX, make_management

SECONDS_MAX = 20


def test_reads_do_not_wait_for_writers(ledger: Ledger) -> None:
    """Twice as many writing calls as threads wait for a writer that does not end; lists and documents are answered all the same, and then the calls too."""
    ledger.provider("vpsbg")
    account = ledger.account("vpsbg")
    token, _ = create_token(ledger.books, provider="vpsbg", reference=None, scopes=("admin",))
    app: Any = make_management(ledger.books, used=lambda *_: None, wake=lambda: None)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with ledger.books.storage.writing():
            held.set()
            done.wait(SECONDS_MAX)

    async def calls() -> list[int]:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://x/manage/v1", headers=headers, timeout=None) as client:
            body = {"account_id": account.id, "lines": [{"name": "VPS", "unit_price": "1"}]}
            writing = [asyncio.create_task(client.post("/invoices", json=body)) for _ in range(2 * THREADS_MAX)]
            await asyncio.sleep(0.5)
            try:
                for path in ("/invoices", f"/accounts/{account.id}", "/journal"):
                    answer = await asyncio.wait_for(client.get(path), SECONDS_MAX / 4)
                    assert answer.status_code == 200
                assert not any(task.done() for task in writing)
            finally:
                done.set()
            return [answer.status_code for answer in await asyncio.gather(*writing)]

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(SECONDS_MAX)
    assert asyncio.run(calls()) == [201] * (2 * THREADS_MAX)
    holder.join()
