"""Clocks that jump: numbers, dates, lists and leases stay in order, in Sofia and in Berlin."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.conftest import BUYER, Ledger
from tests.database import execute

from faktura.domain.draft import parse_draft
from faktura.domain.errors import InvalidDocumentError
from faktura.domain.invoice import Invoice, TypeCode
from faktura.domain.money import Currency
from faktura.domain.numbering import Reset
from faktura.ledger.accounts import set_series
from faktura.ledger.billing import BillingItem, run_billing
from faktura.ledger.billing_runs import LEASE_US, Lease, LeaseLostError, accept_run, begin_run, receive_items, work_off, work_waiting
from faktura.ledger.commands import credit, issue
from faktura.ledger.listing_query import list_invoices
from faktura.ledger.management_ports import BillingRun, RunState
from faktura.ledger.payments import pay
from faktura.ledger.verification import verify

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
ZONES = {"vpsbg": "Europe/Sofia", "checkdomain": "Europe/Berlin"}
EUR = Currency("EUR")
STEPS = 50
TURNS = {
    "year end": "2025-01-01T00:00",
    "leap day begins": "2028-02-29T00:00",
    "leap day ends": "2028-03-01T00:00",
    "no leap day": "2100-03-01T00:00",
    "summer time begins": "2026-03-29T03:00",
    "summer time ends": "2026-10-25T03:00",
}
"""Moments around which clocks jump, by the zone's own clock."""


