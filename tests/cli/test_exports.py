"""Exports on the command line: whole files or none, a month's folder, and sums."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import Terminal
from tests.crash.disks import read_only, small_disk
from tests.database import database_environment, sqlite_only
from tests.sheets import batch, csv_rows, sheets, signed_minor

from faktura.storage import backup as files

TODAY = date.today()  # noqa: DTZ011 - near enough: what is read back decides
SETTINGS = "consultant = 1001\nclient = 7\nexpense_account = 4930\nrevenue_account = 8400\ncreditor_account = 70000\ndebtor_account = 10000\n"


@pytest.fixture
def trade(shop: Terminal, tmp_path: Path) -> Terminal:
    """Issued invoices, a pro-forma, a credit note, and a recorded invoice whose paid amount nobody knows."""

    def issued(provider: str, **terms: object) -> dict[str, Any]:
        document = {"lines": [{"name": "=VPS; 1", "unit_price": "90.10", "vat_rate": 20}], **terms}
        found: dict[str, Any] = shop.ok("invoice", "issue", provider, "17850", "-", "--json", stdin=json.dumps(document).encode()).json()
        return found

    issued("vps")
    shop.ok("credit", issued("vps")["id"])
    issued("vps", type_code=325, order_ids=[9])
    issued("domains", lines=[{"name": "a", "unit_price": 10, "vat_rate": 19}, {"name": "b", "unit_price": 1, "vat_rate": 7}], override_reason="a test")
    shop.ok("account", "add", "vps", "heard")
    found = {"id": 77, "invoice_number": "77", "created_at": f"{TODAY}T00:00:00.000000Z", "amount": 1, "amount_with_vat": 1.2, "type": "original"}
    (tmp_path / "page.json").write_text(json.dumps({"data": [found | {"order_ids": [5]}]}), encoding="utf-8")
    shop.ok("import", tmp_path / "page.json", "--provider", "vps", "--account", "heard")
    return shop


@pytest.fixture
def settings(trade: Terminal, tmp_path: Path) -> Path:
    """DATEV settings for the fiscal year of the documents."""
    year = trade.ok("invoice", "list", "--json").lines()[0]["issue_date"][:4]
    (tmp_path / "datev.toml").write_text(
        f'fiscal_year_begin = {year}-01-01\n{SETTINGS}[bu_keys]\n"19" = 9\n"7" = 8\n"20" = ""\n[revenue_bu_keys]\n"19" = 3\n"7" = 2\n"20" = ""\n',
        encoding="utf-8",
    )
    return tmp_path / "datev.toml"


def test_json_lines_are_what_show_prints(trade: Terminal, tmp_path: Path) -> None:
    """Each line is the document as `invoice show --json` has it, byte for byte, in the order of dates and ids; standard output has the same."""
    said = trade.ok("export", "--as", "jsonl", "-o", tmp_path / "out.jsonl")
    assert said.out == ""
    assert "pro-formas (1)" in said.err
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    assert [trade.ok("invoice", "show", json.loads(line)["id"], "--json").out.rstrip("\n") for line in lines] == lines
    assert trade.ok("export", "--as", "jsonl", "-o", "-").out.splitlines() == lines


def test_tables_have_what_the_filters_ask_for(trade: Terminal, tmp_path: Path) -> None:
    """CSV and XLSX of the same selection have the same documents; an empty cell is what nobody said."""
    for extra, count in (
        ((), 5),
        (("--provider", "vps"), 4),
        (("--type", "381"), 1),
        (("--type", "325"), 1),
        (("--currency", "usd"), 0),
        (("--state", "open"), 2),
    ):
        trade.ok("export", "--as", "csv", "-o", tmp_path / "a.csv", *extra)
        trade.ok("export", "--as", "xlsx", "-o", tmp_path / "a.xlsx", *extra)
        rows = csv_rows((tmp_path / "a.csv").read_bytes())
        (sheet,) = sheets(tmp_path / "a.xlsx")
        assert len(rows) == count
        assert [row["number"] for row in rows] == [row["number"] for row in sheet]
        assert [row["total_with_vat"] for row in rows] == [f"{row['total_with_vat']:.2f}" for row in sheet]
    (row,) = csv_rows(trade.ok("export", "--as", "csv", "-o", "-", "--number", "77").out.encode())
    assert (row["total_with_vat"], row["paid_amount"], row["amount_due"], row["state"]) == ("1.20", "", "", "")
    (row,) = csv_rows(trade.ok("export", "--as", "csv", "-o", "-", "--type", "381", "--lines", "--excel").out.encode(), excel=True)
    assert (row["name"], row["line_total"], row["unit_price"]) == ("=VPS; 1", "-90,10", "90,1")


def test_sums_for_people_and_programs(trade: Terminal) -> None:
    """Groups by currency, credit notes negative, and unknown where nothing is known."""
    said = trade.ok("invoice", "list", "--sum", "provider", "--sum", "type", "--json")
    found = {(row["provider"], row["type"]): row for row in said.lines()}
    assert {key: (row["count"], str(row["total_with_vat"])) for key, row in found.items()} == {
        ("vps", "invoice"): (3, "217.44"),
        ("vps", "credit note"): (1, "-108.12"),
        ("domains", "invoice"): (1, "12.97"),
    }
    assert found["vps", "invoice"]["amount_due_unknown"] == 1
    (heard,) = trade.ok("invoice", "list", "--sum", "currency", "--number", "77", "--json").lines()
    assert (heard["amount_due"], heard["amount_due_unknown"], heard["total_with_vat"]) == (None, 1, heard["total_with_vat"])
    table = trade.ok("invoice", "list", "--sum", "account,month").out
    assert "due unknown" in table
    assert "unknown" in next(line for line in table.splitlines() if " heard " in line)
    assert "325" in said.err
    (asked,) = trade.ok("invoice", "list", "--sum", "type", "--type", "325", "--json").lines()
    assert (asked["type"], asked["count"]) == ("pro-forma", 1)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("invoice list --sum colour", "must name provider"),
        ("invoice list --sum type --limit 3", "leave --limit"),
        ("invoice list --month 2026-13", "must be a month"),
        ("invoice list --month 2026-10 --from 2026-10-01", "names the days already"),
        ("invoice list --currency euro", "ISO 4217"),
        ("export", "name a format"),
        ("export --as csv", "name a format"),
        ("export --as xlsx -o -", "not to standard output"),
        ("export --as datev -o x", "needs --datev-settings"),
        ("export --as datev -o x --datev-settings nowhere.toml", "No such file"),
        ("export --as jsonl -o x --lines", "--lines is for csv and xlsx"),
        ("export --folder x", "--folder takes --month"),
        ("export --folder x --month 2026-10 --as csv", "--folder takes --month"),
        ("export --as csv -o x --provider nobody", "nobody"),
        ("export --as csv -o /dev/null", "no plain file"),
        ("export --as csv -o nowhere/x", "folder does not exist"),
    ],
)
def test_what_cannot_be_meant_is_refused(shop: Terminal, words: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what is wrong, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert reason in shop(*words.split()).refused()
    assert sorted(tmp_path.iterdir()) == before


def test_datev_adds_up_and_tells_what_it_cannot_carry(trade: Terminal, settings: Path, tmp_path: Path) -> None:
    """Debtors and creditors have the ledger's sums; a document in another currency is a fault and exit code 3, and the rest is there."""
    out = tmp_path / "EXTF_x.csv"
    trade.ok("export", "--as", "datev", "-o", out, "--datev-settings", settings)
    head, rows = batch(out.read_bytes())
    assert len(rows) == 6
    assert sum(signed_minor(row) for row in rows if row["Konto"] == "10000") == 10_812 + 1_297
    assert [(row["Konto"], signed_minor(row), row["Buchungstext"]) for row in rows if row["Konto"] == "70000"] == [("70000", -120, "vps")]
    assert {row["BU-Schlüssel"] for row in rows if row["Buchungstext"] == "domains"} == {"3", "2"}
    days = {row["Belegdatum"] for row in rows}
    assert {head[14][6:] + head[14][4:6], head[15][6:] + head[15][4:6]} <= days
    document = {"lines": [{"name": "x", "unit_price": 5, "vat_rate": 20}], "currency": "USD"}
    trade.ok("invoice", "issue", "vps", "17850", "-", stdin=json.dumps(document).encode())
    said = trade("export", "--as", "datev", "-o", out, "--datev-settings", settings)
    assert said.code == 3
    assert "[DATEV-CURRENCY]" in said.err
    assert "1 of 6 documents" in said.err
    assert len(batch(out.read_bytes())[1]) == 6


