from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from tests.conftest import Ledger
from tests.database import dump, execute
from tests.imports import answers

from faktura.bootstrap.books import DIALECTS
from faktura.domain.errors import ConflictError
from faktura.domain.money import Currency
from faktura.domain.party import Party
from faktura.domain.provider import Provider
from faktura.domain.recorded import Change, Heard, Outcome
from faktura.ledger.collecting import (
    Absence,
    Collection,
    documents,
    due_places,
    hear,
    list_contradictions,
    mark_absent,
    open_collection,
    shown_count,
    without_single,
    without_single_count,
)
from faktura.ledger.queries import get_invoice
from faktura.ledger.verification import verify
from faktura.storage.statement import load_statements


def provider(dialect: str, *, zone: str | None = None, currency: Currency | None = None) -> Provider:
    """What a source's documents are kept under."""
    defaults = DIALECTS[dialect].defaults
    seller = Party(name="api.example")
    return Provider(id=0, name="source", dialect=dialect, seller=seller, zone=zone or defaults.zone, currency=currency or defaults.currency)


@pytest.fixture
def collection(engine: str, ledger: Ledger) -> Collection:
    """A collection of checkdomain's dialect."""
    return open_collection(ledger.books, provider=provider("checkdomain"), reference="me")


def parsed(collection: Collection, answer: dict[str, Any], seen_at_us: int) -> list[Heard]:
    """The documents of an answer, seen then."""
    found = DIALECTS[collection.provider.dialect].parse_answer(json.dumps(answer).encode(), provider=collection.provider)
    return [type(heard)(invoice=heard.invoice, standing=heard.standing, kind=heard.kind, body=heard.body, seen_at_us=seen_at_us) for heard in found.documents]


class Desk:
    """Hears answers, each later than the one before."""

    def __init__(self, ledger: Ledger, collection: Collection) -> None:
        self.ledger, self.collection = ledger, collection

    def hear(self, answer: dict[str, Any]) -> list[Change]:
        """Hear an answer, a second later."""
        self.ledger.clock.now_us += 1_000_000
        return hear(self.ledger.books, self.collection, parsed(self.collection, answer, self.ledger.clock.now_us))

    def lose(self, *wire_ids: int) -> Sequence[Change]:
        """See that these documents are gone, a second later."""
        self.ledger.clock.now_us += 1_000_000
        gone = [item for item in documents(self.ledger.books, self.collection, before_us=2**62) if item.wire_id in wire_ids]
        absences = [Absence(document=item, proof=b'{"gone":%d}' % item.wire_id) for item in gone]
        return mark_absent(self.ledger.books, self.collection, absences, seen_at_us=self.ledger.clock.now_us)


@pytest.fixture
def desk(ledger: Ledger, collection: Collection) -> Desk:
    """Where answers for the collection are heard."""
    return Desk(ledger, collection)


def test_a_collection_is_opened_once(ledger: Ledger, collection: Collection) -> None:
    """The same name and account are the same collection; another dialect, zone or currency is refused."""
    assert open_collection(ledger.books, provider=provider("checkdomain"), reference="me") == collection
    for other in (provider("vpsbg"), provider("checkdomain", zone="Europe/Sofia"), provider("checkdomain", currency=Currency("BGN"))):
        with pytest.raises(ConflictError, match="give the source another name"):
            open_collection(ledger.books, provider=other, reference="me")


def test_hearing_the_same_again_writes_nothing(ledger: Ledger, desk: Desk) -> None:
    """However often and whenever a source says the same, the ledger's bytes stay."""
    desk.hear(answers.page())
    desk.hear(answers.single())
    before = dump(ledger.books)
    for answer in (answers.page(), answers.single(), answers.page()):
        assert [(change.outcome, change.is_written) for change in desk.hear(answer)] == [(Outcome.UNCHANGED, False)] * len(
            answer.get("_embedded", {}).get("invoices", [0])
        )
    assert dump(ledger.books) == before


def test_there_and_back_again_is_seen(ledger: Ledger, desk: Desk) -> None:
    """A payment that a source takes back is in force again, though it said the same before."""
    for paid, due in (("10.02", 198), ("12", 0), ("10.02", 198)):
        changes = desk.hear(answers.page(paid=paid))
        assert changes[0].is_written
        assert get_invoice(ledger.books, invoice_id=changes[0].invoice_id).standing.due_minor == due
    assert list(verify(ledger.books)) == []


