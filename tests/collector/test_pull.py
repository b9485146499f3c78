"""A faktura server's invoices, pulled into another faktura."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.collector.bookkeeper import Bookkeeper, Heard, served_forms
from tests.conftest import BUYER, SHARED, Ledger, open_ledger, serving
from tests.database import database_at

from faktura.bootstrap.imports import Report, import_line_items
from faktura.bootstrap.sources import Source
from faktura.client import ThrottledError, TimedOutError
from faktura.config import Settings
from faktura.documents.line_items import online_retail_layout, with_account
from faktura.domain.draft import parse_draft
from faktura.domain.money import Currency
from faktura.domain.recorded import Outcome
from faktura.ledger.accounts import set_provider
from faktura.ledger.commands import credit, issue
from faktura.ledger.payments import pay

EUR = Currency("EUR")
DAY_US = 86_400_000_000
EVERY = pytest.mark.parametrize("dialect", ["vpsbg", "checkdomain"])


@dataclass
class Provider:
    """Somebody who issues invoices to one customer, and serves them."""

    ledger: Ledger
    dialect: str
    url: str
    token: str
    account_id: int

    def issue(self, count: int = 1, **terms: object) -> list[int]:
        """Issue so many invoices, a day apart; their ledger ids."""
        ids = []
        for _ in range(count):
            self.ledger.clock.now_us += DAY_US
            line = {"name": "VPS", "unit_price": "15", "vat_rate": 20, "order_id": 7}
            draft = parse_draft({"type_code": 380, "lines": [line], **terms}, currency=EUR, buyer=BUYER)
            ids.append(issue(self.ledger.books, account_id=self.account_id, draft=draft).id)
        return ids

    def pay(self, *ids: int, amount_minor: int = 1800) -> None:
        """What a customer pays for each of these."""
        for invoice_id in ids:
            pay(self.ledger.books, account_id=self.account_id, amount_minor=amount_minor, currency=EUR, invoice_ids=[invoice_id])


MakeProvider = Callable[..., Provider]


@pytest.fixture
def make_provider(tmp_path: Path) -> Iterator[MakeProvider]:
    """Makes a provider of a dialect, on a server of its own."""
    with ExitStack() as stack:

        def make(dialect: str, **settings: object) -> Provider:
            path = tmp_path / f"{dialect}.db"
            ledger = stack.enter_context(open_ledger(path))
            ledger.provider(dialect, **settings)
            account = ledger.account(dialect)
            token = ledger.token(dialect)
            served = stack.enter_context(serving(path))
            return Provider(ledger, dialect, served.url, token, account.id)

        yield make


def source_of(bookkeeper: Bookkeeper, provider: Provider) -> Source:
    """What the bookkeeper asks, by a name that stays when the port changes."""
    return bookkeeper.source(provider.dialect, provider.url, name="mine")


@EVERY
def test_all_of_it_comes_and_then_nothing_moves(bookkeeper: Bookkeeper, make_provider: MakeProvider, dialect: str) -> None:
    """Several pages with credit notes: the same content as there. A second pull asks for one page, and writes nothing."""
    provider = make_provider(dialect)
    ids = provider.issue(230)
    provider.pay(*ids)
    credit(provider.ledger.books, account_id=provider.account_id, invoice_id=ids[3], note="too much")
    source = source_of(bookkeeper, provider)
    report = bookkeeper.pull(source, provider.token)
    assert (report.failure, list(report.faults), report.total, report.known) == (None, [], 231, 231)
    assert report.outcomes[Outcome.NEW] == 231
    assert served_forms(bookkeeper.ledger, "mine") == served_forms(provider.ledger, dialect)
    assert report.singles == (231 if dialect == "checkdomain" else 0)
    assert report.requests == (8 if dialect == "vpsbg" else 3 + 231)
    before = bookkeeper.dump()
    again = bookkeeper.pull(source, provider.token)
    assert (again.requests, again.singles, again.singles_left, sum(again.outcomes.values())) == (1, 0, 0, 0)
    assert again.is_complete
    assert again.is_calm
    full = bookkeeper.pull(source, provider.token, is_full=True)
    assert (full.requests, sum(full.outcomes.values())) == (8 if dialect == "vpsbg" else 3 + 231, 0)
    assert bookkeeper.dump() == before
    bookkeeper.check()


@EVERY
def test_new_invoices_cost_their_pages(bookkeeper: Bookkeeper, make_provider: MakeProvider, dialect: str) -> None:
    """Of what is new since the last pull, the newest pages are read, and no more."""
    provider = make_provider(dialect)
    provider.pay(*provider.issue(130))
    source = source_of(bookkeeper, provider)
    bookkeeper.pull(source, provider.token)
    provider.pay(*provider.issue(4))
    report = bookkeeper.pull(source, provider.token)
    assert (report.outcomes[Outcome.NEW], report.total, report.known) == (4, 134, 134)
    assert report.requests == (2 if dialect == "vpsbg" else 2 + 4)
    assert served_forms(bookkeeper.ledger, "mine") == served_forms(provider.ledger, dialect)


@pytest.mark.only("sqlite")
@EVERY
def test_a_pull_that_was_broken_off_goes_on(bookkeeper: Bookkeeper, make_provider: MakeProvider, dialect: str) -> None:
    """The newest page is known and unchanged, and yet most are missing: the counts tell, and the rest is read."""
    provider = make_provider(dialect)
    provider.pay(*provider.issue(230))
    source = source_of(bookkeeper, provider)

    class Enough(Heard):
        def moved(self, *_: object) -> None:
            raise TimedOutError("the line went dead")

    broken = bookkeeper.pull(source, provider.token, heard=Enough())
    assert (str(broken.failure), broken.known, broken.total) == ("the line went dead", 30 if dialect == "vpsbg" else 100, 230)
    assert not broken.is_complete
    report = bookkeeper.pull(source, provider.token)
    assert (report.failure, report.known, report.total, report.is_calm) == (None, 230, 230, True)
    assert served_forms(bookkeeper.ledger, "mine") == served_forms(provider.ledger, dialect)
    bookkeeper.check()


def test_a_payment_on_an_old_invoice_is_seen(bookkeeper: Bookkeeper, make_provider: MakeProvider) -> None:
    """Only the page that has an open invoice is asked for; what was paid of it, and when, comes with it."""
    provider = make_provider("checkdomain")
    ids = provider.issue(450)
    provider.pay(*(item for place, item in enumerate(ids) if place != 20))
    source = source_of(bookkeeper, provider)
    bookkeeper.pull(source, provider.token)
    assert bookkeeper.pull(source, provider.token).requests == 2
    provider.pay(ids[20], amount_minor=1000)
    report = bookkeeper.pull(source, provider.token)
    assert (report.requests, report.outcomes, report.singles) == (3, {Outcome.OBSERVED: 1}, 1)
    assert report.is_calm
    assert served_forms(bookkeeper.ledger, "mine") == served_forms(provider.ledger, "checkdomain")
    provider.pay(ids[20], amount_minor=800)
    assert bookkeeper.pull(source, provider.token).requests == 3
    assert bookkeeper.pull(source, provider.token).requests == 1
    assert served_forms(bookkeeper.ledger, "mine") == served_forms(provider.ledger, "checkdomain")
    bookkeeper.check()


@pytest.mark.only("sqlite")
def test_details_wait_for_the_rate_limit(bookkeeper: Bookkeeper, make_provider: MakeProvider) -> None:
    """The list comes first; details as far as the limit allows, the rest with the next pull. That is no failure."""
    provider = make_provider("checkdomain", rate_limit=20, rate_window_seconds=3600)
    provider.pay(*provider.issue(40))
    source = source_of(bookkeeper, provider)
    report = bookkeeper.pull(source, provider.token)
    assert (report.requests, report.singles, report.singles_left, report.failure) == (20, 19, 21, None)
    assert report.is_complete
    refused = bookkeeper.pull(source, provider.token)  # the window has an hour to go
    assert isinstance(refused.failure, ThrottledError)
    assert refused.failure.retry_at is not None
    set_provider(provider.ledger.books, name="checkdomain", change=lambda current: replace(current, rate_limit=0))
    with serving(provider.ledger.path) as served:
        report = bookkeeper.pull(bookkeeper.source("checkdomain", served.url, name="mine"), provider.token)
    assert (report.singles, report.singles_left, report.known) == (21, 0, 40)
    assert served_forms(bookkeeper.ledger, "mine") == served_forms(provider.ledger, "checkdomain")
    bookkeeper.check()


@pytest.mark.only("sqlite")
def test_a_new_token_doubles_nothing(bookkeeper: Bookkeeper, make_provider: MakeProvider) -> None:
    """A source is its name, by default provider and host: whoever asks with another token asks for the same."""
    provider = make_provider("vpsbg")
    provider.issue(3)
    source = bookkeeper.source("vpsbg", provider.url)
    assert source.name == f"vpsbg-127.0.0.1-{provider.url.rpartition(':')[2]}"
    bookkeeper.pull(source, provider.token)
    before = bookkeeper.dump()
    report = bookkeeper.pull(source, provider.ledger.token("vpsbg"))
    assert (report.requests, report.known) == (1, 3)
    assert bookkeeper.dump() == before


@pytest.mark.only("sqlite")
def test_an_empty_account_is_complete(bookkeeper: Bookkeeper, make_provider: MakeProvider) -> None:
    """No invoice is no fault."""
    provider = make_provider("vpsbg")
    report = bookkeeper.pull(source_of(bookkeeper, provider), provider.token)
    assert (report.requests, report.total, report.known, report.is_complete, report.is_calm) == (1, 0, 0, True, True)


@pytest.mark.only("sqlite")
def test_a_wrong_token_is_said(bookkeeper: Bookkeeper, make_provider: MakeProvider) -> None:
    """Who is refused learns it, without the token."""
    provider = make_provider("vpsbg")
    report = bookkeeper.pull(source_of(bookkeeper, provider), "not-this-one")
    assert report.failure is not None
    assert "not-this-one" not in str(report.failure)
    assert "token" in str(report.failure)


@pytest.mark.shared
def test_online_retail_moves_from_faktura_to_faktura(engine: str, bookkeeper: Bookkeeper, tmp_path: Path) -> None:
    """All 2,025 real invoices of a shop, over the wire: equal content; again: nothing."""
    _move_online_retail(bookkeeper, tmp_path, "vpsbg")


@pytest.mark.shared
@pytest.mark.only("sqlite")
def test_online_retail_moves_with_all_its_details(bookkeeper: Bookkeeper, tmp_path: Path) -> None:
    """The same by the other API, which tells of each document alone, too."""
    _move_online_retail(bookkeeper, tmp_path, "checkdomain")


def _move_online_retail(bookkeeper: Bookkeeper, tmp_path: Path, dialect: str) -> None:
    path = tmp_path / "shop.db"
    with open_ledger(path) as shop:
        shop.provider(dialect)
        shop.account(dialect)
        token = shop.token(dialect)
        files = sorted((SHARED / "data" / "online-retail").glob("*.csv"))
        layout = with_account(online_retail_layout(), "demo")
        import_line_items(
            shop.books,
            Settings(database=database_at(path)),
            provider=dialect,
            layout=layout,
            files=files,
            report=Report(lambda _: None),
            advance=lambda _: None,
        )
        with serving(path) as served:
            source = bookkeeper.source(dialect, served.url, name="shop")
            heard = Heard()
            report = bookkeeper.pull(source, token, heard=heard)
            assert (report.failure, list(report.faults), report.outcomes, report.known, report.total) == (None, [], {Outcome.NEW: 2025}, 2025, 2025)
            assert {change.outcome for change in heard.changes} <= {Outcome.NEW, Outcome.ENRICHED}
            assert served_forms(bookkeeper.ledger, "shop") == served_forms(shop, dialect)
            before = bookkeeper.dump()
            again = bookkeeper.pull(source, token)
            assert (again.requests, sum(again.outcomes.values())) == (1, 0)
            assert bookkeeper.dump() == before
    bookkeeper.check()


@pytest.mark.only("sqlite")
def test_a_clock_that_was_ahead_hides_nothing(bookkeeper: Bookkeeper, make_provider: MakeProvider) -> None:
    """What is said now is newer than what was said before, whatever the clock said then."""
    provider = make_provider("checkdomain")
    ids = provider.issue(3)
    source = source_of(bookkeeper, provider)
    bookkeeper.ledger.clock.now_us += 400 * DAY_US
    bookkeeper.pull(source, provider.token)
    bookkeeper.ledger.clock.now_us -= 400 * DAY_US
    provider.pay(ids[0])
    assert bookkeeper.pull(source, provider.token).outcomes == {Outcome.OBSERVED: 1}
    assert served_forms(bookkeeper.ledger, "mine") == served_forms(provider.ledger, "checkdomain")
    bookkeeper.check()


@pytest.mark.only("sqlite")
def test_a_full_pull_compares_details_too(bookkeeper: Bookkeeper, make_provider: MakeProvider) -> None:
    """As far as the rate limit allows, beginning anywhere, so that all have their turn."""
    provider = make_provider("checkdomain", rate_limit=1000, rate_window_seconds=3600)
    provider.pay(*provider.issue(40))
    source = source_of(bookkeeper, provider)
    assert bookkeeper.pull(source, provider.token).requests == 41
    full = bookkeeper.pull(source, provider.token, is_full=True)
    assert (full.requests, full.singles, full.singles_left, sum(full.outcomes.values())) == (41, 40, 0, 0)


@pytest.mark.only("sqlite")
def test_a_source_is_not_mixed_with_other_documents(bookkeeper: Bookkeeper, make_provider: MakeProvider) -> None:
    """A provider that issues here, or another account under the same name: refused before anything is kept."""
    provider = make_provider("vpsbg")
    provider.issue(2)
    bookkeeper.ledger.provider("vpsbg", name="issuer")
    report = bookkeeper.pull(bookkeeper.source("vpsbg", provider.url, name="issuer"), provider.token)
    assert "issues documents in this ledger" in str(report.failure)
    source = source_of(bookkeeper, provider)
    bookkeeper.pull(source, provider.token)
    before = bookkeeper.dump()
    report = bookkeeper.pull(replace(source, account="another"), provider.token)
    assert "with the account 'mine', not 'another'" in str(report.failure)
    assert bookkeeper.dump() == before
