"""A call that comes twice over HTTP has its effect once, whatever call it is, however the two come."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from tests.conftest import open_ledger, running
from tests.database import database_environment, dump, execute
from tests.management.conftest import Running
from tests.management.operations import RECIPES, draft_of, unique
from tests.management.site import BASE, Ask, Dump, Operation, Reply, Site, Wire, changes

from faktura.ledger.verification import verify

WRITING = [
    *("setProvider", "addAccount", "setAccount", "recordVatCheck", "createToken", "revokeToken", "setSeries", "addDraft", "setDraft", "removeDraft"),
    *("issueDraft", "issueInvoice", "invoiceProForma", "creditInvoice", "allocateCreditNote", "refundCreditNote", "recordPayment", "allocatePayment"),
    *("refundPayment", "reversePayment", "startBillingRun", "lockPeriod", "setLogo", "removeLogo"),
]
CALLERS = 8
VARYING = frozenset({"date", "x-request-id", "idempotent-replayed"})
RECEIVED = ("billing_run", "billing_run_item", "counter")
"""What an upload that turns out to be a repetition may have touched: its rows are gone again, its id is used up."""


def keyed(key: str) -> list[tuple[str, str]]:
    """The header."""
    return [("Idempotency-Key", key)]


def shown_once(name: str, reply: Reply) -> bytes:
    """The body, but the key of a new token, which no repetition shows."""
    if name != "createToken":
        return reply.body
    return str({key: value for key, value in reply.json().items() if key != "token"}).encode()


def settled(site: Site) -> Dump:
    """The ledger, once no billing run is under way."""
    for name in ("alpha", "beta"):
        while any(run["state"] != "done" for run in site.api(name).get("/billing-runs?limit=5")["items"]):
            threading.Event().wait(0.02)
    return site.dump()


def beside(name: str, before: Dump, after: Dump) -> dict[str, Any]:
    """What changed, but what receiving an upload uses up."""
    found = changes(before, after)
    return {table: rows for table, rows in found.items() if not (name == "startBillingRun" and table == "counter")}


def test_all_writing_operations_are_here(operations: Mapping[str, Operation]) -> None:
    """A new writing call must be tried too."""
    assert sorted(WRITING) == sorted(name for name, operation in operations.items() if operation.is_writing)


@pytest.mark.parametrize("name", WRITING)
def test_the_same_call_twice(site: Site, name: str) -> None:
    """The second gets the first's status, headers and body, said to be repeated, and changes nothing; so does the third."""
    api, operation, key = site.api(), site.operations[name], unique("twice")
    ask = RECIPES[name](api)
    before = settled(site)
    first = api.call(operation, ask, headers=keyed(key))
    assert first.status < 300, first
    assert first.header("idempotent-replayed") is None
    done = settled(site)
    assert changes(before, done).keys() - {"idempotency"}, "the call has an effect"
    for _ in range(2):
        again = api.call(operation, ask, headers=keyed(key))
        assert again.header("idempotent-replayed") == "true"
        assert (again.status, shown_once(name, again)) == (first.status, shown_once(name, first))
        if name != "createToken":
            assert again.lasting(but=VARYING) == first.lasting(but=VARYING)
        assert beside(name, done, settled(site)) == {}


@pytest.mark.parametrize("name", WRITING)
def test_the_same_key_for_another_call(site: Site, name: str) -> None:
    """Another body, path, query, If-Match, method or operation under the key: 422, and nothing changes."""
    api, operation, key = site.api(), site.operations[name], unique("other")
    ask, other = RECIPES[name](api), RECIPES[name](api)
    assert api.call(operation, ask, headers=keyed(key)).status < 300
    before = settled(site)
    asks = []
    if ask.body is not None:
        asks.append(replace(ask, body=other.body if other.body != ask.body else {**ask.body, "note": "x"}))
        asks.append(replace(ask, body=(ask.raw_body() or b"") + b"\n"))
    if other.path != ask.path:
        asks.append(replace(ask, path=other.path))
    if ask.match is not None:
        asks += [replace(ask, match="*"), replace(ask, match=None), replace(ask, match=f"{ask.match}, {ask.match}")]
    if name == "startBillingRun":
        asks.append(replace(ask, query={"dry_run": "true"}))
    if name == "removeLogo":
        asks.append(replace(ask, match='"another"'))
    assert asks
    for changed in asks:
        reply = api.call(operation, changed, headers=keyed(key))
        assert reply.problem()["status"] in ({422, 428} if changed.match is None and ask.match else {422}), (changed, reply)
    draft = Ask(body={"account_id": 1, "document": {}})
    assert api.call(site.operations["addDraft"], draft, headers=keyed(key)).problem()["status"] == 422
    assert beside(name, before, settled(site)) == {}


