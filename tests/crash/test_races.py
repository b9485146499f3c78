"""Two servers on one ledger behave as one."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

from tests.crash.checks import check_acknowledged, check_billing, check_order, check_refused, check_verified, check_wire, look
from tests.crash.conftest import Serve
from tests.crash.home import ISSUING, Place
from tests.crash.load import BASE, Caller, Known, Line, Write, billing_items
from tests.crash.nursery import Nursery

WRITES = 150
ITEMS = 700
SECONDS_MAX = 60


def finished(place: Place) -> dict[int, str]:
    """The states of all billing runs, once they are worked off."""
    until = time.monotonic() + SECONDS_MAX
    while set((runs := look(place).runs).values()) - {"done"}:
        assert time.monotonic() < until, runs
        time.sleep(0.05)
    return runs


def test_two_servers_under_load_number_as_one(place: Place, serve: Serve) -> None:
    """Issue, pay, credit, drafts and billing runs at both: numbers dense, nothing twice, and both show the same lists."""
    urls = [serve(place).url(), serve(place).url()]
    known, stop = Known(place), threading.Event()
    callers = [Caller(known, urls[number % 2], random.Random(number), survives=True, stop=stop) for number in range(6)]
    threads = [threading.Thread(target=caller.run, daemon=True) for caller in callers]
    for thread in threads:
        thread.start()
    until = time.monotonic() + SECONDS_MAX
    while sum(len(caller.writes) for caller in callers) < WRITES and all(caller.failure is None for caller in callers):
        assert time.monotonic() < until
        time.sleep(0.02)
    stop.set()
    for thread, caller in zip(threads, callers, strict=True):
        thread.join()
        if caller.failure is not None:
            raise caller.failure
    finished(place)
    writes = [write for caller in callers for write in caller.writes]
    assert not [write for write in writes if write.is_unknown]
    seen = look(place)
    check_acknowledged(seen, [write for write in writes if write.is_acknowledged])
    check_refused(seen, [write for write in writes if not write.is_acknowledged])
    check_order(seen)
    check_billing(seen)
    check_verified(place)
    for url in urls:
        with closing(Line(url)) as line:
            check_wire(place, line, place.accounts)


def test_each_item_of_a_run_that_two_servers_work_off_is_billed_once(place: Place, serve: Serve) -> None:
    """The same input under two keys, sent to two servers at once: one run issues an item, the other finds it billed."""
    urls = [serve(place).url(), serve(place).url()]
    body = billing_items("october", random.Random(1), count=ITEMS)
    writes = [Write(kind="run", key=f"run-{number}", provider="vps", path="/billing-runs", body=body, mark="october") for number in range(4)]
    barrier = threading.Barrier(len(writes))

    def send(number: int) -> int:
        with closing(Line(urls[number % 2])) as line:
            barrier.wait()
            return line.send(place, writes[number])[0]

    with ThreadPoolExecutor(len(writes)) as pool:
        assert list(pool.map(send, range(len(writes)))) == [202] * len(writes)
    assert len(finished(place)) == len(writes)
    seen = look(place)
    assert Counter(outcome for _, _, outcome, _ in seen.items) == {"issued": ITEMS, "billed-before": ITEMS * (len(writes) - 1)}
    assert len(seen.documents) == len(seen.billed) == ITEMS
    check_billing(seen)
    check_order(seen)
    check_verified(place)


def test_one_key_at_two_servers_at_once_has_one_effect(place: Place, serve: Serve) -> None:
    """Every key is sent to both servers at the same moment, several times: one document, and every answer is the first one's."""
    urls = [serve(place).url(), serve(place).url()]
    lines = [{"name": "VPS", "unit_price": "10"}]
    body = json.dumps({"account_id": place.accounts["vps/a0"], "lines": lines, "note": "once"}).encode()
    barrier = threading.Barrier(6)

    def send(number: int) -> list[tuple[int, bytes]]:
        answers = []
        with closing(Line(urls[number % 2])) as line:
            for turn in range(10):
                barrier.wait()
                status, _, answer = line.send(place, Write(kind="issue", key=f"turn-{turn}", provider="vps", path="/invoices", body=body, mark="once"))
                answers.append((status, answer))
        return answers

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(send, range(6)))
    assert all(answers == found[0] for answers in found)
    assert [status for status, _ in found[0]] == [201] * 10
    assert len(look(place).documents) == 10
    check_verified(place)


def test_a_revoked_token_opens_nothing_on_any_server(place: Place, serve: Serve, nursery: Nursery) -> None:
    """Revoked at one server, or on the command line: the next request at the other, whose every cache knows it, is refused (documented: within a second)."""
    with ExitStack() as stack:
        lines = [stack.enter_context(closing(Line(serve(place).url()))) for _ in range(2)]
        for provider in ISSUING:
            for account_id, path in ((place.accounts[f"{provider}/a0"], "/v1/invoices?page=1"), (None, f"{BASE}/invoices")):
                for by_command in (False, True):
                    token = create_token(place, lines[0], provider, account_id)
                    assert [line.ask("GET", path, token["token"])[0] for line in lines * 2] == [200] * 4
                    if by_command:
                        assert nursery.start("token", "revoke", str(token["id"]), environment=place.environment, log=place.log).wait() == 0
                    else:
                        assert lines[0].ask("DELETE", f"{BASE}/tokens/{token['id']}", place.tokens[provider])[0] == 204
                    assert [line.ask("GET", path, token["token"])[0] for line in reversed(lines)] == [401] * 2


def create_token(place: Place, line: Line, provider: str, account_id: int | None) -> dict[str, Any]:
    """A new token of an account, or of the provider."""
    body = {"account_id": account_id, "scopes": ["invoices:read" if account_id is None else "read"]}
    headers = {"Content-Type": "application/json"}
    status, _, answer = line.ask("POST", f"{BASE}/tokens", place.tokens[provider], body=json.dumps(body).encode(), headers=headers)
    assert status == 201, answer
    found: dict[str, Any] = json.loads(answer)
    return found
