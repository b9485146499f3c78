"""Line-item CSV: rows become invoices, whatever their order; a second run changes nothing; contradictions are kept, not taken over."""

from __future__ import annotations

import itertools
import random
import shutil
import tracemalloc
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from tests.database import database_at
from tests.imports.desk import COLUMNS, HEADER, Desk, ignore, read

from faktura.bootstrap.imports import Report, import_line_items
from faktura.config import Settings
from faktura.documents.line_items import Layout
from faktura.domain.money import Currency
from faktura.ledger.importing import record

CENT = Decimal("0.01")
NET, GROSS = (*COLUMNS, "--vat-rate", "20", "--prices", "net"), (*COLUMNS, "--vat-rate", "20", "--prices", "gross")


def totals(desk: Desk, *files: Path, options: tuple[str, ...]) -> dict[str, tuple[Decimal, Decimal]]:
    """Number -> (amount, amount with VAT), as a VPSBG list shows what was imported."""
    assert desk.lines(*files, provider="vpsbg", options=options).code == 0
    return {item["invoice_number"]: (item["amount"], item["amount_with_vat"]) for item in desk.shown(provider="vpsbg")}


@pytest.mark.parametrize(
    ("rows", "net", "gross"),
    [
        ([("3", "33.33")], "99.99", "119.99"),
        ([("1", "0.01")], "0.01", "0.01"),
        ([("1", "0.02"), ("1", "0.01")], "0.03", "0.04"),
        ([("1", "0.125"), ("1", "0.125")], "0.26", "0.31"),
        ([("2.5", "1.1"), ("0.333", "3")], "3.75", "4.50"),
        ([("10", "1"), ("-2", "1")], "8", "9.60"),
        ([("1", "0")], "0", "0"),
    ],
)
def test_net_prices_give_exact_totals(desk: Desk, rows: list[tuple[str, str]], net: str, gross: str) -> None:
    """With net prices each line is rounded, the sum taxed once, half away from zero."""
    file = desk.file("lines.csv", [f"1,2024-01-01,{quantity},{price},x,demo" for quantity, price in rows])
    assert totals(desk, file, options=NET) == {"1": (Decimal(net), Decimal(gross))}


@pytest.mark.parametrize(
    ("rows", "net", "gross"),
    [
        ([("1", "100.01")], "83.34", "100.01"),
        ([("3", "33.33")], "83.32", "99.99"),
        ([("1", "0.01")], "0.01", "0.01"),
        ([("1", "0.05"), ("1", "0.05")], "0.08", "0.10"),
        ([("1", "1"), ("1", "1"), ("1", "1")], "2.50", "3"),
        ([("10", "1"), ("-2", "1")], "6.67", "8"),
    ],
)
def test_gross_prices_give_exact_totals(desk: Desk, rows: list[tuple[str, str]], net: str, gross: str) -> None:
    """With gross prices the total is the sum of the rows, to the cent, and the VAT is what that sum contains."""
    file = desk.file("lines.csv", [f"1,2024-01-01,{quantity},{price},x,demo" for quantity, price in rows])
    assert totals(desk, file, options=GROSS) == {"1": (Decimal(net), Decimal(gross))}


def random_rows(count: int, seed: int) -> list[tuple[str, Decimal, Decimal]]:
    """(number, quantity, price) of rows of a quarter as many invoices."""
    chance = random.Random(seed)
    return [(f"R{chance.randrange(count // 4)}", Decimal(chance.randint(1, 400)) / 10, Decimal(chance.randint(0, 10**6)) / 1000) for _ in range(count)]


