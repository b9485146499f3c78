"""Issue, pay, credit."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tests.database import dump

from faktura.domain.calendar import midnight
from faktura.domain.draft import parse_draft
from faktura.domain.errors import ConflictError, InvalidDocumentError, NotFoundError, SettingError
from faktura.domain.invoice import Draft, Invoice, TypeCode
from faktura.domain.money import Currency
from faktura.domain.numbering import Reset
from faktura.domain.party import Party
from faktura.domain.provider import Account, hash_token
from faktura.ledger.accounts import add_account, set_provider, set_series
from faktura.ledger.commands import credit, issue
from faktura.ledger.payments import allocate_credit, pay
from faktura.ledger.queries import get_invoice
from faktura.ledger.verification import verify

EUR = Currency("EUR")
BUYER = Party(name="Primer EOOD", country="BG")
GERMAN = Party(name="Domains GmbH", country="DE", vat_id="DE136695976")
HOUR_US = 3_600_000_000


def draft(price: str = "90", **terms: object) -> Draft:
    """A one-line draft at 20 %."""
    document = {"lines": [{"name": "VPS", "unit_price": price, "vat_rate": 20}], **terms}
    return parse_draft(document, currency=EUR, buyer=BUYER)


def api_list(ledger: Any, dialect: str, token: str) -> list[dict[str, Any]]:
    """What the account's API list shows, newest first."""
    token_hash = hash_token(token)
    assert token_hash
    page = ledger.books.storage.serving().serving.page(token_hash, now_us=ledger.clock(), skip=0, size=100)
    assert page is not None
    assert page.total == len(page.rows), dialect
    return [json.loads(item, parse_float=Decimal) for _, item, _ in page.rows]


@pytest.fixture
def account(ledger: Any) -> Account:
    """An account of a VPSBG provider."""
    ledger.provider("vpsbg")
    found: Account = ledger.account("vpsbg")
    return found


def test_numbers_rise_without_a_gap_and_types_share_the_series(ledger: Any, account: Account) -> None:
    """Invoices, credit and debit notes share one counter of ten digits; pro-formas bear their order's number."""
    first = issue(ledger.books, account_id=account.id, draft=draft())
    pro_forma = issue(ledger.books, account_id=account.id, draft=draft(type_code=325, order_ids=[7398, 7399]))
    note = credit(ledger.books, account_id=account.id, invoice_id=first.id)
    debit = issue(ledger.books, account_id=account.id, draft=draft(type_code=383, preceding_invoice=first.number))
    assert [item.number for item in (first, note, debit)] == ["0000000001", "0000000002", "0000000003"]
    assert pro_forma.number == "0000007398"
    assert [item["type"] for item in api_list(ledger, "vpsbg", ledger.token("vpsbg"))] == ["debit_note", "credit_note", "proform", "original"]


def test_a_document_copies_all_it_shows(ledger: Any, account: Account) -> None:
    """An issued invoice read back is the one issued, seller and buyer included."""
    line = {"name": "VPS", "quantity": "3", "unit_price": "13.89", "vat_rate": 20, "period": {"start": "2024-08-01", "end": "2024-08-31"}, "order_id": 5}
    line["allowances_charges"] = [{"amount": "1.11", "reason": "loyal"}]
    extra = [{"charge": True, "amount": "5", "reason": "setup", "vat_rate": 20}, {"amount": "0.5", "reason": "rounding", "vat_rate": 20}]
    document = {"lines": [line], "allowances_charges": extra, "order_ids": [5, 6], "note": "Thank you", "due_date": "2024-09-01", "payment_terms": "30 days"}
    issued = issue(ledger.books, account_id=account.id, draft=parse_draft(document, currency=EUR, buyer=BUYER))
    assert get_invoice(ledger.books, invoice_id=issued.id).invoice == issued
    assert (issued.total_without_vat_minor, issued.vat_total_minor, issued.total_with_vat_minor) == (4506, 901, 5407)


