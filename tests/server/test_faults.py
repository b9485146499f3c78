"""What a client sees of each fault is what docs/reference/stand-in.md says, and it follows from the seed."""

from __future__ import annotations

import http.client
import json
import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Ledger, open_ledger
from tests.server.faulty import standing_in
from tests.server.wire import Reply, Site, checkdomain_items, parse_reply, record_answer, request_bytes, vpsbg_items

from faktura.bootstrap.books import DIALECTS
from faktura.dialects.base import ListQuery, Problem, ProblemKind, encoder
from faktura.domain.errors import SettingError
from faktura.ledger.verification import verify
from faktura.server.fault_plan import DEFAULT_RATE, FaultKind, FaultPlan, parse_rates
from faktura.server.faults import Affected, FaultyApp

SIZES = {"vpsbg": 75, "checkdomain": 35}
EACH = pytest.mark.parametrize("dialect", list(SIZES))
LIST = "/v1/invoices"
SECOND = {"vpsbg": f"{LIST}?page=2", "checkdomain": f"{LIST}?page=2&limit=10"}
GARBLED = {"content-type", "content-length", "etag"}


@dataclass(frozen=True)
class StandIn:
    """A stand-in and how tests talk to it."""

    site: Site
    faulty: FaultyApp
    ledger: Ledger

    def plan(self, *words: str, seed: int = 0, **options: Any) -> None:
        """Begin anew under this plan."""
        self.faulty.plan = FaultPlan(seed=seed, rates=parse_rates(words), **options)
        self.faulty.forget()

    def get(self, target: str, account: str | None, **options: Any) -> Reply:
        """One request."""
        return self.site.get(target, account, **options)

    def walk(self, dialect: str) -> list[dict[str, Any]]:
        """Every document of the list by its `next` links; the total of each page is that of all."""
        target: str | None = LIST
        found: list[dict[str, Any]] = []
        totals = set()
        while target:
            page = self.get(target, dialect).json()
            found += items_of(page)
            totals.add(page["meta"]["total"] if dialect == "vpsbg" else page["total"])
            link = page["links"]["next"] if dialect == "vpsbg" else page["_links"].get("next", {}).get("href")
            target = link and link.removeprefix(self.site.url)
        assert totals == {len(found)}
        assert len({item["id"] for item in found}) == len(found)
        return found

    def ids(self, documents: Any, dialect: str) -> set[int]:
        """Wire ids of affected documents of a provider."""
        assert all(isinstance(document, Affected) for document in documents)
        return {document.wire_id for document in documents if document.provider == dialect}


