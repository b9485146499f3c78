"""A provider moves in with its own past documents: closed, with their numbers."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests import database
from tests.conftest import BUYER, Ledger, open_ledger

from faktura.bootstrap import moving_in as moving_in_files
from faktura.bootstrap.moving_in import Fall, Gap, SeriesEnd, Told, move_in
from faktura.config import Settings
from faktura.domain.calendar import midnight, to_datetime
from faktura.domain.draft import parse_draft
from faktura.domain.errors import ConflictError, InvalidDocumentError
from faktura.domain.invoice import Invoice
from faktura.domain.money import Currency, canonical
from faktura.domain.numbering import Reset
from faktura.domain.provider import hash_token
from faktura.ledger import moving_in
from faktura.ledger.accounts import set_series
from faktura.ledger.commands import credit, issue
from faktura.ledger.history import PastOutcome, PastReport
from faktura.ledger.listing_query import list_invoices
from faktura.ledger.payments import pay
from faktura.ledger.periods import lock_period
from faktura.ledger.queries import get_invoice
from faktura.ledger.verification import verify

EUR = Currency("EUR")
DAY_US = 86_400_000_000
PARTY = {"name": "Primer EOOD", "country": "BG"}


def line(number: object, issue_date: str = "2023-05-05", **document: Any) -> dict[str, Any]:
    """One good line of history: an invoice of 12.00 with VAT."""
    written = f"{number:010d}" if isinstance(number, int) else number
    base = {"account": "demo", "number": written, "issue_date": issue_date, "lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]}
    return base | document


def credit_note(number: int, preceding: int, issue_date: str = "2023-05-06", **document: Any) -> dict[str, Any]:
    """One good line that takes back a whole invoice."""
    return line(number, issue_date, type_code=381, preceding_invoice=f"{preceding:010d}", **document)


@pytest.fixture
def home(ledger: Ledger) -> Ledger:
    """A VPSBG provider with an account, into which history moves."""
    ledger.provider("vpsbg")
    ledger.account("vpsbg")
    return ledger


def write_lines(path: Path, lines: list[Any]) -> Path:
    """A file of JSON Lines."""
    path.write_text("".join(f"{item if isinstance(item, str) else json.dumps(item, default=str)}\n" for item in lines), encoding="utf-8")
    return path


def move(target: Ledger, *files: list[Any], provider: str = "vpsbg", **options: Any) -> list[Told]:
    """What moving in tells of lines, each list a file."""
    paths = [write_lines(target.path.parent / f"history-{number}.jsonl", lines) for number, lines in enumerate(files)]
    settings = Settings(database=database.database_at(target.path))
    return list(move_in(target.books, settings, provider=provider, files=paths, **options))


def outcomes(told: list[Told]) -> dict[str, int]:
    """How often each outcome came."""
    return dict(Counter(item.outcome.value for item in told if isinstance(item, PastReport)))


def rules(told: list[Told]) -> dict[int, set[tuple[str, str]]]:
    """By line: the rules and paths of its faults."""
    return {item.position: {(found.rule, found.path) for found in item.faults} for item in told if isinstance(item, PastReport) and item.faults}


def gaps(told: list[Told]) -> list[tuple[int, int]]:
    """The gaps that were told of."""
    return [(item.first, item.last) for item in told if isinstance(item, Gap)]


def dump(target: Ledger) -> list[str]:
    """Everything stored but tokens."""
    return database.dump(target.books, but=("token",))


def next_invoice(target: Ledger, provider: str = "vpsbg", **document: Any) -> Invoice:
    """A new invoice of the provider's account `demo`."""
    with target.books.storage.reading() as tx:
        owner = tx.providers.find(provider)
        assert owner is not None
        account = tx.accounts.find(owner.id, "demo")
        assert account is not None
    draft = parse_draft({"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]} | document, currency=EUR, buyer=BUYER)
    return issue(target.books, account_id=account.id, draft=draft)


def served(target: Ledger, provider: str, reference: str) -> list[tuple[bytes, bytes | None]]:
    """All that the provider's API shows of an account: every item of the list and every single form, newest first."""
    token_hash = hash_token(target.token(provider, reference))
    assert token_hash is not None
    serving = target.books.storage.serving().serving
    page = serving.page(token_hash, now_us=target.clock(), skip=0, size=10_000)
    assert page is not None
    shown: list[tuple[bytes, bytes | None]] = []
    for _, item, _ in page.rows:
        single = serving.single(token_hash, now_us=target.clock(), wire_id=json.loads(item)["id"])
        assert single is not None
        shown.append((item, single.rows[0][1] if single.rows else None))
    return shown


# A real round trip ---------------------------------------------------------------------------------------------------------------------------


_PAYMENTS = """
SELECT p.amount_minor, p.paid_on, p.reference FROM allocation al JOIN payment p ON p.payment_id = al.payment_id
WHERE al.invoice_id = ? ORDER BY al.allocation_id
"""


def export(source: Ledger, provider: str) -> list[dict[str, Any]]:
    """All documents of a provider as lines of history."""
    lines = []
    for overview in list(list_invoices(source.books, provider=provider)):
        statement = get_invoice(source.books, invoice_id=overview.invoice.id)
        invoice, money = statement.invoice, statement.invoice.currency
        payments = [
            {"amount": money.to_decimal(amount), "paid_on": paid_on, "reference": reference}
            for amount, paid_on, reference in (row.values() for row in database.execute(source.books, _PAYMENTS.strip(), [invoice.id]))
        ]
        lines.append(
            {
                "account": statement.account.reference,
                "number": invoice.number,
                "issue_date": invoice.issue_date.isoformat(),
                "type_code": invoice.type_code,
                "wire_id": invoice.wire_id,
                "created_at": f"{to_datetime(invoice.created_at_us):%Y-%m-%dT%H:%M:%S.%fZ}",
                "price_basis": invoice.price_basis,
                "seller": invoice.seller.to_mapping() if invoice.seller else None,
                "buyer": invoice.buyer.to_mapping() if invoice.buyer else None,
                "lines": [_exported_line(item, money) for item in invoice.lines or ()],
                "allowances_charges": [_exported_adjustment(item, money) for item in invoice.allowances_charges],
                "exemption_reasons": {group.category: group.exemption_reason for group in invoice.vat_breakdown if group.exemption_reason},
                "due_date": invoice.due_date,
                "period": {"start": invoice.period.start, "end": invoice.period.end} if invoice.period else None,
                "preceding_invoice": invoice.preceding_invoice.number if invoice.preceding_invoice else None,
                "order_ids": list(invoice.order_ids or ()),
                "note": invoice.note,
                "override_reason": invoice.override_reason,
                "tax_country": invoice.tax_country,
                "total_without_vat": money.to_decimal(invoice.total_without_vat_minor or 0),
                "vat_total": money.to_decimal(invoice.vat_total_minor or 0),
                "total_with_vat": money.to_decimal(invoice.total_with_vat_minor or 0),
                "payments": payments,
            }
        )
    return lines


def _exported_line(item: Any, money: Currency) -> dict[str, Any]:
    return {
        "name": item.name,
        "quantity": canonical(item.quantity),
        "unit_price": canonical(item.unit_price),
        "vat_rate": canonical(item.vat.rate),
        "vat_category": item.vat.category,
        "item_id": item.item_id,
        "order_id": item.order_id,
        "period": {"start": item.period.start, "end": item.period.end} if item.period else None,
        "allowances_charges": [
            {"charge": part.is_charge, "amount": money.to_decimal(part.amount_minor), "reason": part.reason} for part in item.allowances_charges
        ],
    }


def _exported_adjustment(item: Any, money: Currency) -> dict[str, Any]:
    part = {"charge": item.is_charge, "amount": money.to_decimal(item.amount_minor), "reason": item.reason}
    return part | {"vat_rate": canonical(item.vat.rate), "vat_category": item.vat.category}


def fill_month(source: Ledger, dialect: str) -> None:
    """A month of a provider: pro-formas, invoices of both price bases, payments (part, over), credit notes (whole, part)."""
    chance = random.Random(dialect)
    source.provider(dialect)
    ids = [source.account(dialect, reference).id for reference in ("a", "b", "c")]
    start = midnight(date(2024, 7, 1), "Europe/Sofia")
    issued: list[Invoice] = []
    for number in range(60):
        source.clock.now_us = start + number * DAY_US // 2 + 36_000_000_000
        account_id = ids[number % 3]
        document: dict[str, Any] = {
            "price_basis": chance.choice(["net", "gross"]),
            "order_ids": [7000 + number],
            "lines": [{"name": "VPS Ä", "quantity": chance.randint(1, 3), "unit_price": str(Decimal(chance.randint(1, 9999)) / 100), "vat_rate": 20}],
        }
        if number % 4 == 0:
            issue(source.books, account_id=account_id, draft=parse_draft(document | {"type_code": 325}, currency=EUR, buyer=BUYER))
        if number % 5 == 0:
            document["lines"].append({"name": "Export", "unit_price": "5", "vat_rate": 0, "vat_category": "G"})
            document |= {"exemption_reasons": {"G": "Export"}, "note": "Thanks", "override_reason": "a server that was shipped"}
            document |= {"allowances_charges": [{"amount": "0.01", "reason": "loyal", "vat_rate": 20}], "period": {"start": "2024-07-01", "end": "2024-07-31"}}
        issued.append(issue(source.books, account_id=account_id, draft=parse_draft(document, currency=EUR, buyer=BUYER)))
        total = issued[-1].total_with_vat_minor or 0
        if number % 3:
            for part in (total // 2, total) if number % 2 else (total,):  # the second time too much: what is over is credit
                pay(source.books, account_id=account_id, amount_minor=part, currency=EUR, invoice_ids=[issued[-1].id], reference=f"SEPA {number}-{part}")
        if number % 7 == 0:
            credit(source.books, account_id=account_id, invoice_id=issued[-1].id, quantities={1: Decimal(1)} if number % 2 else None)


@pytest.fixture(params=["vpsbg", "checkdomain"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Ledger, str]]:
    """A ledger with a month of one provider."""
    with open_ledger(tmp_path / "old.db") as source:
        fill_month(source, request.param)
        yield source, request.param


def test_a_month_moves_and_answers_the_same(old: tuple[Ledger, str], tmp_path: Path) -> None:
    """Moved to another ledger, lines shuffled, every list and single form has the same bytes; the next number follows; twice changes nothing; verify passes."""
    source, dialect = old
    lines = export(source, dialect)
    random.Random(1).shuffle(lines)
    with open_ledger(tmp_path / "new.db") as target:
        target.clock.now_us = source.clock.now_us + DAY_US
        target.provider(dialect)
        told = move(target, lines, provider=dialect, create_accounts=True)
        assert outcomes(told) == {"moved-in": len(lines)}
        assert not gaps(told)
        assert list(verify(target.books)) == []
        for reference in ("a", "b", "c"):
            assert served(target, dialect, reference) == served(source, dialect, reference)
        with source.books.storage.reading() as there, target.books.storage.reading() as here:
            assert [(item.next_number, item.last_date) for item in here.series.all(1)] == [(item.next_number, item.last_date) for item in there.series.all(1)]
            assert [here.payments.credit(here.accounts.find(1, name).id) for name in "abc"]  # type: ignore[union-attr]
        before = dump(target)
        assert outcomes(move(target, lines, provider=dialect, create_accounts=True)) == {"known": len(lines)}
        assert dump(target) == before
        source.clock.now_us = target.clock.now_us
        document = parse_draft({"lines": [{"name": "x", "unit_price": "1", "vat_rate": 20}]}, currency=EUR, buyer=BUYER)
        made = []
        for books in (source.books, target.books):
            with books.storage.reading() as tx:
                account = tx.accounts.find(1, "a")
            made.append(issue(books, account_id=account.id if account else 0, draft=document))
        assert (made[0].number, made[0].issue_date, made[0].wire_id) == (made[1].number, made[1].issue_date, made[1].wire_id)
        assert list(verify(target.books)) == []


def test_the_order_of_the_lines_decides_nothing(old: tuple[Ledger, str], tmp_path: Path) -> None:
    """In whatever order the lines stand, the same ledger comes of them, ids and journal included."""
    source, dialect = old
    lines = [{key: value for key, value in item.items() if key != "wire_id"} for item in export(source, dialect)]
    dumps = []
    for seed in range(2):
        random.Random(seed).shuffle(lines)
        with open_ledger(tmp_path / f"new-{seed}.db") as target:
            target.clock.now_us = source.clock.now_us
            target.provider(dialect)
            assert outcomes(move(target, lines, provider=dialect, create_accounts=True)) == {"moved-in": len(lines)}
            dumps.append([text for text in dump(target) if not text.startswith(("schema_migration ", "account"))])
    assert dumps[0] == dumps[1]


def test_an_interrupted_import_goes_on_where_it_stopped(old: tuple[Ledger, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between batches and within one: what was told of is there, the ledger is whole, and the next run brings the rest."""
    monkeypatch.setattr(moving_in_files, "BATCH_SIZE", 10)
    source, dialect = old
    lines = export(source, dialect)
    with open_ledger(tmp_path / "new.db") as target:
        target.clock.now_us = source.clock.now_us
        target.provider(dialect)
        path = write_lines(tmp_path / "history.jsonl", lines)
        settings = Settings(database=database.database_at(target.path))
        running = move_in(target.books, settings, provider=dialect, files=[path], create_accounts=True)
        moved = [next(running) for _ in range(25)]
        running.close()
        assert all(isinstance(item, PastReport) and item.outcome is PastOutcome.MOVED_IN for item in moved)
        assert list(verify(target.books)) == []

        def fail(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(moving_in, "publish", fail)
            with pytest.raises(KeyboardInterrupt):
                move(target, lines, provider=dialect, create_accounts=True)
        assert list(verify(target.books)) == []
        assert outcomes(move(target, lines, provider=dialect, create_accounts=True)) == {"known": 30, "moved-in": len(lines) - 30}
        assert list(verify(target.books)) == []
        for reference in ("a", "b", "c"):
            assert served(target, dialect, reference) == served(source, dialect, reference)


# Series --------------------------------------------------------------------------------------------------------------------------------------


def test_gaps_and_falling_dates_are_told_and_lawful(home: Ledger) -> None:
    """What history lacks and where its dates fall is told, verify passes, and the series goes on after the highest number and newest date."""
    told = move(home, [line(5, "2023-05-05"), line(6, "2023-05-01"), line(9, "2023-07-01"), line(10, "2023-06-30"), line(20, "2023-06-01")])
    assert outcomes(told) == {"moved-in": 5}
    assert gaps(told) == [(7, 8), (11, 19)]
    assert [(item.sequence, item.previous) for item in told if isinstance(item, Fall)] == [(6, 5), (10, 9), (20, 10)]
    assert [item for item in told if isinstance(item, SeriesEnd)] == [SeriesEnd(series="invoice", next_number=21, last_date=date(2023, 7, 1))]
    assert list(verify(home.books)) == []
    with pytest.raises(InvalidDocumentError, match="before 2023-07-01"):
        next_invoice(home, issue_date="2023-06-30")
    assert next_invoice(home).number == "0000000021"
    assert list(verify(home.books)) == []


def test_history_comes_in_any_order_and_in_parts(home: Ledger) -> None:
    """Later numbers first, earlier and missing ones after; each time the ledger is whole, and what still lacks is told."""
    assert gaps(move(home, [line(30), line(31)])) == []
    assert gaps(move(home, [line(10), line(12)])) == [(11, 11), (13, 29)]
    assert gaps(move(home, [line(11), *(line(number) for number in range(13, 29))])) == [(29, 29)]
    assert list(verify(home.books)) == []
    assert gaps(move(home, [line(40), line(29)])) == [(32, 39)]
    assert next_invoice(home).number == "0000000041"
    assert gaps(move(home, [line(1), line(35)])) == [(2, 9), (32, 34), (36, 39)]
    assert list(verify(home.books)) == []


def test_after_the_first_number_of_our_own_only_earlier_ones_may_come(home: Ledger) -> None:
    """Numbers from the first that was issued here on are refused: those it has, and those it will give out."""
    set_series(home.books, provider="vpsbg", name="invoice", next_number=100)
    assert next_invoice(home).number == "0000000100"
    set_series(home.books, provider="vpsbg", name="invoice", next_number=200)
    assert next_invoice(home).number == "0000000200"
    before = dump(home)
    told = move(home, [line(99), line(101, total_with_vat="12"), line(150), line(201), line(202)])
    assert rules(told) == {2: {("SERIES", "number")}, 3: {("SERIES", "number")}, 4: {("SERIES", "number")}, 5: {("SERIES", "number")}}
    assert outcomes(move(home, [line(100)])) == {"conflict": 1}
    assert dump(home) == before
    assert outcomes(move(home, [line(99, "2024-07-31"), line(3)])) == {"moved-in": 2}
    assert list(verify(home.books)) == []
    assert next_invoice(home).number == "0000000201"
    assert list(verify(home.books)) == []


def test_a_jump_made_before_moving_in_is_no_hindrance(home: Ledger) -> None:
    """An operator who set the next number first brings the numbers before it, and later ones too as long as nothing was issued."""
    set_series(home.books, provider="vpsbg", name="invoice", next_number=50)
    assert outcomes(move(home, [line(47), line(49), line(53)])) == {"moved-in": 3}
    assert list(verify(home.books)) == []
    assert next_invoice(home).number == "0000000054"
    assert list(verify(home.books)) == []


def test_a_series_that_starts_again_each_year(home: Ledger) -> None:
    """Places are counted by year: gaps, late years, and the next number are each year's own."""
    set_series(home.books, provider="vpsbg", name="invoice", template="{year}-{seq}", reset=Reset.YEAR)
    told = move(home, [line("2023-2", "2023-03-01"), line("2023-1", "2023-01-01"), line("2024-3", "2024-02-01"), line("2024-5", "2024-02-02")])
    assert outcomes(told) == {"moved-in": 4}
    assert gaps(told) == [(4, 4)]
    assert list(verify(home.books)) == []
    assert gaps(move(home, [line("2022-7", "2022-03-01"), line("2023-4", "2023-12-31"), line("2022-9", "2022-04-01")])) == [(8, 8), (3, 3), (4, 4)]
    assert list(verify(home.books)) == []
    assert outcomes(move(home, [line("2022-8", "2022-03-01"), line("2023-3", "2023-12-31")])) == {"moved-in": 2}
    assert next_invoice(home).number == "2024-6"
    assert outcomes(move(home, [line("2024-4", "2024-02-01"), line("2024-1", "2024-01-01")])) == {"moved-in": 2}
    assert set(rules(move(home, [line("2024-6", "2024-07-01", note="x"), line("2024-7", "2024-07-01")]))) == {2}
    home.clock.now_us += 366 * DAY_US
    assert next_invoice(home).number == "2025-1"
    assert list(verify(home.books)) == []


def test_two_numbers_of_one_place_are_refused(home: Ledger) -> None:
    """Numbers that start again each year do not fit a series that never does: the second of a place is refused, with the way out."""
    set_series(home.books, provider="vpsbg", name="invoice", template="{year}-{seq}")
    told = move(home, [line("2023-1", "2023-01-01"), line("2022-1", "2022-01-01")])
    assert rules(told) == {2: {("SERIES", "number")}}
    assert outcomes(move(home, [line("2022-1", "2022-01-01")])) == {"moved-in": 1}
    assert rules(move(home, [line("2023-1", "2023-01-01")])) == {1: {("SERIES", "number")}}


# Lines ---------------------------------------------------------------------------------------------------------------------------------------


def test_nothing_is_written_while_a_line_has_a_fault(home: Ledger) -> None:
    """All faults of all lines are told at once, and the ledger stays as it was."""
    before = dump(home)
    told = move(
        home,
        [
            line(1),
            "no json",
            line("77"),
            line(3, "2031-01-01", wire_id=0, created_at="yesterday", account=7),
            line(4, lines=[{"name": "VPS", "unit_price": "-1"}], nonsense=1, total_with_vat="5"),
            line(5, payments=[{"amount": "0"}, {"amount": "1", "paid_on": "2031-01-01", "x": 1}, 7], paid_amount="-1"),
            line(6, account="nobody"),
            {},
            line(7, total_with_vat="12.01"),
            line(8, paid_amount="1", payments=[{"amount": "2"}]),
            line(9, type_code=325, paid_amount="1"),
            credit_note(10, 77),
            credit_note(11, 12),
            line(12, "2023-05-05"),
            line(1),
            line(1, note="other"),
            line(13, wire_id=5),
            line(14, wire_id=5),
            line(15, lines=[{"name": "VPS", "unit_price": "10"}]),
        ],
    )
    assert rules(told) == {
        2: {("type", "")},
        3: {("SERIES", "number")},
        4: {("missing", "account"), ("BR-7", "buyer"), ("value", "wire_id"), ("value", "created_at"), ("ISSUE-DATE", "issue_date")} - {("value", "account")}
        | {("missing", "account")},
        5: {("missing", "lines[0].vat_rate"), ("unknown", "nonsense"), ("BR-27", "lines[0].unit_price"), ("NOT-NEGATIVE", "total_with_vat")},
        6: {
            ("PAYMENT", "payments[0].amount"),
            ("PAYMENT", "payments[1].paid_on"),
            ("unknown", "payments[1].'x'"),
            ("type", "payments[2]"),
            ("value", "paid_amount"),
        },
        7: {("account", "account")},
        8: {("missing", "account"), ("missing", "number"), ("missing", "issue_date"), ("BR-16", "lines"), ("BR-7", "buyer")},
        9: {("BR-CO-15", "total_with_vat")},
        10: {("PAYMENT", "paid_amount")},
        11: {("PAYMENT", "payments")},
        12: {("BR-55", "preceding_invoice")},
        13: {("BR-55", "preceding_invoice")},
        16: {("DUPLICATE", "number")},
        18: {("WIRE-ID", "wire_id")},
        19: {("missing", "lines[0].vat_rate")},
    }
    assert outcomes(told)["duplicate"] == 1
    assert "moved-in" not in outcomes(told)
    assert dump(home) == before
    number = next(item for item in told if isinstance(item, PastReport) and item.position == 3).faults[0]
    assert "{seq:010d} of series invoice" in number.message


def test_a_dry_run_tells_and_writes_nothing(home: Ledger) -> None:
    """Faults, gaps and what would come in are told."""
    before = dump(home)
    told = move(home, [line(1), line(3)], dry_run=True)
    assert outcomes(told) == {"valid": 2}
    assert gaps(told) == [(2, 2)]
    assert dump(home) == before


@pytest.mark.parametrize(
    ("change", "terms"),
    [
        ({"issue_date": "2023-05-04"}, {"issue_date"}),
        ({"note": "x"}, {"note"}),
        ({"buyer": {"name": "Other", "country": "BG"}}, {"buyer"}),
        ({"seller": {"name": "Other", "country": "BG", "vat_id": "BG1"}}, {"seller"}),
        ({"lines": [{"name": "VPS", "unit_price": "11", "vat_rate": 20}]}, {"lines", "total_with_vat_minor"}),
        ({"wire_id": 99}, {"wire_id"}),
        ({"created_at": "2023-05-05T10:00:00Z"}, {"created_at_us"}),
        ({"paid_amount": "11.99", "payments": None}, {"payments"}),
        ({"payments": [{"amount": "12", "paid_on": "2023-05-05", "reference": "y"}]}, {"payments"}),
        ({"payments": []}, {"payments"}),
        ({"type_code": 383, "override_reason": "x"}, {"type_code", "override_reason"}),
        ({"account": "other"}, {"account"}),
    ],
)
def test_other_content_under_a_known_number_is_a_conflict(home: Ledger, change: dict[str, Any], terms: set[str]) -> None:
    """The contradiction is told with its terms, every time; nothing is overwritten, and other lines go in."""
    home.account("vpsbg", "other")
    known = line(1, payments=[{"amount": "12", "paid_on": "2023-05-05", "reference": "x"}])
    assert outcomes(move(home, [known])) == {"moved-in": 1}
    before = dump(home)
    told = move(home, [known | change])
    assert outcomes(told) == {"conflict": 1}
    (report,) = [item for item in told if isinstance(item, PastReport)]
    assert terms <= set(report.differences)
    assert dump(home) == before
    assert outcomes(move(home, [known | change, line(2)])) == {"conflict": 1, "moved-in": 1}
    assert list(verify(home.books)) == []


def test_what_a_line_leaves_open_is_no_contradiction(home: Ledger) -> None:
    """Buyer, seller, wire id and instant that a later line does not name are those of the known document; so are payments made here since."""
    seller = {"name": "Old name OOD", "country": "BG", "vat_id": "BG123456789"}
    move(home, [line(1, buyer={"name": "Old buyer", "country": "BG"}, seller=seller, wire_id=70, created_at="2023-05-05T10:00:00Z")])
    with home.books.storage.reading() as tx:
        account = tx.accounts.find(1, "demo")
        assert account is not None
        (invoice,) = tx.invoices.by_number(account.id, "0000000001")
    assert (invoice.seller and invoice.seller.name, invoice.buyer and invoice.buyer.name, invoice.wire_id) == ("Old name OOD", "Old buyer", 70)
    pay(home.books, account_id=account.id, amount_minor=500, currency=EUR, invoice_ids=[invoice.id])
    assert outcomes(move(home, [line(1)])) == {"known": 1}
    own = next_invoice(home)
    assert outcomes(move(home, [line(2, own.issue_date.isoformat(), buyer=BUYER.to_mapping())])) == {"known": 1}
    assert next_invoice(home).wire_id == 72


def test_accounts_are_made_with_their_buyer(home: Ledger) -> None:
    """Only where that is wished; a document without a buyer cannot make one."""
    assert rules(move(home, [line(1, account="new", buyer=PARTY)])) == {1: {("account", "account")}}
    assert rules(move(home, [line(1, account="new")], create_accounts=True)) == {1: {("BR-7", "buyer")}}
    assert outcomes(move(home, [line(1, account="new", buyer=PARTY), line(2, account="new", buyer=PARTY)], create_accounts=True)) == {"moved-in": 2}
    with home.books.storage.reading() as tx:
        account = tx.accounts.find(1, "new")
    assert account is not None
    assert (account.buyer and account.buyer.name, account.listed_total) == ("Primer EOOD", 2)
    assert list(verify(home.books)) == []


def test_what_history_may_break_and_what_not(home: Ledger) -> None:
    """A rule about parties or VAT may be broken where the document says why, and that is kept; what sums rest on may not."""
    free: dict[str, Any] = {"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 0, "vat_category": "AE"}], "due_date": "2023-05-01"}
    assert rules(move(home, [line(1, **free)])) == {1: {("BR-VAT-10", "exemption_reasons.AE"), ("BR-AE-2", "buyer.vat_id"), ("DUE-DATE", "due_date")}}
    assert outcomes(move(home, [line(1, **free, override_reason="as it was printed")])) == {"moved-in": 1}
    wrong: dict[str, Any] = {"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20, "vat_category": "Z"}], "override_reason": "as it was printed"}
    assert rules(move(home, [line(2, **wrong)])) == {1: {("BR-VAT-0", "lines[0].vat_rate")}}
    odd: dict[str, Any] = {"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": "17.5"}]}  # no rate of any country then or now: history names it
    assert outcomes(move(home, [line(2, **odd)])) == {"moved-in": 1}
    with home.books.storage.reading() as tx:
        account = tx.accounts.find(1, "demo")
        assert account is not None
        (invoice,) = tx.invoices.by_number(account.id, "0000000001")
    assert invoice.override_reason == "as it was printed"
    assert list(verify(home.books)) == []


def test_payments_settle_and_the_rest_is_credit(home: Ledger) -> None:
    """Payments settle their document in the order given; what is over is credit of the account; a paid amount alone is a payment on the day of issue."""
    move(home, [line(1, payments=[{"amount": "5", "paid_on": "2023-06-01"}, {"amount": "10"}, {"amount": "3"}]), line(2, paid_amount=4), line(3)])
    with home.books.storage.reading() as tx:
        account = tx.accounts.find(1, "demo")
        assert account is not None
        assert [item.credit_minor for item in tx.payments.credit(account.id)] == [300, 300]
    stand = {item.invoice.number[-1]: (item.standing.paid_minor, item.standing.due_minor) for item in list_invoices(home.books)}
    assert stand == {"1": (1200, 0), "2": (400, 800), "3": (0, 1200)}
    assert list(verify(home.books)) == []


def test_credit_notes_settle_what_is_due(home: Ledger) -> None:
    """A credit note settles what the invoice that it names has due: named in the same file or before, even beyond the total; else it needs a reason."""
    move(home, [credit_note(2, 1), line(1, paid_amount=4), credit_note(3, 1)])
    stand = {item.invoice.number[-1]: (item.standing.paid_minor, item.standing.due_minor) for item in list_invoices(home.books)}
    assert stand == {"1": (1200, 0), "2": (800, 400), "3": (0, 1200)}
    assert outcomes(move(home, [credit_note(5, 77, override_reason="the invoice is lost"), credit_note(6, 4), line(4)])) == {"moved-in": 3}
    found = {item.invoice.number[-1]: item.invoice for item in list_invoices(home.books)}
    named = [found[name].preceding_invoice for name in "56"]
    assert [item.invoice_id if item else 0 for item in named] == [None, found["4"].id]
    with pytest.raises(ConflictError, match="left to credit"):
        credit(home.books, account_id=found["4"].account_id, invoice_id=found["4"].id)
    foreign = credit_note(7, 4, currency="USD")
    assert rules(move(home, [foreign])) == {1: {("BR-5", "currency")}}
    assert rules(move(home, [credit_note(8, 9, currency="USD"), line(7), line(9)])) == {1: {("BR-55", "preceding_invoice")}}
    assert outcomes(move(home, [line(7), line(8, type_code=383, preceding_invoice="0000000007"), credit_note(9, 8)])) == {"moved-in": 3}
    assert list(verify(home.books)) == []


def test_order_numbered_pro_formas(home: Ledger) -> None:
    """Pro-formas bear their order's number: any order, without gaps to tell of, apart from the invoices' numbers."""
    pro_forma: dict[str, Any] = {"type_code": 325, "order_ids": [7]}
    told = move(home, [line(7398, **pro_forma), line(12, **pro_forma), line(1), line(2)])
    assert outcomes(told) == {"moved-in": 4}
    assert not gaps(told)
    assert list(verify(home.books)) == []
    with pytest.raises(InvalidDocumentError, match="never used twice"):
        next_invoice(home, type_code=325, order_ids=[7398])


def test_ids_go_on_after_the_highest_that_came(home: Ledger) -> None:
    """Documents that bring no id count up from beyond all that the files bring; an id that the account has is refused."""
    move(home, [line(1), line(2, wire_id=5000), line(3, wire_id=17)], [line(4)])
    ids = {item.invoice.number[-1]: item.invoice.wire_id for item in list_invoices(home.books)}
    assert ids == {"1": 5001, "2": 5000, "3": 17, "4": 5002}
    assert rules(move(home, [line(5, wire_id=5001)])) == {1: {("WIRE-ID", "wire_id")}}
    assert next_invoice(home).wire_id == 5003


def test_test_providers_move_in_with_marked_numbers(ledger: Ledger) -> None:
    """A legal number does not fit a test provider's series, nor a marked one a legal provider's."""
    ledger.provider("vpsbg", is_test=True)
    ledger.account("vpsbg")
    assert rules(move(ledger, [line(1)])) == {1: {("SERIES", "number")}}
    assert outcomes(move(ledger, [line("TEST-0000000001")])) == {"moved-in": 1}
    assert next_invoice(ledger).number == "TEST-0000000002"


def test_memory_is_not_the_size_of_the_file(home: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are read twice and never held: no more than a batch is alive at once."""
    monkeypatch.setattr(moving_in_files, "BATCH_SIZE", 10)
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

    parse: Callable[[bytes], Any] = moving_in_files._parse
    monkeypatch.setattr(moving_in_files, "_parse", lambda text: Counted(parse(text)))
    assert outcomes(move(home, [line(number) for number in range(1, 101)])) == {"moved-in": 100}
    assert most <= 22


def test_who_issues_while_history_moves_in_breaks_nothing(home: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invoice issued between two batches takes the next number; what of history is not before it is refused then, and told."""
    monkeypatch.setattr(moving_in_files, "BATCH_SIZE", 5)
    path = write_lines(home.path.parent / "history.jsonl", [line(number) for number in range(1, 13)])
    running = move_in(home.books, Settings(database=database.database_at(home.path)), provider="vpsbg", files=[path])
    first = [next(running) for _ in range(5)]
    own = next_invoice(home)
    rest = list(running)
    assert own.number == "0000000006"
    assert outcomes(first) == {"moved-in": 5}
    assert outcomes(rest) == {"conflict": 1, "refused": 6}
    assert list(verify(home.books)) == []


def test_late_history_may_be_younger_than_what_was_issued_here(home: Ledger) -> None:
    """A missing number that comes late with a later date keeps it; numbers to come are not dated before it."""
    set_series(home.books, provider="vpsbg", name="invoice", next_number=10)
    next_invoice(home, issue_date=str(date(2024, 8, 1) - timedelta(days=40)))
    assert outcomes(move(home, [line(9, "2024-07-30")])) == {"moved-in": 1}
    assert list(verify(home.books)) == []
    with pytest.raises(InvalidDocumentError, match="before 2024-07-30"):
        next_invoice(home, issue_date="2024-07-29")


def test_a_locked_period_takes_no_history(home: Ledger) -> None:
    """What was declared is closed: a document of the locked period is refused, one after it comes in; what came in before is still known."""
    assert outcomes(move(home, [line(3, "2023-05-05")])) == {"moved-in": 1}
    lock_period(home.books, provider="vpsbg", through=date(2023, 6, 30))
    told = move(home, [line(1, "2023-05-01"), line(2, "2023-07-01", tax_point_date="2023-06-30"), line(4, "2023-07-02")])
    assert {position: {path for _, path in found} for position, found in rules(told).items()} == {1: {"issue_date"}, 2: {"tax_point_date"}}
    assert outcomes(move(home, [line(3, "2023-05-05"), line(4, "2023-07-02")])) == {"known": 1, "moved-in": 1}
    assert list(verify(home.books)) == []
