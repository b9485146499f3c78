"""A call of the management API: who calls, for which provider, and its effect exactly once."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.routes import HTTPRoute

from faktura.domain.errors import NotFoundError, fault
from faktura.domain.invoice import Invoice
from faktura.domain.provider import Account, Provider, Token
from faktura.ledger.exactly_once import KEY_LENGTH_MAX, once
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books, Transaction
from faktura.server.management.problem import BadRequestError, ForbiddenError, MatchFailedError, MatchMissingError, UnauthorizedError, allow
from faktura.server.request import read_of, token_hash

ID_MAX = 2**53 - 1
"""The largest id that JSON carries exactly; the ledger's are smaller."""
BASE = "/manage/v1"
_KEY = re.compile(rf"[!-~]{{1,{KEY_LENGTH_MAX}}}\Z")
_JSON = "application/json"


@dataclass(slots=True)
class Call:
    """What a route needs to know of its request."""

    books: Books
    provider_id: int
    token: Token
    request: Request[Any, Any, Any]
    body: bytes = b""

    @property
    def is_head(self) -> bool:
        """Whether only the headers are asked for; the framework sees a GET."""
        told = read_of(self.request.scope)
        return told is not None and told.method == "HEAD"

    def once(self, act: Callable[[Books], Answer]) -> Response[Any]:
        """Do it exactly once, where the caller names an Idempotency-Key, and answer."""
        key = self.key()
        answer, is_repeated = once(self.books, provider_id=self.provider_id, key=key, fingerprint=self.fingerprint(self.body), act=act)
        return respond(answer, is_repeated=is_repeated)

    def key(self) -> str | None:
        """The Idempotency-Key, if there is one; BadRequestError for one that cannot be kept."""
        keys = self.request.headers.getall("idempotency-key", [])
        if not keys:
            return None
        if len(keys) > 1 or not _KEY.match(keys[0]):
            raise BadRequestError([fault("value", "Idempotency-Key", f"must be one header of 1 to {KEY_LENGTH_MAX} visible ASCII characters")])
        return str(keys[0])

    def fingerprint(self, body: bytes) -> bytes:
        """What makes two requests the same: method, address, what they match, and the body."""
        url = self.request.url
        parts = [self.request.method, url.path, url.query, self.matched() or "", hashlib.sha256(body).hexdigest()]
        return hashlib.sha256("\n".join(parts).encode()).digest()

    def provider(self, tx: Transaction) -> Provider:
        """The token's provider."""
        return tx.providers.get(self.provider_id)

    def account(self, tx: Transaction, account_id: int) -> Account:
        """The provider's account; NotFoundError for another's as for none."""
        account = tx.accounts.get(account_id) if 0 < account_id <= ID_MAX else None
        if account is None or account.provider_id != self.provider_id:
            raise NotFoundError
        return account

    def hold(self, tx: Transaction, account_id: int) -> Account:
        """The same, locked until the transaction ends."""
        account = tx.accounts.lock(account_id) if 0 < account_id <= ID_MAX else None
        if account is None or account.provider_id != self.provider_id:
            raise NotFoundError
        return account

    def invoice(self, tx: Transaction, invoice_id: int) -> tuple[Invoice, Account]:
        """The provider's document with its account; NotFoundError likewise."""
        account_id = tx.invoices.account_of(invoice_id) if 0 < invoice_id <= ID_MAX else None
        if account_id is None:
            raise NotFoundError
        account = self.account(tx, account_id)
        invoice = tx.invoices.get(account_id, invoice_id)
        if invoice is None:
            raise NotFoundError
        return invoice, account

    def match(self, current: str, *, is_there: bool = True) -> None:
        """Refuse to change what the caller has not seen (RFC 9110, If-Match)."""
        tags = self.matched()
        if tags is None:
            raise MatchMissingError
        if not is_there:
            raise MatchFailedError
        if tags.strip() != "*" and current not in [tag.strip() for tag in tags.split(",")]:
            raise MatchFailedError

    def matched(self) -> str | None:
        """If-Match, which may come in several lines (RFC 9110, 5.2)."""
        lines = self.request.headers.getall("if-match", None)
        return None if lines is None else ", ".join(lines)

    def known(self) -> bytes:
        """If-None-Match, likewise; empty where there is none."""
        return ", ".join(self.request.headers.getall("if-none-match", [])).encode("latin-1", "replace")


def named(provider: Provider, name: str) -> Provider:
    """The provider, where it has the name that a path says; NotFoundError otherwise."""
    if provider.name != name:
        raise NotFoundError
    return provider


def bounded(given_id: int) -> int:
    """An id from a path; NotFoundError for what none can be, and a database might not take."""
    if not 0 < given_id <= ID_MAX:
        raise NotFoundError
    return given_id


