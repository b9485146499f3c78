"""VAT: what a period's documents charged, and the lock that closes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from typing import Annotated, Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from litestar.response import Stream

from faktura.domain.calendar import instant_text
from faktura.domain.errors import fault
from faktura.domain.money import Currency, canonical
from faktura.domain.vat_report import SalesRow, VatReport
from faktura.ledger.management_ports import Answer
from faktura.ledger.periods import lock_period
from faktura.ledger.ports import Books
from faktura.ledger.vat_report import sales_ledger, vat_report
from faktura.server.management.body import Checked
from faktura.server.management.call import Call, answer, respond
from faktura.server.management.moments import to_day
from faktura.server.management.problem import BadRequestError
from faktura.server.management.work_schema import (
    OssRowResource,
    PeriodLockBody,
    PeriodLockResource,
    RecapitulativeRowResource,
    VatReportResource,
    VatRow,
)

From = Annotated[str, QueryParameter(name="from", max_length=10, description="First day, by tax point.")]
To = Annotated[str, QueryParameter(name="to", max_length=10, description="Last day.")]


class VatReports(Controller):
    """VAT of a period."""

    path = "/vat-report"
    tags = ("VAT",)

    @get("/", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="getVatReport", summary="The VAT report of a period")
    def get_report(self, call: NamedDependency[Call], from_: From, to: To) -> Response[VatReportResource]:
        """By country, category and rate; what the one-stop shop and the recapitulative statement need."""
        start, end = _period(from_, to)
        with call.books.storage.reading() as tx:
            provider = call.provider(tx).name
        return respond(answer(_report(vat_report(call.books, provider=provider, start=start, end=end))))

    @get(
        "/documents",
        opt={"scope": "invoices:read", "streams": "application/jsonl"},
        sync_to_thread=True,
        operation_id="getSalesLedger",
        summary="The sales ledger of a period",
    )
    def get_documents(self, call: NamedDependency[Call], from_: From, to: To) -> Stream:
        """JSON Lines: a line for each document, VAT category and rate."""
        start, end = _period(from_, to)
        with call.books.storage.reading() as tx:
            provider = call.provider(tx).name
        vat_report(call.books, provider=provider, start=end, end=end)  # refuses what cannot be read before the answer begins
        lines = () if call.is_head else _lines(call.books, provider, start, end)
        return Stream(lines, media_type="application/jsonl", headers={"Cache-Control": "no-store"})


class PeriodLocks(Controller):
    """What is declared is closed."""

    path = "/period-locks"
    tags = ("VAT",)

    @get("/", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="getPeriodLock", summary="Up to when the books are closed")
    def get_lock(self, call: NamedDependency[Call]) -> Response[PeriodLockResource | None]:
        """Null where nothing is."""
        with call.books.storage.reading() as tx:
            lock = tx.vat.last_lock(call.provider_id)
        if lock is None:
            return respond(answer(None))
        return respond(
            answer(PeriodLockResource(locked_through=str(lock.locked_through), recorded_at=instant_text(lock.recorded_at_us) or "", actor=lock.actor))
        )

    @post("/", opt={"scope": "admin"}, sync_to_thread=True, dto=Checked[PeriodLockBody], return_dto=None, operation_id="lockPeriod", summary="Close a period")
    def lock_period(self, call: NamedDependency[Call], data: JSONBody[PeriodLockBody]) -> Response[PeriodLockResource]:
        """No document bears a date or tax point up to that day any more. There is no way back."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                lock = lock_period(books, provider=call.provider(tx).name, through=data.through)
            resource = PeriodLockResource(locked_through=str(lock.locked_through), recorded_at=instant_text(lock.recorded_at_us) or "", actor=lock.actor)
            return answer(resource, status=201, location="/period-locks")

        return call.once(act)


def _period(start: str, end: str) -> tuple[date, date]:
    first, last = to_day("from", start), to_day("to", end)
    if first is None or last is None:
        raise BadRequestError([fault("missing", "from", "is missing")])
    if last < first:
        raise BadRequestError([fault("PERIOD", "to", f"{last} is before {first}, on which the period begins")])
    return first, last


def _money(amount_minor: int, currency: Currency) -> str:
    return str(currency.to_decimal(amount_minor))


def _report(report: VatReport) -> VatReportResource:
    return VatReportResource(
        start=str(report.start),
        end=str(report.end),
        locked_through=str(report.locked_through) if report.locked_through else None,
        summary=[
            VatRow(
                tax_country=row.tax_country,
                vat_category=row.category,
                vat_rate=canonical(row.rate),
                currency=row.currency.code,
                taxable_amount=_money(row.taxable_minor, row.currency),
                tax_amount=_money(row.tax_minor, row.currency),
                documents=row.document_count,
            )
            for row in report.summary
        ],
        oss=[
            OssRowResource(
                tax_country=row.tax_country,
                vat_rate=canonical(row.rate),
                currency=row.currency.code,
                taxable_amount=_money(row.taxable_minor, row.currency),
                tax_amount=_money(row.tax_minor, row.currency),
            )
            for row in report.oss
        ],
        recapitulative=[
            RecapitulativeRowResource(
                vat_id=row.vat_id, vat_category=row.category, currency=row.currency.code, taxable_amount=_money(row.taxable_minor, row.currency)
            )
            for row in report.recapitulative
        ],
    )


def _lines(books: Books, provider: str, start: date, end: date) -> Iterator[bytes]:
    with closing(sales_ledger(books, provider=provider, start=start, end=end)) as rows:
        for row in rows:
            yield json.dumps(_line(row), ensure_ascii=False).encode() + b"\n"


def _line(row: SalesRow) -> dict[str, Any]:
    return {
        "invoice_id": row.invoice_id,
        "number": row.number,
        "type_code": row.type_code.value,
        "issue_date": str(row.issue_date),
        "tax_point_date": str(row.tax_point_date),
        "buyer_name": row.buyer_name,
        "buyer_country": row.buyer_country,
        "buyer_vat_id": row.buyer_vat_id,
        "tax_country": row.tax_country,
        "vat_category": row.category,
        "vat_rate": canonical(row.rate),
        "currency": row.currency.code,
        "taxable_amount": _money(row.taxable_minor, row.currency),
        "tax_amount": _money(row.tax_minor, row.currency),
    }
