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
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import blake2b
from typing import TypeVar

from faktura.config import Settings
from faktura.dialects.base import GetQuery, Headers, Limit, ListQuery, Problem, ProblemKind, Query, WireDialect
from faktura.documents.handing_out import HandedOut, LackingError, hand_out_file
from faktura.domain.document_file import ORIGINAL
from faktura.domain.errors import LedgerBusyError, LedgerError
from faktura.domain.provider import Provider
from faktura.ledger.listing_ports import ServedItems, ServedPage
from faktura.ledger.ports import Books
from faktura.ledger.standing import render_now
from faktura.server.directory import Directory
from faktura.server.file_requests import PREFIX, FileQuery, file_headers, is_known, language_of, parse_file_request, refusal
from faktura.server.meter import route_of
from faktura.server.rate_limit import RateLimiter, RateLimits
from faktura.server.rendering import Renderer
from faktura.server.request import Request

_T = TypeVar("_T")
_VARY = (b"vary", b"Authorization")
_ROUTING = {ProblemKind.NO_ROUTE, ProblemKind.METHOD_NOT_ALLOWED}
_RETRY_SECONDS = 2
_CUSTOMER = "customer"
"""Who is journalled to have been handed a file by the provider APIs: the entry's account says which."""
_SEARCHES_MAX = 4
"""Searches at once. Each may look through all numbers of an account; nobody else waits for them."""
_SEARCHES_WAITING_MAX = 64
_THREADS_MAX = 8
"""Reads of a remote ledger that are no single statement: of a token that is new, of providers, of documents that another release rendered."""
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
    faults: str = ""
    """What a stand-in did to the answer on purpose, for the log."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asked, in which dialect, and for whose account; None without a good token."""

    provider: Provider
    dialect: WireDialect
    account_id: int | None


@dataclass(slots=True)
class _Call:
    """What is known of a call so far: also where it fails halfway."""

    request: Request
    provider: Provider | None = None
    account_id: int | None = None
    limit: Limit | None = None


