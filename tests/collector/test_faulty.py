"""Seeded pulls from a stand-in that misbehaves in every way it can: the complete set and no duplicate, or a clear error and a way on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from tests.collector.bookkeeper import Bookkeeper, Heard, served_forms
from tests.conftest import BUYER, Ledger, open_ledger
from tests.server.faulty import standing_in

from faktura.client import Client
from faktura.client.collector import Collector
from faktura.client.pull_report import PullReport
from faktura.dialects.base import WireDialect
from faktura.dialects.checkdomain import Checkdomain
from faktura.dialects.vpsbg import Vpsbg
from faktura.domain.draft import parse_draft
from faktura.domain.errors import FakturaError, LedgerError
from faktura.domain.money import Currency
from faktura.ledger.accounts import find_account, find_provider
from faktura.ledger.collecting import list_contradictions
from faktura.ledger.collecting_ports import CollectedDocument
from faktura.ledger.commands import issue
from faktura.ledger.payments import pay
from faktura.ledger.verification import verify
from faktura.server.fault_plan import FaultKind, FaultPlan
from faktura.server.faults import FaultyApp

EUR = Currency("EUR")
DAY_US = 86_400_000_000
RUNS = 100
"""Of each dialect."""
TOGETHER = 10
"""Runs that share a stand-in, whose ledger grows meanwhile."""
PULLS = 3
"""While everything goes wrong; then the weather clears, and another must do."""


class SmallPages(Checkdomain):
    """As checkdomain, with pages so small that a few documents make several."""

    limit_max = 10


DIALECTS: dict[str, tuple[WireDialect, int]] = {"vpsbg": (Vpsbg(), 65), "checkdomain": (SmallPages(), 23)}


@dataclass
class StandIn:
    """A provider that misbehaves, and how to ask it."""

    ledger: Ledger
    app: FaultyApp
    url: str
    token: str
    dialect: WireDialect

    def client(self, dice: random.Random) -> Client:
        """A client that does not really wait."""
        return Client(provider=self.dialect, token=self.token, base_url=f"{self.url}/v1", attempts_max=3, _sleep=lambda _: None, _random=dice.random)

    def shown(self) -> set[int]:
        """The ids that its list shows now."""
        return set(served_forms(self.ledger, self.dialect.name)) - {item.wire_id for item in self.app.vanished}


@pytest.fixture
def stand_in(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StandIn]:
    """A stand-in of a dialect with some paid and some open invoices."""
    dialect, count = DIALECTS[request.param]
    with open_ledger(tmp_path / "provider.db") as ledger:
        ledger.provider(dialect.name)
        account = ledger.account(dialect.name)
        for place in range(count):
            ledger.clock.now_us += DAY_US
            line = {"name": "VPS", "unit_price": str(10 + place), "vat_rate": 20, "order_id": 7}
            invoice = issue(ledger.books, account_id=account.id, draft=parse_draft({"type_code": 380, "lines": [line]}, currency=EUR, buyer=BUYER))
            if place % 3:
                pay(ledger.books, account_id=account.id, amount_minor=invoice.total_with_vat_minor or 0, currency=EUR, invoice_ids=[invoice.id])
        with standing_in(ledger.books) as (url, app):
            yield StandIn(ledger, app, url, ledger.token(dialect.name), dialect)


def weather(seed: int) -> FaultPlan:
    """Some faults at some rates."""
    dice = random.Random(seed)
    kinds = [kind for kind in FaultKind if dice.random() < 0.6]
    rates = {kind: Decimal(dice.choice(("0.02", "0.1", "0.3"))) for kind in kinds}
    return FaultPlan(seed=seed, rates=rates, delay_seconds=0, retry_after_seconds=0)


def pull(stand_in: StandIn, bookkeeper: Bookkeeper, seed: int, *, is_full: bool = False) -> PullReport:
    """One pull, by a client of its own."""
    bookkeeper.ledger.clock.now_us += 1_000_000
    source = bookkeeper.source(stand_in.dialect.name, stand_in.url, name="mine")
    with stand_in.client(random.Random(seed)) as client:
        return Collector(bookkeeper.ledger.books, client, source.provider(), "me", Heard(), accepts_vanished=True).pull(is_full=is_full)


def run(stand_in: StandIn, bookkeeper: Bookkeeper, seed: int) -> Counter[str]:
    """Pull in bad weather, then in good; what came of the bad ones."""
    stand_in.app.forget()
    stand_in.app.plan = weather(seed)
    ends: Counter[str] = Counter()
    for _ in range(PULLS):
        report = pull(stand_in, bookkeeper, seed)
        if report.failure is not None:
            assert not isinstance(report.failure, LedgerError), report.failure
            assert len(str(report.failure)) > 20, "an error says what was wrong"
        assert report.failure is None or isinstance(report.failure, FakturaError)
        ends["failed" if report.failure else "complete" if report.is_complete else "incomplete"] += 1
        ids = list(served_forms(bookkeeper.ledger, "mine"))
        assert len(ids) == len(set(ids))
    stand_in.app.plan = FaultPlan()
    for is_full in (False, True):
        report = pull(stand_in, bookkeeper, seed, is_full=is_full)
        assert (report.failure, list(report.faults), report.singles_left) == (None, [], 0)
        assert report.is_complete
    _check_whole(stand_in, bookkeeper)
    return ends


def _check_whole(stand_in: StandIn, bookkeeper: Bookkeeper) -> None:
    """The ledger has what the list shows, each once; what differs, or is gone, it has as a contradiction."""
    shown = stand_in.shown()
    ours = served_forms(bookkeeper.ledger, "mine")
    changes: dict[int, list[str]] = {}
    wire_ids = {document.invoice_id: document.wire_id for document in _documents(bookkeeper)}
    for _, found in list_contradictions(bookkeeper.ledger.books):
        changes.setdefault(wire_ids[found.invoice_id], []).extend(item.heard for item in found.differences if item.term == "presence")
        changes[wire_ids[found.invoice_id]] += [item.term for item in found.differences if item.term != "presence"]
    assert shown <= set(ours)
    gone = {wire_id for wire_id, told in changes.items() if [word for word in told if word in {"absent", "listed"}][-1:] == ["absent"]}
    assert set(ours) - shown == gone
    theirs = served_forms(stand_in.ledger, stand_in.dialect.name)
    altered = {item.wire_id for item in stand_in.app.changed}
    for wire_id in shown - altered:
        assert ours[wire_id] == theirs[wire_id]
    for wire_id in shown & altered:
        is_first_version = ours[wire_id][0] == theirs[wire_id][0]
        assert not is_first_version or [term for term in changes.get(wire_id, []) if term not in {"absent", "listed"}], wire_id
    assert list(verify(bookkeeper.ledger.books)) == []


def _documents(bookkeeper: Bookkeeper) -> list[CollectedDocument]:
    with bookkeeper.ledger.books.storage.reading() as tx:
        account = find_account(tx, find_provider(tx, "mine"), "me")
        return list(tx.collected.all(account.id, before_us=2**62))


@pytest.mark.parametrize("first", range(0, RUNS, TOGETHER))
@pytest.mark.parametrize("stand_in", list(DIALECTS), indirect=True)
def test_every_run_ends_whole_or_says_why(stand_in: StandIn, tmp_path: Path, first: int) -> None:
    """Ten seeds: whatever happened before, one pull in good weather makes the ledger whole, without a duplicate, and knows what changed and went."""
    ends: Counter[str] = Counter()
    for seed in range(first, first + TOGETHER):
        with open_ledger(tmp_path / f"books-{seed}.db") as ledger:
            ends += run(stand_in, Bookkeeper(ledger), seed)
    assert ends.total() == TOGETHER * PULLS
