"""The documented provider APIs: request -> dialect -> one statement -> dialect -> response.

The path is kept short: a token's page is one statement, and its rows are rendered already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from faktura.config import Settings
from faktura.dialects.base import GetQuery, Headers, Limit, ListQuery, Problem, ProblemKind, Query, WireDialect
from faktura.domain.errors import LedgerError
from faktura.domain.provider import Provider
from faktura.ledger.listing_ports import ServedPage
from faktura.ledger.ports import Books
from faktura.ledger.standing import render_now
from faktura.server.directory import Directory
from faktura.server.meter import route_of
from faktura.server.rate_limit import RateLimiter, RateLimits
from faktura.server.request import Request

_ROUTING = {ProblemKind.NO_ROUTE, ProblemKind.METHOD_NOT_ALLOWED}
_RETRY_SECONDS = 2
_THREADS_MAX = 16
"""Answers that are waited for at once; the others wait for their turn."""


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


class _SearchError(Exception):
    """The request is a search, which is not for the event loop."""


class ProviderApi:
    """Answers requests of the provider APIs."""

    def __init__(self, books: Books, dialects: Mapping[str, WireDialect], settings: Settings, limits: RateLimits | None = None) -> None:
        self._books = books
        self._dialects = dialects
        self._directory = Directory(books.storage, settings.default_provider)
        self._limiter = limits or RateLimiter()
        self._threads = ThreadPoolExecutor(_THREADS_MAX, "provider-api")
        self.tokens_used: dict[bytes, int] = {}
        """When tokens were used, until somebody writes it down."""

    async def answer(self, request: Request) -> Response:
        """The response, whatever happens: storage that is away is a 503, a mistake of ours a 500, in the provider's words.

        What a local ledger answers at once is answered here; what waits for a network, or may look at a whole account, in a thread.
        """
        response = None if self._books.storage.is_remote else self._answer(request, may_search=False)
        if response is None:
            response = await asyncio.get_running_loop().run_in_executor(self._threads, partial(self._answer, request, may_search=True))
        if response is None:
            raise AssertionError("a search that may search is answered")
        return response

    def _answer(self, request: Request, *, may_search: bool) -> Response | None:
        """The response; None, with nothing counted, for a search that must wait."""
        call = _Call(request)
        try:
            call.provider = self._directory.by_host(request.host)
            if call.provider is None:
                return _empty_ledger()
            if request.token_hash is not None:
                response = self._answer_owner(call, request.token_hash, may_search=may_search)
                if response is not None:
                    return response
            return self._answer_stranger(call, call.provider)
        except _SearchError:
            return None
        except LedgerError as error:
            return self._failed(call, ProblemKind.UNAVAILABLE, error)
        except Exception as error:  # noqa: BLE001 - the edge: every mistake becomes a 500 and is logged
            return self._failed(call, ProblemKind.SERVER_ERROR, error)

    def _answer_owner(self, call: _Call, token_hash: bytes, *, may_search: bool) -> Response | None:
        """The answer for a token, or None when it is none or no longer good."""
        owner = self._directory.by_token(token_hash)
        if owner is None:
            return None
        stranger_provider = call.provider
        provider, account_id = call.provider, call.account_id = owner
        dialect, request = self._dialects[provider.dialect], call.request
        query = dialect.parse_request(method=request.method, path=request.path, query_string=request.query_string)
        request.route = route_of(query)
        if isinstance(query, ListQuery) and query.search is not None and not may_search:
            raise _SearchError
        now_us = time.time_ns() // 1000
        served = self._read(token_hash, query, now_us)
        if served is None:
            call.provider, call.account_id = stranger_provider, None
            return None
        self.tokens_used[token_hash] = now_us
        if not isinstance(query, Problem) or query.kind not in _ROUTING or dialect.limits_strangers():
            call.limit = self._count(provider, ("account", account_id), now_us)
        if call.limit and call.limit.retry_after_seconds is not None:
            response = self._refuse(dialect, Problem(kind=ProblemKind.THROTTLED), call.limit)
        else:
            response = self._render(call, provider, dialect, query, served=served)
        response.provider, response.account_id = provider.name, account_id
        return response

    def _read(self, token_hash: bytes, query: Query | Problem, now_us: int) -> ServedPage | None:
        serving = self._books.storage.serving().serving
        if isinstance(query, GetQuery):
            return serving.single(token_hash, now_us=now_us, wire_id=query.wire_id)
        if isinstance(query, Problem):
            return serving.page(token_hash, now_us=now_us, skip=0, size=0)
        skip = (query.page - 1) * query.limit
        if query.search is None:
            return serving.page(token_hash, now_us=now_us, skip=skip, size=query.limit)
        return serving.search(token_hash, now_us=now_us, text=query.search, skip=skip, size=query.limit)

    def _render(self, call: _Call, provider: Provider, dialect: WireDialect, query: Query | Problem, *, served: ServedPage) -> Response:
        limit = call.limit
        if isinstance(query, Problem):
            return self._refuse(dialect, query, limit)
        items = self._fresh(dialect, served, single=isinstance(query, GetQuery))
        if isinstance(query, ListQuery):
            body = dialect.render_list(query, total=served.total, items=items, origin=provider.public_url or call.request.origin)
            if isinstance(body, Problem):
                return self._refuse(dialect, body, limit)
        elif items:
            body = items[0]
        else:
            return self._refuse(dialect, Problem(kind=ProblemKind.NOT_FOUND, path=call.request.path), limit)
        return Response(200, dialect.response_headers(limit), body)

    def _fresh(self, dialect: WireDialect, served: ServedPage, *, single: bool) -> Sequence[bytes]:
        """The stored bytes; those that an older release rendered are rendered again, for this answer."""
        version = dialect.version
        return [
            body if row_version == version else render_now(self._books, account_id=served.account_id, invoice_id=invoice_id, single=single)
            for row_version, body, invoice_id in served.rows
        ]

    def _answer_stranger(self, call: _Call, provider: Provider) -> Response:
        """No valid token: routes still answer as routes, everything else is one identical 401."""
        dialect, request = self._dialects[provider.dialect], call.request
        limit = None
        if dialect.limits_strangers():
            limit = self._count(provider, ("peer", request.peer), time.time_ns() // 1000)
        query = dialect.parse_request(method=request.method, path=request.path, query_string=request.query_string)
        request.route = route_of(query)
        problem = query if isinstance(query, Problem) and query.kind in _ROUTING else Problem(kind=ProblemKind.UNAUTHENTICATED)
        if limit and limit.retry_after_seconds is not None:
            problem = Problem(kind=ProblemKind.THROTTLED)
        response = self._refuse(dialect, problem, limit)
        response.provider = provider.name
        return response

    def _count(self, provider: Provider, caller: tuple[str, object], now_us: int) -> Limit | None:
        if not provider.rate_limit:
            return None
        key = (provider.id, *caller)
        return self._limiter.count(key, limit=provider.rate_limit, window_seconds=provider.rate_window_seconds, now=now_us / 1e6)

    def _refuse(self, dialect: WireDialect, problem: Problem, limit: Limit | None) -> Response:
        status, headers, body = dialect.render_problem(problem)
        return Response(status, [*dialect.response_headers(limit), *headers], body)

    def _failed(self, call: _Call, kind: ProblemKind, error: BaseException) -> Response:
        """An error of ours, in the words of whoever was asked, with the limit that every answer of that API shows."""
        provider, now_us = call.provider, time.time_ns() // 1000
        dialect = self._dialects[provider.dialect] if provider else next(iter(self._dialects.values()))
        if provider and call.limit is None and call.account_id is not None:
            call.limit = self._count(provider, ("account", call.account_id), now_us)
        elif provider and call.limit is None and dialect.limits_strangers():
            call.limit = self._count(provider, ("peer", call.request.peer), now_us)
        response = self._refuse(dialect, Problem(kind=kind, path=call.request.path), call.limit)
        if kind is ProblemKind.UNAVAILABLE:
            response.headers.append((b"retry-after", b"%d" % _RETRY_SECONDS))
        response.failure = error
        return response


def _empty_ledger() -> Response:
    body = b'{"message":"This ledger has no provider yet: faktura provider add"}'
    return Response(404, [(b"content-type", b"application/json")], body)
