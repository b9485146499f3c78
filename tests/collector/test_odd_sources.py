"""Sources that are wrong about themselves, or move while they are read: nothing false is written down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.collector.bookkeeper import Bookkeeper, served_forms
from tests.collector.scripted import Scripted, item, scripted

from faktura.bootstrap.sources import Source
from faktura.client.pull_report import PullReport
from faktura.domain.recorded import Outcome
from faktura.ledger.collecting import list_contradictions, list_doubles

pytestmark = pytest.mark.only("sqlite")  # what is asked and concluded is the same on every engine


@pytest.fixture
def script() -> Iterator[Scripted]:
    """A source of fifty documents."""
    with scripted() as source:
        source.items = [item(number) for number in range(50, 0, -1)]
        yield source


@pytest.fixture
def source(bookkeeper: Bookkeeper, script: Scripted) -> Source:
    """How it is asked."""
    return bookkeeper.source("vpsbg", script.url, name="odd")


def pull(bookkeeper: Bookkeeper, source: Source, *, is_full: bool = False) -> PullReport:
    """Pull it."""
    return bookkeeper.pull(source, "token", is_full=is_full)


def gone(bookkeeper: Bookkeeper) -> list[str]:
    """The numbers of documents that were written down as gone."""
    return [found.number for _, found in list_contradictions(bookkeeper.ledger.books) if found.differences[0].heard == "absent"]


def test_a_total_that_is_wrong_is_said_and_read_twice(bookkeeper: Bookkeeper, script: Scripted, source: Source) -> None:
    """Two readings that show the same prove that the list did not move: the announcement is wrong, and no third is asked for."""
    script.total = 51
    report = pull(bookkeeper, source)
    assert list(report.faults) == ["the list announces 51 documents, and shows 50"]
    assert (report.known, len(script.asked), report.is_complete) == (50, 4, False)


def test_a_document_that_slips_by_is_not_gone(bookkeeper: Bookkeeper, script: Scripted, source: Source) -> None:
    """One is removed from a page that was read, an older one appears: another is pushed over the edge, unseen, and yet there."""
    pull(bookkeeper, source)

    def slip(page: int) -> None:
        if page == 2 and len(script.asked) == 2:
            script.items = [given for given in script.items if given["id"] != 45] + [item(0, id=900)]

    script.asked.clear()
    script.before = slip
    script.items.insert(0, item(51))
    script.total = 50  # whatever it does, it always says the same
    report = pull(bookkeeper, source, is_full=True)
    script.before, script.total = lambda _: None, None
    assert "0000000021" not in gone(bookkeeper), report
    final = pull(bookkeeper, source, is_full=True)
    assert gone(bookkeeper) == ["0000000045"]
    assert final.is_complete
    bookkeeper.check()


def test_an_item_that_cannot_be_read_hides_no_other(bookkeeper: Bookkeeper, script: Scripted, source: Source) -> None:
    """Its id tells that it is there; so what is not there is known."""
    script.items[10]["amount"] = "ten"
    report = pull(bookkeeper, source)
    assert (report.known, report.total) == (49, 50)
    assert "item 11" in next(iter(report.faults))
    del script.items[20:22]
    report = pull(bookkeeper, source)
    assert (report.vanished, gone(bookkeeper)) == (2, ["0000000029", "0000000030"])
    script.items[10] = None
    del script.items[30]
    report = pull(bookkeeper, source, is_full=True)
    assert (report.vanished, len(report.faults)) == (0, 2)
    assert "some may be among its items that cannot be read: 1" in list(report.faults)[-1]
    bookkeeper.check()


def test_the_same_id_with_another_content_is_told(bookkeeper: Bookkeeper, script: Scripted, source: Source) -> None:
    """Twice in one list, on two pages: the first is kept, the other is a contradiction."""
    script.items.insert(40, item(45, amount_with_vat=99))
    report = pull(bookkeeper, source)
    assert report.outcomes[Outcome.CONFLICT] == 1
    ((_, found),) = list_contradictions(bookkeeper.ledger.books)
    assert found.number == "0000000045"


def test_a_number_that_comes_twice_is_told(bookkeeper: Bookkeeper, script: Scripted, source: Source) -> None:
    """Two documents of one type with one number: both are kept, and `changes` says so; a pro-forma may have it, too."""
    script.items.insert(0, item(51, invoice_number="0000000007"))
    script.items.insert(0, item(52, invoice_number="0000000008", type="proform"))
    assert pull(bookkeeper, source).is_complete
    ((_, double),) = list_doubles(bookkeeper.ledger.books)
    assert (double.number, double.count) == ("0000000007", 2)


def test_another_account_under_the_same_name_is_noticed(bookkeeper: Bookkeeper, script: Scripted, source: Source) -> None:
    """A token of somebody else shows none of what was shown before: that is no removal of everything."""
    pull(bookkeeper, source)
    script.items = [item(number) for number in range(1050, 1000, -1)]
    report = pull(bookkeeper, source)
    assert "or another account" in next(iter(report.faults))
    assert gone(bookkeeper) == []


def test_what_somebody_else_records_meanwhile_is_not_gone(bookkeeper: Bookkeeper, script: Scripted, source: Source) -> None:
    """Another pull, a moment later, sees a new document that this one's reading was too early for."""
    pull(bookkeeper, source)

    def meanwhile(page: int) -> None:
        if page == 2 and len(script.asked) == 2:
            script.before = lambda _: None
            script.items.insert(0, item(51))
            pull(bookkeeper, source)
            script.items.pop(0)

    script.asked.clear()
    script.before = meanwhile
    pull(bookkeeper, source, is_full=True)
    assert gone(bookkeeper) == []
    bookkeeper.check()


def test_a_page_of_rubbish_is_told_in_few_words(bookkeeper: Bookkeeper, script: Scripted, source: Source) -> None:
    """However many items cannot be read, so many are told as anybody reads."""
    script.items = [1] * 30 * 10
    report = pull(bookkeeper, source)
    assert report.failure is not None or len(report.faults) <= 102
    assert served_forms(bookkeeper.ledger, "odd") == {}