def instant(local: str, zone: str) -> int:
    """The instant of a local time; of two the first."""
    return (datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def day_at(now_us: int, zone: str) -> date:
    """The day in a zone, counted without the ledger's help."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_us)).astimezone(ZoneInfo(zone)).date()


def document(**terms: Any) -> Any:
    """A draft of one line."""
    given = {"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20, "vat_category": "S"}], "override_reason": "a test"} | terms
    return parse_draft(given, currency=EUR, buyer=BUYER)


def count_yearly(ledger: Ledger, dialect: str) -> None:
    """Let the provider's invoices be numbered 2025-000001, from one again each year."""
    set_series(ledger.books, provider=dialect, name="invoice", template="{year}-{seq:06d}", reset=Reset.YEAR)


@dataclass
class Walk:
    """A provider that works while its clock jumps, and what must become of it."""

    ledger: Ledger
    dialect: str
    seeded: random.Random
    turn_us: int
    last_date: date | None = None
    next_number: int = 1
    expected: list[tuple[int, int, date]] = field(default_factory=list)
    """Year, number in it, date."""
    refused: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        self.zone = ZONES[self.dialect]
        self.ledger.provider(self.dialect)
        self.accounts = [self.ledger.account(self.dialect, name).id for name in ("a", "b")]
        count_yearly(self.ledger, self.dialect)
        self.issued_us = self.turn_us - 3 * HOUR_US

    def jump_to(self, now_us: int) -> None:
        """Set the clock."""
        self.ledger.clock.now_us = now_us
        self.today = day_at(now_us, self.zone)

    def jump(self) -> None:
        """From where the last document was issued: mostly on, often back, now and then to the very turn, or most of a day on."""
        kind = self.seeded.random()
        if kind < 0.1:
            self.jump_to(self.turn_us + self.seeded.choice([-1, 0, 1]))
        elif kind < 0.65:
            self.jump_to(self.issued_us + self.seeded.choice([0, 1, SECOND_US, 700 * SECOND_US, HOUR_US]))
        elif kind < 0.95:
            self.jump_to(self.issued_us - self.seeded.choice([1, SECOND_US, 700 * SECOND_US, HOUR_US, 30 * HOUR_US]))
        else:
            self.jump_to(self.issued_us + 20 * HOUR_US)

    def take(self, count: int) -> None:
        """What the series must give out now."""
        if self.last_date is not None and self.last_date.year < self.today.year:
            self.next_number = 1
        self.expected += [(self.today.year, self.next_number + place, self.today) for place in range(count)]
        self.next_number += count
        self.last_date, self.issued_us = self.today, self.ledger.clock.now_us

    def step(self) -> None:
        """Issue in one of several ways. A clock before the series' last date is refused, and leaves nothing."""
        self.steps += 1
        is_back = self.last_date is not None and self.today < self.last_date
        try:
            count, rules = self.seeded.choice([self._issue, self._issue_today, self._credit, self._bill])(), set()
        except InvalidDocumentError as error:
            count, rules = 0, {fault.rule for fault in error.faults}
        assert rules == ({"ISSUE-DATE"} if is_back else set())
        self.refused += is_back
        if count:
            self.take(count)
        pay(self.ledger.books, account_id=self.seeded.choice(self.accounts), amount_minor=self.steps, currency=EUR)

    def _issue(self) -> int:
        issue(self.ledger.books, account_id=self.seeded.choice(self.accounts), draft=document(note=str(self.steps)))
        return 1

    def _issue_today(self) -> int:
        """A date that is named: today is right, tomorrow never is."""
        account_id, tomorrow = self.seeded.choice(self.accounts), self.today + timedelta(days=1)
        with pytest.raises(InvalidDocumentError, match=r"numbers and dates rise together|is in the future"):
            issue(self.ledger.books, account_id=account_id, draft=document(issue_date=tomorrow.isoformat()))
        issue(self.ledger.books, account_id=account_id, draft=document(issue_date=self.today.isoformat()))
        return 1

    def _credit(self) -> int:
        """The newest invoice that has no credit note; where there is none, an invoice."""
        found = [invoice for invoice in documents(self.ledger) if invoice.type_code is TypeCode.INVOICE]
        with self.ledger.books.storage.reading() as tx:
            found = [invoice for invoice in found if not tx.invoices.credited_minor(invoice.account_id, invoice.id)]
        if not found:
            return self._issue()
        credit(self.ledger.books, account_id=found[-1].account_id, invoice_id=found[-1].id)
        return 1

    def _bill(self) -> int:
        lines = [{"name": "VPS", "unit_price": "10", "vat_rate": 20, "vat_category": "S"}]
        terms = {"period": str(self.steps), "lines": lines, "override_reason": "a test"}
        items = [BillingItem(position=place, data={"account": "ab"[place % 2], "product": str(place), **terms}) for place in range(3)]
        reports = list(run_billing(self.ledger.books, provider=self.dialect, read=lambda: items))
        if any(report.faults for report in reports):
            raise InvalidDocumentError([fault for report in reports for fault in report.faults])
        assert [report.number is not None for report in reports] == [True] * 3
        return 3


def documents(ledger: Ledger) -> list[Invoice]:
    """All documents, in the order of their ids."""
    return sorted((head.invoice for head in list_invoices(ledger.books)), key=lambda invoice: invoice.id)


def shown(ledger: Ledger, account_id: int, dialect: str) -> list[tuple[datetime, int]]:
    """An account's list as the provider's API shows it, newest first: instant and id."""
    rows = execute(ledger.books, "SELECT item FROM listing WHERE account_id = ? AND ordinal IS NOT NULL ORDER BY ordinal DESC", [account_id])
    items = [json.loads(bytes(row["item"])) for row in rows]
    return [(datetime.fromisoformat(item["created_at" if dialect == "vpsbg" else "created"]), item["id"]) for item in items]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("dialect", ZONES)
def test_numbers_dates_and_lists_stay_in_order_while_the_clock_jumps(ledger: Ledger, dialect: str, turn: str) -> None:
    """Jumps of microseconds to days, both ways, around a turn of the calendar: numbers rise without a gap and from one each year, and dates never fall.

    What the clock forbids is refused and leaves nothing; lists are sorted by the instants that they show.
    """
    walk = Walk(ledger, dialect, random.Random(f"{dialect} {turn}"), instant(TURNS[turn], ZONES[dialect]))
    for _ in range(STEPS):
        walk.jump()
        walk.step()
    found = documents(ledger)
    assert walk.refused
    assert len(found) > STEPS // 2
    assert [(invoice.number, invoice.issue_date) for invoice in found] == [(f"{year}-{seq:06d}", day) for year, seq, day in walk.expected]
    assert all(before.issue_date <= after.issue_date for before, after in pairwise(found))
    by_id = {invoice.wire_id: invoice for invoice in found}
    for account_id in walk.accounts:
        listed = shown(ledger, account_id, dialect)
        assert listed == sorted(listed, reverse=True)
        assert len(listed) == sum(invoice.account_id == account_id for invoice in found)
        for created, wire_id in listed:
            assert created.astimezone(ZoneInfo(ZONES[dialect])).date() == by_id[wire_id].issue_date
        if dialect == "vpsbg":  # what it shows is the day's beginning: numbers rise with it, whatever the clock did
            assert [wire_id for _, wire_id in listed] == sorted((wire_id for _, wire_id in listed), reverse=True)
    assert not list(verify(ledger.books))


@pytest.mark.parametrize("dialect", ZONES)
def test_a_yearly_series_starts_again_at_midnight_where_the_books_are_kept(ledger: Ledger, dialect: str) -> None:
    """The last microsecond of the year is still its year; the next is number one; back before it nothing can be issued; then it goes on."""
    zone = ZONES[dialect]
    new_year = instant("2026-01-01T00:00", zone)
    assert new_year - instant("2026-01-01T00:00", "UTC") == (-2 if dialect == "vpsbg" else -1) * HOUR_US
    ledger.provider(dialect)
    account_id = ledger.account(dialect).id
    count_yearly(ledger, dialect)
    numbers: dict[int, str] = {}
    for now_us in (new_year - 2 * DAY_US, new_year - 1, new_year, new_year - 1, new_year - 30 * DAY_US, new_year + 1, new_year + 366 * DAY_US, new_year + 1):
        ledger.clock.now_us = now_us
        try:
            numbers[len(numbers)] = issue(ledger.books, account_id=account_id, draft=document()).number
        except InvalidDocumentError as error:
            numbers[len(numbers)] = error.faults[0].rule
    refused = "ISSUE-DATE"
    assert list(numbers.values()) == ["2025-000001", "2025-000002", "2026-000001", refused, refused, "2026-000002", "2027-000001", refused]
    assert not list(verify(ledger.books))


@pytest.mark.parametrize("dialect", ZONES)
@pytest.mark.parametrize(("turn", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_has_as_many_hours_as_its_zone_gives_it(ledger: Ledger, dialect: str, turn: str, hours: int) -> None:
    """Where summer time begins and ends, every half hour bears the zone's date, and the list shows the instants in order, also of an hour that comes twice."""
    zone, day = ZONES[dialect], date.fromisoformat(turn)
    ledger.provider(dialect)
    account_id = ledger.account(dialect).id
    begins = instant(f"{turn}T00:00", zone)
    by_day: dict[date, int] = defaultdict(int)
    for half_hour in range(-2, 2 * hours + 2):
        ledger.clock.now_us = begins + half_hour * HOUR_US // 2
        by_day[issue(ledger.books, account_id=account_id, draft=document()).issue_date] += 1
    assert by_day == {day - timedelta(days=1): 2, day: 2 * hours, day + timedelta(days=1): 2}
    listed = shown(ledger, account_id, dialect)
    assert listed == sorted(listed, reverse=True)
    if dialect == "checkdomain":
        assert {after - before for after, before in pairwise(created for created, _ in listed)} == {timedelta(minutes=30)}
    else:
        assert len({created for created, _ in listed}) == 3
    assert not list(verify(ledger.books))


def accept(ledger: Ledger, provider_id: int, count: int) -> BillingRun:
    """A billing run that waits; always of the same items."""
    lines = [{"name": "VPS", "unit_price": "10"}]
    items = [(place, json.dumps({"account": "demo", "period": "2024-07", "product": f"{place}", "lines": lines})) for place in range(1, count + 1)]
    run = begin_run(ledger.books, provider_id=provider_id, is_dry_run=False)
    return accept_run(ledger.books, receive_items(ledger.books, run, items))


@pytest.fixture
def run(ledger: Ledger) -> BillingRun:
    """A billing run of seven items, the provider's first."""
    provider = ledger.provider("vpsbg")
    ledger.account("vpsbg")
    return accept(ledger, provider.id, 7)


def never() -> bool:
    """Nobody stops the work."""
    return False


def hold(ledger: Ledger, run: BillingRun, holder: str) -> None:
    """Take the lease, make progress, and die."""

    class DiedError(Exception):
        pass

    looks = iter([False])

    def die() -> bool:
        if next(looks, True):
            raise DiedError
        return False

    with pytest.raises(DiedError):
        work_off(ledger.books, run, lease=Lease(holder), is_stopping=die)


@pytest.mark.parametrize("back_us", [0, SECOND_US, LEASE_US - 1, LEASE_US + SECOND_US, HOUR_US, 400 * DAY_US])
def test_a_clock_that_goes_back_makes_no_lease_eternal(ledger: Ledger, run: BillingRun, back_us: int) -> None:
    """After a holder died, others take the run over within two lengths of its lease, however far the clock went back; and each item is billed once."""
    hold(ledger, run, "dead")
    given_us = ledger.clock.now_us
    ledger.clock.now_us = given_us - back_us
    is_soon = back_us <= LEASE_US
    assert work_waiting(ledger.books, holder="other", is_stopping=never) == (not is_soon)
    ledger.clock.now_us += 2 * LEASE_US
    assert work_waiting(ledger.books, holder="other", is_stopping=never) == is_soon
    assert len(documents(ledger)) == 7
    assert not list(verify(ledger.books))


@pytest.mark.parametrize("jump_us", [-400 * DAY_US, -LEASE_US, -SECOND_US, SECOND_US, LEASE_US, 2 * LEASE_US, 400 * DAY_US])
def test_a_run_is_billed_once_whatever_the_clock_does_to_its_lease(ledger: Ledger, run: BillingRun, jump_us: int) -> None:
    """The clock jumps while a holder lives: either it goes on, or another has taken over and it can write nothing more."""
    hold(ledger, run, "first")
    ledger.clock.now_us += jump_us
    is_taken = work_waiting(ledger.books, holder="second", is_stopping=never) == 1
    if is_taken:
        with pytest.raises(LeaseLostError):
            work_off(ledger.books, run, lease=Lease("first"), is_stopping=never)
    else:
        assert work_off(ledger.books, run, lease=Lease("first"), is_stopping=never)
    assert len(documents(ledger)) == 7
    with ledger.books.storage.reading() as tx:
        done = tx.runs.get(run.provider_id, run.id)
    assert done is not None
    assert done.state is RunState.DONE
    assert not list(verify(ledger.books))


def test_a_clock_that_is_behind_refuses_an_item_and_bills_it_later(ledger: Ledger, run: BillingRun) -> None:
    """A billing run under a clock of yesterday tells what is wrong and issues nothing; sent again under the right one it bills everything once."""
    with ledger.books.storage.reading() as tx:
        [account] = tx.accounts.all(run.provider_id)
    issue(ledger.books, account_id=account.id, draft=document())
    ledger.clock.now_us -= DAY_US
    assert work_waiting(ledger.books, holder="h", is_stopping=never) == 1
    assert len(documents(ledger)) == 1
    with ledger.books.storage.reading() as tx:
        items = tx.runs.items(run, outcome=None, after=0, limit=10)
    assert {rule for item in items for rule, _, _ in item.faults} == {"ISSUE-DATE"}
    ledger.clock.now_us += DAY_US
    for _ in range(2):
        accept(ledger, run.provider_id, 7)
        assert work_waiting(ledger.books, holder="h", is_stopping=never) == 1
        assert len(documents(ledger)) == 8
    assert not list(verify(ledger.books))
