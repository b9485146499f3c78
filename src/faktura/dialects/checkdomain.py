"""checkdomain: `GET /v1/invoices` and `GET /v1/invoices/{invoice}`, HAL. Facts are numbered as in docs/reference/wire.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote

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
    plain,
    read_limit,
)
from faktura.dialects.checkdomain_details import render_details, stated_price
from faktura.domain.calendar import MICROSECONDS, legal_date, midnight, parse_instant, to_datetime
from faktura.domain.errors import SettingError, WireError
from faktura.domain.invoice import Invoice, InvoiceLine, Origin, TypeCode
from faktura.domain.money import Currency, parse_decimal
from faktura.domain.payment import Settlement, Standing
from faktura.domain.provider import Provider
from faktura.domain.recorded import Heard, SourceKind
from faktura.domain.text import is_number_text, shown

LIMIT_DEFAULT = 10
LIMIT_MAX = 100
QUERY_LENGTH_MAX = 255
_ROUTE = "/v1/invoices"
_SINGLE = re.compile(r"/v1/invoices/([0-9]+)\Z")
_NUMERIC = re.compile(rb"[0-9]+\Z")
_BIGINT_MAX = 2**63 - 1
_ID_MAX = _BIGINT_MAX - 1
"""One must stay for the next document."""
_DIGITS_MAX = 19

_PROBLEMS: dict[ProblemKind, tuple[int, str]] = {
    ProblemKind.UNAUTHENTICATED: (401, "Unauthorized"),
    ProblemKind.FORBIDDEN: (403, "Forbidden"),
    ProblemKind.NO_ROUTE: (404, "Not Found"),
    ProblemKind.NOT_FOUND: (404, "Not Found"),
    ProblemKind.METHOD_NOT_ALLOWED: (405, "Method Not Allowed"),
    ProblemKind.INVALID: (400, "Validation Failed"),
    ProblemKind.LOCKED: (423, "Locked"),
    ProblemKind.THROTTLED: (429, "Too Many Requests"),
    ProblemKind.SERVER_ERROR: (500, "Internal Server Error"),
    ProblemKind.UNAVAILABLE: (503, "Service Unavailable"),
}


class _Detail(msgspec.Struct):
    quantity: Decimal
    unit_price: Decimal
    price: Decimal
    remark: str | None = None


class _Payment(msgspec.Struct):
    amount: Decimal
    date: str


class _Item(msgspec.Struct):
    id: int
    invoice_number: str
    created: str
    amount_total: Decimal
    amount_payed: Decimal | None = None
    amount_open: Decimal | None = None
    tax: Decimal | None = None
    details: list[_Detail] | None = None
    payments: list[_Payment] | None = None


class _Href(msgspec.Struct):
    href: str | None = None


class _Links(msgspec.Struct):
    next: _Href | None = None


class _Embedded(msgspec.Struct):
    invoices: list[msgspec.Raw]


class _Envelope(msgspec.Struct):
    embedded: _Embedded | None = msgspec.field(default=None, name="_embedded")
    links: _Links = msgspec.field(default_factory=_Links, name="_links")
    page: int | None = None
    pages: int | None = None
    total: int | None = None


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""
    errors: Any = None


_envelope = msgspec.json.Decoder(_Envelope, strict=False)
_item = msgspec.json.Decoder(_Item, strict=False)
_error = msgspec.json.Decoder(_Error, strict=False)


class Checkdomain:
    """See `faktura.dialects.base.WireDialect`."""

    name = "checkdomain"
    version = 1
    has_single = True
    has_search = True
    limit_max = LIMIT_MAX
    defaults = Defaults(
        base_url="https://api.checkdomain.de/v1",
        hosts=("api.checkdomain.de", "sandbox.api.checkdomain.de"),
        zone="Europe/Berlin",
        currency=Currency("EUR"),
        rate_limit=1000,
        rate_window_seconds=3600,
        invoice_template="{year}-{seq:06d}",
        pro_forma_template="P{year}-{seq:06d}",
        pro_formas_by_order=False,
    )

    def check_settings(self, provider: Provider) -> None:
        """This API shows no words that a provider could choose."""
        if provider.type_words:
            raise SettingError("this API does not show what a document's type is called")

    def lists(self, type_code: TypeCode | None) -> bool:
        """Everything but pro-formas (decision in wire.md)."""
        return type_code is not TypeCode.PRO_FORMA

    def created_at(self, at_us: int, issue_date: date, zone: str) -> int:
        """The second of issue; midnight of the legal date where the document bears an earlier one."""
        if legal_date(at_us, zone) == issue_date:
            return at_us // MICROSECONDS * MICROSECONDS
        return midnight(issue_date, zone)

    def render_item(self, invoice: Invoice, standing: Standing, provider: Provider) -> bytes:
        """The item of the list (fact 21). Unknown paid and open amounts are null: nobody said them."""
        return encoder.encode(_head(invoice, standing, provider) | _links(invoice))

    def render_single(self, invoice: Invoice, standing: Standing, provider: Provider) -> bytes | None:
        """The item, then `tax`, `details`, `payments` (fact 21)."""
        payments = None
        if standing.settlements is not None:
            payments = [
                {"amount": number(invoice.sign * item.amount_minor, invoice.currency), "date": _written(item.paid_at_us, provider.zone)}
                for item in standing.settlements
            ]
        body = {"tax": _tax(invoice), "details": render_details(invoice), "payments": payments}
        return encoder.encode(_head(invoice, standing, provider) | body | _links(invoice))

    def parse_request(self, *, method: str, path: str, query_string: str) -> Query | Problem:
        """The list or one document. Rules for absurd values are decisions: wire.md."""
        single = _SINGLE.match(path)
        if path != _ROUTE and not single:
            return Problem(kind=ProblemKind.NO_ROUTE, method=method, path=path)
        if method not in {"GET", "HEAD"}:
            return Problem(kind=ProblemKind.METHOD_NOT_ALLOWED, method=method, path=path)
        if single:
            digits = single.group(1).lstrip("0")
            wire_id = int(digits or 0) if len(digits) <= _DIGITS_MAX else 0
            return GetQuery(wire_id=wire_id if wire_id <= _BIGINT_MAX else 0)
        page = _parameter(query_string, "page", default=1)
        limit = _parameter(query_string, "limit", default=LIMIT_DEFAULT)
        if page == 0 or limit == 0:
            return Problem(kind=ProblemKind.NOT_FOUND, method=method, path=path)
        searched = last_value(query_string, "query")
        if searched:
            fault = _query_fault(searched)
            if fault:
                return Problem(kind=ProblemKind.INVALID, method=method, path=path, errors={"query": [fault]})
        return ListQuery(page=page, limit=min(limit, LIMIT_MAX), search=searched.decode() if searched else None)

    def render_request(self, query: Query) -> str:
        """The path that asks for it; other parameters first, then page, then limit (fact 20)."""
        if isinstance(query, GetQuery):
            return f"{_ROUTE}/{query.wire_id}"
        before, after = _around_page(query)
        return f"{before}{query.page}{after}"

    def render_list(self, query: ListQuery, *, total: int, items: bytes, origin: str) -> bytes | Problem:
        """The HAL envelope; hrefs are paths (fact 20). Beyond the end: 404 (decision in wire.md)."""
        del origin
        page, limit = query.page, query.limit
        pages = max(1, -(-total // limit))
        if page > pages:
            return Problem(kind=ProblemKind.NOT_FOUND, path=_ROUTE)
        before, after = _around_page(query)
        links = {"self": {"href": f"{before}{page}{after}"}, "first": {"href": f"{before}1{after}"}, "last": {"href": f"{before}{pages}{after}"}}
        if page < pages:
            links["next"] = {"href": f"{before}{page + 1}{after}"}
        if page > 1:
            links["previous"] = {"href": f"{before}{page - 1}{after}"}
        head = {"page": page, "limit": limit, "pages": pages, "total": total, "_links": links}
        return b'%b,"_embedded":{"invoices":[%b]}}' % (encoder.encode(head)[:-1], items)

    def parse_answer(self, body: bytes, *, provider: Provider) -> Answer:
        """The documents of a list page, or the one of a single answer."""
        try:
            envelope = _envelope.decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            message = f"not a checkdomain answer: {error}"
            raise WireError(message) from error
        if envelope.embedded is None:
            try:
                return Answer(documents=(_parse_item(body, provider, SourceKind.SINGLE),))
            except (msgspec.DecodeError, ValueError, OverflowError) as error:
                message = f"neither a checkdomain list nor an invoice: {error}"
                raise WireError(message) from error
        documents, faults = [], []
        for position, raw in enumerate(envelope.embedded.invoices, 1):
            try:
                documents.append(_parse_item(bytes(raw), provider, SourceKind.LIST))
            except (msgspec.DecodeError, ValueError, OverflowError) as error:
                faults.append(item_fault(position, bytes(raw), error))
        return Answer(
            documents=tuple(documents),
            faults=tuple(faults),
            page=envelope.page,
            pages=envelope.pages,
            total=envelope.total,
            next_url=envelope.links.next.href if envelope.links.next else None,
        )

    def render_problem(self, problem: Problem) -> tuple[int, Headers, bytes]:
        """The three-key body, `errors` even when null (fact 24)."""
        status, message = _PROBLEMS[problem.kind]
        errors = None
        if problem.kind is ProblemKind.INVALID:
            errors = {"children": {name: {"errors": list(sentences)} for name, sentences in problem.errors.items()}}
        headers: Headers = []
        if problem.kind is ProblemKind.METHOD_NOT_ALLOWED:
            headers.append((b"allow", b"GET, HEAD"))
        if problem.kind is ProblemKind.UNAUTHENTICATED:
            headers.append((b"www-authenticate", b"Bearer"))
        return status, headers, encoder.encode({"code": status, "message": message, "errors": errors})

    def parse_problem(self, status: int, body: bytes) -> Problem:
        """What an error status and its body say. Every 404 is NOT_FOUND: the wire does not tell routes from documents."""
        try:
            error = _error.decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            error = _Error()
        kinds = {code: kind for kind, (code, _) in _PROBLEMS.items()}
        children = error.errors.get("children") if isinstance(error.errors, dict) else None
        errors = {}
        if isinstance(children, dict):
            told = {name: child.get("errors") for name, child in children.items() if isinstance(child, dict)}
            errors = {name: [text for text in texts if isinstance(text, str)] for name, texts in told.items() if isinstance(texts, list)}
        return Problem(kind=kinds.get(status, ProblemKind.SERVER_ERROR), errors=errors)

    def response_headers(self, limit: Limit | None) -> Headers:
        """Fact 25: the same on every answer, errors too."""
        headers = [(b"content-type", b"application/json"), (b"vary", b"Authorization")]
        if limit:
            headers += [
                (b"x-ratelimit-limit", b"%d" % limit.limit),
                (b"x-ratelimit-remaining", b"%d" % limit.remaining),
                (b"x-ratelimit-reset", b"%d" % limit.reset_at),
            ]
            if limit.retry_after_seconds is not None:
                headers.append((b"retry-after", b"%d" % limit.retry_after_seconds))
        return headers

    def parse_limit(self, headers: Mapping[str, str]) -> Limit | None:
        """Fact 25: the end of the window is always there."""
        return read_limit(headers)

    def limits_strangers(self) -> bool:
        """Every answer carries the limit's headers (fact 25)."""
        return True