@pytest.mark.parametrize("basis", ["net", "gross"])
def test_any_rows_add_up_as_counted_by_hand(desk: Desk, basis: str) -> None:
    """Hundreds of random invoices: totals equal an independent computation, and checkdomain's details add up to amount_total."""
    rows = random_rows(400, seed=7)
    file = desk.file("lines.csv", [f"{number},2024-01-01,{quantity},{price},x,demo" for number, quantity, price in rows])
    sums: dict[str, Decimal] = {}
    for number, quantity, price in rows:
        sums[number] = sums.get(number, Decimal(0)) + (quantity * price).quantize(CENT, ROUND_HALF_UP)
    if basis == "net":
        expected = {number: (total, total + (total / 5).quantize(CENT, ROUND_HALF_UP)) for number, total in sums.items()}
    else:
        expected = {number: (total - (total / 6).quantize(CENT, ROUND_HALF_UP), total) for number, total in sums.items()}
    assert totals(desk, file, options=NET if basis == "net" else GROSS) == expected
    desk.lines(file, options=NET if basis == "net" else GROSS)
    for item in desk.shown():
        single = read(desk.single(item["id"]))
        assert single["tax"] == 20
        assert sum(detail["price"] for detail in single["details"]) == single["amount_total"] == expected[item["invoice_number"]][1]


def test_the_currency_decides_the_rounding(desk: Desk) -> None:
    """Yen have no minor unit, dinars have three digits: amounts are rounded to what the currency knows."""
    file = desk.file("lines.csv", ["1,2024-01-01,1,10.4996,x,demo"])
    for reference, currency, amount in (("yen", "JPY", "10"), ("dinar", "KWD", "10.500"), ("euro", "EUR", "10.50")):
        desk.lines(file, options=(*COLUMNS, "--currency", currency, "--account", reference))
        assert [item["amount_total"] for item in desk.shown(reference)] == [Decimal(amount)]


def test_the_zone_decides_the_date(desk: Desk) -> None:
    """A date or time without an offset is the zone's; with an offset it is that instant; the legal date is the zone's."""
    rows = ["A,2024-07-01,1,1,x,demo", "B,2024-07-01 23:30:00,1,1,x,demo", "C,2024-07-01T22:30:00Z,1,1,x,demo", "D,2024-07-01T22:30:00+0000,1,1,x,demo"]
    desk.lines(desk.file("lines.csv", rows), provider="vpsbg", options=(*COLUMNS, "--zone", "America/New_York"))
    found = desk.terminal.select("SELECT number, created_at_us, issue_date FROM invoice ORDER BY number")
    noon = 1_719_806_400_000_000  # 2024-07-01T04:00Z, New York's midnight
    half_past = 1_719_873_000_000_000  # 2024-07-01T22:30Z, 18:30 in New York
    assert found == [
        ("A", noon, "2024-07-01"),
        ("B", noon + 84_600_000_000, "2024-07-01"),
        ("C", half_past, "2024-07-01"),
        ("D", half_past, "2024-07-01"),
    ]


def test_rows_of_an_invoice_may_stand_anywhere(desk: Desk) -> None:
    """Rows far apart, in several files, in any order of files: one invoice each, with all its rows and its earliest instant."""
    rows = [f"N{number},2024-01-{1 + number:02}{' 10:00:00' if part else ''},{part + 1},1.11,part {part},demo" for part in range(6) for number in range(9)]
    files = [desk.file(f"part{place}.csv", rows[place::3]) for place in range(3)]
    for account, order in (("one", files), ("two", files[::-1])):
        said = desk.lines(*order, options=(*COLUMNS, "--account", account))
        assert said.outcomes == {"new": 9}
        assert desk.numbers(account) == [f"N{number}" for number in reversed(range(9))]
        assert {item["amount_total"] for item in desk.shown(account)} == {Decimal("23.31")}
        assert desk.shown(account)[-1]["created"] == "2024-01-01T00:00:00+0100"
        for item in desk.shown(account):
            assert sorted(detail["remark"] for detail in read(desk.single(item["id"], account))["details"]) == [f"part {part}" for part in range(6)]


