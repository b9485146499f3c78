"""`faktura import --as-issued`, as an operator runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import Terminal

OPTIONS = ("--provider", "vps", "--as-issued")


def history(folder: Path, *lines: dict[str, Any]) -> Path:
    """A file of past documents."""
    path = folder / "history.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in lines))
    return path


def past(number: int, issue_date: str, **document: Any) -> dict[str, Any]:
    """A past invoice of 12.00."""
    base = {"account": "17850", "number": f"{number:010d}", "issue_date": issue_date}
    return base | {"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]} | document


def test_moving_in(shop: Terminal, tmp_path: Path) -> None:
    """First dry, then for good: gaps, falling dates and where the series goes on are told; again: known; the ledger is whole, and the next number follows."""
    file = history(
        tmp_path, past(5, "2023-05-05"), past(6, "2023-05-04", account="new", buyer={"name": "B", "country": "BG"}), past(9, "2023-06-01", paid_amount=12)
    )
    refused = shop("import", file, *OPTIONS)
    assert (refused.code, refused.out) == (1, "2 valid, 1 refused\n")
    assert refused.err == (f"faktura: {file}:2: account: provider 'vps' has no account 'new' (--create-accounts makes it) [account]\nnothing was moved in\n")
    told = [
        "date falls: series invoice, number 6 is of 2023-05-04, 5 of 2023-05-05",
        "gap: series invoice lacks numbers 7 to 8",
    ]
    assert shop.ok("import", file, *OPTIONS, "--create-accounts", "--dry-run").out.splitlines() == [*told, "3 valid"]
    assert shop.ok("invoice", "list", "--json").out == ""
    done = shop.ok("import", file, *OPTIONS, "--create-accounts")
    assert done.out.splitlines() == [*told, "series invoice goes on with number 10, from 2023-06-01", "3 moved-in"]
    assert shop.ok("import", file, *OPTIONS).out.splitlines()[-1] == "3 known"
    file = history(tmp_path, past(5, "2023-05-05", note="other"), past(8, "2023-05-20"))
    said = shop("import", file, *OPTIONS)
    assert said.code == 3
    assert said.err == f"faktura: {file}:1: conflict: the ledger has another 0000000005, which differs in note; it stays\n"
    assert said.out.splitlines()[-1] == "1 moved-in, 1 conflict"
    document = {"lines": [{"name": "VPS", "unit_price": "10", "vat_rate": 20}]}
    assert shop.ok("invoice", "issue", "vps", "17850", "-", "--json", stdin=json.dumps(document).encode()).json()["number"] == "0000000010"
    assert shop.ok("verify").out == "the ledger is whole\n"
    assert [item["event"] for item in shop.ok("journal", "vps", "--json", "--limit", 1000).lines()].count("invoice.moved-in") == 4


def test_moving_in_for_programs(shop: Terminal, tmp_path: Path) -> None:
    """--json says everything a line each: lines with file and position, then gaps, falls, series, summary."""
    file = history(tmp_path, past(2, "2023-05-05"), past(2, "2023-05-05"), past(5, "2023-05-01"))
    said = shop("import", file, *OPTIONS, "--json")
    assert said.code == 0
    *lines, summary = said.lines()
    assert summary == {"summary": {"moved-in": 2, "valid": 0, "known": 0, "duplicate": 1, "conflict": 0, "refused": 0}}
    assert [(item["position"], item["outcome"], item["number"]) for item in lines if "outcome" in item] == [
        (2, "duplicate", "0000000002"),
        (1, "moved-in", "0000000002"),
        (3, "moved-in", "0000000005"),
    ]
    assert {"gap": {"series": "invoice", "year": None, "first": 3, "last": 4}} in lines
    fall = {"series": "invoice", "number": 5, "issue_date": "2023-05-01", "previous": 2, "previous_date": "2023-05-05"}
    assert {"fall": fall} in lines
    assert {"series": {"name": "invoice", "next_number": 6, "last_date": "2023-05-05"}} in lines
    wrong = shop("import", history(tmp_path, past(6, "2031-01-01")), *OPTIONS, "--json")
    assert wrong.code == 1
    assert wrong.lines()[0]["faults"][0]["rule"] == "ISSUE-DATE"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--as-issued",), "name the --provider"),
        ((*OPTIONS, "--account", "17850"), "takes only"),
        ((*OPTIONS, "--vat-rate", "20"), "takes only"),
        (("--provider", "vps", "--account", "17850", "--create-accounts"), "belong to --as-issued"),
        (("--provider", "vps", "--dry-run"), "belong to --as-issued"),
        (("--provider", "nobody", "--as-issued"), "no provider 'nobody'"),
    ],
)
def test_options_that_do_not_go_together(shop: Terminal, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    """One line says what is wrong, and nothing is read."""
    assert message in shop("import", history(tmp_path, past(1, "2023-01-01")), *words).refused()


def test_a_history_that_is_not_there(shop: Terminal) -> None:
    """One line names it."""
    assert "there is no such file" in shop("import", "nowhere.jsonl", *OPTIONS).refused()


def test_absurd_lines_are_faults(shop: Terminal, tmp_path: Path) -> None:
    """Halves of characters, huge numbers, lists for objects and deep nesting are told as faults; nothing crashes, nothing is written."""
    file = tmp_path / "history.jsonl"
    odd = [
        {"account": "\ud800", "number": "\ud800", "\ud800": 1, "preceding_invoice": "\ud800", "seller": {"\ud800": 1}, "payments": [{"\ud800": 1}]},
        past(1, "2023-01-01") | {"number": "9" * 300, "wire_id": 10**30, "paid_amount": 10**30, "created_at": "9" * 99},
        past(2, "9999-12-31") | {"number": 5, "account": "x" * 300, "payments": {}, "seller": [], "lines": {}, "buyer": 7},
        past(3, "2023-01-01") | {"type_code": 381.5, "payments": [[], None, 5]},
    ]
    text = "\n".join([*(json.dumps(item) for item in odd), "[" * 100_000, '{"account": 1, "account": 2}', "1e999", '"x"', "null", "\x00"])
    file.write_text(text + "\n")
    before = shop.dump()
    said = shop("import", file, *OPTIONS, "--json", "--create-accounts")
    assert said.code == 1, said
    *lines, summary = said.lines()
    assert summary["summary"]["refused"] == len(lines) == 10
    assert "Traceback" not in said.err
    assert shop.dump() == before
