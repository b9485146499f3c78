"""The documented provider APIs: request -> dialect -> one statement -> dialect -> response.

The path is kept short: a token's page is one statement, and its rows are rendered already. Nothing here is waited for in a
thread but a search, which may look at a whole account, and what a remote ledger's directory does not know yet.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import blake2b
from typing import TypeVar

from faktura.config import Settings
from faktura.dialects.base import GetQuery, Headers, Limit, ListQuery, Problem, ProblemKind, Query, WireDialect
from faktura.domain.errors import LedgerError
from faktura.domain.provider import Provider
from faktura.ledger.listing_ports import ServedItems, ServedPage
from faktura.ledger.ports import Books
from faktura.ledger.standing import render_now
from faktura.server.directory import Directory
from faktura.server.meter import route_of
from faktura.server.rate_limit import RateLimiter, RateLimits
from faktura.server.request import Request

_T = TypeVar("_T")
_Served = ServedItems | ServedPage
_UNCHANGED = ServedItems(0, 0, 0, None)
"""Stands for what is not read: the caller has it, or asks for nothing that there is."""
_VARY = (b"vary", b"Authorization")
_ROUTING = {ProblemKind.NO_ROUTE, ProblemKind.METHOD_NOT_ALLOWED}
_RETRY_SECONDS = 2
_SEARCHES_MAX = 4
"""Searches at once. Each may look through all numbers of an account; nobody else waits for them."""
_QUERIES_MAX = 1024
_QUERY_CHARACTERS_MAX = 256
"""What is remembered of requests' paths and queries, so that nobody can fill the memory."""


@dataclass(slots=True)
class Response:
    """Status, headers (without length) and body; whose it was, for the log."""

    status: int
    headers: Headers
    body: bytes
    provider: str | None = None
    account_id: int | None = None
    failure: BaseException | None = None


@dataclass(slots=True)
class _Call:
    """What is known of a call so far: also where it fails halfway."""

    request: Request
    provider: Provider | None = None
    account_id: int | None = None
    limit: Limit | None = None


