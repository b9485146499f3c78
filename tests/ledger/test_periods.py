"""Closed periods: no document gets into what is declared."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.database import dump

from faktura.domain.calendar import midnight
from faktura.domain.draft import parse_draft
from faktura.domain.errors import ConflictError, InvalidDocumentError, NotFoundError
from faktura.domain.invoice import Draft
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Account
from faktura.ledger.billing import BillingItem, BillingOutcome, run_billing
from faktura.ledger.commands import credit, issue
from faktura.ledger.periods import lock_period
from faktura.ledger.queries import read_journal
from faktura.ledger.verification import verify

BUYER = Party(name="Primer EOOD", country="BG")
JULY = date(2024, 7, 31)
"""The clock of the tests stands on 2024-08-01 in Sofia."""
HOUR_US = 3_600_000_000


def draft(**terms: object) -> Draft:
    """A one-line draft at 20 %."""
    return parse_draft({"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}], **terms}, currency=Currency("EUR"), buyer=BUYER)


def refused(error: pytest.ExceptionInfo[InvalidDocumentError]) -> set[tuple[str, str]]:
    """Rule and path of every fault."""
    return {(found.rule, found.path) for found in error.value.faults}


@pytest.fixture
def account(ledger: Any) -> Account:
    """An account of a VPSBG provider."""
    ledger.provider("vpsbg")
    found: Account = ledger.account("vpsbg")
    return found


@pytest.mark.usefixtures("account")
def test_a_lock_is_told_once_in_the_journal(ledger: Any) -> None:
    """A lock is a fact with its entry; the same day again changes nothing, and the ledger is whole."""
    lock = lock_period(ledger.books, provider="vpsbg", through=JULY)
    assert (lock.locked_through, lock.actor, lock.recorded_at_us) == (JULY, ledger.books.actor, ledger.clock())
    before = dump(ledger.books)
    assert lock_period(ledger.books, provider="vpsbg", through=JULY) == lock
    assert dump(ledger.books) == before
    assert [entry.subject_id for entry in read_journal(ledger.books, provider="vpsbg", limit=99) if entry.event == "period.locked"] == [lock.id]
    assert list(verify(ledger.books)) == []


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("through", [date(2024, 8, 1), date(2024, 8, 2), date(2999, 1, 1)])
def test_only_what_is_over_can_be_locked(ledger: Any, through: date) -> None:
    """Neither today nor a day to come, as the calendar stands where the books are kept; nothing is written."""
    before = dump(ledger.books)
    with pytest.raises(InvalidDocumentError) as error:
        lock_period(ledger.books, provider="vpsbg", through=through)
    assert refused(error) == {("PERIOD-OPEN", "through")}
    assert dump(ledger.books) == before


@pytest.mark.usefixtures("account")
def test_a_period_is_over_where_the_books_are_kept(ledger: Any) -> None:
    """At 21:30 UTC on 1 August it is 2 August in Sofia, so 1 August can be locked; half an hour before midnight there it cannot."""
    ledger.clock.now_us = midnight(date(2024, 8, 2), "Europe/Sofia") - HOUR_US // 2
    with pytest.raises(InvalidDocumentError, match="is not over"):
        lock_period(ledger.books, provider="vpsbg", through=date(2024, 8, 1))
    ledger.clock.now_us += HOUR_US
    assert lock_period(ledger.books, provider="vpsbg", through=date(2024, 8, 1)).locked_through == date(2024, 8, 1)


@pytest.mark.usefixtures("account")
def test_a_lock_only_goes_on(ledger: Any) -> None:
    """An earlier day than what is locked is a conflict; a later one moves the lock; another provider's books are its own."""
    lock_period(ledger.books, provider="vpsbg", through=date(2024, 6, 30))
    with pytest.raises(ConflictError, match="locked through 2024-06-30"):
        lock_period(ledger.books, provider="vpsbg", through=date(2024, 6, 29))
    lock_period(ledger.books, provider="vpsbg", through=JULY)
    ledger.provider("checkdomain")
    other = ledger.account("checkdomain")
    assert issue(ledger.books, account_id=other.id, draft=draft(issue_date="2024-06-30")).issue_date == date(2024, 6, 30)
    with pytest.raises(NotFoundError):
        lock_period(ledger.books, provider="nobody", through=JULY)
    assert list(verify(ledger.books)) == []


@pytest.mark.parametrize(
    ("terms", "paths"),
    [
        ({"issue_date": "2024-07-31"}, {"issue_date"}),
        ({"tax_point_date": "2024-07-31"}, {"tax_point_date"}),
        ({"issue_date": "2024-07-30", "tax_point_date": "2024-06-01"}, {"issue_date", "tax_point_date"}),
        ({"issue_date": "2024-07-31", "type_code": 325, "order_ids": [7]}, {"issue_date"}),
    ],
)
def test_nothing_is_issued_into_a_locked_period(ledger: Any, account: Account, terms: dict[str, object], paths: set[str]) -> None:
    """Neither by issue date nor by tax point, on the last locked day or before; nothing is written and the next number is still the next."""
    lock_period(ledger.books, provider="vpsbg", through=JULY)
    before = dump(ledger.books)
    with pytest.raises(InvalidDocumentError) as error:
        issue(ledger.books, account_id=account.id, draft=draft(**terms))
    assert refused(error) == {("PERIOD-LOCKED", path) for path in paths}
    assert dump(ledger.books) == before
    assert issue(ledger.books, account_id=account.id, draft=draft(tax_point_date="2024-08-01")).number == "0000000001"


