"""What exactly the two documented wires carry; the laws of any dialect are in test_any_dialect.py."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.documents import EUR, amounts, instants, numbers, order_ids, provider_of, standings, texts

from faktura.bootstrap.books import DIALECTS
from faktura.dialects.base import Answer, GetQuery, ListQuery, Problem, ProblemKind, WireDialect
from faktura.dialects.checkdomain_details import gross_prices
from faktura.domain.calendar import legal_date
from faktura.domain.invoice import AllowanceCharge, Invoice, InvoiceLine, Origin, TypeCode
from faktura.domain.payment import Settlement, Standing
from faktura.domain.recorded import Heard, SourceKind
from faktura.domain.totals import compute, line_total
from faktura.domain.vat import PriceBasis, VatCategory, VatKey

OURS = ("vpsbg", "checkdomain")
every_dialect = pytest.mark.parametrize("dialect", [DIALECTS[name] for name in OURS], ids=OURS)


@st.composite
def recorded(draw: st.DrawFn, dialect: WireDialect) -> Invoice:
    """A document with what this wire can carry."""
    created_at_us = draw(instants)
    type_code = draw(
        st.sampled_from([code for code in TypeCode if dialect.lists(code)] if dialect.name == "vpsbg" else [TypeCode.INVOICE, TypeCode.CREDIT_NOTE])
    )
    net, vat = draw(amounts), draw(amounts)
    gross = net + vat + (1 if type_code is TypeCode.CREDIT_NOTE else 0)  # a credit note of nothing has no sign on the wire
    invoice = Invoice(
        id=0,
        account_id=0,
        wire_id=draw(st.integers(1, 2**53)),
        origin=Origin.RECORDED,
        type_code=type_code,
        number=draw(numbers),
        created_at_us=created_at_us,
        issue_date=legal_date(created_at_us, dialect.defaults.zone),
        currency=EUR,
        recorded_at_us=0,
        total_with_vat_minor=gross,
    )
    if dialect.name == "vpsbg":
        invoice = replace(invoice, total_without_vat_minor=net, vat_total_minor=gross - net, order_ids=draw(order_ids))
    return invoice


@every_dialect
@given(page=st.integers(1, 10**6), limit=st.integers(1, 100), search=st.none() | texts)
def test_law_1_a_rendered_request_parses_to_itself(dialect: WireDialect, page: int, limit: int, search: str | None) -> None:
    """parse_request(render_request(q)) == q."""
    query = ListQuery(page=page, limit=30) if dialect.name == "vpsbg" else ListQuery(page=page, limit=limit, search=search)
    path, _, query_string = dialect.render_request(query).partition("?")
    assert dialect.parse_request(method="GET", path=path, query_string=query_string) == query


@every_dialect
def test_law_1_for_searches(dialect: WireDialect) -> None:
    """A search survives where the API has one, and a request says nothing of it where it has not."""
    path, _, query_string = dialect.render_request(ListQuery(page=1, limit=dialect.limit_max, search="A 1")).partition("?")
    query = dialect.parse_request(method="GET", path=path, query_string=query_string)
    assert isinstance(query, ListQuery)
    assert query.search == ("A 1" if dialect.has_search else None)
    assert ("A" in query_string) is dialect.has_search


@given(wire_id=st.integers(1, 2**63 - 1))
def test_law_1_for_single_documents(wire_id: int) -> None:
    """A request for one document parses to itself where the API has that call, and is no route where it has not."""
    query = GetQuery(wire_id=wire_id)
    checkdomain, vpsbg = DIALECTS["checkdomain"], DIALECTS["vpsbg"]
    assert checkdomain.parse_request(method="GET", path=checkdomain.render_request(query), query_string="") == query
    refused = vpsbg.parse_request(method="GET", path=vpsbg.render_request(query), query_string="")
    assert isinstance(refused, Problem)
    assert refused.kind is ProblemKind.NO_ROUTE


@every_dialect
@given(data=st.data())
def test_law_2_a_rendered_list_parses_to_its_documents(dialect: WireDialect, data: st.DataObject) -> None:
    """parse_answer(render(a)) == a, for what the wire carries: documents, standings, page, pages, total."""
    provider = provider_of(dialect)
    invoices = [data.draw(recorded(dialect)) for _ in range(data.draw(st.integers(1, 4)))]
    said = [Standing() if dialect.name == "vpsbg" else data.draw(standings(invoice.total_with_vat_minor or 0)) for invoice in invoices]
    items = [dialect.render_item(invoice, standing, provider) for invoice, standing in zip(invoices, said, strict=True)]
    query = ListQuery(page=2, limit=30)
    body = dialect.render_list(query, total=60 + len(items), items=b",".join(items), origin="https://api.example.com")
    assert isinstance(body, bytes)
    answer = dialect.parse_answer(body, provider=provider)
    expected = tuple(
        Heard(invoice=invoice, standing=standing, kind=SourceKind.LIST, body=item) for invoice, standing, item in zip(invoices, said, items, strict=True)
    )
    next_url = "https://api.example.com/v1/invoices?page=3" if dialect.name == "vpsbg" else "/v1/invoices?page=3&limit=30"
    assert answer == Answer(documents=expected, page=2, pages=3, total=60 + len(items), next_url=next_url)


@given(data=st.data())
def test_law_2_a_rendered_single_parses_to_its_document(data: st.DataObject) -> None:
    """The single form carries tax, details and payments, exactly, credit notes' signs included."""
    dialect = DIALECTS["checkdomain"]
    provider = provider_of(dialect)
    invoice = data.draw(recorded(dialect))
    lines = tuple(
        InvoiceLine(
            name=data.draw(texts),
            quantity=Decimal(data.draw(st.integers(1, 10**6))) / 100,
            unit_price=Decimal(data.draw(amounts)) / 10000,
            line_total_minor=data.draw(amounts),
            net_amount_minor=None,
            vat=None,
        )
        for _ in range(data.draw(st.integers(0, 3)))
    )
    rate = data.draw(st.none() | st.sampled_from([Decimal(0), Decimal(19), Decimal("7.7")]))
    payments = tuple(Settlement(amount_minor=data.draw(amounts), paid_at_us=data.draw(instants)) for _ in range(data.draw(st.integers(0, 2))))
    invoice = replace(invoice, lines=lines, vat_rate=rate)
    standing = replace(data.draw(standings(invoice.total_with_vat_minor or 0)), settlements=payments)
    body = dialect.render_single(invoice, standing, provider)
    assert body is not None
    assert dialect.parse_answer(body, provider=provider).documents == (Heard(invoice=invoice, standing=standing, kind=SourceKind.SINGLE, body=body),)


