"""Billing runs: validated first, issued in batches, resumed without doubles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.database import dump

from faktura.domain.draft import parse_draft
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.ledger import billing
from faktura.ledger.accounts import set_provider
from faktura.ledger.billing import BillingItem, BillingOutcome, run_billing
from faktura.ledger.commands import issue
from faktura.ledger.queries import get_invoice
from faktura.ledger.verification import verify


def item(position: int, *, account: str = "a0", product: str = "VPS", **document: Any) -> BillingItem:
    """A good item of one line, unless the document says otherwise."""
    data = {"account": account, "period": "2024-08", "product": product, "lines": [{"name": product, "unit_price": "10"}]} | document
    return BillingItem(position=position, data=data)


@pytest.fixture
def shop(ledger: Any) -> Any:
    """A VPSBG provider with three accounts."""
    ledger.provider("vpsbg")
    for number in range(3):
        ledger.account("vpsbg", f"a{number}")
    return ledger


def many(count: int) -> list[BillingItem]:
    """Items over all accounts."""
    return [item(position, account=f"a{position % 3}", product=f"VPS {position}") for position in range(1, count + 1)]


def run(ledger: Any, items: list[BillingItem], **options: Any) -> list[billing.ItemReport]:
    """The reports of a run."""
    return list(run_billing(ledger.books, provider="vpsbg", read=lambda: items, **options))


def test_a_run_issues_consecutive_numbers_in_the_order_of_the_file(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every item becomes an invoice with the next number, over batches and accounts, and the ledger is whole."""
    monkeypatch.setattr(billing, "BATCH_SIZE", 7)
    reports = run(shop, many(25))
    assert [report.number for report in reports] == [f"{seq:010d}" for seq in range(1, 26)]
    assert list(verify(shop.books)) == []
    first = get_invoice(shop.books, invoice_id=reports[0].invoice_id or 0).invoice
    assert (first.total_with_vat_minor, first.vat_total_minor) == (1200, 200)


def test_faults_are_told_for_each_item_and_the_rest_goes_on(shop: Any) -> None:
    """Unknown accounts, missing keys, rules and no objects are refused one by one; numbers have no gap."""
    bad = [
        item(2, account="nobody"),
        item(3, lines=[]),
        BillingItem(position=4, data=None),
        BillingItem(position=5, data={"account": "a1"}),
        item(6, lines=[{"name": "x", "unit_price": "-1"}, {"name": "", "unit_price": "1"}]),
    ]
    reports = run(shop, [item(1), *bad, item(7, product="other")])
    refused = {report.position: {found.rule for found in report.faults} for report in reports if report.outcome is BillingOutcome.REFUSED}
    assert refused == {2: {"account"}, 3: {"BR-16"}, 4: {"type"}, 5: {"missing"}, 6: {"BR-27", "value"}}
    assert [report.number for report in reports if report.number] == ["0000000001", "0000000002"]


def test_a_dry_run_writes_nothing(shop: Any) -> None:
    """It says of every item what would become of it."""
    run(shop, [item(1)])
    before = dump(shop.books)
    reports = run(shop, [item(1), item(2, product="new"), item(3, account="nobody")], dry_run=True)
    assert {report.position: report.outcome.value for report in reports} == {1: "billed-before", 2: "valid", 3: "refused"}
    assert dump(shop.books) == before


