"""Payments, allocations, refunds and reversals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from operator import itemgetter

from faktura.domain.moment import NOW, Moment
from faktura.domain.money import Currency
from faktura.domain.payment import Allocation, Payment, Refund, Reversal
from faktura.ledger.ports import PaymentCredit
from faktura.storage.driver import Driver
from faktura.storage.rows import moment_row, to_allocation, to_payment, to_refund, to_reversal


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
            pro_forma_id=payment.pro_forma_id,
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

    def refund(self, refund: Refund) -> None:
        """Write what went back."""
        self._driver.run(
            "refund_insert",
            account_id=refund.account_id,
            refund_id=refund.id,
            payment_id=refund.payment_id,
            credit_note_id=refund.credit_note_id,
            amount_minor=refund.amount_minor,
            refunded_on=refund.refunded_on.isoformat(),
            reference=refund.reference,
            recorded_at_us=refund.recorded_at_us,
        )

    def reverse(self, reversal: Reversal) -> None:
        """Write that a payment counts no more; the table's key refuses a second time."""
        self._driver.run(
            "reversal_insert",
            account_id=reversal.account_id,
            reversal_id=reversal.id,
            payment_id=reversal.payment_id,
            reversed_on=reversal.reversed_on.isoformat(),
            reason=reversal.reason,
            recorded_at_us=reversal.recorded_at_us,
        )

    def settlements(self, account_id: int, invoice_id: int, moment: Moment = NOW) -> list[tuple[int, date]]:
        """Amount and value date of what settles a document, or of what a credit note settled and gave back; in the order of their writing.

        Only what counts at the moment. All that says what is paid and due, now or then, is read here.
        """
        key: dict[str, object] = {"account_id": account_id, "invoice_id": invoice_id}
        if moment.is_now:
            names = ["allocation_of_invoice", "allocation_now", "allocation_of_credit_note", "refund_of_credit_note"]
        else:
            names = ["allocation_of_invoice", "allocation_moment", "allocation_of_credit_note", "allocation_of_credit_note_moment"]
            names += ["refund_of_credit_note", "refund_moment"]
            key |= moment_row(moment)
        rows = self._driver.assemble(names, **key)
        return [(row["amount_minor"], date.fromisoformat(row["paid_on"])) for row in sorted(rows, key=itemgetter("place"))]

    def refund_sums(self, account_id: int, moment: Moment = NOW) -> list[tuple[Currency, int]]:
        """What went back of the account's payments and credit notes, by currency."""
        rows = self._driver.assemble(["refund_sums", "refund_moment", "refund_sums_group"], account_id=account_id, **moment_row(moment))
        return [(Currency(row["currency"]), int(row["amount_minor"])) for row in rows]

    def paid_sums(self, account_id: int, moment: Moment = NOW) -> list[tuple[Currency, int]]:
        """What the account's payments have settled, by currency."""
        rows = self._driver.assemble(["payment_sums", "allocation_moment", "payment_sums_group"], account_id=account_id, **moment_row(moment))
        return [(Currency(row["currency"]), int(row["amount_minor"])) for row in rows]

    def get(self, account_id: int, payment_id: int) -> Payment | None:
        """The account's payment of that id."""
        row = self._driver.one("audit_payment", account_id=account_id, payment_id=payment_id)
        return None if row is None else to_payment(row)

    def page(self, *, account_id: int | None, after: int, before: int, limit: int) -> list[Payment]:
        """Payments with ids between two, oldest first; of one account, or of whoever's ids they are."""
        if account_id is None:
            rows = self._driver.all("payment_page", after=after, before=before, limit=limit)
        else:
            rows = self._driver.all("payment_page_account", account_id=account_id, after=after, limit=limit)
        return [to_payment(row) for row in rows]

    def allocations(self, account_id: int, payment_id: int) -> list[Allocation]:
        """What a payment was allocated to, oldest first."""
        return [to_allocation(row) for row in self._driver.all("allocation_of_payment", account_id=account_id, payment_id=payment_id)]

    def refunds(self, account_id: int, payment_id: int) -> list[Refund]:
        """What of a payment went back, oldest first."""
        return [to_refund(row) for row in self._driver.all("refund_of_payment", account_id=account_id, payment_id=payment_id)]

    def account_of(self, payment_id: int) -> int | None:
        """Whose payment that is. For operators only: a customer's request never asks without an account."""
        row = self._driver.one("payment_account", payment_id=payment_id)
        return None if row is None else row["account_id"]

    def allocated_minor(self, account_id: int, payment_id: int) -> int:
        """How much of a payment is allocated."""
        row = self._driver.one("payment_used", account_id=account_id, payment_id=payment_id)
        return 0 if row is None else int(row["allocated_minor"])

    def refunded_minor(self, account_id: int, payment_id: int) -> int:
        """How much of a payment went back."""
        row = self._driver.one("payment_used", account_id=account_id, payment_id=payment_id)
        return 0 if row is None else int(row["refunded_minor"])

    def reversal(self, account_id: int, payment_id: int) -> Reversal | None:
        """Why a payment counts no more, if that is so."""
        row = self._driver.one("reversal_of_payment", account_id=account_id, payment_id=payment_id)
        return None if row is None else to_reversal(row)

    def settled(self, account_id: int, payment_id: int) -> list[int]:
        """The documents that a payment was allocated to, each once."""
        return sorted({row["invoice_id"] for row in self._driver.all("payment_settled", account_id=account_id, payment_id=payment_id)})

    def is_repeated(self, account_id: int, *, reference: str, amount_minor: int, paid_on: date) -> bool:
        """Whether a payment of that reference, amount and date is recorded already, and still counts."""
        key = {"account_id": account_id, "reference": reference, "amount_minor": amount_minor, "paid_on": paid_on.isoformat()}
        return self._driver.one("payment_repeated", **key) is not None

    def is_refund_repeated(self, account_id: int, *, reference: str, amount_minor: int, refunded_on: date) -> bool:
        """Whether a refund of that reference, amount and date is recorded already."""
        key = {"account_id": account_id, "reference": reference, "amount_minor": amount_minor, "refunded_on": refunded_on.isoformat()}
        return self._driver.one("refund_repeated", **key) is not None

    def credit(self, account_id: int, moment: Moment = NOW) -> list[PaymentCredit]:
        """Payments and credit notes that are not used up at a moment, oldest first."""
        return self._left("payment_left", "credit_note_left", "left_order", account_id=account_id, **moment_row(moment))

    def prepaid(self, account_id: int, pro_forma_id: int, moment: Moment = NOW) -> list[PaymentCredit]:
        """What is left of the payments that are meant for a pro-forma, oldest first."""
        key = {"account_id": account_id, "pro_forma_id": pro_forma_id} | moment_row(moment)
        return self._left("payment_left", "payment_left_for_pro_forma", "left_order", **key)

    def _left(self, *names: str, **parameters: object) -> list[PaymentCredit]:
        return [
            PaymentCredit(
                payment_id=row["payment_id"],
                credit_note_id=row["credit_note_id"],
                pro_forma_id=row["pro_forma_id"],
                currency=Currency(row["currency"]),
                paid_on=date.fromisoformat(row["paid_on"]),
                credit_minor=row["credit_minor"],
            )
            for row in self._driver.assemble(names, **parameters)
            if row["credit_minor"] > 0
        ]