@pytest.fixture(scope="module")
def filled(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A stand-in of both providers, without limits; checkdomain's documents have details and payments."""
    path: Path = tmp_path_factory.mktemp("faults") / "ledger.db"
    with open_ledger(path) as ledger:
        tokens = {}
        for name, size in SIZES.items():
            provider = ledger.provider(name, hosts=(f"{name}.test",))
            ledger.account(name)
            tokens[name] = ledger.token(name)
            if name == "vpsbg":
                record_answer(ledger.books, DIALECTS[name], provider, "demo", {"data": vpsbg_items(size)})
            for item in checkdomain_items(size) if name == "checkdomain" else ():
                record_answer(ledger.books, DIALECTS[name], provider, "demo", item | details_of(item))
        with standing_in(ledger.books) as (url, faulty):
            yield StandIn(Site(url, tokens), faulty, ledger)


@pytest.fixture
def stand_in(filled: StandIn) -> Iterator[StandIn]:
    """The same, without faults and memories."""
    filled.plan()
    yield filled
    filled.plan()


def details_of(item: dict[str, Any]) -> dict[str, Any]:
    """What the single answer of an item says more."""
    price = item["amount_total"]
    detail = {"quantity": 2, "unit_price": price / 2, "price": price, "remark": "Server"}
    return {"tax": 20, "details": [detail], "payments": [{"amount": item["amount_payed"], "date": item["created"]}] if item["amount_payed"] else []}


def items_of(page: dict[str, Any]) -> list[dict[str, Any]]:
    """The documents of a list page."""
    found = page["data"] if "data" in page else page["_embedded"]["invoices"]
    assert isinstance(found, list)
    return found


def test_words_make_a_plan() -> None:
    """A name alone has the default rate, `all` is every fault, and the last word about one counts; anything else is told in a sentence."""
    assert parse_rates(["cut", "429=0.25"]) == {FaultKind.CUT: DEFAULT_RATE, FaultKind.THROTTLED: Decimal("0.25")}
    assert parse_rates(["all=1", "slow=0"]) == dict.fromkeys(FaultKind, Decimal(1)) | {FaultKind.SLOW: Decimal(0)}
    for word in ("fire", "", "=1", "Cut", "cut=", "cut=1.1", "cut=-0.1", "cut=nan", "cut=often"):
        with pytest.raises(SettingError, match="fault"):
            parse_rates([word])
    with pytest.raises(SettingError, match="rate"):
        FaultPlan(rates={FaultKind.CUT: Decimal(2)})
    for bad in ({"delay_seconds": -1.0}, {"delay_seconds": float("nan")}, {"retry_after_seconds": -1}):
        with pytest.raises(SettingError, match="seconds"):
            FaultPlan(**bad)


def test_each_fault_is_drawn_for_itself() -> None:
    """0 is never, 1 is always, between them about as often as asked; another rate of one fault leaves the others; callers have draws of their own."""
    rates = {FaultKind.CUT: Decimal(1), FaultKind.SLOW: Decimal("0.3")}
    plan = FaultPlan(seed=4, rates=rates)
    drawn = [plan.draw("a", place)[0] for place in range(1000)]
    assert all(FaultKind.CUT in befalls for befalls in drawn)
    assert set().union(*drawn) == set(rates)
    assert 200 < sum(FaultKind.SLOW in befalls for befalls in drawn) < 400
    other = replace(plan, rates={FaultKind.SLOW: Decimal("0.3"), FaultKind.GARBAGE: Decimal("0.5")})
    assert [FaultKind.SLOW in befalls for befalls in drawn] == [FaultKind.SLOW in other.draw("a", place)[0] for place in range(1000)]
    assert drawn != [plan.draw("b", place)[0] for place in range(1000)]
    assert drawn != [replace(plan, seed=5).draw("a", place)[0] for place in range(1000)]


@EACH
def test_without_faults_it_is_the_server(stand_in: StandIn, dialect: str) -> None:
    """A plan of rates 0, or of none, and answers are those of the application, whatever is asked."""
    asked: list[tuple[str, str | None, str]] = [(LIST, dialect, "GET"), (SECOND[dialect], dialect, "GET"), (f"{LIST}/3", dialect, "HEAD"), (LIST, None, "GET")]
    asked += [("/v1/else", dialect, "GET"), (LIST, dialect, "POST"), ("/healthz", None, "GET"), (f"{LIST}?query=1", dialect, "GET")]
    replies = [stand_in.get(target, account, method=method).lasting() for target, account, method in asked]
    stand_in.plan("all=0")
    assert [stand_in.get(target, account, method=method).lasting() for target, account, method in asked] == replies
    assert stand_in.faulty.summary() == {"faults": {}, "changed": {}, "vanished": {}, "added": {}}


@EACH
def test_only_documented_calls_have_faults(stand_in: StandIn, dialect: str) -> None:
    """Probes, the management API and paths that are none are answered as ever."""
    asked = [("/healthz", None), ("/readyz", None), ("/metrics", dialect), ("/manage/v1/openapi.json", None), ("/v1/orders", dialect)]
    before = [stand_in.get(*target).lasting() for target in asked]
    for kind in FaultKind:
        stand_in.plan(f"{kind}=1")
        assert [stand_in.get(*target).lasting() for target in asked] == before
        assert not stand_in.faulty.counts


@EACH
def test_slow(stand_in: StandIn, dialect: str) -> None:
    """The same answer, later."""
    before = stand_in.get(LIST, dialect).lasting()
    stand_in.plan("slow=1", delay_seconds=0.2)
    started = time.monotonic()
    assert stand_in.get(LIST, dialect).lasting() == before
    assert time.monotonic() - started >= 0.2
    assert stand_in.faulty.counts == {FaultKind.SLOW: 1}


@EACH
def test_too_many_requests(stand_in: StandIn, dialect: str) -> None:
    """The provider's own 429, which asks to wait as long as the plan says, for whoever calls."""
    speaks = DIALECTS[dialect]
    for wait_seconds, account in ((0, dialect), (2, dialect), (1, None)):
        stand_in.plan("429=1", retry_after_seconds=wait_seconds)
        reply = stand_in.get(LIST, account, host=f"{dialect}.test")
        assert (reply.status, reply.body) == (429, speaks.render_problem(Problem(kind=ProblemKind.THROTTLED))[2])
        assert reply.header("retry-after") == str(wait_seconds)
        assert reply.header("x-ratelimit-limit") == str(speaks.defaults.rate_limit)
        assert reply.header("x-ratelimit-remaining") == "0"
        assert abs(int(reply.header("x-ratelimit-reset") or 0) - time.time() - wait_seconds) < 20
        assert reply.header("x-request-id")


@EACH
def test_server_errors(stand_in: StandIn, dialect: str) -> None:
    """The provider's own 500, or a proxy's 502 or 503 in HTML; each comes."""
    stand_in.plan("500=1")
    replies = [stand_in.get(LIST, dialect) for _ in range(30)]
    assert {reply.status for reply in replies} == {500, 502, 503}
    own = DIALECTS[dialect].render_problem(Problem(kind=ProblemKind.SERVER_ERROR))[2]
    for reply in replies:
        if reply.status == 500:
            assert reply.body == own
            assert reply.header("content-type") == "application/json"
        else:
            assert reply.header("content-type") == "text/html; charset=UTF-8"
            assert str(reply.status).encode() in reply.body


@EACH
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_cut(stand_in: StandIn, dialect: str, method: str) -> None:
    """The connection ends too early, and no client can take that for an answer."""
    stand_in.plan("cut=1")
    seen = set()
    for _ in range(30):
        with pytest.raises((http.client.HTTPException, ConnectionError)) as caught:
            stand_in.get(LIST, dialect, method=method)
        seen.add(type(caught.value))
    assert http.client.RemoteDisconnected in seen
    assert (http.client.IncompleteRead in seen) == (method == "GET")
    assert stand_in.faulty.counts == {FaultKind.CUT: 30}


@EACH
def test_cuts_are_of_three_kinds(stand_in: StandIn, dialect: str) -> None:
    """Before the status line, within the head after its length, within the body; never with all of it."""
    whole = stand_in.get(LIST, dialect)
    stand_in.plan("cut=1")
    places = set()
    for _ in range(30):
        said = stand_in.site.talk(request_bytes(LIST, stand_in.site.tokens[dialect], b"Host: " + stand_in.site.url.removeprefix("http://").encode()))
        if not said:
            places.add("start")
            continue
        _, is_ended, body = said.partition(b"\r\n\r\n")
        assert f"content-length: {len(whole.body)}\r\n".encode() in said + b"\r\n"
        places.add("body" if is_ended else "head")
        if is_ended:
            assert parse_reply(said).status == 200
            assert whole.body.startswith(body)
            assert len(body) < len(whole.body)
    assert places == {"start", "head", "body"}


def test_a_cut_ends_only_its_own_connection(stand_in: StandIn) -> None:
    """Requests that wait behind it on the same connection are not answered, and the server goes on."""
    stand_in.plan("cut=1")
    request = request_bytes(LIST, stand_in.site.tokens["vpsbg"]).replace(b"Connection: close\r\n", b"")
    assert stand_in.site.talk(request * 3).count(b"HTTP/1.1") <= 1
    stand_in.plan()
    assert stand_in.get(LIST, "vpsbg").status == 200


@EACH
def test_garbage(stand_in: StandIn, dialect: str) -> None:
    """A 200 that HTTP finds nothing wrong with, in HTML or in JSON that stops; no tag that a client could keep it by."""
    whole = stand_in.get(LIST, dialect)
    stand_in.plan("garbage=1")
    kinds = set()
    for _ in range(20):
        reply = stand_in.get(LIST, dialect)
        assert reply.status == 200
        assert reply.header("etag") is None
        assert reply.header("content-length") == str(len(reply.body))
        with pytest.raises(json.JSONDecodeError):
            json.loads(reply.body)
        kinds.add(reply.header("content-type"))
        if reply.header("content-type") == "application/json":
            assert whole.body.startswith(reply.body)
        assert {name for name, _ in reply.headers} | GARBLED == {name for name, _ in whole.headers} | GARBLED
    assert kinds == {"application/json", "text/html; charset=UTF-8"}
    assert stand_in.get(LIST, None, host=f"{dialect}.test").status == 401


@EACH
def test_shift(stand_in: StandIn, dialect: str) -> None:
    """Before each answer an invoice is new, at the head of the list, with the next number; the ledger stays a good one."""
    first = stand_in.walk(dialect)
    stand_in.plan("shift=1")
    sizes, heads = [], []
    for _ in range(3):
        page = stand_in.get(LIST, dialect).json()
        sizes.append(page["meta"]["total"] if dialect == "vpsbg" else page["total"])
        heads.append(items_of(page)[0])
    assert sizes == [len(first) + 1, len(first) + 2, len(first) + 3]
    added = [document.wire_id for document in stand_in.faulty.added]
    assert [item["id"] for item in heads] == added
    numbers = [int(re.sub(r".*-", "", item["invoice_number"])) for item in heads]
    newest = next(item for item in first if item.get("type") in {None, "original"})
    assert numbers == [int(re.sub(r".*-", "", newest["invoice_number"])) + place for place in (1, 2, 3)]
    stand_in.faulty.plan = FaultPlan()
    walked = stand_in.walk(dialect)
    assert [item["id"] for item in walked] == [*reversed(added), *(item["id"] for item in first)]
    if dialect == "checkdomain":
        single = stand_in.get(f"{LIST}/{added[0]}", dialect).json()
        assert sum(detail["price"] for detail in single["details"]) == single["amount_total"] == single["amount_open"]
    assert list(verify(stand_in.ledger.books)) == []


def test_a_list_that_is_empty_shifts_too(stand_in: StandIn) -> None:
    """The first invoice of an account is new."""
    for dialect in SIZES:
        stand_in.ledger.account(dialect, "nobody")
        tokens = {**stand_in.site.tokens, "nobody": stand_in.ledger.token(dialect, "nobody")}
        stand_in.plan("shift=1")
        (item,) = items_of(Site(stand_in.site.url, tokens).get(LIST, "nobody").json())
        assert item["invoice_number"] == "0000000001"


@EACH
def test_change(stand_in: StandIn, dialect: str) -> None:
    """What was handed out says another total or date from then on, in list and single alike; nothing else does, and nothing is lost."""
    first = {item["id"]: item for item in stand_in.walk(dialect)}
    singles = {wire_id: stand_in.get(f"{LIST}/{wire_id}", dialect).json() for wire_id in first} if dialect == "checkdomain" else {}
    stand_in.plan("change=1", seed=3)
    for _ in range(6):
        stand_in.get(SECOND[dialect], dialect)
    stand_in.faulty.plan = FaultPlan()
    changed = {document.wire_id: change for document, change in stand_in.faulty.changed.items()}
    second = {item["id"]: item for item in stand_in.walk(dialect)}
    assert second.keys() == first.keys()
    assert len(changed) == 5  # before the first answer nothing was handed out
    assert {bool(change.days) for change in changed.values()} == {True, False}
    assert {wire_id for wire_id in first if first[wire_id] != second[wire_id]} == set(changed)
    total = "amount_with_vat" if dialect == "vpsbg" else "amount_total"
    when = "created_at" if dialect == "vpsbg" else "created"
    for wire_id, change in changed.items():
        old, new = first[wire_id], second[wire_id]
        assert new[total] - old[total] == change.amount
        assert (new[when] < old[when]) == bool(change.days)
        if dialect == "vpsbg":
            assert new["amount"] - old["amount"] == change.amount
            assert re.search(r"T2[12]:00:00\.000000Z$", new[when])
            continue
        single = stand_in.get(f"{LIST}/{wire_id}", dialect).json()
        assert {name: single[name] for name in new} == new
        assert sum(detail["price"] for detail in single["details"]) == single["amount_total"] == single["amount_payed"] + single["amount_open"]
        assert single["is_open"] is (single["amount_open"] != 0) is not single["is_payed"]
        assert single.keys() == singles[wire_id].keys()
    stand_in.faulty.forget()
    assert {item["id"]: item for item in stand_in.walk(dialect)} == first


@EACH
def test_vanish(stand_in: StandIn, dialect: str) -> None:
    """What was handed out is missing from then on: pages close up to what they would be without it, and by its id it is not there."""
    first = stand_in.walk(dialect)
    stand_in.plan("vanish=1", seed=8)
    for _ in range(4):
        stand_in.get(LIST, dialect)
    stand_in.faulty.plan = FaultPlan()
    vanished = stand_in.ids(stand_in.faulty.vanished, dialect)
    assert len(vanished) == 3
    assert vanished < {item["id"] for item in first}
    left = [item for item in first if item["id"] not in vanished]
    assert stand_in.walk(dialect) == left
    limit = 30 if dialect == "vpsbg" else 10
    for page in range(1, len(left) // limit + 2):
        query = ListQuery(page=page, limit=limit)
        items = b",".join(encoder.encode(item) for item in left[limit * (page - 1) : limit * page])
        expected = DIALECTS[dialect].render_list(query, total=len(left), items=items, origin=stand_in.site.url)
        reply = stand_in.get(f"{LIST}?page={page}&limit={limit}", dialect)
        assert reply.body == expected
        assert reply.header("content-length") == str(len(reply.body))
    if dialect == "checkdomain":
        missing = [stand_in.get(f"{LIST}/{wire_id}", dialect).lasting() for wire_id in (*vanished, 10**9)]
        assert len(set(missing)) == 1
        assert missing[0][0] == 404
        assert stand_in.get(f"{LIST}?page=1000", dialect).status == 404
        number = next(item["invoice_number"] for item in first if item["id"] in vanished)
        found = stand_in.get(f"{LIST}?query={number}", dialect).json()
        assert (found["total"], items_of(found)) == (0, [])
        others = stand_in.get(f"{LIST}?query=20&limit=7&page=2", dialect).json()
        assert others["total"] == len([item for item in left if "20" in item["invoice_number"]])
        assert len(items_of(others)) == 7
    stand_in.faulty.forget()
    assert stand_in.walk(dialect) == first


@EACH
def test_vanished_while_somebody_reads(stand_in: StandIn, dialect: str) -> None:
    """Changes and losses at every page: each page is right for its moment, and a walk after it has each document once."""
    for seed in range(5):
        stand_in.plan("vanish=0.5", "change=0.5", "shift=0.5", seed=seed)
        for page in (1, 2, 3):
            assert stand_in.get(f"{LIST}?page={page}", dialect).status == 200
        stand_in.faulty.plan = FaultPlan()
        ids = {item["id"] for item in stand_in.walk(dialect)}
        assert not ids & stand_in.ids(stand_in.faulty.vanished, dialect)
        assert stand_in.ids(stand_in.faulty.changed, dialect) <= ids
        assert stand_in.ids(stand_in.faulty.added, dialect) <= ids | stand_in.ids(stand_in.faulty.vanished, dialect)


@EACH
def test_repeat(stand_in: StandIn, dialect: str) -> None:
    """The documents of the page before, in the envelope of the page asked for; never on the first page, nor beyond the last."""
    limit = 30 if dialect == "vpsbg" else 10
    pages = [stand_in.get(f"{LIST}?page={page}&limit={limit}", dialect) for page in (1, 2, 3)]
    beyond = stand_in.get(f"{LIST}?page=100", dialect)
    stand_in.plan("repeat=1")
    assert stand_in.get(f"{LIST}?page=1&limit={limit}", dialect).lasting() == pages[0].lasting()
    for place in (1, 2):
        repeated = stand_in.get(f"{LIST}?page={place + 1}&limit={limit}", dialect)
        assert items_of(repeated.json()) == items_of(pages[place - 1].json())
        assert repeated.header("etag") is None
        envelopes = [reply.json() for reply in (repeated, pages[place])]
        for envelope in envelopes:
            items_of(envelope).clear()
        assert envelopes[0] == envelopes[1]
    assert stand_in.get(f"{LIST}?page=100", dialect).lasting() == beyond.lasting()
    assert stand_in.faulty.counts == {FaultKind.REPEAT: 2}


@EACH
def test_tags_tell_of_changes(stand_in: StandIn, dialect: str) -> None:
    """Whoever asks with the tag of what changed or vanished gets the new answer, whose tag holds until it is forgotten."""

    def ask(tag: str) -> Reply:
        return stand_in.get(LIST, dialect, headers=[("If-None-Match", tag)])

    tags = {stand_in.get(LIST, dialect).header("etag") or ""}
    assert ask(*tags).status == 304
    for fault in ("change=1", "vanish=1"):
        stand_in.plan(fault)
        before = stand_in.get(LIST, dialect).header("etag") or ""
        after = ask(before)
        assert after.status == 200
        stand_in.faulty.plan = FaultPlan()
        tag = after.header("etag") or ""
        assert tag not in tags
        unchanged = ask(tag)
        assert (unchanged.status, unchanged.body) == (304, b"")
        assert ask(before).status == 200
        assert ask("*").status == 304
        stand_in.faulty.forget()
        assert ask(tag).status == 200
        assert ask(before).status == 304


def outcomes(stand_in: StandIn, dialect: str) -> list[object]:
    """What a client sees of some requests."""
    seen: list[object] = []
    for place in range(60):
        target = f"{LIST}/{place}" if place % 7 == 0 else f"{LIST}?page={place % 3 + 1}"
        try:
            reply = stand_in.get(target, dialect)
        except (http.client.HTTPException, ConnectionError) as error:
            seen.append(str(error))
        else:
            seen.append(reply.lasting())
    return seen


@EACH
def test_the_same_seed_and_requests_have_the_same_faults(stand_in: StandIn, dialect: str) -> None:
    """Twice from the beginning: the same answers to the byte, the same counts and documents; another seed has others. Requests of others do not count."""
    words = ("all=0.2", "slow=0", "shift=0")
    stand_in.plan(*words, seed=21)
    first, summary = outcomes(stand_in, dialect), stand_in.faulty.summary()
    stand_in.plan(*words, seed=21)
    other = next(name for name in SIZES if name != dialect)
    for account in (other, None):
        with suppress(http.client.HTTPException, ConnectionError):
            stand_in.get(LIST, account)
    own = {kind: -count for kind, count in stand_in.faulty.counts.items()}
    second = outcomes(stand_in, dialect)
    assert second == first
    again = stand_in.faulty.summary()
    assert {name: again[name].get(dialect) for name in ("changed", "vanished")} == {name: summary[name].get(dialect) for name in ("changed", "vanished")}
    assert {kind: count for kind in FaultKind if (count := stand_in.faulty.counts[kind] + own.get(kind, 0))} == summary["faults"]
    stand_in.plan(*words, seed=22)
    assert outcomes(stand_in, dialect) != first


def test_a_plan_is_replaced_while_it_serves(stand_in: StandIn) -> None:
    """Requests count from the first again; what changed stays until it is forgotten."""
    stand_in.plan("change=1")
    for _ in range(3):
        stand_in.get(LIST, "vpsbg")
    changed = stand_in.faulty.changed
    assert len(changed) == 2
    stand_in.faulty.plan = FaultPlan()
    assert not stand_in.faulty.counts
    assert stand_in.faulty.changed == changed
    stand_in.faulty.forget()
    assert not stand_in.faulty.changed


def test_accounts_do_not_share_faults(stand_in: StandIn) -> None:
    """What is changed or gone for one account is whole for another with the same ids."""
    stand_in.plan("vanish=1")
    for _ in range(3):
        stand_in.get(LIST, "vpsbg")
    stand_in.faulty.plan = FaultPlan()
    assert len(stand_in.faulty.vanished) == 2
    assert {document.provider for document in stand_in.faulty.vanished} == {"vpsbg"}
    stand_in.walk("checkdomain")


@EACH
@pytest.mark.parametrize("fault", ["change", "vanish", "repeat", "garbage", "429", "500"])
def test_head_tells_of_the_get(stand_in: StandIn, dialect: str, fault: str) -> None:
    """No body, and the headers that a GET in its place would have."""

    def ask(method: str) -> Reply:
        stand_in.plan(f"{fault}=1", seed=1)
        stand_in.get(LIST, dialect)
        return stand_in.get(SECOND[dialect], dialect, method=method)

    got, told = ask("GET"), ask("HEAD")
    assert told.body == b""
    assert (told.status, told.lasting()[1]) == (got.status, got.lasting()[1])


@EACH
def test_limits_are_told_in_faults_too(tmp_path: Path, dialect: str) -> None:
    """An answer that is wrong counts and tells the limit as a right one does; what vanished is refused byte by byte as what never was."""
    with open_ledger(tmp_path / "ledger.db") as ledger:
        provider = ledger.provider(dialect, rate_limit=50, rate_window_seconds=600, public_url="https://api.example.eu")
        ledger.account(dialect)
        items = {"data": vpsbg_items(2)} if dialect == "vpsbg" else {"_embedded": {"invoices": checkdomain_items(2)}}
        record_answer(ledger.books, DIALECTS[dialect], provider, "demo", items)
        with standing_in(ledger.books) as (url, faulty):
            site = Site(url, {dialect: ledger.token(dialect)})
            good = site.get(LIST, dialect)
            faulty.plan = FaultPlan(rates=parse_rates(["500=1"]))
            own = next(reply for _ in range(40) if (reply := site.get(LIST, dialect)).status == 500)
            assert {name for name, _ in own.headers} == {name for name, _ in good.headers} - {"etag"} - ({"vary"} if dialect == "vpsbg" else set())
            assert own.header("x-ratelimit-limit") == "50"
            assert int(own.header("x-ratelimit-remaining") or 0) < int(good.header("x-ratelimit-remaining") or 0)
            faulty.plan = FaultPlan(rates=parse_rates(["429=1"]))
            assert site.get(LIST, dialect).header("x-ratelimit-limit") == "50"
            faulty.plan = FaultPlan(rates=parse_rates(["vanish=1"]))
            page = [site.get(LIST, dialect) for _ in range(3)][-1]
            assert items_of(page.json()) == []
            assert [name for name, _ in page.headers] == [name for name, _ in good.headers]
            assert (b"https://api.example.eu/v1/invoices?page=1" in page.body) == (dialect == "vpsbg")
            gone, never = (site.get(f"{LIST}/{wire_id}", dialect).lasting() for wire_id in (1, 9))
            assert (*gone[:2], gone[2].replace(b"/1 ", b"/9 ")) == never


def test_all_at_once(stand_in: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    """Clients of both providers at the same time, all faults, many seeds: nobody sees anything but what is documented, and what is told of it is true."""

    def client(dialect: str) -> list[str]:
        wrong = []
        for place in range(12):
            target = (LIST, SECOND[dialect], f"{LIST}?page=3", f"{LIST}/{place}", f"{LIST}?query=2&page=2")[place % 5]
            try:
                reply = stand_in.get(target, dialect)
            except (http.client.HTTPException, ConnectionError):
                continue
            expected = {200, 429, 500, 502, 503} | ({404} if target not in {LIST, SECOND[dialect]} else set())
            if reply.status not in expected or reply.header("x-request-id") is None:
                wrong.append(f"{target}: {reply}")
        return wrong

    for seed in range(8):
        stand_in.plan("all=0.2", seed=seed, delay_seconds=0.001)
        with ThreadPoolExecutor(6) as threads:
            assert [wrong for found in threads.map(client, [*SIZES] * 3) for wrong in found] == []
        stand_in.faulty.plan = FaultPlan()
        for dialect in SIZES:
            ids = {item["id"] for item in stand_in.walk(dialect)}
            changed, vanished, added = (stand_in.ids(found, dialect) for found in (stand_in.faulty.changed, stand_in.faulty.vanished, stand_in.faulty.added))
            assert not changed & vanished
            assert changed <= ids
            assert not vanished & ids
            assert added <= ids | vanished
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert list(verify(stand_in.ledger.books)) == []