def test_an_interrupted_run_goes_on_where_it_stopped(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the middle and run again, each item is billed once, without a gap; a third run issues nothing."""
    monkeypatch.setattr(billing, "BATCH_SIZE", 5)
    items = many(23)
    running = run_billing(shop.books, provider="vpsbg", read=lambda: items)
    for _ in range(8):
        next(running)
    running.close()
    again = run(shop, items)
    assert Counter(report.outcome.value for report in again) == {"billed-before": 10, "issued": 13}
    assert sorted(report.number for report in again if report.number) == [f"{seq:010d}" for seq in range(11, 24)]
    assert {report.outcome.value for report in run(shop, items)} == {"billed-before"}
    assert list(verify(shop.books)) == []


def test_a_crash_inside_a_batch_leaves_no_gap(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails within a batch, none of it is there, and the next run has no gap."""

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(billing, "write", fail)
        with pytest.raises(KeyboardInterrupt):
            run(shop, many(4))
    assert [report.number for report in run(shop, many(4))] == [f"{seq:010d}" for seq in range(1, 5)]
    assert list(verify(shop.books)) == []


def test_the_same_key_twice_in_one_file_is_billed_once(shop: Any) -> None:
    """Account, period and product name what is billed: the second item of a file is billed before, not doubled."""
    reports = run(shop, [item(1), item(2), item(3, account="a1")])
    assert [report.outcome.value for report in reports] == ["issued", "billed-before", "issued"]


def test_credit_notes_run_along_and_are_refused_alone(shop: Any) -> None:
    """A run may hold credit notes; one that the ledger refuses is reported, and the others of its batch are issued."""
    with shop.books.storage.reading() as tx:
        account = tx.accounts.find(1, "a0")
    draft = parse_draft({"lines": [{"name": "x", "unit_price": "10", "vat_rate": 20}]}, currency=Currency("EUR"), buyer=Party(name="B", country="BG"))
    invoice = issue(shop.books, account_id=account.id, draft=draft)
    good = item(1, product="back", type_code=381, preceding_invoice=invoice.number)
    beyond = item(2, product="back again", type_code=381, preceding_invoice=invoice.number)
    unknown = item(3, product="nothing", type_code=381, preceding_invoice="77")
    reports = run(shop, [good, beyond, unknown, item(4)])
    assert {report.position: report.outcome.value for report in reports} == {1: "issued", 2: "refused", 3: "refused", 4: "issued"}
    assert list(verify(shop.books)) == []


def test_a_refusal_inside_a_batch_leaves_no_gap(shop: Any) -> None:
    """Where the next number was given out before, what would bear it is refused, the batch goes on, and the series has not moved."""
    books = shop.books
    invoice = get_invoice(books, invoice_id=run(shop, [item(1)])[0].invoice_id or 0).invoice
    with books.storage.writing() as tx:
        series = next(found for found in tx.series.all(1) if found.name == "invoice")
        assert tx.series.use(series, ["0000000002"]) is None
    back = item(2, product="back", type_code=381, preceding_invoice=invoice.number)
    reports = run(shop, [back, item(3, product="other")])
    assert {report.position: [found.rule for found in report.faults] for report in reports} == {2: ["NUMBER-USED"], 3: ["NUMBER-USED"]}
    with books.storage.reading() as tx:
        assert [found.next_number for found in tx.series.all(1) if found.name == "invoice"] == [2]


def test_items_of_several_dates_are_issued_in_their_order(shop: Any) -> None:
    """Dates rise with numbers, whatever the order of the file; a date before the series' last is refused alone."""
    items = [item(1, product="today"), item(2, product="b", issue_date="2024-07-31"), item(3, product="a", issue_date="2024-07-30")]
    assert {report.position: report.number for report in run(shop, items)} == {1: "0000000003", 2: "0000000002", 3: "0000000001"}
    late, fine = run(shop, [item(4, product="late", issue_date="2024-07-29"), item(5, product="fine")])
    assert (late.outcome.value, [found.rule for found in late.faults], fine.number) == ("refused", ["ISSUE-DATE"], "0000000004")
    assert list(verify(shop.books)) == []


def test_a_twin_of_a_refused_item_is_no_document(shop: Any) -> None:
    """Of items with one key the first that can be issued is; none is called billed while no document is there, and the others name it."""
    run(shop, [item(1, product="first")])
    early = {"issue_date": "2024-07-01"}
    twins = [item(2, product="x", **early), item(3, product="x"), item(4, product="x"), item(5, product="y", **early), item(6, product="y", **early)]
    reports = run(shop, twins)
    assert [report.outcome.value for report in reports] == ["refused", "issued", "billed-before", "refused", "refused"]
    assert reports[2].invoice_id == reports[1].invoice_id is not None
    assert list(verify(shop.books)) == []


def test_what_was_billed_stays_billed_whatever_the_rules_say_now(shop: Any) -> None:
    """A file that is run again tells of its documents, also where an item could not be issued today: it owes nothing any more."""
    items = [item(1), item(2, product="other")]
    issued = run(shop, items)
    set_provider(shop.books, name="vpsbg", change=lambda provider: replace(provider, seller=Party(name="Moved", country="DE", vat_id="DE136695976")))
    named = [item(1, lines=[{"name": "VPS", "unit_price": "10", "vat_rate": 20}]), item(2, product="other", lines=[])]
    again = [*run(shop, named), *run(shop, named, dry_run=True)]
    assert [(report.outcome.value, report.invoice_id) for report in again] == 2 * [("billed-before", report.invoice_id) for report in issued]


def test_memory_is_not_the_size_of_the_run(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The input is read twice, item by item, and never held: no more than a batch is alive at once."""
    monkeypatch.setattr(billing, "BATCH_SIZE", 10)
    alive, most = 0, 0

    class Counted(dict[str, Any]):
        def __init__(self, *args: Any) -> None:
            nonlocal alive, most
            super().__init__(*args)
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def read() -> Iterator[BillingItem]:
        for found in many(100):
            yield BillingItem(position=found.position, data=Counted(found.data))

    assert len(list(run_billing(shop.books, provider="vpsbg", read=read))) == 100
    assert most <= 12
