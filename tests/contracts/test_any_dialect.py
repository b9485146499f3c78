"""The laws that every dialect keeps, whatever its wire carries: also one of FAKTURA_DIALECTS (docs/new-provider.md)."""

from __future__ import annotations

import json
import os
import string
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.documents import EUR, amounts, instants, numbers, order_ids, provider_of, standings, texts

from faktura.dialects.added import add_dialects
from faktura.dialects.base import GetQuery, Limit, ListQuery, Problem, ProblemKind, WireDialect
from faktura.dialects.known import DIALECTS
from faktura.domain.calendar import legal_date
from faktura.domain.errors import WireError
from faktura.domain.invoice import Invoice, InvoiceLine, Origin, TypeCode
from faktura.domain.payment import Settlement, Standing
from faktura.domain.recorded import Heard, SourceKind

add_dialects(os.environ.get("FAKTURA_DIALECTS", ""))
every_dialect = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))
ORIGIN = "https://api.example.com"

junk = st.binary(max_size=40) | st.text(string.printable, max_size=40).map(str.encode)
lines = st.builds(
    InvoiceLine,
    name=texts,
    quantity=st.integers(1, 10**6).map(lambda number: Decimal(number) / 100),
    unit_price=amounts.map(lambda number: Decimal(number) / 10000),
    line_total_minor=amounts,
    net_amount_minor=st.none(),
    vat=st.none(),
)


@st.composite
def told(draw: st.DrawFn, dialect: WireDialect) -> tuple[Invoice, Standing]:
    """A document that says everything, of which the wire carries what it can."""
    zone = dialect.defaults.zone
    at_us, net, vat = draw(instants), draw(amounts), draw(amounts)
    type_code = draw(st.sampled_from([code for code in TypeCode if dialect.lists(code)]))
    gross = net + vat + (1 if type_code is TypeCode.CREDIT_NOTE else 0)  # a credit note of nothing may have no sign on the wire
    invoice = Invoice(
        id=0,
        account_id=0,
        wire_id=draw(st.integers(1, 2**53)),
        origin=Origin.RECORDED,
        type_code=type_code,
        number=draw(numbers),
        created_at_us=dialect.created_at(at_us, legal_date(at_us, zone), zone),
        issue_date=legal_date(at_us, zone),
        currency=EUR,
        recorded_at_us=0,
        total_without_vat_minor=net,
        vat_total_minor=gross - net,
        total_with_vat_minor=gross,
        vat_rate=draw(st.none() | st.sampled_from([Decimal(0), Decimal(19), Decimal("7.7")])),
        lines=tuple(draw(st.lists(lines, max_size=3))),
        order_ids=draw(order_ids),
    )
    settlements = tuple(draw(st.lists(st.builds(Settlement, amount_minor=amounts, paid_at_us=instants), max_size=2)))
    return invoice, replace(draw(standings(gross)), settlements=draw(st.sampled_from([None, settlements])))


def check_carried(heard: Heard, invoice: Invoice, standing: Standing) -> None:
    """What every wire carries is as it was; whatever else is known, is right."""
    again = heard.invoice
    must = ("wire_id", "number", "created_at_us", "issue_date", "total_with_vat_minor", "currency", "origin")
    assert [getattr(again, name) for name in must] == [getattr(invoice, name) for name in must]
    assert (again.id, again.account_id, again.recorded_at_us) == (0, 0, 0)
    assert again.type_code is None or again.type_code.sign == (invoice.type_code or TypeCode.INVOICE).sign
    for name in ("total_without_vat_minor", "vat_total_minor", "vat_rate", "lines"):
        assert getattr(again, name) in {None, getattr(invoice, name)}
    for name in ("paid_minor", "due_minor", "settlements"):
        assert getattr(heard.standing, name) in {None, getattr(standing, name)}


@every_dialect
@given(page=st.integers(1, 10**6), limit=st.integers(1, 100), search=st.none() | texts)
def test_a_rendered_request_parses_to_itself(dialect: WireDialect, page: int, limit: int, search: str | None) -> None:
    """Law 1: parse_request(render_request(q)) == q; a limit that the API does not take is the one that it serves."""

    def trip(query: ListQuery) -> object:
        path, _, query_string = dialect.render_request(query).partition("?")
        return dialect.parse_request(method="GET", path=path, query_string=query_string)

    whole = ListQuery(page=page, limit=dialect.limit_max, search=search if dialect.has_search else None)
    assert trip(whole) == whole
    served = trip(replace(whole, limit=min(limit, dialect.limit_max)))
    assert served in {replace(whole, limit=min(limit, dialect.limit_max)), whole}