@every_dialect
@pytest.mark.parametrize("kind", ProblemKind)
def test_law_4_every_problem_survives_the_trip(dialect: WireDialect, kind: ProblemKind) -> None:
    """Each error class has its status and body, and is recognised by the other side, with the fields it carries."""
    errors = {"query": ["This value is too long."]} if kind is ProblemKind.INVALID else {}
    problem = Problem(kind=kind, method="POST", path="/v1/invoices", errors=errors)
    status, _, body = dialect.render_problem(problem)
    again = dialect.parse_problem(status, body)
    carried = ProblemKind.NOT_FOUND if (dialect.name, kind) == ("checkdomain", ProblemKind.NO_ROUTE) else kind
    assert again.kind is carried
    assert again.errors == errors
    keys = list(json.loads(body))
    assert keys[0] == ("message" if dialect.name == "vpsbg" else "code")
    assert 400 <= status <= 599


rates = st.sampled_from([("S", Decimal(19)), ("S", Decimal(7)), ("S", Decimal("5.5")), ("Z", Decimal(0))])


@st.composite
def computed_invoices(draw: st.DrawFn) -> Invoice:
    """An invoice or credit note as our own pipeline computes it, in either price basis."""
    basis = draw(st.sampled_from(PriceBasis))
    lines = []
    for _ in range(draw(st.integers(1, 5))):
        category, rate = draw(rates)
        quantity, price = Decimal(draw(st.integers(-50, 500))) / 10, Decimal(draw(st.integers(0, 10**6))) / 10000
        total = line_total(quantity=quantity, unit_price=price, currency=EUR)
        vat = VatKey(VatCategory(category), rate)
        lines.append(InvoiceLine(name="x", quantity=quantity, unit_price=price, line_total_minor=total, net_amount_minor=None, vat=vat))
    items = tuple(
        AllowanceCharge(
            is_charge=draw(st.booleans()), amount_minor=draw(st.integers(0, 999)), reason="r", vat=draw(st.sampled_from([line.vat for line in lines]))
        )
        for _ in range(draw(st.integers(0, 2)))
    )
    done, adjusted, totals = compute(lines=tuple(lines), allowances_charges=items, price_basis=basis)
    return Invoice(
        id=1,
        account_id=1,
        wire_id=1,
        origin=Origin.RECORDED,
        type_code=draw(st.sampled_from([TypeCode.INVOICE, TypeCode.CREDIT_NOTE])),
        number="1",
        created_at_us=0,
        issue_date=date(1970, 1, 1),
        currency=EUR,
        recorded_at_us=0,
        price_basis=basis,
        lines=done,
        allowances_charges=adjusted,
        vat_breakdown=totals.vat_breakdown,
        total_without_vat_minor=totals.total_without_vat_minor,
        vat_total_minor=totals.vat_total_minor,
        total_with_vat_minor=totals.total_with_vat_minor,
    )


@given(invoice=computed_invoices())
def test_details_always_add_up_to_the_total(invoice: Invoice) -> None:
    """The prices of a checkdomain invoice's details add up to amount_total, to the cent, in both price bases."""
    body = DIALECTS["checkdomain"].render_single(invoice, Standing(), provider_of(DIALECTS["checkdomain"]))
    single = json.loads(body or b"", parse_float=Decimal)
    assert sum(detail["price"] for detail in single["details"]) == single["amount_total"]
    assert len(single["details"]) == len(gross_prices(invoice))
    assert all(detail["unit_price"] >= 0 for detail in single["details"][: len(invoice.lines or ())])