def respond(answer: Answer, *, is_repeated: bool = False) -> Response[Any]:
    """The HTTP response of an answer; `Idempotent-Replayed` says that it was given before."""
    headers = dict(answer.headers) | ({"Idempotent-Replayed": "true"} if is_repeated else {})
    media_type = headers.pop("Content-Type", _JSON)
    return Response(answer.body, status_code=answer.status, media_type=media_type, headers={"Cache-Control": "no-store", **headers})


def answer(resource: object, *, status: int = 200, location: str | None = None, etag: str | None = None) -> Answer:
    """A JSON answer."""
    headers = [("Location", BASE + location)] if location else []
    headers += [("ETag", etag)] if etag else []
    return Answer(status=status, headers=tuple(headers), body=msgspec.json.encode(resource))


def etag_of(value: object) -> str:
    """A strong ETag of what can be edited of a thing."""
    return f'"{hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:32]}"'


def _token_hash_of(scope: Mapping[str, Any]) -> bytes | None:
    given = {value for name, value in scope["headers"] if name == b"authorization"}
    return token_hash(given.pop()) if len(given) == 1 else None


async def admit(request: Request[Any, Any, Any]) -> Response[None] | None:
    """Stands before every route: one 401 for whatever is no good token, one 403 for a scope that lacks, before anything is looked up.

    The framework's guards would get a new copy of the route with each request; and what is not a coroutine would go through a thread.
    """
    told, handler = read_of(request.scope), request.route_handler
    if told is not None:
        told.route = handler.operation_id if isinstance(handler.operation_id, str) else "reference"
    if request.method == "OPTIONS":
        return _tell_methods(request)
    if handler.opt.get("public"):
        return None
    books: Books = request.app.state.books
    hashed = told.token_hash if told else _token_hash_of(request.scope)
    now_us = books.clock()
    token = None if hashed is None else await _find_token(books, hashed, now_us)
    if token is None or hashed is None:
        raise UnauthorizedError
    if told is not None:
        told.provider_id = token.provider_id
    if not {handler.opt["scope"], "admin"} & set(token.scopes):
        raise ForbiddenError
    request.app.state.used(hashed, now_us)
    request.scope["user"] = token
    _check_query(request, handler)
    return None


async def _find_token(books: Books, hashed: bytes, now_us: int) -> Token | None:
    if books.storage.is_remote:
        return await asyncio.to_thread(lambda: books.storage.serving().serving.manager(hashed, now_us=now_us))
    return books.storage.serving().serving.manager(hashed, now_us=now_us)


def _tell_methods(request: Request[Any, Any, Any]) -> Response[None]:
    """The answer to OPTIONS: what an address takes, whether a thing is there or not. The framework's own forgets methods that were routed later."""
    template = request.scope["path_template"]
    methods = {method for route in request.app.routes if isinstance(route, HTTPRoute) and route.path_format == template for method in route.methods}
    return Response(None, status_code=204, headers={"Allow": allow(methods), "Cache-Control": "no-store"})


def _check_query(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A misspelt filter must not show everything: unknown and repeated parameters are refused, all that are missing are named, and NUL is in no text."""
    known, required = _query_names(handler)
    items = list(connection.query_params.multi_items())
    given = [name for name, _ in items]
    faults = [fault("unknown", name[:80], "is not a parameter of this call") for name in dict.fromkeys(given) if name not in known]
    faults += [fault("repeated", name, "is given more than once") for name in dict.fromkeys(given) if name in known and given.count(name) > 1]
    faults += [fault("value", name, "must not contain NUL") for name, value in items if name in known and "\x00" in value]
    faults += [fault("missing", name, "is missing") for name in required if name not in given]
    if faults:
        raise BadRequestError(faults)


@cache
def _query_names(handler: BaseRouteHandler) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The query parameters that a route declares, those of its arguments that are marked so; and which of them it cannot do without."""
    fields = handler.parsed_fn_signature.parameters.values()
    marked = [(field.kwarg_definition.name, field.is_required) for field in fields if isinstance(field.kwarg_definition, QueryParameter)]
    return tuple(name for name, _ in marked if name), tuple(name for name, is_required in marked if name and is_required)


async def provide_call(request: Request[Any, Any, Any]) -> AsyncGenerator[Call]:
    """The call of a request whose token is good. A writing call's body is part of its fingerprint.

    A writing call waits here, and not in a thread, while as many as may wait for the ledger's writer do.
    """
    token: Token = request.scope["user"]
    books: Books = request.app.state.books
    actor = f"token {token.id}" + (f" ({token.label})" if token.label else "")
    call = Call(replace(books, actor=actor), token.provider_id, token, request)
    if request.route_handler.opt.get("streamed", False) or request.method in {"GET", "HEAD"}:
        yield call
        return
    call.body = await request.body()
    async with request.app.state.writers:
        yield call
