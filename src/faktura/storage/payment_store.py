"""Payments and allocations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from faktura.domain.moment import NOW, Moment
from faktura.domain.money import Currency
from faktura.domain.payment import Allocation, Payment
from faktura.ledger.ports import PaymentCredit
from faktura.storage.driver import Driver
from faktura.storage.rows import moment_row, to_payment


class PaymentRows:
    """See `faktura.ledger.ports.PaymentStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def insert(self, payment: Payment) -> None:
        """Write a payment."""
        self._driver.run(
            "payment_insert",
            account_id=payment.account_id,
            payment_id=payment.id,
            amount_minor=payment.amount_minor,
            currency=payment.currency.code,
            paid_on=payment.paid_on.isoformat(),
            reference=payment.reference,
            recorded_at_us=payment.recorded_at_us,
        )

    def allocate(self, allocations: Sequence[Allocation]) -> None:
        """Write what settles what."""
        rows = [
            {
                "account_id": item.account_id,
                "allocation_id": item.id,
                "invoice_id": item.invoice_id,
                "payment_id": item.payment_id,
                "credit_note_id": item.credit_note_id,
                "amount_minor": item.amount_minor,
                "allocated_on": item.allocated_on.isoformat(),
                "recorded_at_us": item.recorded_at_us,
            }
            for item in allocations
        ]
        self._driver.many("allocation_insert", rows)

    def settlements(self, account_id: int, invoice_id: int, moment: Moment = NOW) -> list[tuple[int, date]]:
        """Amount and value date of what settles a document, or of what a credit note settled, as far as it counts at a moment.

        All that says what is paid and due, now or at another moment, is read here.
        """
        key = {"account_id": account_id, "invoice_id": invoice_id}
        if moment.is_now:
            rows = self._driver.assemble(["allocation_of_invoice", "allocation_order"], **key)
        else:
            rows = self._driver.assemble(["allocation_of_invoice", "allocation_moment", "allocation_order"], **key, **moment_row(moment))
        return [(row["amount_minor"], date.fromisoformat(row["paid_on"])) for row in rows]

    def paid_sums(self, account_id: int, moment: Moment = NOW) -> list[tuple[Currency, int]]:
        """What the account's payments have settled, by currency."""
        rows = self._driver.assemble(["payment_sums", "allocation_moment", "payment_sums_group"], account_id=account_id, **moment_row(moment))
        return [(Currency(row["currency"]), int(row["amount_minor"])) for row in rows]

    def get(self, account_id: int, payment_id: int) -> Payment | None:
        """The account's payment of that id."""
        row = self._driver.one("audit_payment", account_id=account_id, payment_id=payment_id)
        return None if row is None else to_payment(row)

    def allocated_minor(self, account_id: int, payment_id: int) -> int:
        """How much of a payment is allocated."""
        row = self._driver.one("payment_allocated", account_id=account_id, payment_id=payment_id)
        return 0 if row is None else int(row["allocated_minor"])

    def is_repeated(self, account_id: int, *, reference: str, amount_minor: int, paid_on: date) -> bool:
        """Whether a payment of that reference, amount and date is recorded already."""
        key = {"account_id": account_id, "reference": reference, "amount_minor": amount_minor, "paid_on": paid_on.isoformat()}
        return self._driver.one("payment_repeated", **key) is not None

    def credit(self, account_id: int, moment: Moment = NOW) -> list[PaymentCredit]:
        """Payments that are not used up, oldest first."""
        return [
            PaymentCredit(
                payment_id=row["payment_id"],
                currency=Currency(row["currency"]),
                paid_on=date.fromisoformat(row["paid_on"]),
                credit_minor=row["amount_minor"] - row["allocated_minor"],
            )
            for row in self._driver.all("payment_credit", account_id=account_id, **moment_row(moment))
        ]