def test_the_same_file_given_twice_is_read_once(desk: Desk) -> None:
    """A file named twice, or its copy, would double every quantity: it is read once, and that is said."""
    file = desk.file("lines.csv", ["1,2024-01-01,1,10,x,demo"])
    copy = Path(shutil.copyfile(file, desk.folder / "copy.csv"))
    said = desk.terminal.ok("import", file, copy, file, "--provider", "checkdomain", *COLUMNS)
    assert said.out == "1 new\n"
    assert said.err.count("read once") == 2
    assert str(copy) in said.err
    assert [item["amount_total"] for item in desk.shown()] == [10]


def test_a_notice_is_no_fault(desk: Desk) -> None:
    """For programs too: what is counted as no fault is not told as one."""
    file = desk.file("lines.csv", ["1,2024-01-01,1,10,x,demo"])
    events = desk.terminal.ok("import", file, file, "--provider", "checkdomain", *COLUMNS, "--json").lines()
    assert events[-1]["summary"]["faults"] == 0
    assert not any("fault" in event for event in events)


def test_credit_notes_are_told_by_their_prefix(desk: Desk) -> None:
    """Numbers that begin with the prefix are credit notes: negative in the file and on the wire, positive in the ledger."""
    file = desk.file("lines.csv", ["1,2024-01-01,2,10,x,demo", "CN1,2024-01-02,-1,10,x,demo"])
    desk.lines(file, options=(*COLUMNS, "--credit-prefix", "CN"))
    assert [item["amount_total"] for item in desk.shown()] == [-10, 20]
    assert read(desk.single(desk.shown()[0]["id"]))["details"] == [{"quantity": -1, "unit_price": 10, "price": -10, "remark": "x"}]
    assert desk.terminal.select("SELECT type_code, total_with_vat_minor FROM invoice ORDER BY number") == [(380, 2000), (381, 1000)]


@pytest.mark.parametrize("options", [COLUMNS, NET, GROSS], ids=["rate 0", "net", "gross"])
def test_a_second_run_changes_nothing(desk: Desk, options: tuple[str, ...]) -> None:
    """The same file again, touched again, with its rows in another order: all unchanged, exit code 0, not a byte of the facts differs."""
    rows = [f"N{number % 5},2024-01-0{1 + number % 5},1,{price},article {number},demo" for number, price in enumerate(["1", "1", "0.05", "2.35", "1.00"] * 5)]
    file = desk.file("lines.csv", rows)
    assert desk.lines(file, options=options).outcomes == {"new": 5}
    desk.items()
    before = desk.facts()
    file = desk.file("lines.csv", rows)
    assert desk.lines(file, options=options).outcomes == {"unchanged": 5}
    assert desk.terminal("import", file, "--provider", "checkdomain", *options).out == "5 unchanged; nothing changed\n"
    file = desk.file("lines.csv", rows, seen=1_800_000_000)
    assert desk.lines(file, options=options).outcomes == {"unchanged": 5}
    for seed in range(3):
        shuffled = random.Random(seed).sample(rows, len(rows))
        said = desk.lines(desk.file("shuffled.csv", shuffled), options=options)
        assert (said.code, said.outcomes) == (0, {"unchanged": 5}), said.err[:500]
    assert [line for line in desk.facts() if '"account"' not in line] == [line for line in before if '"account"' not in line]


def test_a_second_run_changes_no_revision(desk: Desk) -> None:
    """An account's revision grows with what its API shows, and ETags follow it: a run that changes nothing leaves it alone."""
    file = desk.file("lines.csv", ["1,2024-01-01,1,10,x,demo"])
    desk.lines(file)
    before = desk.terminal.select("SELECT * FROM account")
    desk.lines(file)
    assert desk.terminal.select("SELECT * FROM account") == before


