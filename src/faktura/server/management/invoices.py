"""Invoices, pro-formas, credit and debit notes: issued once, never changed."""

from __future__ import annotations

from typing import Any, cast

from litestar import Controller, Response, get, post

from faktura.documents.invoice_json import invoice_body, invoice_head
from faktura.domain.errors import Fault, InvalidDocumentError, fault
from faktura.domain.invoice import Invoice
from faktura.domain.money import parse_decimal
from faktura.ledger.commands import credit, issue
from faktura.ledger.drafts import read_document
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.standing import current_standing
from faktura.server.management.body import Checked, Document, convert
from faktura.server.management.call import Call, answer, respond
from faktura.server.management.document_schema import CreditNoteBody, InvoiceBody, InvoiceResource
from faktura.server.management.schema import Id


class Invoices(Controller):
    """Documents; what is issued is closed, a correction is a new document."""

    path = "/invoices"
    tags = ("Invoices",)

    @post(
        "/",
        opt={"scope": "invoices:write"},
        sync_to_thread=True,
        dto=Document[InvoiceBody],
        return_dto=None,
        operation_id="issueInvoice",
        summary="Issue a document",
    )
    def issue_invoice(self, call: Call, data: InvoiceBody) -> Response[InvoiceResource]:
        """It takes its number and date together; refused with all faults, it takes none."""
        document = dict(cast("dict[str, Any]", data))  # as it was sent: the ledger judges it
        faults: list[Fault] = []
        account_id = convert(Id, document.pop("account_id", None), "account_id", faults)
        if faults:
            raise InvalidDocumentError(faults)

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                account = call.account(tx, account_id)
                return issued_answer(call, tx, issue(books, account_id=account.id, draft=read_document(tx, books, account, document)))

        return call.once(act)

    @get("/{invoice_id:int}", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="getInvoice", summary="A document")
    def get_invoice(self, call: Call, invoice_id: int) -> Response[InvoiceResource]:
        """As it was issued, and how it stands now."""
        with call.books.storage.reading() as tx:
            invoice, _ = call.invoice(tx, invoice_id)
            return respond(answer(invoice_resource(call, tx, invoice)))

    @post(
        "/{invoice_id:int}/credit-notes",
        opt={"scope": "invoices:write"},
        sync_to_thread=True,
        status_code=201,
        dto=Checked[CreditNoteBody],
        return_dto=None,
        operation_id="creditInvoice",
        summary="Issue a credit note",
    )
    def credit_invoice(self, call: Call, invoice_id: int, data: CreditNoteBody) -> Response[InvoiceResource]:
        """For all of an invoice, or so much of its lines. It settles what is due; what is over is credit of the account."""
        quantities = None if data.quantities is None else _quantities(data.quantities)

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                invoice, account = call.invoice(tx, invoice_id)
                note = credit(books, account_id=account.id, invoice_id=invoice.id, quantities=quantities, note=data.note)
                return issued_answer(call, tx, note)

        return call.once(act)


def issued_answer(call: Call, tx: Transaction, invoice: Invoice) -> Answer:
    """201 with the document."""
    return answer(invoice_resource(call, tx, invoice), status=201, location=f"/invoices/{invoice.id}")


def invoice_resource(call: Call, tx: Transaction, invoice: Invoice) -> dict[str, Any]:
    """A document as the API gives it: see schema.InvoiceResource."""
    provider, account = call.provider(tx), call.account(tx, invoice.account_id)
    standing = current_standing(tx, invoice, provider)
    head = invoice_head(invoice, standing, provider=provider.name, account=account.reference)
    return head | invoice_body(invoice, standing) | {"account_id": account.id, "is_test": provider.is_test, "state": None}


def _quantities(given: dict[str, Any]) -> dict[int, Any]:
    """Line number -> quantity; InvalidDocumentError with each that is none."""
    faults, found = [], {}
    for line, quantity in given.items():
        try:
            found[int(line) if line.isascii() and line.isdigit() and len(line) < 7 else 0] = parse_decimal(quantity)  # noqa: PLR2004 - more digits than lines
        except ValueError as error:
            faults.append(fault("value", f"quantities.{line[:80]}", str(error)))
    if faults:
        raise InvalidDocumentError(faults)
    return found
