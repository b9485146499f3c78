"""Invoices, pro-formas, debit notes: issued once, never changed."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, cast

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from faktura.documents.invoice_json import invoice_body, invoice_head
from faktura.domain.calendar import legal_date
from faktura.domain.errors import Fault, InvalidDocumentError
from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.moment import NOW, Moment
from faktura.domain.payment import Standing
from faktura.domain.provider import Account, Provider
from faktura.domain.state import State
from faktura.ledger.cursor import decode_cursor, encode_cursor
from faktura.ledger.drafts import issue_document
from faktura.ledger.listing_query import DocumentFilter, document_state, list_documents
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.pro_forma import invoice_pro_forma
from faktura.ledger.queries import get_invoice
from faktura.ledger.selection import DocumentSort
from faktura.ledger.standing import current_standing, new_standing
from faktura.server.management.body import Checked, Document, convert
from faktura.server.management.call import ID_MAX, Call, answer, respond
from faktura.server.management.document_schema import InvoiceBody, InvoicePage, InvoiceResource, ProFormaInvoiceBody
from faktura.server.management.moments import AsOf, On, to_day, to_moment
from faktura.server.management.page import Cursor, Limit
from faktura.server.management.problem import BadRequestError
from faktura.server.management.schema import Id


class Invoices(Controller):
    """Documents; what is issued is closed, a correction is a new document."""

    path = "/invoices"
    tags = ("Invoices",)

    @get("/", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="listInvoices", summary="Documents")
    def list_invoices(  # noqa: PLR0913, PLR0917 - a filter each
        self,
        call: NamedDependency[Call],
        limit: Limit = 30,
        cursor: Cursor = None,
        account_id: Annotated[int | None, QueryParameter(name="account_id", ge=1, le=ID_MAX, description="Only of this account.")] = None,
        number: Annotated[str | None, QueryParameter(name="number", max_length=255, description="Only of this number, in any case.")] = None,
        type_code: Annotated[TypeCode | None, QueryParameter(name="type_code", description="325, 380, 381 or 383.")] = None,
        in_state: Annotated[State | None, QueryParameter(name="state", description="As it is derived at the moment asked for.")] = None,
        issued_from: Annotated[str | None, QueryParameter(name="issued_from", max_length=10, description="First issue date.")] = None,
        issued_to: Annotated[str | None, QueryParameter(name="issued_to", max_length=10, description="Last issue date.")] = None,
        order_id: Annotated[int | None, QueryParameter(name="order_id", ge=1, le=ID_MAX, description="Only documents that bill this order.")] = None,
        sort: Annotated[
            DocumentSort, QueryParameter(name="sort", description="A minus sorts downwards; -id, newest first, where it is left out.")
        ] = DocumentSort.NEWEST,
        as_of: AsOf = None,
        on: On = None,
    ) -> Response[InvoicePage]:
        """Pages stay what they are while documents are issued. A page may be short and yet have a next one."""
        moment = to_moment(as_of, on)
        filters = DocumentFilter(
            account_id=account_id,
            number=number,
            type_codes=() if type_code is None else (type_code,),
            state=in_state,
            issued_from=to_day("issued_from", issued_from),
            issued_to=to_day("issued_to", issued_to),
            order_id=order_id,
        )
        with call.books.storage.reading() as tx:
            provider = call.provider(tx).name
        try:
            after = None if cursor is None else decode_cursor(cursor, provider=provider, filters=filters, sort=sort, moment=moment)
        except InvalidDocumentError as error:
            raise BadRequestError(list(error.faults)) from error
        page = list_documents(call.books, provider=provider, filters=filters, sort=sort, after=after, limit=limit, moment=moment)
        items = [
            {"account_id": item.invoice.account_id}
            | invoice_head(item.invoice, item.standing, state=item.state, provider=item.provider, is_test=item.is_test, account=item.account)
            for item in page.items
        ]
        next_cursor = None if page.next_after is None else encode_cursor(page.next_after, provider=provider, filters=filters, sort=sort, moment=moment)
        return respond(answer({"items": items, "next": next_cursor}))

    @post(
        "/",
        opt={"scope": "invoices:write"},
        sync_to_thread=True,
        dto=Document[InvoiceBody],
        return_dto=None,
        operation_id="issueInvoice",
        summary="Issue a document",
    )
    def issue_invoice(self, call: NamedDependency[Call], data: JSONBody[InvoiceBody]) -> Response[InvoiceResource]:
        """It takes its number and date together; refused with all faults, it takes none."""
        document = dict(cast("dict[str, Any]", data))  # as it was sent: the ledger judges it
        faults: list[Fault] = []
        account_id = convert(Id, document.pop("account_id", None), "account_id", faults)
        if faults:
            raise InvalidDocumentError(faults)

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                provider, account = call.provider(tx), call.hold(tx, account_id)
                invoice = issue_document(tx, books, provider, account, document)
                if invoice.type_code is TypeCode.CREDIT_NOTE:  # it may settle what it corrects
                    return issued_answer(call, tx, invoice)
                today = legal_date(call.books.clock(), provider.zone)
                return _issued(_resource(invoice, new_standing(invoice), provider=provider, account=account, today=today))

        return call.once(act)

    @get("/{invoice_id:int}", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="getInvoice", summary="A document")
    def get_invoice(self, call: NamedDependency[Call], invoice_id: FromPath[int], as_of: AsOf = None, on: On = None) -> Response[InvoiceResource]:
        """As it was issued, and how it stands, now or at another moment."""
        moment = to_moment(as_of, on)
        with call.books.storage.reading() as tx:
            invoice, _ = call.invoice(tx, invoice_id)
        then = invoice if moment.is_now else get_invoice(call.books, invoice_id=invoice_id, moment=moment).invoice
        with call.books.storage.reading() as tx:
            return respond(answer(invoice_resource(call, tx, then, moment)))

    @post(
        "/{invoice_id:int}/invoice",
        opt={"scope": "invoices:write"},
        sync_to_thread=True,
        dto=Checked[ProFormaInvoiceBody],
        return_dto=None,
        operation_id="invoiceProForma",
        summary="Issue the invoice for a pro-forma",
    )
    def invoice_pro_forma(self, call: NamedDependency[Call], invoice_id: FromPath[int], data: JSONBody[ProFormaInvoiceBody]) -> Response[InvoiceResource]:
        """A new document with its own number and date, linked to the pro-forma, settled by what was paid for it. Once: 409."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                pro_forma, account = call.invoice(tx, invoice_id)
                issued = invoice_pro_forma(books, account_id=account.id, pro_forma_id=pro_forma.id, issue_date=data.issue_date, due_date=data.due_date)
                return issued_answer(call, tx, issued)

        return call.once(act)