def test_details_are_wanted_until_they_came(ledger: Ledger, desk: Desk) -> None:
    """Of whom the list said something new, the details are asked for: also where they add nothing."""
    desk.hear(answers.page())
    assert [item.wire_id for item in without_single(ledger.books, desk.collection, batch_size=1)] == [1, 2]
    desk.hear(answers.single())
    assert [item.wire_id for item in without_single(ledger.books, desk.collection)] == [2]
    desk.hear(answers.page(paid="12"))
    assert [item.wire_id for item in without_single(ledger.books, desk.collection)] == [1, 2]
    desk.hear(answers.single(paid="12"))
    desk.hear(answers.page())  # back again, and so are the details, word for word
    desk.hear(answers.single())
    assert [item.wire_id for item in without_single(ledger.books, desk.collection)] == [2]
    assert without_single_count(ledger.books, desk.collection) == 1
    assert list(verify(ledger.books)) == []


def test_a_document_that_is_gone_stays_as_it_is(ledger: Ledger, desk: Desk) -> None:
    """That a source does not show it any more is written once, with its proof; the document, and what is paid of it, stay."""
    first = desk.hear(answers.page())[0]
    before = get_invoice(ledger.books, invoice_id=first.invoice_id)
    assert shown_count(ledger.books, desk.collection) == 2
    assert [str(item) for change in desk.lose(1) for item in change.differences] == ["gone: its source does not show it any more"]
    assert shown_count(ledger.books, desk.collection) == 1
    assert desk.lose(1) == []
    assert get_invoice(ledger.books, invoice_id=first.invoice_id) == before
    ((owner, found),) = list_contradictions(ledger.books)
    assert (owner.name, found.account, found.number) == ("source", "me", "1111-100001")
    assert json.loads(found.kept_body)["invoice_number"] == "1111-100001"
    assert found.heard_body == b'{"gone":1}'
    assert list(verify(ledger.books)) == []


def test_a_document_that_comes_back_is_told(ledger: Ledger, desk: Desk) -> None:
    """Shown again, it is no longer missing, and the ledger knows of both."""
    desk.hear(answers.page())
    desk.lose(1)
    back = desk.hear(answers.page())
    assert [str(item) for item in back[0].differences] == ["back: its source shows it again"]
    assert not back[1].is_written
    assert shown_count(ledger.books, desk.collection) == 2
    assert not any(change.is_written for change in desk.hear(answers.page()))
    desk.lose(1)
    assert shown_count(ledger.books, desk.collection) == 1
    told = [found.differences[0].heard for _, found in list_contradictions(ledger.books)]
    assert told == ["absent", "listed", "absent"]
    assert [found.differences[0].heard for _, found in list_contradictions(ledger.books, since_us=ledger.clock.now_us)] == ["absent"]
    assert list(verify(ledger.books)) == []


def test_a_contradiction_is_written_once(ledger: Ledger, desk: Desk) -> None:
    """A total that changed is kept beside the first, which stays in force; told again, it is not written again."""
    first = desk.hear(answers.page())[0]
    changed = answers.page()
    changed["_embedded"]["invoices"][0]["amount_total"] = 13
    assert [change.is_written for change in desk.hear(changed)] == [True, False]
    assert [(change.outcome, change.is_written) for change in desk.hear(changed)] == [(Outcome.CONFLICT, False), (Outcome.UNCHANGED, False)]
    assert get_invoice(ledger.books, invoice_id=first.invoice_id).invoice.total_with_vat_minor == 1200
    ((_, found),) = list_contradictions(ledger.books, provider="source")
    assert (json.loads(found.kept_body)["amount_total"], json.loads(found.heard_body)["amount_total"]) == (12, 13)


def test_places_of_what_is_due_leave_out_what_is_gone(ledger: Ledger, desk: Desk) -> None:
    """A document's place in the source's list counts those that the source still shows before it."""
    items = [
        answers.FIRST | {"id": 100 - place, "invoice_number": f"R{100 - place}", "created": f"2017-11-{28 - place:02}T10:00:00+0100"} for place in range(8)
    ]
    page = answers.page()
    page["_embedded"]["invoices"] = [item | answers.standing("12", "2" if item["id"] in {99, 96, 94} else "12") for item in items]
    desk.hear(page)
    assert [(place, item.wire_id) for place, item in due_places(ledger.books, desk.collection)] == [(1, 99), (4, 96), (6, 94)]
    desk.lose(100, 97, 94)
    assert [(place, item.wire_id) for place, item in due_places(ledger.books, desk.collection)] == [(0, 99), (2, 96)]


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("name", ["collected_absent", "collected_without_single", "collected_without_single_count", "contradictions"])
def test_a_documents_own_words_are_looked_up(ledger: Ledger, desk: Desk, name: str) -> None:
    """However many words the account has, and though nobody counted its rows: never along all of them for each document."""
    desk.hear(answers.page())
    sql = load_statements("sqlite")[name]
    plan = [row["detail"] for row in execute(ledger.books, "EXPLAIN QUERY PLAN " + re.sub(r":\w+", "?", sql), [1 for _ in re.findall(r":\w+", sql)])]
    inner = [step for step in plan if re.match(r"SEARCH (s|f)\b", step)]
    assert inner
    assert all("invoice_id=?" in step or "source_id=?" in step for step in inner), plan
