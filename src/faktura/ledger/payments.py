"""Payments: money comes from an account, settles documents now or later, and what is over is the account's credit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from faktura.domain.calendar import legal_date
from faktura.domain.errors import ConflictError, Fault, fault
from faktura.domain.invoice import Invoice, Origin, TypeCode
from faktura.domain.money import AMOUNT_MINOR_MAX, Currency
from faktura.domain.payment import Allocation, Payment, allocate
from faktura.domain.provider import Provider
from faktura.domain.text import is_text
from faktura.ledger.commands import get_document, lock_account, refuse
from faktura.ledger.credit import Credit, find_credit
from faktura.ledger.journal import Event, write
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.standing import current_standing, is_owed, refresh, refresh_pro_forma

TEXT_LENGTH_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentResult:
    """A payment, what it settled just now, and what of it is credit of the account."""

    payment: Payment
    allocations: tuple[Allocation, ...]
    credit_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationResult:
    """The payment or credit note that settled something just now, and what is still left of it."""

    payment: Payment | None
    credit_note: Invoice | None
    currency: Currency
    allocations: tuple[Allocation, ...]
    credit_minor: int


@dataclass(frozen=True, slots=True)
class _Target:
    """A document to settle: with a fixed share, or with what the ones before it leave."""

    invoice: Invoice
    share_minor: int | None


def pay(
    books: Books,
    *,
    account_id: int,
    amount_minor: int,
    currency: Currency,
    paid_on: date | None = None,
    invoice_ids: Sequence[int] = (),
    shares_minor: Mapping[int, int] | None = None,
    reference: str | None = None,
    is_repeated: bool = False,
) -> PaymentResult:
    """Take a payment and settle documents with it; without documents it waits as credit of the account.

    `shares_minor` fixes amounts by document; what they leave settles the documents of `invoice_ids` in their order. A
    pro-forma is named alone: it is not owed, so the money stays credit, kept for the invoice that will be made from it.

    ConflictError for a reference, amount and date that are recorded already, unless `is_repeated` says that this is meant:
    a script that runs twice must not pay twice.
    """
    with books.storage.writing() as tx:
        account = lock_account(tx, account_id)
        provider = tx.providers.get(account.provider_id)
        now_us = books.clock()
        today = legal_date(now_us, provider.zone)
        day = paid_on or today
        targets = _targets(tx, account_id, invoice_ids, shares_minor)
        pro_forma = _sole_pro_forma(targets)
        faults = value_faults(amount_minor, day, today, text=reference, day_path="paid_on", text_path="reference")
        refuse(faults + _target_faults(tx, provider, currency, targets, amount_minor, pro_forma=pro_forma))
        if reference and not is_repeated and tx.payments.is_repeated(account_id, reference=reference, amount_minor=amount_minor, paid_on=day):
            message = f"a payment of {currency.format(amount_minor)} on {day} with the reference {reference!r} is recorded already"
            raise ConflictError(message)
        if pro_forma:
            _refuse_prepayment(tx, pro_forma)
        parts = [] if pro_forma else _parts(tx, provider, amount_minor, targets)
        taken = tx.providers.take(provider.id, ids=1 + len(parts), entries=1 + len(parts))
        payment = Payment(
            id=taken.first_id,
            account_id=account.id,
            amount_minor=amount_minor,
            currency=currency,
            paid_on=day,
            reference=reference,
            pro_forma_id=pro_forma.id if pro_forma else None,
            recorded_at_us=now_us,
        )
        tx.payments.insert(payment)
        allocations = settle_parts(tx, books, provider, payment, parts, first_id=taken.first_id + 1, day=day, now_us=now_us)
        events = [Event(name="payment.recorded", payload=payment, account_id=account.id, subject_id=payment.id), *allocated_events(allocations)]
        write(tx, provider_id=provider.id, taken=taken, events=events, actor=books.actor, now_us=now_us)
    return PaymentResult(payment=payment, allocations=allocations, credit_minor=amount_minor - sum(part for _, part in parts))


def allocate_credit(
    books: Books,
    *,
    account_id: int,
    payment_id: int | None = None,
    credit_note_id: int | None = None,
    invoice_ids: Sequence[int] = (),
    shares_minor: Mapping[int, int] | None = None,
) -> AllocationResult:
    """Settle documents with what is left of an earlier payment or of a credit note; ConflictError when nothing is.

    Shares are as in `pay`.
    """
    with books.storage.writing() as tx:
        account = lock_account(tx, account_id)
        provider = tx.providers.get(account.provider_id)
        now_us = books.clock()
        credit = find_credit(tx, provider, account_id=account_id, payment_id=payment_id, credit_note_id=credit_note_id)
        targets = _targets(tx, account_id, invoice_ids, shares_minor)
        faults = [] if targets else [fault("PAYMENT", "invoice", "name at least one document to settle")]
        refuse_used_up(credit)
        refuse(faults + _target_faults(tx, provider, credit.currency, targets, credit.left_minor))
        parts = _parts(tx, provider, credit.left_minor, targets)
        taken = tx.providers.take(provider.id, ids=len(parts), entries=len(parts))
        day = legal_date(now_us, provider.zone)
        allocations = settle_parts(tx, books, provider, credit.source, parts, first_id=taken.first_id, day=day, now_us=now_us)
        write(tx, provider_id=provider.id, taken=taken, events=allocated_events(allocations), actor=books.actor, now_us=now_us)
    return AllocationResult(
        payment=credit.payment,
        credit_note=credit.credit_note,
        currency=credit.currency,
        allocations=allocations,
        credit_minor=credit.left_minor - sum(part for _, part in parts),
    )


def settle_parts(
    tx: Transaction,
    books: Books,
    provider: Provider,
    source: Payment | Invoice,
    parts: Sequence[tuple[Invoice, int]],
    *,
    first_id: int,
    day: date,
    now_us: int,
) -> tuple[Allocation, ...]:
    """Write what of a payment or credit note settles which documents, and show it on all that it concerns."""
    allocations = tuple(
        Allocation(
            id=first_id + place,
            account_id=source.account_id,
            invoice_id=invoice.id,
            amount_minor=share,
            payment_id=source.id if isinstance(source, Payment) else None,
            credit_note_id=source.id if isinstance(source, Invoice) else None,
            allocated_on=day,
            recorded_at_us=now_us,
        )
        for place, (invoice, share) in enumerate(parts)
    )
    tx.payments.allocate(allocations)
    for invoice, _ in parts:
        refresh(tx, books, provider, invoice)
    refresh_source(tx, books, provider, source)
    return allocations


def refresh_source(tx: Transaction, books: Books, provider: Provider, source: Payment | Invoice) -> None:
    """Show on a credit note, or on the pro-forma that a payment is meant for, what is left."""
    if isinstance(source, Invoice):
        refresh(tx, books, provider, source)
    else:
        refresh_pro_forma(tx, books, provider, source.account_id, source.pro_forma_id)


def allocated_events(allocations: Sequence[Allocation]) -> list[Event]:
    """What the journal tells of allocations, one entry each."""
    return [
        Event(name=f"{'credit' if item.payment_id is None else 'payment'}.allocated", payload=item, account_id=item.account_id, subject_id=item.id)
        for item in allocations
    ]


def refuse_used_up(credit: Credit) -> None:
    """ConflictError where nothing is left."""
    if credit.left_minor <= 0:
        message = f"{credit.label} is used up"
        raise ConflictError(message)


def value_faults(amount_minor: int, day: date, today: date, *, text: str | None, day_path: str, text_path: str) -> list[Fault]:
    """What is wrong with money that moved: its amount, its value date, and the text that came with it."""
    faults = []
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        faults.append(fault("PAYMENT", "amount", "must be more than nothing, and no larger than any amount faktura keeps"))
    if day > today:
        faults.append(fault("PAYMENT", day_path, f"{day} is in the future, today is {today}"))
    if text is not None and not is_text(text, length_max=TEXT_LENGTH_MAX):
        faults.append(fault("PAYMENT", text_path, f"must be a text of 1 to {TEXT_LENGTH_MAX} characters"))
    return faults


def _targets(tx: Transaction, account_id: int, invoice_ids: Sequence[int], shares_minor: Mapping[int, int] | None) -> list[_Target]:
    """The documents named, each once: those with a share first, since the others get what is left."""
    shares = shares_minor or {}
    return [_Target(get_document(tx, account_id, invoice_id), shares.get(invoice_id)) for invoice_id in dict.fromkeys([*shares, *invoice_ids])]


def _sole_pro_forma(targets: Sequence[_Target]) -> Invoice | None:
    """The pro-forma that a payment is meant for: the one document named, and without a share."""
    if len(targets) != 1 or targets[0].share_minor is not None:
        return None
    return targets[0].invoice if targets[0].invoice.type_code is TypeCode.PRO_FORMA else None


def _refuse_prepayment(tx: Transaction, pro_forma: Invoice) -> None:
    """ConflictError where money cannot be kept for a pro-forma's invoice."""
    if pro_forma.origin is Origin.RECORDED:
        message = f"pro-forma {pro_forma.number} was recorded from elsewhere: no invoice is made from it here; deposit the money"
        raise ConflictError(message)
    invoice_id = tx.invoices.of_pro_forma(pro_forma.account_id, pro_forma.id)
    if invoice_id is not None:
        message = f"pro-forma {pro_forma.number} is invoiced already: pay invoice {get_document(tx, pro_forma.account_id, invoice_id).number} ({invoice_id})"
        raise ConflictError(message)