def test_a_credit_note_belongs_to_an_open_period(ledger: Any, account: Account) -> None:
    """What was invoiced in a locked period is credited in the open one; a credit note with the old tax point is refused."""
    invoice = issue(ledger.books, account_id=account.id, draft=draft(issue_date="2024-07-15", tax_point_date="2024-07-10"))
    lock_period(ledger.books, provider="vpsbg", through=JULY)
    with pytest.raises(InvalidDocumentError) as error:
        issue(ledger.books, account_id=account.id, draft=draft(type_code=381, preceding_invoice=invoice.number, tax_point_date="2024-07-10"))
    assert refused(error) == {("PERIOD-LOCKED", "tax_point_date")}
    note = credit(ledger.books, account_id=account.id, invoice_id=invoice.id)
    assert (note.issue_date, note.tax_point_date, note.number) == (date(2024, 8, 1), None, "0000000002")


def item(position: int, **document: Any) -> BillingItem:
    """A good item, unless the document says otherwise."""
    return BillingItem(
        position=position,
        data={"account": "demo", "period": "2024-08", "product": f"VPS {position}", "lines": [{"name": "VPS", "unit_price": "1"}]} | document,
    )


@pytest.mark.usefixtures("account")
def test_a_billing_run_refuses_what_falls_into_a_locked_period(ledger: Any) -> None:
    """Dry or not, such items are reported and left out, and the numbers of the others have no gap."""
    lock_period(ledger.books, provider="vpsbg", through=JULY)
    items = [item(1), item(2, tax_point_date="2024-07-31"), item(3, issue_date="2024-07-30"), item(4)]
    for dry_run in (True, False):
        reports = list(run_billing(ledger.books, provider="vpsbg", read=lambda: items, dry_run=dry_run))
        assert {report.position: [found.rule for found in report.faults] for report in reports if report.faults} == {2: ["PERIOD-LOCKED"], 3: ["PERIOD-LOCKED"]}
    assert [report.number for report in reports if report.number] == ["0000000001", "0000000002"]
    assert list(verify(ledger.books)) == []


@pytest.mark.usefixtures("account")
def test_a_run_that_was_billed_before_the_lock_is_still_billed_before(ledger: Any) -> None:
    """Running a file again after its period was locked refuses nothing that is issued already."""
    items = [item(1, tax_point_date="2024-07-31")]
    for outcome in (BillingOutcome.ISSUED, BillingOutcome.BILLED_BEFORE):
        assert [report.outcome for report in run_billing(ledger.books, provider="vpsbg", read=lambda: items)] == [outcome]
        lock_period(ledger.books, provider="vpsbg", through=JULY)


@pytest.mark.usefixtures("account")
def test_a_lock_that_comes_between_validation_and_issue_holds(ledger: Any) -> None:
    """Items that were valid when the run began are refused one by one once the period is locked, and the rest is issued."""
    items = [item(1, tax_point_date="2024-07-31"), item(2), item(3, issue_date="2024-07-31")]
    reads = 0

    def read() -> list[BillingItem]:
        nonlocal reads
        reads += 1
        if reads == 2:  # everything has been validated
            lock_period(ledger.books, provider="vpsbg", through=JULY)
        return items

    reports = {report.position: report for report in run_billing(ledger.books, provider="vpsbg", read=read)}
    assert {position: report.outcome for position, report in reports.items()} == {
        1: BillingOutcome.REFUSED,
        2: BillingOutcome.ISSUED,
        3: BillingOutcome.REFUSED,
    }
    assert reports[2].number == "0000000001"
    assert list(verify(ledger.books)) == []


def test_who_waits_over_midnight_bears_the_new_days_rate(ledger: Any) -> None:
    """The rate of the day on which the number is taken counts: a document prepared the evening before a change is refused, and then fits."""
    ledger.provider("checkdomain")
    account = ledger.account("checkdomain")
    buyer = Party(name="Aino", country="FI")
    ledger.clock.now_us = midnight(date(2024, 9, 1), "Europe/Berlin") - 1
    books = ledger.books
    with books.storage.reading() as tx:
        seller = tx.providers.get(account.provider_id).seller

    def parsed(today: date) -> Draft:
        return parse_draft({"lines": [{"name": "VPS", "unit_price": "10"}]}, currency=Currency("EUR"), buyer=buyer, seller=seller, today=today)

    evening = parsed(date(2024, 8, 31))
    ledger.clock.step_us = 1  # the first look at the clock is still August, the one under the lock is not
    ledger.clock.now_us -= 1
    with pytest.raises(InvalidDocumentError) as error:
        issue(books, account_id=account.id, draft=evening)
    assert refused(error) == {("VAT-OVERRIDE", "lines[0].vat_rate")}
    invoice = issue(books, account_id=account.id, draft=parsed(date(2024, 9, 1)))
    assert (invoice.number, invoice.tax_country, str(invoice.vat_breakdown[0].rate)) == ("2024-000001", "FI", "25.5")
