"""VPSBG: `GET /v1/invoices`, Laravel pagination. Facts are numbered as in docs/reference/wire.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from faktura.dialects.base import (
    Answer,
    Defaults,
    GetQuery,
    Headers,
    Limit,
    ListQuery,
    Problem,
    ProblemKind,
    Query,
    encoder,
    item_fault,
    last_value,
    number,
    read_limit,
)
from faktura.domain.calendar import legal_date, midnight, parse_instant, to_datetime
from faktura.domain.errors import SettingError, WireError
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.money import Currency
from faktura.domain.payment import Standing
from faktura.domain.provider import Provider
from faktura.domain.recorded import Heard, SourceKind
from faktura.domain.text import is_number_text, shown

PER_PAGE = 30
_ROUTE = "v1/invoices"
_WORDS = {TypeCode.PRO_FORMA: "proform", TypeCode.INVOICE: "original", TypeCode.CREDIT_NOTE: "credit_note", TypeCode.DEBIT_NOTE: "debit_note"}
_PHP_INTEGER = re.compile(rb"[ \t\n\r\v]*\+?([1-9][0-9]{0,18})[ \t\n\r\v]*\Z")
_PHP_INTEGER_MAX = 2**63 - 1
_ID_MAX = 2**63 - 2  # BIGINT, less one that must stay for the next
_ON_EACH_SIDE = 3
_PREVIOUS, _NEXT = "« Previous", "Next »"

# kind: status, message (fact 16; the texts of NO_ROUTE and METHOD_NOT_ALLOWED are made per request)
_PROBLEMS: dict[ProblemKind, tuple[int, str]] = {
    ProblemKind.UNAUTHENTICATED: (401, "Unauthenticated."),
    ProblemKind.FORBIDDEN: (403, "This action is unauthorized."),
    ProblemKind.NO_ROUTE: (404, "The route {path} could not be found."),
    ProblemKind.NOT_FOUND: (404, "Not Found."),
    ProblemKind.METHOD_NOT_ALLOWED: (405, "The {method} method is not supported for route {path}. Supported methods: GET, HEAD."),
    ProblemKind.INVALID: (422, "The given data was invalid."),
    ProblemKind.LOCKED: (423, "Locked"),
    ProblemKind.THROTTLED: (429, "Too Many Attempts."),
    ProblemKind.SERVER_ERROR: (500, "Server Error"),
    ProblemKind.UNAVAILABLE: (503, "Service Unavailable"),
}


class _Item(msgspec.Struct):
    id: int
    invoice_number: str
    created_at: str
    amount: Decimal
    amount_with_vat: Decimal
    type: str
    order_ids: list[int]


class _Links(msgspec.Struct):
    next: str | None = None


class _Meta(msgspec.Struct):
    current_page: int | None = None
    last_page: int | None = None
    total: int | None = None


class _Envelope(msgspec.Struct):
    data: list[msgspec.Raw]
    links: _Links = msgspec.field(default_factory=_Links)
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _Error(msgspec.Struct):
    message: str = ""
    errors: dict[str, list[str]] = msgspec.field(default_factory=dict)


@lru_cache(maxsize=1024)
def _written(instant_us: int) -> str:
    """A midnight, which all documents of a day share."""
    return f"{to_datetime(instant_us):%Y-%m-%dT%H:%M:%S.%fZ}"


_envelope = msgspec.json.Decoder(_Envelope, strict=False)
_item = msgspec.json.Decoder(_Item, strict=False)
_error = msgspec.json.Decoder(_Error, strict=False)


class Vpsbg:
    """See `faktura.dialects.base.WireDialect`."""

    name = "vpsbg"
    version = 1
    has_single = False
    has_search = False
    limit_max = PER_PAGE
    defaults = Defaults(
        base_url="https://api.vpsbg.eu/v1",
        hosts=("api.vpsbg.eu",),
        zone="Europe/Sofia",
        currency=Currency("EUR"),
        rate_limit=60,
        rate_window_seconds=60,
        invoice_template="{seq:010d}",
        pro_forma_template="{seq:010d}",
        pro_formas_by_order=True,
    )

    def check_settings(self, provider: Provider) -> None:
        """Every type has a word of its own."""
        _words(provider)

    def lists(self, type_code: TypeCode | None) -> bool:
        """Everything, pro-formas too (fact 4)."""
        return type_code is None or type_code in _WORDS

    def created_at(self, at_us: int, issue_date: date, zone: str) -> int:
        """Midnight of the legal date where the books are kept (fact 7)."""
        del at_us
        return midnight(issue_date, zone)

    def render_item(self, invoice: Invoice, standing: Standing, provider: Provider) -> bytes:
        """The seven keys of the document (fact 3)."""
        del standing
        word = _words(provider)[invoice.type_code] if invoice.type_code else invoice.source_type
        sign, currency = invoice.sign, invoice.currency
        net, gross = invoice.total_without_vat_minor, invoice.total_with_vat_minor
        return encoder.encode(
            {
                "id": invoice.wire_id,
                "invoice_number": invoice.number,
                "created_at": _written(invoice.created_at_us),
                "amount": number(None if net is None else sign * net, currency),
                "amount_with_vat": number(None if gross is None else sign * gross, currency),
                "type": word,
                "order_ids": invoice.order_ids or (),
            }
        )

    def render_single(self, invoice: Invoice, standing: Standing, provider: Provider) -> bytes | None:
        """This API has no call for one invoice."""
        del invoice, standing, provider
        return None

    def parse_request(self, *, method: str, path: str, query_string: str) -> Query | Problem:
        """The list, at whatever `page` PHP would read (fact 11); everything else is no route of this API."""
        if path.removesuffix("/") != f"/{_ROUTE}":
            return Problem(kind=ProblemKind.NO_ROUTE, method=method, path=path)
        if method not in {"GET", "HEAD"}:
            return Problem(kind=ProblemKind.METHOD_NOT_ALLOWED, method=method, path=path)
        found = _PHP_INTEGER.match(last_value(query_string, "page") or b"")
        page = int(found.group(1)) if found else 1
        return ListQuery(page=page if page <= _PHP_INTEGER_MAX else 1, limit=PER_PAGE)

    def render_request(self, query: Query) -> str:
        """The path of a page, or of one document (which answers 404 here)."""
        if isinstance(query, GetQuery):
            return f"/{_ROUTE}/{query.wire_id}"
        return f"/{_ROUTE}?page={query.page}"

    def render_list(self, query: ListQuery, *, total: int, items: bytes, origin: str) -> bytes | Problem:
        """The Laravel envelope. Beyond the end: an empty page, not an error (fact 12)."""
        page, per_page = query.page, query.limit
        last_page = max(1, -(-total // per_page))
        path = f"{origin}/{_ROUTE}"
        previous_url, next_url = _neighbours(path, page, last_page)
        first_item = (page - 1) * per_page + 1 if items else None
        tail = {
            "links": {"first": f"{path}?page=1", "last": f"{path}?page={last_page}", "prev": previous_url, "next": next_url},
            "meta": {
                "current_page": page,
                "from": first_item,
                "last_page": last_page,
                "links": _page_links(path, page, last_page),
                "path": path,
                "per_page": per_page,
                "to": min(page * per_page, total) if items else None,
                "total": total,
            },
        }
        return b'{"data":[%b],%b' % (items, encoder.encode(tail)[1:])

    def parse_answer(self, body: bytes, *, provider: Provider) -> Answer:
        """The documents of a list page; an item that cannot be read is a fault of its own."""
        try:
            envelope = _envelope.decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            message = f"not a VPSBG list of invoices: {error}"
            raise WireError(message) from error
        documents, faults = [], []
        for position, raw in enumerate(envelope.data, 1):
            try:
                documents.append(_parse_item(bytes(raw), provider))
            except (msgspec.DecodeError, ValueError, OverflowError) as error:
                faults.append(item_fault(position, bytes(raw), error))
        return Answer(
            documents=tuple(documents),
            faults=tuple(faults),
            page=envelope.meta.current_page,
            pages=envelope.meta.last_page,
            total=envelope.meta.total,
            next_url=envelope.links.next,
        )

    def render_problem(self, problem: Problem) -> tuple[int, Headers, bytes]:
        """Laravel's error bodies (fact 16)."""
        status, message = _PROBLEMS[problem.kind]
        route = problem.path.strip("/") or "/"
        body: dict[str, Any] = {"message": message.format(method=problem.method, path=route)}
        if problem.kind is ProblemKind.INVALID:
            body["errors"] = problem.errors
        headers: Headers = [(b"allow", b"GET, HEAD")] if problem.kind is ProblemKind.METHOD_NOT_ALLOWED else []
        return status, headers, encoder.encode(body)

    def parse_problem(self, status: int, body: bytes) -> Problem:
        """What an error status and its body say; a body that is no JSON still has its status."""
        try:
            error = _error.decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            error = _Error()
        if "route" in error.message and status == _PROBLEMS[ProblemKind.NO_ROUTE][0]:
            found = re.match(r"The route (\S+) could not", error.message)
            return Problem(kind=ProblemKind.NO_ROUTE, path=f"/{found.group(1)}" if found else "/")
        if found := re.match(r"The (\w+) method is not supported for route (\S+)\. ", error.message):
            return Problem(kind=ProblemKind.METHOD_NOT_ALLOWED, method=found.group(1), path=f"/{found.group(2)}")
        kinds = {code: kind for kind, (code, _) in _PROBLEMS.items() if kind is not ProblemKind.NO_ROUTE}
        return Problem(kind=kinds.get(status, ProblemKind.SERVER_ERROR), errors=error.errors)

    def response_headers(self, limit: Limit | None) -> Headers:
        """Fact 17: two headers on throttled routes, two more on a 429."""
        headers = [(b"cache-control", b"no-cache, private"), (b"content-type", b"application/json")]
        if limit:
            headers += [(b"x-ratelimit-limit", b"%d" % limit.limit), (b"x-ratelimit-remaining", b"%d" % limit.remaining)]
            if limit.retry_after_seconds is not None:
                headers += [(b"retry-after", b"%d" % limit.retry_after_seconds), (b"x-ratelimit-reset", b"%d" % limit.reset_at)]
        return headers

    def parse_limit(self, headers: Mapping[str, str]) -> Limit | None:
        """Fact 17: when the window ends, a 429 alone says."""
        return read_limit(headers)

    def limits_strangers(self) -> bool:
        """Who has no token is refused before any limit counts."""
        return False