def test_a_months_folder(trade: Terminal, settings: Path, tmp_path: Path) -> None:
    """Every format and a summary with checksums and sums; the same ledger makes the same bytes, whatever the clock and the time zone say."""
    month = trade.ok("invoice", "list", "--provider", "domains", "--json").lines()[0]["issue_date"][:7]
    command = ("export", "--month", month, "--provider", "domains", "--folder", str(tmp_path / "to" / "accountant"), "--datev-settings", str(settings))
    trade.ok(*command)
    made = tmp_path / "to" / "accountant" / month
    first = {path.name: path.read_bytes() for path in made.iterdir()}
    assert set(first) == {f"invoices-{month}.{end}" for end in ("csv", "jsonl", "xlsx")} | {f"EXTF_Buchungsstapel-{month}.csv", "summary.json"}
    summary = json.loads(first["summary.json"])
    assert {name: said["sha256"] for name, said in summary["files"].items()} == {
        name: hashlib.sha256(body).hexdigest() for name, body in first.items() if name != "summary.json"
    }
    (by_type,) = summary["sums"]["by_type"]
    assert (summary["documents"], by_type["total_with_vat"], by_type["amount_due"], by_type["paid_amount_unknown"]) == (1, 12.97, 12.97, 0)
    assert len(csv_rows(first[f"invoices-{month}.csv"])) == 1
    assert trade.process(*command, TZ="Asia/Tokyo").code == 0
    assert {path.name: path.read_bytes() for path in made.iterdir()} == first
    refused = trade(*command[:-2]).refused()
    assert "EXTF_Buchungsstapel" in refused
    assert {path.name: path.read_bytes() for path in made.iterdir()} == first


