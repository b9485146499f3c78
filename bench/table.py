"""The table: a line while it runs, and the same for the documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- results: python -m bench.table -->", "<!-- end of results -->"


def newest() -> Path | None:
    """The newest results file."""
    return max(RESULTS.glob("*.json"), default=None)


def line(row: Mapping[str, Any]) -> str:
    """A row for people who watch."""
    verdict = "holds" if row["holds"] else "MISSED"
    said = f"{row['what']}  |  {row['against']}  |  {_number(row['ratio'])} ({_number(row['min'])} to {_number(row['max'])})  |  {row['goal']}  |  {verdict}"
    return f"{said}\n    {row['note']}" if row["note"] else said


def markdown(results: Mapping[str, Any]) -> str:
    """The run as Markdown: where, with what, and every row."""
    machine, versions = results["machine"], results["versions"]
    said = ", ".join(f"{name} {value}" for name, value in versions.items() if value)
    lines = [
        f"{results['date']}: {machine['cores']} cores of {machine['cpu']}, {machine['memory']}, Linux {machine['kernel']}. {results['pinning']}.",
        f"{said}.",
        "",
        "| what | against | ratio | min to max | goal | |",
        "|---|---|--:|--:|--:|---|",
    ]
    for row in results["rows"]:
        spread = f"{_number(row['min'])} to {_number(row['max'])}"
        lines.append(f"| {row['what']} | {row['against']} | **{_number(row['ratio'])}** | {spread} | {row['goal']} | {'holds' if row['holds'] else 'missed'} |")
    lines += [f"| {item['what']} | not measured: {item['reason']} | | | | |" for item in results.get("skipped", ())]
    notes = [f"- {row['what']}, against {row['against']}: {row['note']}." for row in results["rows"] if row["note"]]
    return "\n".join([*lines, "", *notes, ""])


def joined(text: str, results: Mapping[str, Any]) -> str:
    """The document with a run's table between its markers."""
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        message = f"{DOCUMENT} lacks its markers"
        raise ValueError(message)
    return f"{before}{BEGIN}\n{markdown(results)}{END}{after}"


def write_document(results: Mapping[str, Any]) -> None:
    """Bring the documentation's table up to date."""
    DOCUMENT.write_text(joined(DOCUMENT.read_text(encoding="utf-8"), results), encoding="utf-8")


def _number(value: float) -> str:
    """Three digits are what a ratio is good for."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main(paths: Sequence[Path] = ()) -> None:
    """Write the newest results into the documentation."""
    path = next(iter(paths), newest())
    if path is None:
        raise SystemExit("there are no results yet: make bench")
    write_document(json.loads(path.read_text(encoding="utf-8")))
    print(f"{DOCUMENT.relative_to(ROOT)} shows {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
