"""What an account owes and is owed, by currency, now or at another moment."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from faktura.domain.errors import NotFoundError
from faktura.domain.invoice import TypeCode
from faktura.domain.moment import NOW, Moment
from faktura.domain.money import Currency
from faktura.ledger.ports import Books
from faktura.ledger.standing import current_standing, observed_standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """An account's sums in one currency, in minor units.

    Pro-formas are not owed and do not count. Of an account whose documents were all issued here,
    due - credit_notes = invoiced - credited - paid.
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
    due_minor: int = 0
    """What is due of invoices and debit notes, as far as it is known."""
    overdue_minor: int = 0
    """What of it is due after its due date."""
    credit_notes_minor: int = 0
    """What credit notes have not settled: owed to the buyer."""
    payments_minor: int = 0
    """What of payments has settled nothing yet: owed to the buyer."""
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
            sums_here, total_minor = sums[document.currency], document.total_with_vat_minor or 0
            observed = observed_standing(tx, document, provider, moment)
            due_minor = (document.standing if moment.is_now else current_standing(tx, document, provider, moment)).due_minor
            if document.type_code is None or due_minor is None:
                sums_here["unknown_count"] += 1
            if document.type_code is TypeCode.CREDIT_NOTE:
                sums_here["credited_minor"] += total_minor
                sums_here["credit_notes_minor"] += due_minor or 0
            elif document.type_code is not None:
                sums_here["invoiced_minor"] += total_minor
                sums_here["paid_elsewhere_minor"] += (observed.paid_minor or 0) if observed else 0
                sums_here["due_minor"] += due_minor or 0
                if document.due_date is not None and document.due_date < today:
                    sums_here["overdue_minor"] += max(0, due_minor or 0)
        for currency, amount_minor in tx.payments.settled(account_id, moment):
            sums[currency]["paid_minor"] += amount_minor
        for left in tx.payments.credit(account_id, moment):
            sums[left.currency]["payments_minor"] += left.credit_minor
    return [Balance(currency=currency, **sums[currency]) for currency in sorted(sums, key=lambda item: item.code)]
