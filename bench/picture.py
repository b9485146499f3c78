"""The cost curve as a picture, drawn from a results file. `python -m bench.picture [FILE]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.table import ROOT, newest

PICTURE = ROOT / "docs" / "performance.svg"
_LINES = (("issue", "an invoice issued, durable", "#b3541e", "s"), ("page", "a list page over HTTP, 30 invoices", "#1f5fa8", "o"))


def draw(results: Mapping[str, Any], path: Path = PICTURE) -> None:
    """Time per request and per issued invoice by the size of the ledger; the bars are the fastest and slowest sample."""
    import matplotlib as mpl  # noqa: PLC0415 - the table needs no picture
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415

    points = results.get("curve") or []
    if not points:
        return
    mpl.rcParams["svg.hashsalt"] = "faktura"  # the same results make the same file
    mpl.rcParams["svg.fonttype"] = "none"
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.add_subplot()
    sizes = [point["invoices"] for point in points]
    for key, label, colour, marker in _LINES:
        middle = [point[key] * 1e6 for point in points]
        low = [value - min(point[f"{key}_samples"]) * 1e6 for value, point in zip(middle, points, strict=True)]
        high = [max(point[f"{key}_samples"]) * 1e6 - value for value, point in zip(middle, points, strict=True)]
        axes.errorbar(sizes, middle, yerr=[low, high], label=label, color=colour, marker=marker, capsize=3, linewidth=1.8, elinewidth=0.9)
        for size, value in zip(sizes, middle, strict=True):
            axes.annotate(f"{value:,.0f}", (size, value), textcoords="offset points", xytext=(7, 5), fontsize=9, color=colour)
    axes.set_xscale("log")
    axes.set_ylim(0, max(max(point[f"{key}_samples"]) for point in points for key, *_ in _LINES) * 1e6 * 1.2)
    axes.set_xlim(sizes[0] / 1.6, sizes[-1] * 2.2)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("invoices in the ledger (logarithmic)")
    axes.set_ylabel("time for one, microseconds (median)")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_title(f"What one costs as the ledger grows: SQLite, one core of {results['machine']['cpu']}, {results['date']}", fontsize=11)
    axes.grid(visible=True, axis="y", color="#dddddd")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="best")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)


def main() -> None:
    """Draw the newest results, or a file's."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else newest()
    if path is None:
        raise SystemExit("there are no results yet: make bench")
    draw(json.loads(path.read_text(encoding="utf-8")))
    print(f"{PICTURE.relative_to(ROOT)} shows {path.name}")


if __name__ == "__main__":
    main()
