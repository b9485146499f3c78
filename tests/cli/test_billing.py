"""`faktura bill` and `faktura verify`, as an operator runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.terminal import Terminal
from tests.database import execute, unguard


def item(product: str, **document: Any) -> str:
    """One line of a billing file."""
    return json.dumps({"account": "17850", "period": "2026-10", "product": product, "lines": [{"name": product, "unit_price": "10"}]} | document)


def test_a_run_from_a_file(shop: Terminal, tmp_path: Path) -> None:
    """Faults are told with file, line, path and rule, the rest is issued, exit code 3; again: billed before; the ledger is whole."""
    file = tmp_path / "october.jsonl"
    file.write_text("\n".join([item("VPS"), "", "no json", item("Backup", account="nobody"), item("IP", lines=[]), item("DNS")]) + "\n")
    dry = shop("bill", file, "--provider", "vps", "--dry-run")
    assert (dry.code, dry.out) == (3, "3 refused, 2 valid\n")
    said = shop("bill", file, "--provider", "vps", "--json")
    assert said.code == 3
    *reports, last = said.lines()
    assert last == {"summary": {"issued": 2, "billed-before": 0, "refused": 3, "valid": 0}}
    assert {report["position"]: report["number"] for report in reports if report["number"]} == {1: "0000000001", 6: "0000000002"}
    assert all(report["id"] for report in reports if report["number"])
    assert [line.split(" ")[1] for line in said.err.splitlines()] == [f"{file}:3:", f"{file}:4:", f"{file}:5:"]
    assert "[BR-16]" in said.err
    assert shop("bill", file, "--provider", "vps").out == "2 billed-before, 3 refused\n"
    assert shop.ok("verify").out == "the ledger is whole\n"


def test_a_file_that_is_not_there(shop: Terminal) -> None:
    """One line names it."""
    assert "there is no such file" in shop("bill", "nowhere.jsonl", "--provider", "vps").refused()


def test_verify_names_what_was_changed(shop: Terminal, tmp_path: Path) -> None:
    """A number changed in the database is the first finding, exit code 1; --all names them all, --json for programs."""
    file = tmp_path / "run.jsonl"
    file.write_text(item("VPS"))
    shop.ok("bill", file, "--provider", "vps")
    unguard(shop.database)
    execute(shop.database, "UPDATE invoice SET number = '0000000009'")
    said = shop("verify")
    assert said.code == 1
    assert len(said.out.splitlines()) == 1
    assert "invoice.issued" in said.out
    found = shop("verify", "--all", "--json")
    assert found.code == 1
    assert {"where", "message"} == set(found.json()[0])
    assert len(found.json()) >= 2