def _around_page(query: ListQuery) -> tuple[str, str]:
    """What stands before and after the page's number in the path of a list."""
    searched = f"query={quote(query.search, safe='')}&" if query.search else ""
    return f"{_ROUTE}?{searched}page=", f"&limit={query.limit}"


def _head(invoice: Invoice, standing: Standing, provider: Provider) -> dict[str, object]:
    sign, currency = invoice.sign, invoice.currency
    total, paid, due = invoice.total_with_vat_minor, standing.paid_minor, standing.due_minor
    return {
        "id": invoice.wire_id,
        "invoice_number": invoice.number,
        "created": _written(invoice.created_at_us, provider.zone),
        "amount_total": number(None if total is None else sign * total, currency),
        "amount_payed": number(None if paid is None else sign * paid, currency),
        "amount_open": number(None if due is None else sign * due, currency),
        "is_open": None if due is None else due != 0,
        "is_payed": None if due is None else due == 0,
    }


def _links(invoice: Invoice) -> dict[str, object]:
    return {"_links": {"self": {"href": f"{_ROUTE}/{invoice.wire_id}"}}}


@lru_cache(maxsize=1024)
def _written(instant_us: int, zone: str) -> str:
    """The instant with the zone's true offset, without a colon (facts 23 and 27)."""
    return f"{to_datetime(instant_us, zone):%Y-%m-%dT%H:%M:%S%z}"