def at_once(count: int, call: Callable[[], Reply]) -> list[Reply]:
    """The answers of calls that start together."""
    barrier = threading.Barrier(count)

    def one() -> Reply:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(one) for _ in range(count)]]


@pytest.mark.parametrize("name", WRITING)
def test_eight_calls_at_once(site: Site, name: str) -> None:
    """Under one key one has its effect, the others its answer: the ledger grows as by one call."""
    api, operation, key = site.api(), site.operations[name], unique("eight")
    alone, ask = RECIPES[name](api), RECIPES[name](api)
    if name in {"setProvider", "setSeries", "lockPeriod", "removeLogo"}:  # each of two calls in a row needs to be made after the other
        alone = None  # type: ignore[assignment]
    size = {}
    if alone is not None:
        before = settled(site)
        assert api.call(operation, alone, headers=keyed(unique("alone"))).status < 300
        size = growth(before, settled(site))
    before = settled(site)
    replies = at_once(CALLERS, lambda: api.call(operation, ask, headers=keyed(key)))
    assert {(reply.status, shown_once(name, reply)) for reply in replies} == {(replies[0].status, shown_once(name, replies[0]))}, replies
    assert replies[0].status < 300
    assert sorted(reply.header("idempotent-replayed") or "" for reply in replies) == [""] + ["true"] * (CALLERS - 1)
    grown = growth(before, settled(site))
    assert grown["idempotency"] == 1
    assert grown["journal"] >= 1
    assert not size or grown == size
    if name == "createToken":
        assert sum(reply.json()["token"] is not None for reply in replies) == 1


def growth(before: Dump, after: Dump) -> dict[str, int]:
    """How many rows each table has more."""
    return {table: len(after[table]) - len(before[table]) for table in after if len(after[table]) != len(before[table])}


@pytest.mark.parametrize("name", WRITING)
def test_another_providers_equal_key_is_another(site: Site, name: str) -> None:
    """Two providers that take the same key do not hear of each other."""
    operation, key = site.operations[name], unique("shared")
    for provider in ("alpha", "beta"):
        reply = site.api(provider).call(operation, RECIPES[name](site.api(provider)), headers=keyed(key))
        assert reply.status < 300, (provider, reply)
        assert reply.header("idempotent-replayed") is None


@pytest.mark.parametrize("name", WRITING)
def test_a_refusal_is_not_kept(site: Site, name: str) -> None:
    """After a refusal the key is free: the mended call has its effect. Neither a missing right nor a bad body takes a key."""
    api, operation, key = site.api(), site.operations[name], unique("refused")
    ask = RECIPES[name](api)
    before = settled(site)
    refused = [site.api(None).call(operation, ask, headers=keyed(key)), site.api("expired").call(operation, ask, headers=keyed(key))]
    refused.append(api.call(operation, replace(ask, body=b"[" if ask.body is not None else None, match='"x"', query={"x": "1"}), headers=keyed(key)))
    if ask.match is not None:
        refused += [api.call(operation, replace(ask, match='"x"'), headers=keyed(key)), api.call(operation, replace(ask, match=None), headers=keyed(key))]
    if ask.body is not None and not isinstance(ask.body, bytes):
        refused.append(api.call(operation, replace(ask, body={**ask.body, "unknown": 1}), headers=keyed(key)))
    if ask.path and "name" not in ask.path:
        refused.append(api.call(operation, replace(ask, path=dict.fromkeys(ask.path, 17)), headers=keyed(key)))
    assert all(400 <= reply.status < 500 for reply in refused), refused
    assert beside(name, before, settled(site)) == {}
    reply = api.call(operation, ask, headers=keyed(key))
    assert reply.status < 300, reply
    assert reply.header("idempotent-replayed") is None