@every_dialect
@given(wire_id=st.integers(1, 10**18 - 1))
def test_a_request_for_one_parses_to_itself_or_is_no_route(dialect: WireDialect, wire_id: int) -> None:
    """Law 1: where the API has no call for one document, its path is none."""
    query = GetQuery(wire_id=wire_id)
    asked = dialect.parse_request(method="GET", path=dialect.render_request(query), query_string="")
    assert asked == query if dialect.has_single else isinstance(asked, Problem) and asked.kind is ProblemKind.NO_ROUTE


@every_dialect
@given(path=st.text(max_size=20), query_string=st.text(max_size=20))
def test_whatever_is_asked_is_a_query_or_a_problem(dialect: WireDialect, path: str, query_string: str) -> None:
    """Requests come from anybody: none raises; a list is asked for within bounds, and other methods are refused."""
    for route in (path, "/v1/invoices"):
        for text in (query_string, f"page={query_string}&limit={query_string}"):
            asked = dialect.parse_request(method="GET", path=route, query_string=text)
            assert not isinstance(asked, ListQuery) or (asked.page >= 1 and 1 <= asked.limit <= dialect.limit_max)
    refused = dialect.parse_request(method="DELETE", path="/v1/invoices", query_string="")
    assert isinstance(refused, Problem)
    assert refused.kind is ProblemKind.METHOD_NOT_ALLOWED


@every_dialect
@given(data=st.data())
def test_a_rendered_list_parses_to_its_documents(dialect: WireDialect, data: st.DataObject) -> None:
    """Law 2: what the wire carries of each comes back, in order, and is rendered to the same bytes again."""
    provider = provider_of(dialect)
    said = [data.draw(told(dialect)) for _ in range(data.draw(st.integers(1, 4)))]
    items = [dialect.render_item(invoice, standing, provider) for invoice, standing in said]
    query = ListQuery(page=3, limit=dialect.limit_max)
    body = dialect.render_list(query, total=2 * dialect.limit_max + len(items), items=b",".join(items), origin=ORIGIN)
    assert isinstance(body, bytes)
    answer = dialect.parse_answer(body, provider=provider)
    assert answer.faults == ()
    assert [heard.kind for heard in answer.documents] == [SourceKind.LIST] * len(items)
    assert [heard.body for heard in answer.documents] == items
    assert [dialect.render_item(heard.invoice, heard.standing, provider) for heard in answer.documents] == items
    for heard, (invoice, standing) in zip(answer.documents, said, strict=True):
        check_carried(heard, invoice, standing)