@pytest.mark.parametrize(
    ("changed", "term", "words"),
    [
        ("1,2024-01-01,1,11,x,demo", "total_with_vat", ("10.00 EUR", "11.00 EUR")),
        ("1,2024-01-02,1,10,x,demo", "issue_date", ("2024-01-01", "2024-01-02")),
        ("1,2024-01-01,2,5,x,demo", "lines", ("1 x 10 x", "2 x 5 x")),
        ("1,2024-01-01,1,10,another name,demo", "lines", ("1 x 10 x", "1 x 10 another name")),
    ],
)
def test_changed_content_is_a_conflict(desk: Desk, changed: str, term: str, words: tuple[str, str]) -> None:
    """A source that says otherwise than before: exit code 3, both versions kept, the first in force, the rest goes in; told once and for all."""
    desk.lines(desk.file("lines.csv", ["1,2024-01-01,1,10,x,demo"]))
    ((wire_id,),) = desk.terminal.select("SELECT wire_id FROM invoice")
    served = desk.items(), desk.single(wire_id)
    file = desk.file("lines.csv", [changed, "2,2023-12-31,1,10,x,demo"], seen=1_800_000_000)
    said = desk.lines(file)
    assert (said.code, said.outcomes) == (3, {"conflict": 1, "new": 1})
    (conflict,) = [change for change in said.changes if change["outcome"] == "conflict"]
    assert conflict["number"] == "1"
    difference = {item["term"]: (item["kept"], item["heard"]) for item in conflict["differences"]}[term]
    kept = {row[0]: row[1:] for row in desk.terminal.select("SELECT term, kept, heard FROM conflict")}
    assert kept[term] == difference
    assert all(word in text for word, text in zip(words, difference, strict=True))
    sources = desk.terminal.select("SELECT body FROM source WHERE invoice_id = ? ORDER BY source_id", conflict["id"])
    assert len(sources) == 2
    assert (desk.items()[:1], desk.single(wire_id)) == served
    before = desk.terminal.dump(without="account")
    assert "conflict in 1" in desk.terminal("import", desk.file("lines.csv", [changed]), "--provider", "checkdomain", *COLUMNS).err
    assert [row for row in desk.terminal.dump(without="account") if "journal" in row] == [row for row in before if "journal" in row]


@pytest.mark.parametrize(
    "options", [(*COLUMNS, "--vat-rate", "20"), (*COLUMNS, "--currency", "BGN"), (*COLUMNS, "--zone", "Asia/Tokyo")], ids=lambda words: words[-1]
)
def test_the_same_file_read_otherwise_is_a_conflict(desk: Desk, options: tuple[str, ...]) -> None:
    """The rows are the same, but another rate, currency or zone makes other totals or dates of them: that is not "nothing changed"."""
    file = desk.file("lines.csv", ["1,2024-01-01T22:30:00Z,1,10,x,demo"])
    desk.lines(file)
    said = desk.lines(file, options=options)
    assert (said.code, said.outcomes) == (3, {"conflict": 1})


def test_memory_does_not_grow_with_the_input(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty times the rows do not need three times the memory; batches are made small, so that both runs have several."""
    assert record.__kwdefaults__ is not None
    monkeypatch.setitem(record.__kwdefaults__, "batch_size", 10)
    layout = Layout(columns={name: name for name in HEADER.split(",")}, currency=Currency("EUR"), zone="UTC")
    settings = Settings(database=database_at(desk.ledger.path))
    peaks = []
    for count in (500, 10_000):
        path = desk.folder / f"{count}.csv"
        numbers = itertools.cycle(range(count // 40))
        with path.open("w", encoding="utf-8") as file:
            file.write(f"{HEADER}\n")
            file.writelines(f"{count}-{number},2024-01-01,1,1,{'x' * 60},demo\n" for number in itertools.islice(numbers, count))
        report = Report(tell=ignore)
        tracemalloc.start()
        import_line_items(desk.ledger.books, settings, provider="checkdomain", layout=layout, files=[path], report=report, advance=ignore)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert report.is_clean
    assert len(desk.items()) == 12 + 250
    assert peaks[1] < 3 * peaks[0], peaks