def test_a_refused_document_changes_nothing(ledger: Any, account: Account) -> None:
    """All faults at once, nothing written, no number taken."""
    before = dump(ledger.books)
    lines = [{"name": "a", "unit_price": "1", "vat_category": "S", "vat_rate": 0}, {"name": "b", "unit_price": "-1", "vat_category": "AE", "vat_rate": 0}]
    with pytest.raises(InvalidDocumentError) as refused:
        issue(ledger.books, account_id=account.id, draft=parse_draft({"lines": lines}, currency=EUR, buyer=BUYER))
    assert {fault.rule for fault in refused.value.faults} >= {"BR-27", "BR-S-5", "BR-VAT-10", "BR-AE-2"}
    assert dump(ledger.books) == before
    assert issue(ledger.books, account_id=account.id, draft=draft()).number == "0000000001"


@pytest.mark.parametrize(("asked", "says"), [("2024-07-31", "before 2024-08-01"), ("2024-08-02", "in the future")])
def test_dates_never_fall_and_never_lead(ledger: Any, account: Account, asked: str, says: str) -> None:
    """An issue date before the series' last one, or after today where the books are kept, is refused."""
    issue(ledger.books, account_id=account.id, draft=draft())
    with pytest.raises(InvalidDocumentError, match=says):
        issue(ledger.books, account_id=account.id, draft=draft(issue_date=asked))


def test_the_year_ends_in_sofia(ledger: Any, account: Account) -> None:
    """An invoice at 22:30 UTC on New Year's Eve bears the next year's date, and no other clock can turn it back."""
    ledger.clock.now_us = midnight(date(2025, 1, 1), "Europe/Sofia") + HOUR_US // 2
    assert issue(ledger.books, account_id=account.id, draft=draft()).issue_date == date(2025, 1, 1)
    ledger.clock.now_us -= HOUR_US
    with pytest.raises(InvalidDocumentError, match="before 2025-01-01"):
        issue(ledger.books, account_id=account.id, draft=draft())


def test_a_yearly_series_starts_again(ledger: Any) -> None:
    """A series that resets each year starts at one with the first date of the year; others go on."""
    ledger.provider("checkdomain")
    account = ledger.account("checkdomain")
    with ledger.books.storage.writing() as tx:
        series = tx.series.all(1)[0]
        tx.series.set(replace(series, reset=Reset.YEAR))
    numbers = []
    for day in (date(2024, 12, 31), date(2024, 12, 31), date(2025, 1, 1)):
        ledger.clock.now_us = midnight(day, "Europe/Berlin") + HOUR_US
        numbers.append(issue(ledger.books, account_id=account.id, draft=draft()).number)
    assert numbers == ["2024-000001", "2024-000002", "2025-000001"]


def test_a_used_up_series_refuses(ledger: Any, account: Account) -> None:
    """The ten-digit series ends at 9999999999: the next number would not be lawful, and nothing is written."""
    set_series(ledger.books, provider="vpsbg", name="invoice", next_number=9_999_999_999)
    assert issue(ledger.books, account_id=account.id, draft=draft()).number == "9999999999"
    before = dump(ledger.books)
    with pytest.raises(InvalidDocumentError, match="used up"):
        issue(ledger.books, account_id=account.id, draft=draft())
    assert dump(ledger.books) == before


def test_payments_settle_in_order_and_the_rest_is_credit(ledger: Any, account: Account) -> None:
    """One payment over two invoices, then one beyond what is due: the excess is the account's, never an invoice's."""
    first, second = (issue(ledger.books, account_id=account.id, draft=draft()) for _ in range(2))
    result = pay(ledger.books, account_id=account.id, amount_minor=15_000, currency=EUR, invoice_ids=[first.id, second.id])
    assert [(item.invoice_id, item.amount_minor) for item in result.allocations] == [(first.id, 10_800), (second.id, 4_200)]
    result = pay(ledger.books, account_id=account.id, amount_minor=7_000, currency=EUR, invoice_ids=[second.id])
    assert result.credit_minor == 400
    standing = get_invoice(ledger.books, invoice_id=second.id).standing
    assert (standing.paid_minor, standing.due_minor) == (10_800, 0)
    with pytest.raises(ConflictError, match="nothing is due"):
        pay(ledger.books, account_id=account.id, amount_minor=1, currency=EUR, invoice_ids=[second.id])
    early = pay(ledger.books, account_id=account.id, amount_minor=500, currency=EUR)
    assert early.credit_minor == 500