def test_no_key_is_ever_in_the_ledger(site: Site) -> None:
    """A new token's key is in its answer and nowhere in what the ledger keeps, its files' bytes included, in whole or in its secret part, nor do repetitions show it."""
    api = site.api()
    ask = RECIPES["createToken"](api)
    replies = [api.call(site.operations["createToken"], ask, headers=keyed("create-1")) for _ in range(3)]
    secret = replies[0].json()["token"]
    assert secret.startswith("fkt_")
    assert [reply.json()["token"] for reply in replies[1:]] == [None, None]
    assert replace(api, token=secret).send("GET", f"{BASE}/tokens").status == 401  # a customer's token, which opens the provider's API only
    files = [path for path in site.path.parent.iterdir() if path.name.startswith(site.path.name)]
    assert len(files) != 1, "the write-ahead log is one of them"
    tokens = [secret, *site.tokens.values()]
    for content in [*(path.read_bytes() for path in files), "\n".join(dump(site.path)).encode()]:
        for token in tokens:
            assert token.encode() not in content
            assert token[8:40].encode() not in content
            assert token[8:40].encode("utf-16-le") not in content
            assert token[4:].encode().hex().encode() not in content


def test_keys_outlive_a_kill(run_site: Running) -> None:
    """A server that is killed forgets no key: the next one gives the answers that it gave, and nothing is done twice."""
    with run_site() as site:
        api = site.api()
        asks = {name: RECIPES[name](api) for name in WRITING if name not in {"setProvider", "setSeries", "startBillingRun"}}
        first = {name: api.call(site.operations[name], ask, headers=keyed(f"kill-{name}")) for name, ask in asks.items()}
        assert all(reply.status < 300 for reply in first.values()), first
        kill(site.pid)
        site.wire.close()
        before = site.dump()
        with running("serve", environment=database_environment(site.path)) as served, closing(Wire(served.host)) as wire:
            again = {name: replace(api, wire=wire).call(site.operations[name], ask, headers=keyed(f"kill-{name}")) for name, ask in asks.items()}
        for name, reply in again.items():
            assert reply.header("idempotent-replayed") == "true", name
            assert (reply.status, shown_once(name, reply)) == (first[name].status, shown_once(name, first[name]))
        assert changes(before, site.dump()) == {}
        with open_ledger(site.path) as ledger:
            assert list(verify(ledger.books)) == []


def test_a_kill_in_the_middle_leaves_all_or_nothing(run_site: Running) -> None:
    """Killed while calls run: each key that the next server knows has its one invoice, each that it does not has none, and retries complete them."""
    with run_site() as site:
        operation = site.operations["issueInvoice"]
        asks = {f"late-{number}": RECIPES["issueInvoice"](site.api()) for number in range(40)}
        answered: dict[str, Reply] = {}

        def one(key: str) -> None:
            try:
                answered[key] = site.api().call(operation, asks[key], headers=keyed(key))
            except OSError:
                return

        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(one, key) for key in asks]
            while len(answered) < 10:
                threading.Event().wait(0.001)
            kill(site.pid)
            for future in futures:
                future.exception()
        site.wire.close()
        assert 10 <= len(answered) < 40
        with running("serve", environment=database_environment(site.path)) as served, closing(Wire(served.host)) as wire:
            replies = {key: replace(site.api(), wire=wire).call(operation, ask, headers=keyed(key)) for key, ask in asks.items()}
        assert {reply.status for reply in replies.values()} == {201}
        assert all(replies[key].body == reply.body for key, reply in answered.items())
        assert all(replies[key].header("idempotent-replayed") == "true" for key in answered)
        assert len({reply.json()["number"] for reply in replies.values()}) == 40
        notes = [row["note"] for row in execute(site.path, "SELECT note FROM invoice WHERE note LIKE 'issued-%'")]
        assert sorted(notes) == sorted(str(ask.body["note"]) for ask in asks.values())
        with open_ledger(site.path) as ledger:
            assert list(verify(ledger.books)) == []


def kill(pid: int) -> None:
    """End a server that this test started, at once."""
    subprocess.run(["kill", f"-{signal.SIGKILL.value}", str(pid)], check=True)


def test_without_a_key_nothing_is_kept(site: Site) -> None:
    """Calls without a key count each."""
    api = site.api()
    before = site.dump()
    ids = [draft_of(api) for _ in range(2)]
    assert len(set(ids)) == 2
    assert "idempotency" not in changes(before, site.dump())