def _target_faults(
    tx: Transaction, provider: Provider, currency: Currency, targets: Sequence[_Target], available_minor: int, *, pro_forma: Invoice | None = None
) -> list[Fault]:
    faults: list[Fault] = []
    for target in targets:
        invoice, before = target.invoice, len(faults)
        if invoice.currency != currency:
            faults.append(fault("PAYMENT", "currency", f"{invoice.number} is in {invoice.currency.code}, the payment in {currency.code}"))
        if (not is_owed(invoice.type_code) or invoice.sign < 0) and invoice is not pro_forma:
            label = invoice.type_code.label if invoice.type_code else "document"
            faults.append(fault("PAYMENT", "invoice", f"{invoice.number} is a {label}, on which nothing is owed"))
        if target.share_minor is None:
            continue
        path = f"shares[{invoice.id}]"
        if target.share_minor <= 0:
            faults.append(fault("PAYMENT", path, "a share is more than nothing"))
        elif len(faults) == before and not _is_kept_by_source(tx, invoice) and target.share_minor > (due := _due(tx, provider, invoice)):
            faults.append(fault("PAYMENT", path, f"{invoice.number} has {currency.format(due)} due, not {currency.format(target.share_minor)}"))
    shared_minor = sum(max(0, target.share_minor or 0) for target in targets)
    if shared_minor > max(0, available_minor):
        faults.append(fault("PAYMENT", "shares", f"the shares make {currency.format(shared_minor)}, and there is {currency.format(available_minor)}"))
    return faults


def _parts(tx: Transaction, provider: Provider, available_minor: int, targets: Sequence[_Target]) -> list[tuple[Invoice, int]]:
    """What of an amount settles which document; ConflictError when documents are named and none is due, or a source keeps its payments."""
    for invoice in (target.invoice for target in targets):
        if _is_kept_by_source(tx, invoice):
            message = f"document {invoice.number} was recorded with its payments: its source keeps them"
            raise ConflictError(message)
    dues = [_due(tx, provider, target.invoice) if target.share_minor is None else target.share_minor for target in targets]
    parts = [(target.invoice, share) for target, share in zip(targets, allocate(available_minor, dues), strict=True) if share]
    if targets and not parts:
        message = f"{', '.join(target.invoice.number for target in targets)}: nothing is due"
        raise ConflictError(message)
    return parts


def _is_kept_by_source(tx: Transaction, invoice: Invoice) -> bool:
    return invoice.origin is Origin.RECORDED and tx.sources.observed(invoice.account_id, invoice.id) is not None


def _due(tx: Transaction, provider: Provider, invoice: Invoice) -> int:
    """What may settle a document."""
    due = current_standing(tx, invoice, provider).due_minor
    return (invoice.total_with_vat_minor or 0) if due is None else due