@pytest.mark.parametrize(
    ("amount_minor", "currency", "paid_on", "says"),
    [(0, "EUR", None, "more than nothing"), (-5, "EUR", None, "more than nothing"), (5, "BGN", None, "is in EUR"), (5, "EUR", date(2030, 1, 1), "future")],
)
def test_absurd_payments_are_refused(ledger: Any, account: Account, amount_minor: int, currency: str, paid_on: date | None, says: str) -> None:  # noqa: PLR0917
    """Nothing, less than nothing, another currency, a date to come: refused, nothing written."""
    invoice = issue(ledger.books, account_id=account.id, draft=draft())
    before = dump(ledger.books)
    with pytest.raises(InvalidDocumentError, match=says):
        pay(ledger.books, account_id=account.id, amount_minor=amount_minor, currency=Currency(currency), paid_on=paid_on, invoice_ids=[invoice.id])
    assert dump(ledger.books) == before


def test_a_pro_forma_is_not_owed(ledger: Any, account: Account) -> None:
    """Nothing is allocated to a pro-forma, nor to a credit note: not beside an invoice, not by a share, not from credit."""
    pro_forma = issue(ledger.books, account_id=account.id, draft=draft(type_code=325, order_ids=[1]))
    invoice = issue(ledger.books, account_id=account.id, draft=draft())
    note = credit(ledger.books, account_id=account.id, invoice_id=invoice.id)
    named: list[dict[str, Any]] = [{"invoice_ids": [pro_forma.id, invoice.id]}, {"shares_minor": {pro_forma.id: 1}}, {"invoice_ids": [note.id]}]
    for terms in named:
        with pytest.raises(InvalidDocumentError, match="nothing is owed"):
            pay(ledger.books, account_id=account.id, amount_minor=1, currency=EUR, **terms)
    deposit = pay(ledger.books, account_id=account.id, amount_minor=1, currency=EUR).payment
    with pytest.raises(InvalidDocumentError, match="nothing is owed"):
        allocate_credit(ledger.books, account_id=account.id, payment_id=deposit.id, invoice_ids=[pro_forma.id])


def test_a_credit_note_settles_what_is_due_and_never_more_than_the_invoice(ledger: Any) -> None:
    """It counts in the paid amount of what it corrects; its own amounts are negative on the wire; together they never exceed the invoice."""
    ledger.provider("checkdomain", seller=GERMAN)
    account = ledger.account("checkdomain")
    document = {"lines": [{"name": "Domain", "quantity": "4", "unit_price": "25", "vat_rate": 19}]}
    invoice = issue(ledger.books, account_id=account.id, draft=parse_draft(document, currency=EUR, buyer=GERMAN))
    pay(ledger.books, account_id=account.id, amount_minor=10_000, currency=EUR, invoice_ids=[invoice.id])
    note = credit(ledger.books, account_id=account.id, invoice_id=invoice.id, quantities={1: Decimal(1)})
    credited, original = api_list(ledger, "checkdomain", ledger.token("checkdomain"))
    assert note.type_code is TypeCode.CREDIT_NOTE
    assert (original["amount_total"], original["amount_payed"], original["amount_open"], original["is_payed"]) == (119, 119, 0, True)
    # 19.00 of the 29.75 were due; 10.75 are credit of the account, still owed to the customer.
    assert (credited["amount_total"], credited["amount_payed"], credited["amount_open"]) == (Decimal("-29.75"), -19, Decimal("-10.75"))
    with pytest.raises(ConflictError, match=r"89\.25 EUR left"):
        credit(ledger.books, account_id=account.id, invoice_id=invoice.id)


