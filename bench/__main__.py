"""`python -m bench [--quick] [MODULE …]`: runs modules of rows, prints the table while it goes, keeps the results."""

from __future__ import annotations

import argparse
import json
import pkgutil
import tempfile
import time
import traceback
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import bench.rows
from bench import curve, table
from bench.harness import CannotRunError, Context, Row, Skipped
from bench.machine import machine, versions
from bench.picture import draw
from bench.serving import PINNING

KEPT = table.ROOT / "bench" / "large"
"""Where sets that are built once stay."""


def names() -> list[str]:
    """All modules of rows."""
    return sorted(module.name for module in pkgutil.iter_modules(bench.rows.__path__))


def run(name: str, context: Context) -> tuple[list[Row], list[Skipped]]:
    """The rows of a module. What cannot run here says so, and stops nothing else."""
    rows: list[Row] = []
    skipped: list[Skipped] = []
    try:
        for row in import_module(f"bench.rows.{name}").rows(context):
            if isinstance(row, Row):
                rows.append(row)
                print(table.line(row.as_json()), flush=True)
            else:
                skipped.append(row)
    except (CannotRunError, ImportError) as error:
        skipped.append(Skipped(what=name, reason=str(error)))
    except Exception as error:  # noqa: BLE001 - one module's mistake must not cost the others' results
        traceback.print_exc()
        skipped.append(Skipped(what=name, reason=f"{type(error).__name__}: {error}".partition("\n")[0]))
    for item in skipped:
        print(f"{item.what}: not measured: {item.reason}", flush=True)
    return rows, skipped


def main() -> None:
    """Measure what is named, or everything. Only a whole run that is not quick is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(names())}; all of them, and the curve, where none is named")
    parser.add_argument("--quick", action="store_true", help="only to see that everything works: small sets, one sample, no results file")
    parser.add_argument("--out", type=Path, help="where the results go, whatever was measured; otherwise bench/results/DATE.json")
    given = parser.parse_args()
    results = measure(given.modules or names(), is_quick=given.quick, with_curve=not given.modules)
    out = given.out or (None if given.quick or given.modules else table.RESULTS / f"{results['date']}.json")
    if out is None:
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"kept in {out}")
    if given.out is None:
        table.write_document(results)
        draw(results)


def measure(modules: list[str], *, is_quick: bool, with_curve: bool) -> dict[str, object]:
    """The results of one run."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faktura-bench-", dir=_scratch_parent()) as scratch:
        context = Context(scratch=Path(scratch), kept=KEPT, is_quick=is_quick)
        results: dict[str, object] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "versions": versions(), "pinning": PINNING}
        for key in ("machine", "versions", "pinning"):
            print(f"{key}: {results[key]}")
        rows, skipped = [], []
        for name in modules:
            folder = Path(scratch) / name
            folder.mkdir()
            measured, left_out = run(name, Context(scratch=folder, kept=KEPT, is_quick=is_quick))
            rows += measured
            skipped += left_out
        results["rows"] = [row.as_json() for row in rows]
        results["skipped"] = [{"what": item.what, "reason": item.reason} for item in skipped]
        if with_curve:
            results["curve"] = curve.measure(context)
    results["seconds"] = round(time.monotonic() - began)
    return results


def _scratch_parent() -> Path:
    """Beside the large sets, on a disk and not in memory, so that a commit is one."""
    parent = KEPT.parent / "scratch"
    parent.mkdir(exist_ok=True)
    return parent


if __name__ == "__main__":
    main()