def _tax(invoice: Invoice) -> Decimal | None:
    """The document's one rate; null for mixed or unknown."""
    if invoice.vat_rate is not None:
        return plain(invoice.vat_rate)
    rates = {group.rate for group in invoice.vat_breakdown}
    return plain(rates.pop()) if len(rates) == 1 else None


def _parameter(query_string: str, name: str, *, default: int) -> int:
    value = last_value(query_string, name)
    if value is None or not _NUMERIC.match(value):
        return default
    digits = value.lstrip(b"0")
    return int(digits or 0) if len(digits) <= _DIGITS_MAX else 10**_DIGITS_MAX


def _query_fault(searched: bytes) -> str | None:
    try:
        text = searched.decode()
    except UnicodeDecodeError:
        return "This value is not valid UTF-8."
    if len(text) > QUERY_LENGTH_MAX:
        return f"This value is too long. It should have {QUERY_LENGTH_MAX} characters or less."
    return "This value must not contain NUL." if "\x00" in text else None


def _parse_item(raw: bytes, provider: Provider, kind: SourceKind) -> Heard:
    item = _item.decode(raw)
    if item.id <= 0 or item.id > _ID_MAX:
        message = f"id {item.id} is not a positive BIGINT"
        raise ValueError(message)
    if not is_number_text(item.invoice_number):
        message = f"{shown(item.invoice_number)} is not an invoice number"
        raise ValueError(message)
    money = provider.currency
    total = money.to_minor(item.amount_total)
    sign = -1 if total < 0 else 1  # a negative document is a credit note (decision in wire.md)
    created_at_us = parse_instant(item.created)
    lines = None if item.details is None else tuple(_parse_detail(detail, sign, money) for detail in item.details)
    invoice = Invoice(
        id=0,
        account_id=0,
        wire_id=item.id,
        origin=Origin.RECORDED,
        type_code=TypeCode.CREDIT_NOTE if sign < 0 else TypeCode.INVOICE,
        number=item.invoice_number,
        created_at_us=created_at_us,
        issue_date=legal_date(created_at_us, provider.zone),
        currency=money,
        recorded_at_us=0,
        total_with_vat_minor=sign * total,
        vat_rate=None if item.tax is None else parse_decimal(item.tax),
        lines=lines,
    )
    settlements = None
    if item.payments is not None:
        settlements = tuple(Settlement(amount_minor=sign * money.to_minor(entry.amount), paid_at_us=parse_instant(entry.date)) for entry in item.payments)
    standing = Standing(
        paid_minor=None if item.amount_payed is None else sign * money.to_minor(item.amount_payed),
        due_minor=None if item.amount_open is None else sign * money.to_minor(item.amount_open),
        settlements=settlements,
    )
    return Heard(invoice=invoice, standing=standing, kind=kind, body=raw)


def _parse_detail(detail: _Detail, sign: int, money: Currency) -> InvoiceLine:
    """A line as stated, with a name that storage can hold. Never a net amount: that prices include VAT is inferred (fact 28)."""
    return InvoiceLine(
        name=(detail.remark or "").replace("\x00", ""),
        quantity=sign * parse_decimal(detail.quantity),
        unit_price=stated_price(detail.unit_price),
        line_total_minor=sign * money.to_minor(detail.price),
        net_amount_minor=None,
        vat=None,
    )
