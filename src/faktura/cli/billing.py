"""`faktura bill`: a billing run from a file."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from faktura.bootstrap.billing import read_items
from faktura.cli.output import EXIT_INCOMPLETE, JsonOption, books, print_json, progress
from faktura.domain.errors import InputError
from faktura.ledger.billing import BillingOutcome, ItemReport, run_billing


def bill_command(
    file: Annotated[Path, typer.Argument(help="JSON Lines: account, period, product and the fields of a document, one a line.")],
    provider: Annotated[str, typer.Option(help="Who bills.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Validate everything, issue nothing.")] = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Issue the documents of a file. An account, period and product are billed once: run it again after an interruption.

    Items with faults are reported and left out; then the exit code is 3.
    Example: faktura bill october.jsonl --provider vps --dry-run
    """
    if not file.is_file():
        message = f"{file}: there is no such file"
        raise InputError(message)
    counts: Counter[BillingOutcome] = Counter()
    with books() as opened, progress() as bar:
        task = bar.add_task("billing", total=file.stat().st_size * (1 if dry_run else 2))

        def advance(size: int) -> None:
            bar.advance(task, size)

        for report in run_billing(opened, provider=provider, read=lambda: read_items(file, advance=advance), dry_run=dry_run):
            counts[report.outcome] += 1
            _tell(file, report, as_json=as_json)
    if as_json:
        print_json({"summary": {outcome.value: counts[outcome] for outcome in BillingOutcome}})
    else:
        typer.echo(", ".join(f"{count} {outcome.value}" for outcome, count in sorted(counts.items())) or "nothing to bill")
    if counts[BillingOutcome.REFUSED]:
        raise typer.Exit(EXIT_INCOMPLETE)


def _tell(file: Path, report: ItemReport, *, as_json: bool) -> None:
    for found in report.faults:
        print(f"faktura: {file}:{report.position}: {found}", file=sys.stderr)
    if as_json:
        faults = [{"rule": found.rule, "path": found.path, "message": found.message} for found in report.faults]
        line = {"position": report.position, "outcome": report.outcome.value, "id": report.invoice_id, "number": report.number}
        print_json(line | ({"faults": faults} if faults else {}))
