"""Line items that cannot be read: each is reported with file, line and reason, its invoice held back whole, the rest goes in."""

from __future__ import annotations

import tempfile

import pytest
from tests.imports.desk import COLUMNS, HEADER, Desk

GOOD_ONE, GOOD_TWO = b"G1,2024-01-01,1,10,first good,demo", b"G2,2024-01-02,2,10,second good,demo"
BEFORE, AFTER = b"B1,2024-01-03,1,10,sound row of a bad invoice,demo", b"B1,2024-01-03,3,10,another sound row,demo"


def surrounded(row: bytes) -> bytes:
    """A file with a bad row on its line 4, among good rows of the same invoice and of others."""
    return b"\n".join([HEADER.encode(), GOOD_ONE, BEFORE, row, GOOD_TWO, AFTER, b""])


def only_the_good_ones(desk: Desk) -> None:
    """The two good invoices are served, whole, and nothing of the bad one is anywhere in the facts."""
    assert desk.numbers() == ["G2", "G1"]
    assert desk.terminal.select("SELECT COUNT(*) FROM invoice") == [(2,)]
    assert desk.terminal.select("SELECT name FROM invoice_line ORDER BY name") == [("first good",), ("second good",)]


BAD_ROWS = {
    "too few cells": (b"B1,2024-01-03,1,10", "4 cells where the header has 6"),
    "too many cells": (b"B1,2024-01-03,1,10,x,demo,y", "7 cells where the header has 6"),
    "no quantity": (b"B1,2024-01-03,,10,x,demo", "''"),
    "quantity in words": (b"B1,2024-01-03,six,10,x,demo", "'six'"),
    "quantity NaN": (b"B1,2024-01-03,NaN,10,x,demo", "'NaN'"),
    "quantity infinite": (b"B1,2024-01-03,Infinity,10,x,demo", "'Infinity'"),
    "quantity 1e999": (b"B1,2024-01-03,1e999,10,x,demo", "'1e999'"),
    "quantity as float": (b"B1,2024-01-03,1.5E1,10,x,demo", "'1.5E1'"),
    "quantity in hex": (b"B1,2024-01-03,0x10,10,x,demo", "'0x10'"),
    "quantity in Arabic digits": ("B1,2024-01-03,٣,10,x,demo".encode(), "'٣'"),
    "price in words": (b"B1,2024-01-03,1,free,x,demo", "'free'"),
    "price NaN": (b"B1,2024-01-03,1,nan,x,demo", "'nan'"),
    "price 1e999": (b"B1,2024-01-03,1,1e999,x,demo", "'1e999'"),
    "price as float": (b"B1,2024-01-03,1,2.55e0,x,demo", "'2.55e0'"),
    "price with comma": (b'B1,2024-01-03,1,"2,55",x,demo', "'2,55'"),
    "price with underscore": (b"B1,2024-01-03,1,1_000,x,demo", "'1_000'"),
    "price of nine decimals": (b"B1,2024-01-03,1,0.123456789,x,demo", "'0.123456789'"),
    "price of thirteen digits": (b"B1,2024-01-03,1,1234567890123,x,demo", "'1234567890123'"),
    "amount beyond any invoice": (b"B1,2024-01-03,999999999999,999999999999,x,demo", "larger than any amount"),
    "no date": (b"B1,,1,10,x,demo", "''"),
    "date of another order": (b"B1,03/01/2024,1,10,x,demo", "'03/01/2024'"),
    "month 13": (b"B1,2024-13-01,1,10,x,demo", "'2024-13-01'"),
    "30 February": (b"B1,2024-02-30,1,10,x,demo", "'2024-02-30'"),
    "hour 25": (b"B1,2024-01-03 25:00:00,1,10,x,demo", "hour"),
    "before the calendar": (b"B1,0001-01-01,1,10,x,demo", "0001-01-01"),
    "after the calendar": (b"B1,9999-12-31T23:59:59-1200,1,10,x,demo", "9999-12-31T23:59:59-1200"),
    "NUL": (b"B1,2024-01-03,1,10,x\x00y,demo", "NUL"),
    "not UTF-8": (b"B1,2024-01-03,1,10,caf\xe9,demo", "bytes that are not utf-8"),
    "no account": (b"B1,2024-01-03,1,10,x,", "account is empty"),
    "account of blanks": (b"B1,2024-01-03,1,10,x,  ", "account is empty"),
    "account with a tab": (b"B1,2024-01-03,1,10,x,a\tb", "account reference"),
    "account of 201 characters": (b"B1,2024-01-03,1,10,x," + b"a" * 201, "account reference"),
    "text after a quote": (b'B1,2024-01-03,1,10,"x"y,demo', "not CSV"),
    "cell of 200 kB": (b"B1,2024-01-03,1,10," + b"x" * 200_000 + b",demo", "field larger than field limit"),
}


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(("row", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_holds_its_invoice_back(desk: Desk, row: bytes, reason: str) -> None:
    """One bad row: reported by file, line and reason; no row of its invoice goes in; the others do; exit code 3."""
    file = desk.file("lines.csv", surrounded(row))
    said = desk.lines(file)
    (fault,) = said.faults
    assert fault.startswith(f"{file}:4: "), fault[:300]
    assert reason in fault, fault[:300]
    assert "invoice B1 is held back" in fault
    assert (said.outcomes, said.summary["held_back"], said.code) == ({"new": 2}, 1, 3)
    only_the_good_ones(desk)


@pytest.mark.parametrize(
    "row", [b",2024-01-03,1,10,x,demo", b"  ,2024-01-03,1,10,x,demo", b"\xff,2024-01-03,1,10,x,demo", b"B\xff,1,10", b"\x00,2024-01-03,1,10,x,demo"]
)
def test_a_row_without_a_usable_number_is_reported(desk: Desk, row: bytes) -> None:
    """No invoice can be held back for such a row, but it is told of, and all readable invoices go in."""
    file = desk.file("lines.csv", surrounded(row))
    said = desk.lines(file)
    (fault,) = said.faults
    assert fault.startswith(f"{file}:4: ")
    assert said.outcomes == {"new": 3}
    assert desk.numbers() == ["B1", "G2", "G1"]


def test_rows_without_an_account_go_where_they_are_told(desk: Desk) -> None:
    """With --missing-account the rows of an empty account column go to that account; nothing is a fault."""
    file = desk.file("lines.csv", ["1,2024-01-01,1,10,x,", "2,2024-01-02,1,10,x, ", "3,2024-01-03,1,10,x,demo"])
    said = desk.lines(file, options=(*COLUMNS, "--missing-account", "walk-in"))
    assert (said.code, said.outcomes) == (0, {"new": 3})
    assert desk.numbers("walk-in") == ["2", "1"]
    assert desk.numbers() == ["3"]


def test_a_file_cut_off_in_a_row_holds_that_invoice_back(desk: Desk) -> None:
    """A truncated file: its last row is reported as cut off, and its invoice is not recorded short."""
    content = b"\n".join([HEADER.encode(), GOOD_ONE, BEFORE, GOOD_TWO, b"B1,2024-01-03,1"])
    file = desk.file("lines.csv", content)
    said = desk.lines(file)
    (fault,) = said.faults
    assert fault.startswith(f"{file}:5: 3 cells")
    assert "cut off" in fault
    only_the_good_ones(desk)


def test_a_file_cut_off_in_a_number_holds_back_what_it_may_mean(desk: Desk) -> None:
    """Of the number of the last row only `B` is left: every invoice whose number begins so may lack that row."""
    content = b"\n".join([HEADER.encode(), GOOD_ONE, BEFORE, GOOD_TWO, b"B"])
    file = desk.file("lines.csv", content)
    said = desk.lines(file)
    (fault,) = said.faults
    assert fault.startswith(f"{file}:5: ")
    only_the_good_ones(desk)


def test_a_quote_that_never_ends_holds_its_invoice_back(desk: Desk) -> None:
    """A quote left open up to the end of the file: the row is reported, and its invoice is not recorded short."""
    file = desk.file("lines.csv", b"\n".join([HEADER.encode(), GOOD_ONE, BEFORE, GOOD_TWO, b'B1,2024-01-03,1,10,"open,demo', b""]))
    said = desk.lines(file)
    (fault,) = said.faults
    assert fault.startswith((f"{file}:5: not CSV", f"{file}:6: not CSV"))
    only_the_good_ones(desk)


def test_a_quote_that_never_ends_holds_back_what_it_swallows(desk: Desk) -> None:
    """Rows after an open quote are part of its cell: their invoices are not recorded short either."""
    rows = [HEADER.encode(), GOOD_ONE, BEFORE, GOOD_TWO, b'G9,2024-01-03,1,10,"open,demo', AFTER, b""]
    said = desk.lines(desk.file("lines.csv", b"\n".join(rows)))
    assert len(said.faults) >= 1
    only_the_good_ones(desk)


HEADERS = {
    "lacks a column": (b"number,date,quantity,name,account\n1,2024-01-01,1,x,demo\n", "lacks unit_price"),
    "names a column twice": (b"number,date,quantity,unit_price,name,account,date\n", "names a column twice"),
    "empty file": (b"", "it has: nothing"),
    "empty line first": (b"\n" + HEADER.encode() + b"\n", "it has: nothing"),
    "not UTF-8": (b"n\xfcmber,date\n", "lacks number"),
    "not CSV": (b'"number"x,date\n', "expected after"),
    "UTF-16": (("\ufeff" + HEADER).encode("utf-16-le"), "lacks number"),
}


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(("content", "reason"), HEADERS.values(), ids=HEADERS)
def test_a_file_without_a_usable_header_is_named(desk: Desk, content: bytes, reason: str) -> None:
    """A header that cannot be used: the file is named with what is wrong, the other files go in, exit code 3."""
    bad = desk.file("bad.csv", content)
    good = desk.file("good.csv", ["G1,2024-01-01,1,10,x,demo"])
    said = desk.lines(bad, good)
    (fault,) = said.faults
    assert fault.startswith(f"{bad}: ")
    assert reason in fault
    assert desk.numbers() == ["G1"]


def test_a_header_that_comes_again_is_a_bad_row(desk: Desk) -> None:
    """Files that were joined with their headers: the second header is reported as a row, the invoices go in."""
    file = desk.file("lines.csv", ["1,2024-01-01,1,10,x,demo", HEADER, "2,2024-01-02,1,10,x,demo"])
    said = desk.lines(file)
    (fault,) = said.faults
    assert fault.startswith(f"{file}:3: 'quantity'")
    assert desk.numbers() == ["2", "1"]


def test_a_file_that_cannot_be_opened_is_named(desk: Desk) -> None:
    """A missing file and a folder that is named like a file: each is named, the others go in, exit code 3."""
    missing, folder = desk.folder / "missing.csv", desk.folder / "folder.csv"
    folder.mkdir()
    desk.file("good.csv", ["G1,2024-01-01,1,10,x,demo"])
    said = desk.lines(missing, desk.folder)
    assert len(said.faults) == 2
    assert str(missing) in said.faults[0]
    assert str(folder) in said.faults[1]
    assert desk.numbers() == ["G1"]


def test_a_folder_stands_for_its_files(desk: Desk) -> None:
    """All CSV files of a folder are read, whatever the case of their ending; none is left out silently."""
    desk.file("a.csv", ["1,2024-01-01,1,10,x,demo"])
    desk.file("B.CSV", ["2,2024-01-02,1,10,x,demo"])
    desk.lines(desk.folder)
    assert desk.numbers() == ["2", "1"]


def test_a_folder_without_input_is_no_success(desk: Desk) -> None:
    """A folder that has nothing to import is named; it is most likely the wrong one."""
    empty = desk.folder / "empty"
    empty.mkdir()
    said = desk.terminal("import", empty, "--provider", "checkdomain", *COLUMNS)
    assert said.code in {1, 3}
    assert str(empty) in said.err


def test_an_invoice_of_two_accounts_is_held_back(desk: Desk) -> None:
    """Rows of one number that name two customers: reported with file, line, number and both names; the rest goes in."""
    first = desk.file("first.csv", ["B1,2024-01-01,1,10,x,anna", "G1,2024-01-01,1,10,x,demo"])
    second = desk.file("second.csv", ["G2,2024-01-02,1,10,x,demo", "B1,2024-01-01,1,10,x,bert"])
    said = desk.lines(first, second)
    (fault,) = said.faults
    assert fault.startswith(f"{second}:3: ")
    assert all(word in fault for word in ("B1", "anna", "bert"))
    assert said.summary["held_back"] == 1
    only = desk.terminal.select("SELECT number FROM invoice ORDER BY number")
    assert only == [("G1",), ("G2",)]


def test_a_bad_row_in_one_file_holds_back_rows_of_another(desk: Desk) -> None:
    """Where an invoice's rows stand in several files, one bad row holds all of them back; mended, the next run brings it whole."""
    first = desk.file("first.csv", ["B1,2024-01-01,1,10,x,demo", "G1,2024-01-01,1,10,x,demo"])
    second = desk.file("second.csv", ["B1,2024-01-01,one,10,y,demo"])
    assert desk.lines(first, second).outcomes == {"new": 1}
    assert desk.numbers() == ["G1"]
    mended = desk.file("second.csv", ["B1,2024-01-01,1,10,y,demo"])
    assert desk.lines(first, mended).outcomes == {"unchanged": 1, "new": 1}
    assert {item["invoice_number"]: item["amount_total"] for item in desk.shown()} == {"B1": 20, "G1": 10}


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_line_ends_blank_lines_and_a_byte_order_mark_are_no_faults(desk: Desk, ending: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """What spreadsheets write: a BOM, any line end, blank lines, quoted cells with line ends in them, no end at the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(desk.terminal.database.parent))
    quoted = b'2,2024-01-02,"1"," 10 ","two' + ending + b'lines, ""quoted""",demo'
    rows = [b"\xef\xbb\xbf" + HEADER.encode(), b"1,2024-01-01,1,10,x,demo", b"", quoted, b"3,2024-01-03,1,10,z,demo"]
    said = desk.lines(desk.file("lines.csv", ending.join(rows)))
    assert (said.code, said.outcomes) == (0, {"new": 3})
    (name,) = desk.terminal.select("SELECT name FROM invoice_line WHERE name LIKE 'two%'")[0]
    assert name == f'two{ending.decode()}lines, "quoted"'
    assert not list(desk.terminal.database.parent.glob("faktura-import-*")), "the rows that were grouped are gone"
