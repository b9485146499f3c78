"""What every dialect speaks of: requests, pages, answers, problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from urllib.parse import unquote_to_bytes

import msgspec

from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.money import Currency, canonical
from faktura.domain.payment import Standing
from faktura.domain.provider import Provider
from faktura.domain.recorded import Heard

Headers = list[tuple[bytes, bytes]]

_DIGITS_MAX = 18
"""Of a whole number in a header: seconds of any age of the world have fewer."""

encoder = msgspec.json.Encoder(decimal_format="number")
"""Compact UTF-8 JSON; slashes and non-ASCII are not escaped; decimals are numbers as written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """A page of the list. `limit` is what the dialect serves, not always what was asked."""

    page: int = 1
    limit: int
    search: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetQuery:
    """One document by its wire id."""

    wire_id: int


class ProblemKind(StrEnum):
    """Every way a call can fail; the dialect knows status and body."""

    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NO_ROUTE = "no-route"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    INVALID = "invalid"
    LOCKED = "locked"
    THROTTLED = "throttled"
    SERVER_ERROR = "server-error"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A failed call, in no provider's words."""

    kind: ProblemKind
    method: str = "GET"
    path: str = "/"
    errors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Field -> sentences, for INVALID."""


Query = ListQuery | GetQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Where a caller stands in the window of a rate limit."""

    limit: int
    remaining: int
    reset_at: int
    """Unix seconds at which the window ends."""
    retry_after_seconds: int | None = None
    """Set where the call was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFault:
    """An item of an answer that could not be read; the others still can."""

    position: int
    """Counted from 1."""
    message: str
    wire_id: int | None = None
    """Which it is, where that much could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a provider answered: documents, and where in the list they stand (None in a single answer)."""

    documents: tuple[Heard, ...]
    faults: tuple[ItemFault, ...] = ()
    page: int | None = None
    pages: int | None = None
    total: int | None = None
    next_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a provider of this dialect starts with; all are settings."""

    base_url: str
    """The documented host, `/v1` included."""
    hosts: tuple[str, ...]
    """Documented host names."""
    zone: str
    currency: Currency
    rate_limit: int
    rate_window_seconds: int
    invoice_template: str
    pro_forma_template: str
    pro_formas_by_order: bool


class _Identified(msgspec.Struct):
    id: int


_identified = msgspec.json.Decoder(_Identified, strict=False)


class WireDialect(Protocol):
    """One provider's API, both directions; the laws in tests/contracts bind every implementation."""

    name: str
    version: int
    """Counts up when the rendering of a stored item or single form changes."""
    defaults: Defaults
    has_single: bool
    """Whether the API answers for one document, and then tells more of it than its list does."""
    has_search: bool
    """Whether the list can be asked for a part of a document's number."""
    limit_max: int
    """The most documents that a page of the list has."""

    def check_settings(self, provider: Provider) -> None:
        """SettingError for settings that this API cannot live with."""

    def lists(self, type_code: TypeCode | None) -> bool:
        """Whether the API shows documents of this type."""

    def created_at(self, at_us: int, issue_date: date, zone: str) -> int:
        """The creation instant that the API shows for a document issued at that instant."""

    def render_item(self, invoice: Invoice, standing: Standing, provider: Provider) -> bytes:
        """The document as an item of the list, without host or query. Of every type, also where `lists` says no: each document is kept as rendered."""

    def render_single(self, invoice: Invoice, standing: Standing, provider: Provider) -> bytes | None:
        """The document on its own, or None where the API has no such call."""

    def parse_request(self, *, method: str, path: str, query_string: str) -> Query | Problem:
        """What a request asks for. `path` is decoded, `query_string` is not."""

    def render_request(self, query: Query) -> str:
        """Path (from `/v1` on) and query string that ask for it."""

    def render_list(self, query: ListQuery, *, total: int, items: bytes, origin: str) -> bytes | Problem:
        """The page around rendered items, which are joined by commas; `origin` is scheme and host for links."""

    def parse_answer(self, body: bytes, *, provider: Provider) -> Answer:
        """The documents of a list page or single answer; WireError when it is neither."""

    def render_problem(self, problem: Problem) -> tuple[int, Headers, bytes]:
        """Status, extra headers and body."""

    def parse_problem(self, status: int, body: bytes) -> Problem:
        """The problem that an answer with an error status tells of."""

    def response_headers(self, limit: Limit | None) -> Headers:
        """The provider's own headers, on every answer; rate-limit headers where it sends them."""

    def parse_limit(self, headers: Mapping[str, str]) -> Limit | None:
        """Where the caller stands, by an answer's headers (names in lower case); None where they do not say. The inverse of `response_headers`."""

    def limits_strangers(self) -> bool:
        """Whether calls without a valid token count and show a rate limit too."""


def item_fault(position: int, raw: bytes, error: Exception) -> ItemFault:
    """The fault of an item that could not be read, with the id that it has."""
    try:
        wire_id = _identified.decode(raw).id
    except (msgspec.DecodeError, ValueError, RecursionError):
        wire_id = None
    return ItemFault(position=position, message=str(error), wire_id=wire_id)


def read_limit(headers: Mapping[str, str]) -> Limit | None:
    """The limit that `X-RateLimit-*` and `Retry-After` tell of; None without a whole number of what remains. An absent limit or end is 0."""
    told = {name: _whole(headers.get(name)) for name in ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after")}
    remaining, retry_after = told["x-ratelimit-remaining"], told["retry-after"]
    if remaining is None and retry_after is None:
        return None
    return Limit(
        limit=told["x-ratelimit-limit"] or 0,
        remaining=remaining or 0,
        reset_at=told["x-ratelimit-reset"] or 0,
        retry_after_seconds=retry_after,
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else None


def number(amount_minor: int | None, currency: Currency) -> Decimal | None:
    """An amount as the wire writes it: 90, not 90.00 or 90.0."""
    return None if amount_minor is None else amount(amount_minor, currency.digits)


def amount(amount_minor: int, digits: int) -> Decimal:
    """The same of an amount that is known, in a currency of so many decimals."""
    while digits and not amount_minor % 10:
        amount_minor, digits = amount_minor // 10, digits - 1
    return Decimal(amount_minor).scaleb(-digits)


def plain(value: Decimal) -> Decimal:
    """The decimal whose text has no trailing zeros and no exponent."""
    short = value.normalize()
    return short if short % 10 else Decimal(canonical(value))  # only a multiple of ten is shortened to an exponent


def decode_query(query_string: str) -> list[tuple[str, bytes]]:
    """Names and raw values in order, as a form decodes them: `+` is a space, percent escapes are bytes."""
    pairs = []
    for part in query_string.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote_bytes(name).decode("utf-8", "replace"), unquote_bytes(value)))
    return pairs


def unquote_bytes(text: str) -> bytes:
    """Percent escapes and `+` undone; broken escapes stay as they are."""
    return unquote_to_bytes(text.replace("+", " "))


def last_value(query_string: str, name: str) -> bytes | None:
    """The last value of a parameter, as PHP takes it; None when absent, or when the last one is an array (`page[]=2`)."""
    found: bytes | None = None
    for key, value in decode_query(query_string):
        key = key.lstrip(" ")  # noqa: PLW2901 - PHP drops leading spaces of names
        if key == name:
            found = value
        elif key.startswith(f"{name}["):
            found = None
    return found