def window(page: int, last_page: int) -> list[int | None]:
    """The page numbers that `meta.links` shows; None is the gap (fact 14)."""
    side = _ON_EACH_SIDE
    if last_page < 2 * side + 8:
        return list(range(1, last_page + 1))
    start: list[int | None] = [1, 2, None]
    end: list[int | None] = [None, last_page - 1, last_page]
    if page <= side + 4:
        return [*range(1, side + 8), *end]
    if page > last_page - (side + 4):
        return [*start, *range(last_page - (side + 6), last_page + 1)]
    return [*start, *range(page - side, page + side + 1), *end]


def _neighbours(path: str, page: int, last_page: int) -> tuple[str | None, str | None]:
    return f"{path}?page={page - 1}" if page > 1 else None, f"{path}?page={page + 1}" if page < last_page else None


@lru_cache(maxsize=1024)
def _page_links(path: str, page: int, last_page: int) -> msgspec.Raw:
    """`meta.links`. Most lists have one page, or few, so most of them were written before."""
    previous_url, next_url = _neighbours(path, page, last_page)
    links = [
        {"url": previous_url, "label": _PREVIOUS, "active": False},
        *(_page_link(path, number_or_gap, page) for number_or_gap in window(page, last_page)),
        {"url": next_url, "label": _NEXT, "active": False},
    ]
    return msgspec.Raw(encoder.encode(links))