class ProviderApi:
    """Answers requests of the provider APIs."""

    def __init__(
        self, books: Books, dialects: Mapping[str, WireDialect], settings: Settings, limits: RateLimits | None = None, *, renderer: Renderer | None = None
    ) -> None:
        self._books = books
        self._storage = books.storage
        self._dialects = dialects
        self._remembered = {name: _remembering(dialect) for name, dialect in dialects.items()}
        self._directory = Directory(books.storage, settings.default_provider)
        self._limiter = limits or RateLimiter()
        self._threads = ThreadPoolExecutor(_THREADS_MAX, "provider-api")
        self._refreshing: asyncio.Future[None] | None = None
        self._renderer = renderer or Renderer()
        self._searching = 0
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
            await self._refresh()
            call.provider = self._directory.by_host(request.host)
            return _empty_ledger() if call.provider is None else self._answer_stranger(call, call.provider)
        except LedgerError as error:
            return self._failed(call, ProblemKind.UNAVAILABLE, error)
        except Exception as error:  # noqa: BLE001 - the edge: every mistake becomes a 500 and is logged
            return self._failed(call, ProblemKind.SERVER_ERROR, error)

    async def whose(self, request: Request) -> Caller | None:
        """Whom a request is for, before it is answered; None in a ledger without providers. LedgerError where it cannot be read."""
        await self._refresh()
        directory, token_hash = self._directory, request.token_hash
        if token_hash is not None:
            is_good = await self._storage.fetch(self._storage.serving().serving.ask_owner(token_hash, now_us=time.time_ns() // 1000))
            if not directory.knows(token_hash):
                await self._wait(partial(directory.learn, token_hash))
            owner = directory.by_token(token_hash)
            if is_good is not None and owner is not None:
                return Caller(owner[0], self._dialects[owner[0].dialect], owner[1])
        provider = directory.by_host(request.host)
        return None if provider is None else Caller(provider, self._dialects[provider.dialect], None)

    async def _wait(self, work: Callable[[], _T]) -> _T:
        """What a local ledger reads at once; what waits for a network, in a thread."""
        if not self._storage.is_remote:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _refresh(self) -> None:
        """Read the providers anew where that is due; who comes meanwhile waits for the same."""
        if self._directory.is_fresh():
            return
        if not self._storage.is_remote:
            self._directory.refresh()
            return
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.ensure_future(self._wait(self._directory.refresh))
        await asyncio.shield(self._refreshing)

    async def _answer_owner(self, call: _Call, token_hash: bytes) -> Response | None:
        """The answer for a token, or None when it is none or no longer good."""
        directory, request = self._directory, call.request
        await self._refresh()
        if not directory.knows(token_hash):
            await self._wait(partial(directory.learn, token_hash))
        owner = directory.by_token(token_hash)
        if owner is None:
            return None
        call.provider, call.account_id = owner
        dialect = self._dialects[call.provider.dialect]
        query = self._parse(dialect, request)
        request.route = route_of(query)
        if isinstance(query, FileQuery):
            response = await self._answer_file(call, dialect, token_hash, query)
        else:
            response = await self._answer_query(call, dialect, token_hash, query)
        if response is None:
            call.provider = call.account_id = None
            return None
        response.provider, response.account_id = owner[0].name, owner[1]
        return response

    async def _answer_query(self, call: _Call, dialect: WireDialect, token_hash: bytes, query: Query | Problem) -> Response | None:
        """The answer to a question; None where the token is no longer good. Whoever is refused has nothing searched for."""
        if_none_match, now_us = call.request.if_none_match, time.time_ns() // 1000
        is_search = isinstance(query, ListQuery) and query.search is not None
        served, tag = None, b""
        if if_none_match or is_search or isinstance(query, Problem):
            owner = await self._storage.fetch(self._storage.serving().serving.ask_owner(token_hash, now_us=now_us))
            if owner is None:
                return None
            tag = self._tag(call, dialect, owner[1])
            is_known = tag in if_none_match
        else:
            served, is_known = await self.read(dialect, token_hash, query, now_us), False
            if served is None:
                return None
        self.tokens_used[token_hash] = now_us
        limit = call.limit = self._count_owner(call, dialect, query, now_us)
        if limit is not None and limit.retry_after_seconds is not None:
            return self._refuse(dialect, Problem(kind=ProblemKind.THROTTLED), limit)
        if isinstance(query, Problem):
            return self._refuse(dialect, query, limit)
        if is_known:
            return _not_modified(dialect, tag, limit)
        if served is None:
            served = await self.read(dialect, token_hash, query, now_us)
        return None if served is None else self._render(call, dialect, query, served)

    async def _answer_file(self, call: _Call, dialect: WireDialect, token_hash: bytes, query: FileQuery) -> Response | None:
        """A document as a file: what is kept at once, anything else made in a thread. None where the token is no longer good."""
        now_us = time.time_ns() // 1000
        served = await self._storage.fetch(
            self._storage.serving().serving.ask_file(token_hash, now_us=now_us, wire_id=query.wire_id, form=query.form or ORIGINAL)
        )
        if served is None:
            return None
        self.tokens_used[token_hash] = now_us
        limit = call.limit = self._count_owner(call, dialect, query, now_us)
        if limit is not None and limit.retry_after_seconds is not None:
            return self._refuse(dialect, Problem(kind=ProblemKind.THROTTLED), limit)
        if served.invoice_id is None:
            return self._refuse(dialect, Problem(kind=ProblemKind.NOT_FOUND, path=call.request.path), limit)
        if served.body is not None and served.sha256 is not None and query.form is not None:
            file = HandedOut(query.form.value, served.body, served.sha256)
        else:
            books, language = replace(self._books, actor=_CUSTOMER), language_of(query, call.request.accept_language)
            make = partial(
                hand_out_file,
                books,
                account_id=served.account_id,
                invoice_id=served.invoice_id,
                form=query.form,
                language=language,
                is_written=call.request.method != "HEAD",
            )
            try:
                file = await self._renderer.run(make)
            except LackingError as error:
                return self._refuse(dialect, refusal(error.faults, path=call.request.path), limit)
        headers = file_headers(dialect.response_headers(limit), file, number=served.number)
        if call.request.if_none_match and is_known(file.sha256, call.request.if_none_match):
            return Response(304, [header for header in headers if header[0] != b"content-type"], b"")
        return Response(200, headers, file.body)

    def _parse(self, dialect: WireDialect, request: Request) -> Query | Problem | FileQuery:
        """What is asked for. Most ask what somebody asked before."""
        method, path, query_string = request.method, request.path, request.query_string
        if path.startswith(PREFIX):
            return parse_file_request(method=method, path=path, query_string=query_string)
        if len(path) + len(query_string) <= _QUERY_CHARACTERS_MAX:
            return self._remembered[dialect.name](method, path, query_string)
        return dialect.parse_request(method=method, path=path, query_string=query_string)

    async def read(self, dialect: WireDialect, token_hash: bytes, query: Query, now_us: int) -> ServedItems | None:
        """What the token may see of what is asked for; None without a valid token."""
        serving = self._storage.serving().serving
        if isinstance(query, GetQuery):
            page = await self._storage.fetch(serving.ask_single(token_hash, now_us=now_us, wire_id=query.wire_id))
            return await self._joined(dialect, page, single=True)
        skip = (query.page - 1) * query.limit
        if query.search is not None:
            return await self._joined(dialect, await self._search(token_hash, now_us, query.search, skip, query.limit), single=False)
        served = await self._storage.fetch(serving.ask_items(token_hash, now_us=now_us, skip=skip, size=query.limit, dialect_version=dialect.version))
        if served is not None and served.items is not None and b"\0" in served.items:
            page = await self._wait(lambda: self._storage.serving().serving.page(token_hash, now_us=now_us, skip=skip, size=query.limit))
            return await self._joined(dialect, page, single=False)
        return served

    async def _search(self, token_hash: bytes, now_us: int, text: str, skip: int, size: int) -> ServedPage | None:
        """A search, in a thread: it may look through all numbers of an account. LedgerBusyError where too many wait for theirs."""
        if self._searching >= _SEARCHES_WAITING_MAX:
            raise LedgerBusyError("too many searches wait; try again")
        self._searching += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._searches, lambda: self._storage.serving().serving.search(token_hash, now_us=now_us, text=text, skip=skip, size=size)
            )
        finally:
            self._searching -= 1

    async def _joined(self, dialect: WireDialect, page: ServedPage | None, *, single: bool) -> ServedItems | None:
        """A page's stored bytes; those that another release rendered are rendered again, for this answer."""
        if page is None:
            return None
        version = dialect.version
        if all(row[0] == version for row in page.rows):
            return ServedItems(page.account_id, page.revision, page.total, b",".join([row[1] for row in page.rows]))

        def fresh() -> bytes:
            return b",".join(
                body if row_version == version else render_now(self._books, account_id=page.account_id, invoice_id=invoice_id, single=single)
                for row_version, body, invoice_id in page.rows
            )

        return ServedItems(page.account_id, page.revision, page.total, await self._wait(fresh))

    def _tag(self, call: _Call, dialect: WireDialect, revision: int) -> bytes:
        """The entity tag of an answer: it changes when the account, how this release renders it, its links or the question do."""
        request = call.request
        seed = f"{call.account_id} {revision} {dialect.version} {self._origin(call)} {request.path.rstrip('/')} {request.query_string}"
        return b'"%b"' % blake2b(seed.encode(), digest_size=12).hexdigest().encode()

    def _origin(self, call: _Call) -> str:
        return (call.provider.public_url if call.provider else None) or call.request.origin

    def _render(self, call: _Call, dialect: WireDialect, query: Query, served: ServedItems) -> Response:
        items = served.items or b""
        body: bytes | Problem
        if isinstance(query, ListQuery):
            body = dialect.render_list(query, total=served.total, items=items, origin=self._origin(call))
        else:
            body = items or Problem(kind=ProblemKind.NOT_FOUND, path=call.request.path)
        if isinstance(body, Problem):
            return self._refuse(dialect, body, call.limit)
        tag = self._tag(call, dialect, served.revision)
        if call.request.if_none_match == b"*":
            return _not_modified(dialect, tag, call.limit)
        return Response(200, _tagged(dialect.response_headers(call.limit), tag), body)

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

    def _count_owner(self, call: _Call, dialect: WireDialect, query: Query | Problem | FileQuery, now_us: int) -> Limit | None:
        if call.provider is None or call.account_id is None or (isinstance(query, Problem) and query.kind in _ROUTING and not dialect.limits_strangers()):
            return None
        return self._count(call.provider, call.account_id, now_us)

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
        dialect = (self._dialects.get(provider.dialect) if provider else None) or next(
            iter(self._dialects.values())
        )  # whoever's words: there must be an answer
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
