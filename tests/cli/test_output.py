"""What commands print: whole tables, clean JSON, and silence when nobody reads on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from decimal import Decimal

import pytest
from tests.cli.terminal import Terminal
from tests.database import database_environment

LONG = "Servicios de alojamiento 'administrado' [bold]ÄÖ№[/] " + "x" * 150


def fill(shop: Terminal, count: int) -> None:
    """Invoices with long names, issued."""
    for number in range(count):
        lines = [{"name": f"{number}: {LONG}", "unit_price": "0.1234", "quantity": "12.5", "vat_rate": 20}]
        shop.ok("invoice", "issue", "vps", "17850", "-", stdin=json.dumps({"lines": lines}).encode())


@pytest.mark.only("sqlite")
def test_piped_tables_are_not_cut(shop: Terminal) -> None:
    """However narrow the terminal that COLUMNS tells of: piped output keeps every character, and one line a row."""
    reference = "customer " + "r" * 180
    shop.ok("account", "add", "vps", reference, "--name", LONG, "--country", "BG")
    fill(shop, 1)
    listed = shop.process("account", "list", "vps", COLUMNS="40").out.splitlines()
    assert len(listed) == 3
    assert reference in listed[2]
    assert LONG in listed[2]
    invoice_id = shop.ok("invoice", "list", "--json").lines()[0]["id"]
    shown = shop.process("invoice", "show", str(invoice_id), COLUMNS="40").out
    assert re.search(rf"^{re.escape('0: ' + LONG)} +12\.5 +0\.1234 +1\.54 EUR *$", shown, re.MULTILINE), shown
    assert "\x1b" not in shown


def test_the_human_list_says_unknown_for_what_nobody_said(shop: Terminal) -> None:
    """Unknown is not zero: an amount that a source did not say is shown as unknown, and null in JSON."""
    item = {"id": 7, "invoice_number": "0000000007", "created_at": "2024-08-27T21:00:00.000000Z", "amount": 90, "amount_with_vat": 108}
    page = shop.database.parent / "page.json"
    page.write_text(json.dumps({"data": [item | {"type": "original", "order_ids": []}]}), encoding="utf-8")
    shop.ok("import", page, "--provider", "vps", "--account", "17850")
    row = shop.ok("invoice", "list").out.splitlines()[1]
    assert re.search(r"108\.00 EUR +unknown$", row.rstrip()), row
    (listed,) = shop.ok("invoice", "list", "--json").lines()
    assert (listed["total_with_vat"], listed["paid_amount"], listed["amount_due"]) == (108, None, None)
    assert shop.ok("invoice", "list", "--open", "--json").lines() == []


@pytest.mark.only("sqlite")
def test_json_amounts_have_all_their_decimals(shop: Terminal) -> None:
    """Amounts are JSON numbers with the currency's decimals, exact."""
    fill(shop, 1)
    out = shop.ok("invoice", "list", "--json").out
    assert '"total_without_vat":1.54,"vat_total":0.31,"total_with_vat":1.85' in out
    assert shop.ok("invoice", "list", "--json").lines()[0]["amount_due"] == Decimal("1.85")


def test_a_long_list_says_that_it_goes_on(shop: Terminal) -> None:
    """People see the newest 50 and are told so; programs get all."""
    rows = "".join(f"{number},2024-01-01,1,1,x,17850\n" for number in range(60))
    file = shop.database.parent / "lines.csv"
    file.write_text(f"number,date,quantity,unit_price,name,account\n{rows}", encoding="utf-8")
    columns = [word for name in ("number", "date", "quantity", "unit_price", "name", "account") for word in ("--column", f"{name}={name}")]
    shop.ok("import", file, "--provider", "vps", *columns)
    said = shop.ok("invoice", "list")
    assert len(said.out.splitlines()) == 51
    assert "--limit" in said.err
    assert len(shop.ok("invoice", "list", "--limit", 60).out.splitlines()) == 61
    assert len(shop.ok("invoice", "list", "--json").lines()) == 60


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("words", ["--help", "provider list", "provider list --json", "invoice list", "invoice list --json"])
def test_a_closed_pipe_is_no_traceback(shop: Terminal, words: str) -> None:
    """`faktura … | head` that has seen enough: the command ends without a word, be its output long or short."""
    fill(shop, 2)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "faktura", *words.split()],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=os.environ | database_environment(shop.database),
        )
    finally:
        os.close(writer)
    assert done.stderr == "", done.stderr.splitlines()[-1]
    assert done.returncode in {0, 1, 141}


def test_the_reader_of_a_long_list_may_leave(shop: Terminal) -> None:
    """`invoice list --json | head -1`, more output than a pipe holds: one line is read, no traceback follows."""
    rows = "".join(f"{number},2024-01-01,1,1,{'x' * 50},17850\n" for number in range(600))
    file = shop.database.parent / "lines.csv"
    file.write_text(f"number,date,quantity,unit_price,name,account\n{rows}", encoding="utf-8")
    columns = [word for name in ("number", "date", "quantity", "unit_price", "name", "account") for word in ("--column", f"{name}={name}")]
    shop.ok("import", file, "--provider", "vps", *columns)
    with subprocess.Popen(
        [sys.executable, "-m", "faktura", "invoice", "list", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | database_environment(shop.database),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["account"] == "17850"
        process.stdout.close()
        err = process.stderr.read()
    assert err == "", err.splitlines()[-1]


@pytest.mark.parametrize(
    "words", [("invoice", "list", "--number", "\udcff"), ("account", "add", "vps", "new", "--name", "\udcff"), ("account", "add", "vps", "\udcff")]
)
def test_an_argument_that_is_no_text_is_no_crash(shop: Terminal, words: tuple[str, ...]) -> None:
    """Arguments are bytes on this system, and Python hands over those that are no UTF-8 as lone surrogates: refused or not found."""
    before = shop.dump()
    said = shop(*words)
    assert "Traceback" not in said.err, said.err.splitlines()[-1]
    assert said.code in {0, 1, 2}
    assert shop.dump() == before
