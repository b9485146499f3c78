"""Make the invoice for a pro-forma, and settle it with the money that came for the pro-forma."""

from __future__ import annotations

from datetime import date

from faktura.domain.calendar import legal_date
from faktura.domain.errors import ConflictError, InvalidDocumentError
from faktura.domain.invoice import Invoice
from faktura.domain.payment import Allocation, allocate
from faktura.domain.pro_forma import changed_vat, pro_forma_draft
from faktura.domain.provider import Provider
from faktura.ledger.commands import get_document, issue_within, lock_account, prepare, refuse
from faktura.ledger.credit import get_payment
from faktura.ledger.journal import write
from faktura.ledger.payments import allocated_events, settle_parts
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.profile_rules import judged
from faktura.ledger.standing import refresh_pro_forma


def invoice_pro_forma(books: Books, *, account_id: int, pro_forma_id: int, issue_date: date | None = None, due_date: date | None = None) -> Invoice:
    """Issue the invoice for a pro-forma: once, with its own number and date; payments meant for the pro-forma settle it.

    ConflictError where it is invoiced already, or is no pro-forma issued here. InvalidDocumentError with every rule that the
    invoice would break on its date, and every line whose VAT has changed since.
    """

    def step() -> Invoice:
        with books.storage.writing() as tx:
            account = lock_account(tx, account_id)
            provider = tx.providers.get(account.provider_id)
            pro_forma = get_document(tx, account_id, pro_forma_id)
            invoice_id = tx.invoices.of_pro_forma(account_id, pro_forma_id)
            if invoice_id is not None:
                message = f"pro-forma {pro_forma.number} is invoiced already: invoice {get_document(tx, account_id, invoice_id).number} ({invoice_id})"
                raise ConflictError(message)
            draft = pro_forma_draft(pro_forma, issue_date=issue_date, due_date=due_date)
            today = legal_date(books.clock(), provider.zone)
            faults = changed_vat(pro_forma, seller=provider.seller, day=draft.tax_point_date or issue_date or today)
            try:
                prepare(draft, provider, today=today)
            except InvalidDocumentError as error:
                faults += error.faults
            refuse(faults)
            invoice = issue_within(tx, books, provider, account, draft)
            _settle_prepaid(tx, books, provider, invoice, pro_forma)
        return invoice

    return judged(books.profile_rules, step)


def _settle_prepaid(tx: Transaction, books: Books, provider: Provider, invoice: Invoice, pro_forma: Invoice) -> None:
    """Settle a new invoice with what is left of the payments meant for its pro-forma, oldest first."""
    prepaid = tx.payments.prepaid(pro_forma.account_id, pro_forma.id)
    shares = allocate(invoice.total_with_vat_minor or 0, [item.credit_minor for item in prepaid])
    parts = [(item.payment_id or 0, share) for item, share in zip(prepaid, shares, strict=True) if share]
    refresh_pro_forma(tx, books, provider, pro_forma.account_id, pro_forma.id)
    if not parts:
        return
    taken = tx.providers.take(provider.id, ids=len(parts), entries=len(parts))
    allocations: list[Allocation] = []
    for place, (payment_id, share) in enumerate(parts):
        payment, first_id = get_payment(tx, invoice.account_id, payment_id), taken.first_id + place
        day, now_us = invoice.issue_date, invoice.recorded_at_us
        allocations += settle_parts(tx, books, provider, payment, [(invoice, share)], first_id=first_id, day=day, now_us=now_us)
    write(tx, provider_id=provider.id, taken=taken, events=allocated_events(allocations), actor=books.actor, now_us=invoice.recorded_at_us)
