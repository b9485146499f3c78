"""The bench's own arithmetic, table and results files; nothing here is timed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bench import table
from bench.harness import Goal, Row, compare
from bench.large import FORMS, build, find
from bench.retail import retail_rows

from faktura.ledger.commands import issue

ROW = {"what": str, "against": str, "ratio": float, "min": float, "max": float, "samples": list, "goal": str, "holds": bool}
RESULTS = sorted(table.RESULTS.glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    """A results file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def row(goal: Goal, *samples: tuple[float, float], note: str = "") -> Row:
    """A row of those samples."""
    return Row(what="ours", against="theirs", goal=goal, samples=samples, note=note)


def test_a_speed_is_theirs_by_ours() -> None:
    """Half the speed is twice the cost: a goal of at least 0.5 of the other's speed holds there, and not beyond."""
    assert row(Goal(at_least=0.5), (2.0, 1.0)).ratio == 0.5
    assert row(Goal(at_least=0.5), (2.0, 1.0)).as_json()["holds"]
    assert not row(Goal(at_least=0.5), (2.1, 1.0)).as_json()["holds"]
    assert row(Goal(at_least=30), (1.0, 31.0)).as_json()["holds"]


def test_a_cost_is_ours_by_theirs() -> None:
    """A goal of at most 1.25 of the other's cost holds for a quarter more, and not beyond."""
    assert row(Goal(at_most=1.25), (5.0, 4.0)).ratio == 1.25
    assert row(Goal(at_most=1.25), (5.0, 4.0)).as_json()["holds"]
    assert not row(Goal(at_most=1.25), (5.1, 4.0)).as_json()["holds"]


def test_the_ratio_is_the_median_of_the_pairs() -> None:
    """One bad pair moves the largest and not the ratio; every raw sample is kept."""
    said = row(Goal(at_most=2), (1.0, 1.0), (9.0, 1.0), (3.0, 2.0)).as_json()
    assert (said["ratio"], said["min"], said["max"]) == (1.5, 1.0, 9.0)
    assert said["samples"] == [[1.0, 1.0], [9.0, 1.0], [3.0, 2.0]]


def test_two_things_take_turns() -> None:
    """A B A B …, and the first turn of each does not count."""
    turns: list[str] = []

    def ours() -> float:
        turns.append("A")
        return float(len(turns))

    def theirs() -> float:
        turns.append("B")
        return 1.0

    found = compare("ours", "theirs", Goal(at_most=100), ours=ours, theirs=theirs, samples=3)
    assert "".join(turns) == "ABABABAB"
    assert found.samples == [(3.0, 1.0), (5.0, 1.0), (7.0, 1.0)]


def test_the_table_says_what_was_missed_and_what_was_not_measured() -> None:
    """A miss stands in the table like everything else, and so does what could not be measured, with its reason."""
    text = table.markdown(results(skipped=[{"what": "search", "reason": "not built"}]))
    assert "| ours | theirs | **0.25** | 0.25 to 0.25 | ≥ 0.5 | missed |" in text
    assert "| search | not measured: not built | | | | |" in text
    assert "- ours, against theirs: why." in text


def test_a_document_keeps_what_stands_around_its_table() -> None:
    """Only what stands between the markers is replaced; a document without them is refused."""
    text = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    made = table.joined(text, results())
    assert made.startswith(f"before\n{table.BEGIN}\n2026-01-02: ")
    assert made.endswith(f"{table.END}\nafter\n")
    assert "old" not in made
    assert table.joined(made, results()) == made
    with pytest.raises(ValueError, match="markers"):
        table.joined("before", results())


def results(**more: object) -> Mapping[str, Any]:
    """A run with one row, which misses its goal."""
    machine = {"cores": 2, "cpu": "a processor", "memory": "24 GB", "kernel": "6.1"}
    missed = row(Goal(at_least=0.5), (4.0, 1.0), note="why").as_json()
    return {"date": "2026-01-02", "machine": machine, "versions": {"python": "3.11", "wrk": None}, "pinning": "pinned", "rows": [missed], **more}


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_have_the_documented_form(path: Path) -> None:
    """Machine, versions and rows as documented; ratio and verdict follow from the raw samples, of which there are five at least."""
    found = read(path)
    assert {"machine", "versions", "rows"} <= set(found)
    assert found["rows"]
    for item in found["rows"]:
        assert all(isinstance(item[name], kind) for name, kind in ROW.items()), item
        sign, bound = item["goal"].split()
        goal = Goal(at_least=float(bound)) if sign == "≥" else Goal(at_most=float(bound))
        again = Row(what=item["what"], against=item["against"], goal=goal, samples=[tuple(pair) for pair in item["samples"]]).as_json()
        assert {name: again[name] for name in ROW} == {name: item[name] for name in ROW}
        assert len(item["samples"]) >= 5 or "memory" in item["what"], item["what"]  # of 100,000 items, once: it is not timed
    for point in found.get("curve", ()):
        assert {"invoices", "page", "page_samples", "issue", "issue_samples"} == set(point)


@pytest.mark.skipif(not RESULTS, reason="there are no results yet: make bench")
def test_the_documentation_shows_the_newest_results() -> None:
    """The table in docs/performance.md is the newest results file's, so nobody writes it by hand."""
    text = table.DOCUMENT.read_text(encoding="utf-8")
    assert table.joined(text, read(RESULTS[-1])) == text


@pytest.mark.parametrize("dialect", sorted(FORMS))
def test_a_large_ledger_is_as_the_product_would_write_it(tmp_path: Path, dialect: str) -> None:
    """What SQL writes has exact totals, right pages and documents as the product writes and renders them: `build` compares, or raises."""
    made = build(tmp_path, 1_000, dialect)
    assert find(tmp_path, 1_000, dialect) == made
    assert find(tmp_path, 2_000, dialect) is None


def test_a_large_ledger_can_be_issued_in(tmp_path: Path) -> None:
    """The next document takes the next number and the next ids."""
    made = build(tmp_path, 1_000)
    with made.books() as books:
        invoice = issue(books, account_id=made.issuing_account_id, draft=made.draft)
    assert (invoice.series_sequence, invoice.number, invoice.wire_id) == (1_001, "0000001001", 1_001)


def test_copies_of_the_shop_have_numbers_of_their_own() -> None:
    """Twice the shop is twice the rows, and no invoice of the one copy is one of the other."""
    once, twice = list(retail_rows(copies=1)), list(retail_rows(copies=2))
    assert twice[: len(once)] == once
    assert len(twice) == 2 * len(once)
    assert not {row[0] for row in once} & {row[0] for row in twice[len(once) :]}
