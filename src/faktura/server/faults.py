"""A server that misbehaves on purpose: what stands between the internet and the provider APIs, and providers who change their minds.

Whoever writes a client tests it here. What is wrong on the wire is never written into the ledger, but for new invoices.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
import structlog

from faktura.dialects.base import Headers, Limit, ListQuery, Problem, ProblemKind, Query
from faktura.domain.errors import FakturaError, LedgerError
from faktura.server.app import App, Receive, Send, is_provider_call
from faktura.server.fault_documents import Change, can_change, changed, draw_change, newest_of, record_new
from faktura.server.fault_plan import FaultKind, FaultPlan
from faktura.server.meter import Meter, route_of
from faktura.server.provider_api import Caller, Response
from faktura.server.request import Request, Scope, read_request

_EVERYTHING = 10**9
"""A page that holds every list."""
_LOOKED_AT = 100
"""Documents at the head of a list in which the newest invoice is looked for."""
_PRICE_MAX = 99
_HTML: Headers = [(b"content-type", b"text/html; charset=UTF-8")]
_PAGE = b"<html>\r\n<head><title>%b</title></head>\r\n<body>\r\n<center><h1>%b</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
_CHECKING = _PAGE.replace(b"%b", b"Just a moment...")
_BAD_GATEWAYS = (502, 503)
_TAG = b"etag"

_log = structlog.get_logger()


class _Id(msgspec.Struct):
    """What both APIs call a document."""

    id: int


class Affected(NamedTuple):
    """A document that a fault befell, as its own provider knows it."""

    provider: str
    account_id: int
    wire_id: int


@dataclass(slots=True)
class _Told:
    """What is said of an account's documents otherwise than the ledger does."""

    handed_out: dict[int, None] = field(default_factory=dict)
    """Wire ids that a client has seen, the first one first."""
    changes: dict[int, Change] = field(default_factory=dict)
    vanished: set[int] = field(default_factory=set)

    @property
    def differs(self) -> bool:
        """Whether anything is."""
        return bool(self.changes or self.vanished)

    def pick(self, dice: random.Random) -> int | None:
        """A document that was handed out and is still as it was."""
        untouched = [wire_id for wire_id in self.handed_out if wire_id not in self.changes and wire_id not in self.vanished]
        return dice.choice(untouched) if untouched else None


@dataclass(slots=True)
class _Call:
    """A request, what is to befall it, and what did."""

    request: Request
    caller: Caller
    query: Query
    befalls: frozenset[FaultKind]
    dice: random.Random
    told: _Told | None
    """Of the account; None without a good token."""
    done: list[FaultKind] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return self.caller.provider.public_url or self.request.origin