def test_only_what_was_issued_here_can_be_credited(ledger: Any, account: Account) -> None:
    """Neither a pro-forma nor a credit note nor an unknown document."""
    pro_forma = issue(ledger.books, account_id=account.id, draft=draft(type_code=325, order_ids=[1]))
    with pytest.raises(ConflictError):
        credit(ledger.books, account_id=account.id, invoice_id=pro_forma.id)
    with pytest.raises(NotFoundError):
        credit(ledger.books, account_id=account.id, invoice_id=5)
    with pytest.raises(InvalidDocumentError, match="no invoice 77"):
        issue(ledger.books, account_id=account.id, draft=draft(type_code=381, preceding_invoice="77"))


def test_gross_prices_make_the_total_exact(ledger: Any, account: Account) -> None:
    """12.00 gross at 19 % is 12.00 to pay: no net price makes that total."""
    document = {
        "price_basis": "gross",
        "lines": [{"name": "Domain", "unit_price": "0.99", "vat_rate": 19}, {"name": "Mail", "unit_price": "11.01", "vat_rate": 19}],
        "override_reason": "The rates of another country make the case",
    }
    invoice = issue(ledger.books, account_id=account.id, draft=parse_draft(document, currency=EUR, buyer=BUYER))
    assert (invoice.total_with_vat_minor, invoice.vat_total_minor, invoice.total_without_vat_minor) == (1200, 192, 1008)
    assert sum(line.net_amount_minor or 0 for line in invoice.lines or ()) == 1008


def on(ledger: Any, account: Account, *days: date) -> list[str]:
    """Numbers of an invoice on each day."""
    numbers = []
    for day in days:
        ledger.clock.now_us = midnight(day, "Europe/Sofia")
        numbers.append(issue(ledger.books, account_id=account.id, draft=draft()).number)
    return numbers


def test_numbers_are_left_out_again_in_another_year(ledger: Any, account: Account) -> None:
    """A series that starts again each year may leave out the same numbers every year, a part of them, or more: all of it is kept and told."""
    set_series(ledger.books, provider="vpsbg", name="invoice", template="{year}-{seq:04d}", reset=Reset.YEAR)
    numbers = []
    for year, following in ((2024, 5), (2025, 5), (2026, 9), (2027, 3)):
        numbers += on(ledger, account, date(year, 7, 1))
        set_series(ledger.books, provider="vpsbg", name="invoice", next_number=following)
        numbers += on(ledger, account, date(year, 12, 31))
    assert numbers == ["2024-0001", "2024-0005", "2025-0001", "2025-0005", "2026-0001", "2026-0009", "2027-0001", "2027-0003"]
    assert list(verify(ledger.books)) == []


def test_a_series_may_begin_to_start_again_each_year(ledger: Any, account: Account) -> None:
    """Years that it counted through stay whole; once it has started again it cannot count on, since numbers would come twice."""
    set_series(ledger.books, provider="vpsbg", name="invoice", template="{year}-{seq:04d}")
    numbers = on(ledger, account, date(2024, 12, 31), date(2025, 1, 1))
    set_series(ledger.books, provider="vpsbg", name="invoice", reset=Reset.YEAR)
    numbers += on(ledger, account, date(2025, 1, 1), date(2026, 1, 1), date(2026, 1, 2))
    assert numbers == ["2024-0001", "2025-0002", "2025-0003", "2026-0001", "2026-0002"]
    assert list(verify(ledger.books)) == []
    with pytest.raises(ConflictError, match="numbers of 2024 to 2026, counted anew each year"):
        set_series(ledger.books, provider="vpsbg", name="invoice", reset=Reset.NEVER)


def test_a_series_set_to_start_again_by_mistake_is_set_back(ledger: Any, account: Account) -> None:
    """As long as it has numbers of one year only."""
    set_series(ledger.books, provider="vpsbg", name="invoice", template="{year}-{seq:04d}", reset=Reset.YEAR)
    numbers = on(ledger, account, date(2024, 7, 1))
    set_series(ledger.books, provider="vpsbg", name="invoice", reset=Reset.NEVER)
    assert numbers + on(ledger, account, date(2025, 1, 1)) == ["2024-0001", "2025-0002"]
    assert list(verify(ledger.books)) == []


