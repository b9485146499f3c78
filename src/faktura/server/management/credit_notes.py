"""Credit notes, and what is left of them: to settle other documents with, or to give back."""

from __future__ import annotations

import re
from decimal import Decimal

from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from faktura.domain.errors import Fault, InvalidDocumentError, fault
from faktura.domain.money import parse_decimal
from faktura.ledger.commands import credit
from faktura.ledger.management_ports import Answer
from faktura.ledger.payments import allocate_credit
from faktura.ledger.ports import Books
from faktura.server.management.body import Checked
from faktura.server.management.call import Call, answer
from faktura.server.management.document_schema import CreditNoteBody, InvoiceResource
from faktura.server.management.invoices import issued_answer
from faktura.server.management.payment_schema import AllocatedResource, AllocationBody, RefundBody, RefundResource
from faktura.server.management.payments import allocated, naming, refund_of, refund_resource, to_shares

_LINE_NUMBER = re.compile(r"[1-9][0-9]{0,5}\Z")


class CreditNotes(Controller):
    """A credit note takes back an invoice, or a part of it."""

    path = "/invoices"
    tags = ("Invoices",)

    @post(
        "/{invoice_id:int}/credit-notes",
        opt={"scope": "invoices:write"},
        sync_to_thread=True,
        dto=Checked[CreditNoteBody],
        return_dto=None,
        operation_id="creditInvoice",
        summary="Issue a credit note",
    )
    def credit_invoice(self, call: NamedDependency[Call], invoice_id: FromPath[int], data: JSONBody[CreditNoteBody]) -> Response[InvoiceResource]:
        """For all of an invoice, or so much of its lines. It settles what is due; what is over is credit of the account."""
        quantities = None if data.quantities is None else _quantities(data.quantities)

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                invoice, account = call.invoice(tx, invoice_id)
                note = credit(books, account_id=account.id, invoice_id=invoice.id, quantities=quantities, note=data.note)
                return issued_answer(call, tx, note)

        return call.once(act)

    @post(
        "/{invoice_id:int}/allocations",
        opt={"scope": "payments:write"},
        sync_to_thread=True,
        dto=Checked[AllocationBody],
        return_dto=None,
        operation_id="allocateCreditNote",
        summary="Settle documents with what is left of a credit note",
    )
    def allocate_credit_note(self, call: NamedDependency[Call], invoice_id: FromPath[int], data: JSONBody[AllocationBody]) -> Response[AllocatedResource]:
        """409 for a document that is no credit note, and where nothing is left or due."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx, naming(data.invoices):
                note, account = call.invoice(tx, invoice_id)
                shares, invoice_ids = to_shares(data.invoices, note.currency)
                result = allocate_credit(books, account_id=account.id, credit_note_id=note.id, invoice_ids=invoice_ids, shares_minor=shares)
                return answer(allocated(result), status=201, location=f"/invoices/{note.id}")

        return call.once(act)

    @post(
        "/{invoice_id:int}/refunds",
        opt={"scope": "payments:write"},
        sync_to_thread=True,
        dto=Checked[RefundBody],
        return_dto=None,
        operation_id="refundCreditNote",
        summary="Give back what is left of a credit note",
    )
    def refund_credit_note(self, call: NamedDependency[Call], invoice_id: FromPath[int], data: JSONBody[RefundBody]) -> Response[RefundResource]:
        """All that is left, or an amount of it: never more."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                note, account = call.invoice(tx, invoice_id)
                made = refund_of(books, data, account_id=account.id, currency=note.currency, credit_note_id=note.id)
                return answer(refund_resource(made, note.currency), status=201, location=f"/invoices/{note.id}")

        return call.once(act)


def _quantities(given: dict[str, Decimal]) -> dict[int, Decimal]:
    """Line number -> quantity; InvalidDocumentError with each that is none."""
    faults: list[Fault] = []
    found = {}
    for line, quantity in given.items():
        try:
            if not _LINE_NUMBER.match(line):
                faults.append(fault("line", f"quantities.{line[:80]}", "is not the number of a line: they begin with 1"))
                continue
            found[int(line)] = parse_decimal(quantity)
        except ValueError as error:
            faults.append(fault("value", f"quantities.{line[:80]}", str(error)))
    if faults:
        raise InvalidDocumentError(faults)
    return found