class FaultyApp:
    """`App`, with the faults of a plan. The plan may be replaced at any time: requests are then counted, and drawn for, from the first again."""

    def __init__(self, app: App, plan: FaultPlan) -> None:
        self._app = app
        self._shifting = asyncio.Lock()
        self.plan = plan
        self.forget()

    @property
    def meter(self) -> Meter:
        """As of the application."""
        return self._app.meter

    def refuse_malformed(self, status: int, peer: str) -> bytes:
        """As the application does."""
        return self._app.refuse_malformed(status, peer)

    @property
    def plan(self) -> FaultPlan:
        """What befalls requests from now on."""
        return self._plan

    @plan.setter
    def plan(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._places: Counter[str] = Counter()
        self.counts: Counter[FaultKind] = Counter()
        """How often each fault befell a request under this plan."""

    def forget(self) -> None:
        """As if nobody had ever asked: documents are as the ledger has them, and requests are counted anew. New invoices stay."""
        self._told: dict[tuple[str, int], _Told] = {}
        self.added: list[Affected] = []
        """New invoices, the oldest first."""
        self.plan = self._plan

    @property
    def changed(self) -> dict[Affected, Change]:
        """Documents that are changed on the wire, and how."""
        return {Affected(*owner, wire_id): change for owner, told in self._told.items() for wire_id, change in told.changes.items()}

    @property
    def vanished(self) -> set[Affected]:
        """Documents that are missing on the wire."""
        return {Affected(*owner, wire_id) for owner, told in self._told.items() for wire_id in told.vanished}

    def summary(self) -> dict[str, Any]:
        """What was done, as JSON has it: how often each fault befell a request, and wire ids by provider."""
        groups = {"changed": sorted(self.changed), "vanished": sorted(self.vanished), "added": self.added}
        ids: dict[str, dict[str, list[int]]] = {}
        for group, documents in groups.items():
            ids[group] = {}
            for document in documents:
                ids[group].setdefault(document.provider, []).append(document.wire_id)
        return {"faults": {kind.value: self.counts[kind] for kind in FaultKind if self.counts[kind]}, **ids}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection. Only documented calls of the provider APIs have faults."""
        call = await self._begin(scope) if scope["type"] == "http" and is_provider_call(scope["path"]) else None
        if call is None:
            await self._app(scope, receive, send)
            return
        started_ns = time.perf_counter_ns()
        if FaultKind.SLOW in call.befalls:
            self._did(call, FaultKind.SLOW)
            await asyncio.sleep(self._plan.delay_seconds)
        response = await self._answer(call)
        if FaultKind.CUT in call.befalls and not {FaultKind.THROTTLED, FaultKind.FAILED} & set(call.done):
            self._did(call, FaultKind.CUT)
        response.faults = " ".join(call.done)
        if FaultKind.CUT in call.done:
            self._app.finish(call.request, response, started_ns, size=_cut(call, response, send))
            return
        self._hand_out(call, response)
        await self._app.deliver(call.request, response, started_ns, send)

    async def _begin(self, scope: Scope) -> _Call | None:
        """What is to befall a request; None where nothing can."""
        request = read_request(scope, self._app.settings.trusted_proxies)
        try:
            caller = await self._app.api.whose(request)
        except LedgerError:
            return None
        if caller is None:
            return None
        query = caller.dialect.parse_request(method=request.method, path=request.path, query_string=request.query_string)
        if isinstance(query, Problem):
            return None
        owner = (caller.provider.name, caller.account_id or 0)
        place = self._places[key := "/".join(map(str, owner))]
        self._places[key] += 1
        befalls, dice = self._plan.draw(key, place)
        told = None if caller.account_id is None else self._told.setdefault((caller.provider.name, caller.account_id), _Told())
        return _Call(request, caller, query, befalls, dice, told)

    def _did(self, call: _Call, kind: FaultKind) -> None:
        call.done.append(kind)
        self.counts[kind] += 1

    async def _answer(self, call: _Call) -> Response:
        """The answer, with what is wrong with it, but for the connection's end."""
        if FaultKind.THROTTLED in call.befalls:
            return self._throttle(call)
        if FaultKind.FAILED in call.befalls:
            return await self._fail(call)
        request, told = call.request, call.told
        if told:
            await self._move(call, told)
        tags = request.if_none_match
        if told and told.differs:
            request.if_none_match = b""  # the ledger's tags do not tell of what is only on the wire
        response = await self._app.api.answer(request)
        if response.status != HTTPStatus.OK:
            return response
        try:
            return await self._spoil(call, response, tags)
        except LedgerError as error:
            refused = _refused(call, response, Problem(kind=ProblemKind.UNAVAILABLE))
            refused.failure = error
            return refused

    async def _spoil(self, call: _Call, response: Response, tags: bytes) -> Response:
        """A good answer as it is told; then what goes wrong with it."""
        told = call.told
        if told and told.differs:
            response = await self._rewrite(call, told, response, tags)
        if response.status != HTTPStatus.OK or FaultKind.CUT in call.befalls:
            return response
        if FaultKind.GARBAGE in call.befalls:
            return self._garble(call, response)
        if FaultKind.REPEAT in call.befalls and told and isinstance(call.query, ListQuery):
            return await self._repeat(call, told, call.query, response)
        return response

    def _throttle(self, call: _Call) -> Response:
        """The provider's own refusal of who asks too often."""
        self._did(call, FaultKind.THROTTLED)
        caller, wait_seconds = call.caller, self._plan.retry_after_seconds
        count = caller.provider.rate_limit or caller.dialect.defaults.rate_limit
        limit = Limit(limit=count, remaining=0, reset_at=int(time.time()) + wait_seconds, retry_after_seconds=wait_seconds)
        status, headers, body = caller.dialect.render_problem(Problem(kind=ProblemKind.THROTTLED))
        return self._own(call, status, [*caller.dialect.response_headers(limit), *headers], body)

    async def _fail(self, call: _Call) -> Response:
        """The provider's own 500; or what a proxy before it says, in HTML."""
        self._did(call, FaultKind.FAILED)
        if call.dice.random() < 1 / 2:
            call.request.if_none_match = b""
            return _refused(call, await self._app.api.answer(call.request), Problem(kind=ProblemKind.SERVER_ERROR))
        status = HTTPStatus(call.dice.choice(_BAD_GATEWAYS))
        title = f"{status.value} {status.phrase}".encode()
        return self._own(call, status, [*_HTML], _PAGE % (title, title))

    def _own(self, call: _Call, status: int, headers: Headers, body: bytes) -> Response:
        """An answer that nobody was asked for."""
        call.request.route = route_of(call.query)
        return Response(status, headers, body, provider=call.caller.provider.name, account_id=call.caller.account_id)

    def _garble(self, call: _Call, response: Response) -> Response:
        """A page for people, or JSON that ends too early: whole as far as HTTP can tell."""
        self._did(call, FaultKind.GARBAGE)
        headers = [header for header in response.headers if header[0] != _TAG]
        if call.dice.random() < 1 / 2:
            return _with(response, [*(header for header in headers if header[0] != b"content-type"), *_HTML], _CHECKING)
        return _with(response, headers, response.body[: call.dice.randrange(1, len(response.body))])

    async def _move(self, call: _Call, told: _Told) -> None:
        """The world goes on: an invoice is new, another says something else from now on, one is gone."""
        if FaultKind.SHIFT in call.befalls:
            await self._shift(call)
        if FaultKind.CHANGE in call.befalls and can_change(call.caller.dialect) and (wire_id := told.pick(call.dice)) is not None:
            told.changes[wire_id] = draw_change(call.dice)
            self._did(call, FaultKind.CHANGE)
        if FaultKind.VANISH in call.befalls and (wire_id := told.pick(call.dice)) is not None:
            told.vanished.add(wire_id)
            self._did(call, FaultKind.VANISH)

    async def _shift(self, call: _Call) -> None:
        caller, token_hash, price = call.caller, call.request.token_hash, call.dice.randint(1, _PRICE_MAX)
        if caller.account_id is None or token_hash is None:
            return
        try:
            async with self._shifting:
                head = await self._app.api.read(caller.dialect, token_hash, ListQuery(limit=_LOOKED_AT), time.time_ns() // 1000)
                newest = newest_of(caller.dialect, caller.provider, head.items) if head and head.items else None
                wire_id = await asyncio.to_thread(record_new, self._app.books, caller.dialect, caller.provider, caller.account_id, newest=newest, price=price)
        except FakturaError as error:  # the ledger is busy: nothing shifts
            _log.warning("no invoice was made up", reason=str(error))
            return
        self.added.append(Affected(caller.provider.name, caller.account_id, wire_id))
        self._did(call, FaultKind.SHIFT)

    async def _rewrite(self, call: _Call, told: _Told, response: Response, tags: bytes) -> Response:
        """The answer as it would be if the ledger had the changes, and had not what vanished."""
        dialect, query = call.caller.dialect, call.query
        body: bytes | Problem
        if isinstance(query, ListQuery):
            total, items = await self._page(call, told, query)
            body = dialect.render_list(query, total=total, items=b",".join(items), origin=call.origin)
        elif query.wire_id in told.vanished:
            body = Problem(kind=ProblemKind.NOT_FOUND, path=call.request.path)
        else:
            body = _as_told(call, told, query.wire_id, response.body)
        if isinstance(body, Problem):
            return _refused(call, response, body)
        tag = b'"%b"' % blake2b(body, digest_size=12).hexdigest().encode()
        headers = [(name, tag if name == _TAG else value) for name, value in response.headers]
        if tags == b"*" or tag in tags:
            return _with(response, [header for header in headers if header[0] != b"content-type"], b"", status=HTTPStatus.NOT_MODIFIED)
        return _with(response, headers, body)

    async def _page(self, call: _Call, told: _Told, query: ListQuery) -> tuple[int, list[bytes]]:
        """Exact total and documents of a page. Where any vanished, the others close up: all are looked at."""
        dialect, token_hash, now_us = call.caller.dialect, call.request.token_hash or b"", time.time_ns() // 1000
        vanished = frozenset(told.vanished)  # more may while this one waits
        asked = ListQuery(page=1, limit=_EVERYTHING, search=query.search) if vanished else query
        served = await self._app.api.read(dialect, token_hash, asked, now_us)
        if served is None:  # the token is no longer good
            return 0, []
        documents = [
            (msgspec.json.decode(raw, type=_Id).id, bytes(raw)) for raw in msgspec.json.decode(b"[%b]" % (served.items or b""), type=list[msgspec.Raw])
        ]
        total = served.total
        if vanished:
            documents = [document for document in documents if document[0] not in vanished]
            total, first = len(documents), (query.page - 1) * query.limit
            documents = documents[first : first + query.limit]
        return total, [_as_told(call, told, wire_id, body) for wire_id, body in documents]

    async def _repeat(self, call: _Call, told: _Told, query: ListQuery, response: Response) -> Response:
        """The documents of the page before, in the envelope of the page that was asked for; nothing of the first page, or of one that is empty."""
        if query.page == 1:
            return response
        total, items = await self._page(call, told, ListQuery(page=query.page - 1, limit=query.limit, search=query.search))
        if total <= (query.page - 1) * query.limit:
            return response
        body = call.caller.dialect.render_list(query, total=total, items=b",".join(items), origin=call.origin)
        if isinstance(body, Problem):
            return response
        self._did(call, FaultKind.REPEAT)
        return _with(response, [header for header in response.headers if header[0] != _TAG], body)

    def _hand_out(self, call: _Call, response: Response) -> None:
        """Remember what a client now knows, where that can change or vanish."""
        is_needed = self._plan.rate(FaultKind.CHANGE) or self._plan.rate(FaultKind.VANISH)
        if not is_needed or call.told is None or response.status != HTTPStatus.OK or FaultKind.GARBAGE in call.done or call.request.method == "HEAD":
            return
        answer = call.caller.dialect.parse_answer(response.body, provider=call.caller.provider)
        call.told.handed_out.update(dict.fromkeys(heard.invoice.wire_id for heard in answer.documents))


def _as_told(call: _Call, told: _Told, wire_id: int, document: bytes) -> bytes:
    change = told.changes.get(wire_id)
    return document if change is None else changed(call.caller.dialect, document, change, call.caller.provider.zone)


def _refused(call: _Call, response: Response, problem: Problem) -> Response:
    """A problem instead of an answer, with the limit that this one tells."""
    dialect = call.caller.dialect
    own = {name for name, _ in dialect.response_headers(Limit(limit=1, remaining=1, reset_at=0))}
    status, headers, body = dialect.render_problem(problem)
    return _with(response, [*(header for header in response.headers if header[0] in own), *headers], body, status=status)


def _with(response: Response, headers: Headers, body: bytes, *, status: int = HTTPStatus.OK) -> Response:
    """The same call's answer, with another content."""
    return Response(status, headers, body, provider=response.provider, account_id=response.account_id)


def _cut(call: _Call, response: Response, send: Send) -> int:
    """Say so much of an answer, and hang up: nothing, a part of its head, or a part of its body; how many bytes of that.

    A head that is cut has its length first: many clients take the end of a connection for the end of the headers, and an answer without a
    length for whole. ASGI has no word for hanging up, so this is between us and uvicorn.
    """
    cycle: Any = getattr(send, "__self__", None)
    line = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\ncontent-length: {len(response.body)}\r\n".encode()
    head = line + b"".join(b"%b: %b\r\n" % header for header in response.headers)
    place, said, size = call.dice.choice(("start", "head", "body")), b"", 0
    if response.body and call.request.method != "HEAD":  # any other answer is whole with its head
        if place == "head":
            said = head[: call.dice.randrange(len(line), len(head))]
        elif place == "body":
            size = call.dice.randrange(len(response.body))
            said = head + b"\r\n" + response.body[:size]
    cycle.transport.write(said)
    cycle.transport.close()
    cycle.disconnected = True  # uvicorn says nothing more
    return size