LINES = [{"name": "VPS", "unit_price": "100", "vat_rate": 20}, {"name": "Book", "unit_price": "100", "vat_rate": 9}]


@pytest.mark.parametrize("change", [{"next_number": 10**10}, {"template": "{seq:02d}"}, {"template": "{seq:02d}", "next_number": 100}])
def test_a_series_is_not_set_where_no_number_fits(ledger: Any, account: Account, change: dict[str, Any]) -> None:
    """A counter never goes back, so a slip of the finger would end the series for good."""
    set_series(ledger.books, provider="vpsbg", name="invoice", next_number=100)
    before = dump(ledger.books)
    with pytest.raises(SettingError, match="does not fit the template"):
        set_series(ledger.books, provider="vpsbg", name="invoice", **change)
    assert dump(ledger.books) == before
    assert on(ledger, account, date(2024, 8, 2)) == ["0000000100"]


def credit_lines(ledger: Any, account: Account, number: str, *lines: tuple[str, int], **terms: object) -> Invoice:
    """A credit note of the user's own lines: price and rate."""
    document = {"type_code": 381, "preceding_invoice": number, "lines": [{"name": "less", "unit_price": price, "vat_rate": rate} for price, rate in lines]}
    return issue(ledger.books, account_id=account.id, draft=parse_draft(document | terms, currency=EUR, buyer=BUYER))


@pytest.mark.parametrize("basis", ["net", "gross"])
def test_a_credit_note_takes_back_no_vat_that_was_not_charged(ledger: Any, account: Account, basis: str) -> None:
    """Neither another rate or category, nor more of one rate than is left of it, although the total allows it; a reason overrides it, and is kept."""
    terms: dict[str, Any] = {"lines": LINES, "override_reason": "books", "price_basis": basis}
    number = issue(ledger.books, account_id=account.id, draft=draft(**terms)).number
    before = dump(ledger.books)
    for lines in ([("60", 100)], [("10", 21)], [("110", 20)], [("50", 20), ("110", 9)]):
        with pytest.raises(InvalidDocumentError, match="VAT-CREDIT"):
            credit_lines(ledger, account, number, *lines, price_basis=basis)
    assert dump(ledger.books) == before
    credit_lines(ledger, account, number, ("60", 20), price_basis=basis)
    with pytest.raises(InvalidDocumentError, match=r"has 40.00 EUR of category S at 20 % left to credit"):
        credit_lines(ledger, account, number, ("60", 20), price_basis=basis)
    note = credit_lines(ledger, account, number, ("60", 20), price_basis=basis, override_reason="agreed")
    assert note.override_reason == "agreed"
    assert list(verify(ledger.books)) == []


def test_a_credit_note_over_a_change_of_rate_takes_back_the_old_one(ledger: Any) -> None:
    """What was charged is given back: the rate of the new day is the one that needs a reason."""
    provider = ledger.provider("vpsbg", zone="Europe/Berlin")
    set_provider(ledger.books, name="vpsbg", change=lambda found: replace(found, seller=Party(name="S", country="DE", vat_id="DE136695976")))
    german = add_account(ledger.books, provider=provider.name, reference="g", buyer=Party(name="K", country="DE"))
    at = {19: date(2020, 6, 30), 16: date(2020, 7, 1)}
    ledger.clock.now_us = midnight(at[19], "Europe/Berlin")
    invoice = issue(
        ledger.books, account_id=german.id, draft=draft(lines=[{"name": "VPS", "unit_price": "100", "vat_rate": 19}], buyer={"name": "K", "country": "DE"})
    )
    ledger.clock.now_us = midnight(at[16], "Europe/Berlin")
    with pytest.raises(InvalidDocumentError, match="VAT-CREDIT"):
        credit_lines(ledger, german, invoice.number, ("50", 16))
    half = credit_lines(ledger, german, invoice.number, ("50", 19))
    rest = credit_lines(ledger, german, invoice.number, ("50", 19))
    assert (half.vat_total_minor, rest.vat_total_minor, half.issue_date) == (950, 950, at[16])