def test_an_export_that_fails_leaves_the_old_file(trade: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk refuses, one line says so; the file that was there is as it was, and nothing is left beside it."""
    out = tmp_path / "out"
    out.mkdir()
    for form in ("csv", "jsonl", "xlsx"):
        (out / "file").write_bytes(b"old")

        def refuse(path: Path) -> None:
            message = f"No space left on device: {path.name}"
            raise OSError(28, message)

        with monkeypatch.context() as patch:
            patch.setattr(files, "sync", refuse)
            assert "was not written" in trade("export", "--as", form, "-o", out / "file").refused()
        assert [(path.name, path.read_bytes()) for path in out.iterdir()] == [("file", b"old")]
        trade.ok("export", "--as", form, "-o", out / "file")
        assert (out / "file").read_bytes() != b"old"
    with monkeypatch.context() as patch:
        patch.setattr(files, "sync", refuse)
        assert "was not written" in trade("export", "--month", "2024-01", "--folder", tmp_path / "new").refused()
    assert list((tmp_path / "new").iterdir()) == []


@sqlite_only
def test_an_export_never_replaces_the_ledger(trade: Terminal, tmp_path: Path) -> None:
    """The ledger's own file is refused as a target, under any name."""
    (tmp_path / "alias.db").symlink_to(trade.database)
    before = trade.dump()
    assert "the ledger itself" in trade("export", "--as", "csv", "-o", trade.database).refused()
    assert "the ledger itself" in trade("export", "--as", "csv", "-o", f"{trade.database}-wal").refused()
    assert "no plain file" in trade("export", "--as", "csv", "-o", tmp_path / "alias.db").refused()
    assert trade.dump() == before


def test_a_reader_that_goes_away_is_no_crash(trade: Terminal) -> None:
    """`faktura export -o - | head` ends without a traceback, and so does one to a full disk."""
    command = [sys.executable, "-m", "faktura", "export", "--as", "jsonl", "-o", "-"]
    environment = os.environ | database_environment(trade.database)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
    if Path("/dev/full").exists():
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "standard output" in done.stderr


def test_a_full_disk_and_a_folder_that_only_reads(trade: Terminal, settings: Path, tmp_path: Path) -> None:
    """Every format says that there is no room, or that nothing may be written, and the old file is as it was; then there is room, and it goes."""
    datev = ("--datev-settings", settings)
    with small_disk(tmp_path / "small", 1) as disk:
        out = disk.folder / "file"
        for form, extra in (("csv", ()), ("jsonl", ()), ("xlsx", ()), ("datev", datev)):
            out.write_bytes(b"old")
            disk.fill()
            assert "was not written" in trade("export", "--as", form, "-o", out, *extra).refused()
            assert "No space left" in trade("export", "--month", "2024-01", "--folder", disk.folder).refused()
            assert sorted(path.name for path in disk.folder.iterdir()) == ["file", "filler"]
            assert out.read_bytes() == b"old"
            disk.free()
            trade.ok("export", "--as", form, "-o", out, *extra)
            assert out.read_bytes() != b"old"
            assert [path.name for path in disk.folder.iterdir()] == ["file"]
        with read_only(disk.folder):
            assert "Read-only" in trade("export", "--as", "xlsx", "-o", out).refused()


def test_what_a_killed_export_left_goes(trade: Terminal, tmp_path: Path) -> None:
    """The folder in which a killed process was writing is cleared by the next export of that name."""
    left = tmp_path / "to" / ".a.xlsx.part"
    left.mkdir(parents=True)
    (left / "made").write_bytes(b"half")
    trade.ok("export", "--as", "xlsx", "-o", tmp_path / "to" / "a.xlsx")
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["a.xlsx"]