def _page_link(path: str, number_or_gap: int | None, page: int) -> dict[str, object]:
    if number_or_gap is None:
        return {"url": None, "label": "...", "active": False}
    return {"url": f"{path}?page={number_or_gap}", "label": str(number_or_gap), "active": number_or_gap == page}


def _words(provider: Provider) -> dict[TypeCode, str]:
    words = _WORDS | dict(provider.type_words)
    if len(set(words.values())) != len(words):
        message = f"each type needs a word of its own on the wire, not {', '.join(words.values())}"
        raise SettingError(message)
    return words


def _parse_item(raw: bytes, provider: Provider) -> Heard:
    item = _item.decode(raw)
    if item.id <= 0 or item.id > _ID_MAX:
        message = f"id {item.id} is not a positive BIGINT"
        raise ValueError(message)
    if not is_number_text(item.invoice_number):
        message = f"{shown(item.invoice_number)} is not an invoice number"
        raise ValueError(message)
    type_code = {word: code for code, word in _words(provider).items()}.get(item.type)
    sign = type_code.sign if type_code else 1
    created_at_us = parse_instant(item.created_at)
    net = sign * provider.currency.to_minor(item.amount)
    gross = sign * provider.currency.to_minor(item.amount_with_vat)
    invoice = Invoice(
        id=0,
        account_id=0,
        wire_id=item.id,
        origin=Origin.RECORDED,
        type_code=type_code,
        source_type=None if type_code else item.type,
        number=item.invoice_number,
        created_at_us=created_at_us,
        issue_date=legal_date(created_at_us, provider.zone),
        currency=provider.currency,
        recorded_at_us=0,
        total_without_vat_minor=net,
        vat_total_minor=gross - net,
        total_with_vat_minor=gross,
        order_ids=tuple(item.order_ids),
    )
    return Heard(invoice=invoice, standing=Standing(), kind=SourceKind.LIST, body=raw)