@every_dialect
@given(page=st.integers(1, 9), full_pages=st.integers(0, 9), more=st.integers(-1, 1))
def test_a_list_leads_to_its_end(dialect: WireDialect, page: int, full_pages: int, more: int) -> None:
    """Law 2: the page, the total and the way to the next page are told, by a link or a number of pages; beyond the end nothing follows."""
    query, total = ListQuery(page=page, limit=dialect.limit_max), max(0, full_pages * dialect.limit_max + more)
    pages = max(1, -(-total // query.limit))
    body = dialect.render_list(query, total=total, items=b"", origin=ORIGIN)
    if isinstance(body, Problem):
        assert (body.kind, page > pages) == (ProblemKind.NOT_FOUND, True)
        return
    answer = dialect.parse_answer(body, provider=provider_of(dialect))
    assert (answer.documents, answer.faults) == ((), ())
    assert answer.page in {None, page}
    assert answer.pages in {None, pages}
    assert answer.total in {None, total}
    if answer.next_url is not None:
        path, _, query_string = answer.next_url.removeprefix(ORIGIN).partition("?")
        assert dialect.parse_request(method="GET", path=path, query_string=query_string) == replace(query, page=page + 1)
    assert (page < pages) == (answer.next_url is not None or (answer.pages is not None and page < answer.pages))


@every_dialect
@given(data=st.data())
def test_a_rendered_single_parses_to_its_document(dialect: WireDialect, data: st.DataObject) -> None:
    """Law 2 for one document: None where the API has no such call; otherwise it says no less than the list does."""
    provider = provider_of(dialect)
    invoice, standing = data.draw(told(dialect))
    body = dialect.render_single(invoice, standing, provider)
    assert (body is not None) == dialect.has_single
    if body is None:
        return
    (heard,) = dialect.parse_answer(body, provider=provider).documents
    assert (heard.kind, heard.body) == (SourceKind.SINGLE, body)
    assert dialect.render_single(heard.invoice, heard.standing, provider) == body
    assert dialect.render_item(heard.invoice, heard.standing, provider) == dialect.render_item(invoice, standing, provider)
    check_carried(heard, invoice, standing)


def sparse(dialect: WireDialect, type_code: TypeCode | None = TypeCode.INVOICE) -> Invoice:
    """A document of which only the total is known."""
    return Invoice(
        id=0,
        account_id=0,
        wire_id=1,
        origin=Origin.RECORDED,
        type_code=type_code,
        source_type=None if type_code else "unheard of",
        number="1",
        created_at_us=0,
        issue_date=legal_date(0, dialect.defaults.zone),
        currency=EUR,
        recorded_at_us=0,
        total_with_vat_minor=100,
    )


@every_dialect
@pytest.mark.parametrize("type_code", [*TypeCode, None])
def test_every_document_has_a_form(dialect: WireDialect, type_code: TypeCode | None) -> None:
    """Also one that the list does not show, and one whose type only its source knows: it is kept as rendered."""
    provider, invoice = provider_of(dialect), sparse(dialect, type_code)
    json.loads(dialect.render_item(invoice, Standing(), provider))
    assert (dialect.render_single(invoice, Standing(), provider) is not None) == dialect.has_single


@every_dialect
def test_what_nobody_said_is_not_zero(dialect: WireDialect) -> None:
    """Law 3: a document of which only the total is known is told so, and read so, where the wire can say that nothing is known."""
    provider, invoice, unknown = provider_of(dialect), sparse(dialect), Standing()
    for body in (dialect.render_item(invoice, unknown, provider), dialect.render_single(invoice, unknown, provider)):
        if body is None:
            continue
        as_list = dialect.render_list(ListQuery(limit=dialect.limit_max), total=1, items=body, origin=ORIGIN)
        assert isinstance(as_list, bytes)
        for heard in dialect.parse_answer(as_list, provider=provider).documents:  # an item that says nothing of what it must is a fault
            assert heard.standing == unknown
            assert heard.invoice.total_without_vat_minor is None


@every_dialect
@given(
    body=junk
    | st.recursive(st.none() | st.booleans() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)).map(repr).map(str.encode)
)
def test_an_answer_of_any_kind_is_read_or_refused(dialect: WireDialect, body: bytes) -> None:
    """A body that is no answer is a WireError, and nothing else."""
    try:
        answer = dialect.parse_answer(body, provider=provider_of(dialect))
    except WireError:
        return
    assert answer.documents == ()


@every_dialect
@pytest.mark.parametrize("kind", ProblemKind)
def test_every_problem_survives_the_trip(dialect: WireDialect, kind: ProblemKind) -> None:
    """Law 4: each error class has its status and body, and is recognised by the other side, with the fields it carries. A wire may not tell routes from documents."""
    errors = {"query": ["This value is too long."]} if kind is ProblemKind.INVALID else {}
    status, _, body = dialect.render_problem(Problem(kind=kind, method="POST", path="/v1/invoices", errors=errors))
    again = dialect.parse_problem(status, body)
    assert again.kind is kind or (kind, again.kind) == (ProblemKind.NO_ROUTE, ProblemKind.NOT_FOUND)
    assert again.errors == errors
    assert 400 <= status <= 599


@every_dialect
@given(body=junk)
def test_an_error_body_of_any_kind_is_read_by_its_status(dialect: WireDialect, body: bytes) -> None:
    """A proxy's HTML or half a body never hides that the call was throttled."""
    assert dialect.parse_problem(429, body).kind is ProblemKind.THROTTLED


@every_dialect
@given(
    limit=st.builds(
        Limit,
        limit=st.integers(1, 10**9),
        remaining=st.integers(0, 10**9),
        reset_at=st.integers(1, 10**10),
        retry_after_seconds=st.none() | st.integers(0, 10**6),
    )
)
def test_a_limit_survives_the_headers(dialect: WireDialect, limit: Limit) -> None:
    """Law 5: `parse_limit` reads what `response_headers` says; an end that the wire leaves out is 0."""
    said = {name.decode(): value.decode() for name, value in dialect.response_headers(limit)}
    ends = limit if "x-ratelimit-reset" in said else replace(limit, reset_at=0)
    assert dialect.parse_limit(said) == ends


@every_dialect
@pytest.mark.parametrize("text", ["", "-1", "1.5", "soon", "9" * 100, "\u0661"])
def test_a_limit_that_is_no_number_is_none(dialect: WireDialect, text: str) -> None:
    """Headers may say anything: what is no whole number says nothing."""
    assert dialect.parse_limit({"x-ratelimit-remaining": text, "retry-after": text}) is None
