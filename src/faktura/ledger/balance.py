"""What an account owes and is owed, by currency, now or at another moment."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from faktura.domain.errors import NotFoundError
from faktura.domain.invoice import TypeCode
from faktura.domain.moment import NOW, Moment
from faktura.domain.money import Currency
from faktura.domain.payment import Standing
from faktura.domain.provider import Provider
from faktura.ledger.ports import Books, Transaction
from faktura.ledger.selection import DocumentAmounts
from faktura.ledger.standing import current_standing, observed_standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """An account's sums in one currency, in minor units.

    Pro-formas are not owed and do not count. Of an account whose documents were all issued here, due - credit_notes is
    invoiced - credited - paid, and what was refunded of credit notes.
    """

    currency: Currency
    invoiced_minor: int = 0
    """Totals of invoices and debit notes, as far as they are known."""
    credited_minor: int = 0
    """Totals of credit notes."""
    paid_minor: int = 0
    """What payments kept here have settled."""
    paid_elsewhere_minor: int = 0
    """What the sources of recorded invoices and debit notes showed as paid."""
    refunded_minor: int = 0
    """What went back to the buyer, of payments and of credit notes."""
    due_minor: int = 0
    """What is due of invoices and debit notes, as far as it is known."""
    overdue_minor: int = 0
    """What of it is due after its due date."""
    credit_notes_minor: int = 0
    """What of credit notes is neither allocated nor refunded: owed to the buyer."""
    payments_minor: int = 0
    """What of payments is neither allocated nor refunded: owed to the buyer."""
    unknown_count: int = 0
    """Documents whose type or amount due nobody said. None of it is in `due_minor`."""

    @property
    def credit_minor(self) -> int:
        """All that is owed to the buyer."""
        return self.credit_notes_minor + self.payments_minor


def balance(books: Books, *, account_id: int, moment: Moment = NOW) -> list[Balance]:
    """The account's balance in each currency it has had to do with, by code; NotFoundError for an account that is not there."""
    sums: dict[Currency, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    with books.storage.reading() as tx:
        account = tx.accounts.get(account_id)
        if account is None:
            message = f"there is no account {account_id}"
            raise NotFoundError(message)
        provider = tx.providers.get(account.provider_id)
        today = moment.today(books.clock(), provider.zone)
        for document in tx.invoices.amounts(account_id, moment):
            if document.type_code is TypeCode.PRO_FORMA:
                continue
            observed, standing = _standings(tx, document, provider, moment)
            _add(sums[document.currency], document, standing, observed, today)
        for currency, amount_minor in tx.payments.paid_sums(account_id, moment):
            sums[currency]["paid_minor"] += amount_minor
        for currency, amount_minor in tx.payments.refund_sums(account_id, moment):
            sums[currency]["refunded_minor"] += amount_minor
        for left in tx.payments.credit(account_id, moment):
            if left.payment_id is not None:
                sums[left.currency]["payments_minor"] += left.credit_minor
    return [Balance(currency=currency, **sums[currency]) for currency in sorted(sums, key=lambda item: item.code)]


def _standings(tx: Transaction, document: DocumentAmounts, provider: Provider, moment: Moment) -> tuple[Standing | None, Standing]:
    """What its source showed of a document, if it did, and how it stands."""
    if moment.is_now:
        return (document.standing if document.is_observed else None), document.standing
    observed = observed_standing(tx, document, provider, moment) if document.is_observed else None
    return observed, observed or current_standing(tx, document, provider, moment)


def _add(sums: dict[str, int], document: DocumentAmounts, standing: Standing, observed: Standing | None, today: date) -> None:
    total_minor, due_minor = document.total_with_vat_minor or 0, standing.due_minor or 0
    if document.type_code is None or standing.due_minor is None:
        sums["unknown_count"] += 1
    if document.type_code is TypeCode.CREDIT_NOTE:
        sums["credited_minor"] += total_minor
        sums["credit_notes_minor"] += due_minor
    elif document.type_code is not None:
        sums["invoiced_minor"] += total_minor
        sums["due_minor"] += due_minor
        if observed is not None:
            sums["paid_elsewhere_minor"] += observed.paid_minor or 0
        if document.due_date is not None and document.due_date < today:
            sums["overdue_minor"] += max(0, due_minor)