class ProviderApi:
    """Answers requests of the provider APIs."""

    def __init__(self, books: Books, dialects: Mapping[str, WireDialect], settings: Settings, limits: RateLimits | None = None) -> None:
        self._books = books
        self._storage = books.storage
        self._dialects = dialects
        self._remembered = {name: _remembering(dialect) for name, dialect in dialects.items()}
        self._directory = Directory(books.storage, settings.default_provider)
        self._limiter = limits or RateLimiter()
        self._searches = ThreadPoolExecutor(_SEARCHES_MAX, "search")
        self.tokens_used: dict[bytes, int] = {}
        """When tokens were used, until somebody writes it down."""

    async def answer(self, request: Request) -> Response:
        """The response, whatever happens: storage that is away is a 503, a mistake of ours a 500, in the provider's words."""
        call = _Call(request)
        try:
            if request.token_hash is not None:
                response = await self._answer_owner(call, request.token_hash)
                if response is not None:
                    return response
            if not self._directory.is_fresh():
                await self._wait(self._directory.refresh)
            call.provider = self._directory.by_host(request.host)
            return _empty_ledger() if call.provider is None else self._answer_stranger(call, call.provider)
        except LedgerError as error:
            return self._failed(call, ProblemKind.UNAVAILABLE, error)
        except Exception as error:  # noqa: BLE001 - the edge: every mistake becomes a 500 and is logged
            return self._failed(call, ProblemKind.SERVER_ERROR, error)

    async def _wait(self, work: Callable[[], _T]) -> _T:
        """What a local ledger reads at once; what waits for a network, in a thread."""
        return await asyncio.to_thread(work) if self._storage.is_remote else work()

    async def _answer_owner(self, call: _Call, token_hash: bytes) -> Response | None:
        """The answer for a token, or None when it is none or no longer good."""
        directory, request = self._directory, call.request
        if not directory.has_learned(token_hash):
            await self._wait(partial(directory.learn, token_hash))
        owner = directory.by_token(token_hash)
        if owner is None:
            return None
        provider, account_id = call.provider, call.account_id = owner
        dialect = self._dialects[provider.dialect]
        query = self._parse(dialect, request)
        request.route = route_of(query)
        now_us = time.time_ns() // 1000
        served, tag = await self._read(call, dialect, token_hash, query, now_us)
        if served is None:
            call.provider = call.account_id = None
            return None
        self.tokens_used[token_hash] = now_us
        limit = None
        if not isinstance(query, Problem) or query.kind not in _ROUTING or dialect.limits_strangers():
            limit = call.limit = self._count(provider, account_id, now_us)
        if limit is not None and limit.retry_after_seconds is not None:
            response = self._refuse(dialect, Problem(kind=ProblemKind.THROTTLED), limit)
        elif isinstance(query, Problem):
            response = self._refuse(dialect, query, limit)
        elif served is _UNCHANGED:
            response = _not_modified(dialect, tag, limit)
        else:
            response = self._render(call, dialect, query, served, tag)
        response.provider, response.account_id = provider.name, account_id
        return response

    def _parse(self, dialect: WireDialect, request: Request) -> Query | Problem:
        """What is asked for. Most ask what somebody asked before."""
        method, path, query_string = request.method, request.path, request.query_string
        if len(path) + len(query_string) <= _QUERY_CHARACTERS_MAX:
            return self._remembered[dialect.name](method, path, query_string)
        return dialect.parse_request(method=method, path=path, query_string=query_string)

    async def _read(self, call: _Call, dialect: WireDialect, token_hash: bytes, query: Query | Problem, now_us: int) -> tuple[_Served | None, bytes]:
        """What the token may see of what is asked for, None without a valid token; and the entity tag of that.

        Where the caller has it already, no document is read.
        """
        request, serving = call.request, self._storage.serving().serving
        if request.if_none_match or isinstance(query, Problem):
            owner = await self._storage.fetch(serving.ask_owner(token_hash, now_us=now_us))
            if owner is None:
                return None, b""
            tag = self._tag(call, dialect, owner[1])
            if isinstance(query, Problem) or tag in request.if_none_match:
                return _UNCHANGED, tag
        served: _Served | None
        if isinstance(query, GetQuery):
            served = await self._storage.fetch(serving.ask_single(token_hash, now_us=now_us, wire_id=query.wire_id))
        elif query.search is None:
            skip = (query.page - 1) * query.limit
            served = await self._storage.fetch(serving.ask_items(token_hash, now_us=now_us, skip=skip, size=query.limit, dialect_version=dialect.version))
            if served is not None and served.items is not None and b"\0" in served.items:
                served = await self._wait(partial(self._page_of_old, token_hash, now_us, skip, query.limit))
        else:
            look = partial(self._search, token_hash, now_us, query)
            served = await asyncio.get_running_loop().run_in_executor(self._searches, look)
        return served, b"" if served is None else self._tag(call, dialect, served.revision)

    def _page_of_old(self, token_hash: bytes, now_us: int, skip: int, size: int) -> ServedPage | None:
        """A page of which some was rendered by another release."""
        return self._storage.serving().serving.page(token_hash, now_us=now_us, skip=skip, size=size)

    def _search(self, token_hash: bytes, now_us: int, query: ListQuery) -> ServedPage | None:
        skip = (query.page - 1) * query.limit
        return self._storage.serving().serving.search(token_hash, now_us=now_us, text=query.search or "", skip=skip, size=query.limit)

    def _tag(self, call: _Call, dialect: WireDialect, revision: int) -> bytes:
        """The entity tag of an answer: it changes when the account, how this release renders it, its links or the question do."""
        request = call.request
        seed = f"{call.account_id} {revision} {dialect.version} {self._origin(call)} {request.path.rstrip('/')} {request.query_string}"
        return b'"%b"' % blake2b(seed.encode(), digest_size=12).hexdigest().encode()

    def _origin(self, call: _Call) -> str:
        return (call.provider.public_url if call.provider else None) or call.request.origin

    def _render(self, call: _Call, dialect: WireDialect, query: Query, served: _Served, tag: bytes) -> Response:
        items = self._fresh(dialect, served, single=isinstance(query, GetQuery)) if isinstance(served, ServedPage) else served.items or b""
        body: bytes | Problem
        if isinstance(query, ListQuery):
            body = dialect.render_list(query, total=served.total, items=items, origin=self._origin(call))
        else:
            body = items or Problem(kind=ProblemKind.NOT_FOUND, path=call.request.path)
        if isinstance(body, Problem):
            return self._refuse(dialect, body, call.limit)
        if call.request.if_none_match == b"*":
            return _not_modified(dialect, tag, call.limit)
        return Response(200, _tagged(dialect.response_headers(call.limit), tag), body)

    def _fresh(self, dialect: WireDialect, served: ServedPage, *, single: bool) -> bytes:
        """The stored bytes; those that another release rendered are rendered again, for this answer."""
        version = dialect.version
        return b",".join(
            body if row_version == version else render_now(self._books, account_id=served.account_id, invoice_id=invoice_id, single=single)
            for row_version, body, invoice_id in served.rows
        )

    def _answer_stranger(self, call: _Call, provider: Provider) -> Response:
        """No valid token: routes still answer as routes, everything else is one identical 401."""
        dialect, request = self._dialects[provider.dialect], call.request
        limit = None
        if dialect.limits_strangers():
            limit = self._count(provider, request.peer, time.time_ns() // 1000)
        query = self._parse(dialect, request)
        request.route = route_of(query)
        problem = query if isinstance(query, Problem) and query.kind in _ROUTING else Problem(kind=ProblemKind.UNAUTHENTICATED)
        if limit and limit.retry_after_seconds is not None:
            problem = Problem(kind=ProblemKind.THROTTLED)
        response = self._refuse(dialect, problem, limit)
        response.provider = provider.name
        return response

    def _count(self, provider: Provider, caller: int | str, now_us: int) -> Limit | None:
        """Where an account, or a stranger by address, stands in the provider's window."""
        if not provider.rate_limit:
            return None
        return self._limiter.count((provider.id, caller), limit=provider.rate_limit, window_seconds=provider.rate_window_seconds, now=now_us / 1e6)

    def _refuse(self, dialect: WireDialect, problem: Problem, limit: Limit | None) -> Response:
        status, headers, body = dialect.render_problem(problem)
        return Response(status, [*dialect.response_headers(limit), *headers], body)

    def _failed(self, call: _Call, kind: ProblemKind, error: BaseException) -> Response:
        """An error of ours, in the words of whoever was asked, with the limit that every answer of that API shows."""
        if call.provider is None:
            with suppress(LedgerError):
                call.provider = self._directory.by_host(call.request.host)
        provider, now_us = call.provider, time.time_ns() // 1000
        dialect = self._dialects[provider.dialect] if provider else next(iter(self._dialects.values()))
        if provider and call.limit is None and call.account_id is not None:
            call.limit = self._count(provider, call.account_id, now_us)
        elif provider and call.limit is None and dialect.limits_strangers():
            call.limit = self._count(provider, call.request.peer, now_us)
        response = self._refuse(dialect, Problem(kind=kind, path=call.request.path), call.limit)
        if kind is ProblemKind.UNAVAILABLE:
            response.headers.append((b"retry-after", b"%d" % _RETRY_SECONDS))
        response.failure = error
        return response


def _empty_ledger() -> Response:
    body = b'{"message":"This ledger has no provider yet: faktura provider add"}'
    return Response(404, [(b"content-type", b"application/json")], body)


def _remembering(dialect: WireDialect) -> Callable[[str, str, str], Query | Problem]:
    @lru_cache(maxsize=_QUERIES_MAX)
    def parse(method: str, path: str, query_string: str) -> Query | Problem:
        return dialect.parse_request(method=method, path=path, query_string=query_string)

    return parse


def _tagged(headers: Headers, tag: bytes) -> Headers:
    """Headers of an answer that may be kept by the caller alone, and be asked for again by its tag (RFC 9110, 8.8.3)."""
    headers.append((b"etag", tag))
    if _VARY not in headers:
        headers.append(_VARY)
    return headers


def _not_modified(dialect: WireDialect, tag: bytes, limit: Limit | None) -> Response:
    """What the caller has is still so (RFC 9110, 15.4.5)."""
    headers = [header for header in dialect.response_headers(limit) if header[0] != b"content-type"]
    return Response(304, _tagged(headers, tag), b"")