def issued_answer(call: Call, tx: Transaction, invoice: Invoice) -> Answer:
    """201 with the document."""
    return _issued(invoice_resource(call, tx, invoice))


def _issued(resource: dict[str, Any]) -> Answer:
    return answer(resource, status=201, location=f"/invoices/{resource['id']}")


def invoice_resource(call: Call, tx: Transaction, invoice: Invoice, moment: Moment = NOW) -> dict[str, Any]:
    """A document as the API gives it: see document_schema.InvoiceResource."""
    provider, account = call.provider(tx), call.account(tx, invoice.account_id)
    standing = current_standing(tx, invoice, provider, moment)
    credited_minor = tx.invoices.credited_minor(account.id, invoice.id, moment)
    invoiced_as = tx.invoices.of_pro_forma(account.id, invoice.id) if invoice.type_code is TypeCode.PRO_FORMA and moment.is_now else None
    today = moment.today(call.books.clock(), provider.zone)
    return _resource(invoice, standing, provider=provider, account=account, today=today, credited_minor=credited_minor, invoiced_as=invoiced_as)


def _resource(
    invoice: Invoice, standing: Standing, *, provider: Provider, account: Account, today: date, credited_minor: int = 0, invoiced_as: int | None = None
) -> dict[str, Any]:
    state = document_state(invoice, standing, credited_minor=credited_minor, today=today)
    head = invoice_head(invoice, standing, state=state, provider=provider.name, is_test=provider.is_test, account=account.reference)
    return {"account_id": account.id, **head, **invoice_body(invoice, standing), "invoiced_as_id": invoiced_as}
