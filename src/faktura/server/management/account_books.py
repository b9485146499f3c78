"""What is kept of an account beside its documents: its balance, its credit, the proofs of its VAT id."""

from __future__ import annotations

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from faktura.domain.calendar import instant_text, to_instant
from faktura.domain.vat_check import VatIdCheck
from faktura.ledger.balance import Balance, balance
from faktura.ledger.management_ports import Answer
from faktura.ledger.ports import Books, PaymentCredit
from faktura.ledger.vat_checks import record_vat_check
from faktura.server.management.body import Checked
from faktura.server.management.call import Call, answer, respond
from faktura.server.management.moments import AsOf, On, to_moment
from faktura.server.management.payment_schema import AccountBalance, BalanceResource, CreditResource
from faktura.server.management.work_schema import VatCheckBody, VatCheckPage, VatCheckResource


class Balances(Controller):
    """What accounts owe and are owed."""

    path = "/accounts"
    tags = ("Accounts",)

    @get("/{account_id:int}/balance", opt={"scope": "invoices:read"}, sync_to_thread=True, operation_id="getBalance", summary="An account's balance and credit")
    def get_balance(self, call: NamedDependency[Call], account_id: FromPath[int], as_of: AsOf = None, on: On = None) -> Response[AccountBalance]:
        """In each currency, now or at another moment; and the payments and credit notes that are not used up."""
        moment = to_moment(as_of, on)
        with call.books.storage.reading() as tx:
            account = call.account(tx, account_id)
            left = tx.payments.credit(account.id, moment)
        balances = [_balance(item) for item in balance(call.books, account_id=account.id, moment=moment)]
        return respond(answer(AccountBalance(balances=balances, credit=[_credit(item) for item in left])))


class VatChecks(Controller):
    """Proofs that a VAT id was looked up."""

    path = "/accounts"
    tags = ("Accounts",)

    @get(
        "/{account_id:int}/vat-checks",
        opt={"scope": "invoices:read"},
        sync_to_thread=True,
        operation_id="listVatChecks",
        summary="Proofs of an account's VAT id",
    )
    def list_checks(self, call: NamedDependency[Call], account_id: FromPath[int]) -> Response[VatCheckPage]:
        """Oldest first."""
        with call.books.storage.reading() as tx:
            found = tx.vat.checks(call.account(tx, account_id).id)
        return respond(answer(VatCheckPage(items=[_check(item) for item in found], next=None)))

    @post(
        "/{account_id:int}/vat-checks",
        opt={"scope": "invoices:write"},
        sync_to_thread=True,
        dto=Checked[VatCheckBody],
        return_dto=None,
        operation_id="recordVatCheck",
        summary="Keep what VIES said",
    )
    def record_check(self, call: NamedDependency[Call], account_id: FromPath[int], data: JSONBody[VatCheckBody]) -> Response[VatCheckResource]:
        """It is proof, and never blocks: documents are decided by check digits."""

        def act(books: Books) -> Answer:
            with books.storage.writing() as tx:
                account = call.account(tx, account_id)
            made = record_vat_check(
                books,
                account_id=account.id,
                vat_id=data.vat_id,
                is_valid=data.is_valid,
                checked_at_us=None if data.checked_at is None else to_instant(data.checked_at),
                consultation=data.consultation,
                name=data.name,
                address=data.address,
            )
            return answer(_check(made), status=201, location=f"/accounts/{account.id}/vat-checks")

        return call.once(act)


def _balance(item: Balance) -> BalanceResource:
    def text(amount_minor: int) -> str:
        return str(item.currency.to_decimal(amount_minor))

    return BalanceResource(
        currency=item.currency.code,
        invoiced=text(item.invoiced_minor),
        credited=text(item.credited_minor),
        paid=text(item.paid_minor),
        paid_elsewhere=text(item.paid_elsewhere_minor),
        refunded=text(item.refunded_minor),
        due=text(item.due_minor),
        overdue=text(item.overdue_minor),
        credit=text(item.credit_minor),
        unknown=item.unknown_count,
    )


def _credit(item: PaymentCredit) -> CreditResource:
    return CreditResource(
        id=item.payment_id or item.credit_note_id or 0,
        kind="payment" if item.payment_id else "credit note",
        pro_forma_id=item.pro_forma_id,
        currency=item.currency.code,
        since=item.paid_on.isoformat(),
        credit=str(item.currency.to_decimal(item.credit_minor)),
    )


def _check(made: VatIdCheck) -> VatCheckResource:
    return VatCheckResource(
        id=made.check_id,
        vat_id=made.vat_id,
        is_valid=made.is_valid,
        checked_at=instant_text(made.checked_at_us) or "",
        consultation=made.consultation,
        name=made.name,
        address=made.address,
    )
