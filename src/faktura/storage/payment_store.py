"""Payments and allocations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from faktura.domain.payment import Allocation, Payment
from faktura.storage.driver import Driver


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

    def settlements(self, account_id: int, invoice_id: int) -> list[tuple[int, date]]:
        """Amount and value date of what settles a document, or of what a credit note settled."""
        rows = self._driver.all("allocation_of_invoice", account_id=account_id, invoice_id=invoice_id)
        return [(row["amount_minor"], date.fromisoformat(row["paid_on"])) for row in rows]
