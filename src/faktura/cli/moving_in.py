"""`faktura import --as-issued`: a provider moves in with its own past documents."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from faktura.bootstrap.imports import printable
from faktura.bootstrap.moving_in import Fall, Gap, SeriesEnd, Told, move_in
from faktura.cli.output import EXIT_INCOMPLETE, books, print_json, progress
from faktura.config import read_settings
from faktura.domain.errors import SettingError
from faktura.ledger.history import PastOutcome, PastReport

EXIT_REFUSED = 1
"""A line has a fault: nothing was written."""


def move_in_files(files: Sequence[Path], *, provider: str | None, create_accounts: bool, dry_run: bool, as_json: bool) -> None:
    """Bring the documents of files in, and tell what became of them."""
    if provider is None:
        raise SettingError("name the --provider whose documents these are")
    outcomes: Counter[PastOutcome] = Counter()
    with books() as opened, progress() as bar:
        task = bar.add_task("moving in", total=sum(path.stat().st_size for path in files if path.is_file()) * (1 if dry_run else 2))
        told = move_in(
            opened,
            read_settings(os.environ),
            provider=provider,
            files=files,
            create_accounts=create_accounts,
            dry_run=dry_run,
            advance=lambda size: bar.advance(task, size),
        )
        for event in told:
            if isinstance(event, PastReport):
                outcomes[event.outcome] += 1
            _tell(files, event, as_json=as_json)
    if as_json:
        print_json({"summary": {outcome.value: outcomes[outcome] for outcome in PastOutcome}})
    else:
        typer.echo(", ".join(f"{outcomes[outcome]} {outcome.value}" for outcome in PastOutcome if outcomes[outcome]) or "no documents")
    is_written = outcomes[PastOutcome.MOVED_IN] > 0
    if outcomes[PastOutcome.REFUSED] and not is_written:
        typer.echo("nothing was moved in", err=True)
        raise typer.Exit(EXIT_REFUSED)
    if outcomes[PastOutcome.REFUSED] or outcomes[PastOutcome.CONFLICT]:
        raise typer.Exit(EXIT_INCOMPLETE)


def _tell(files: Sequence[Path], event: Told, *, as_json: bool) -> None:
    """Faults, conflicts and duplicates as they come, then gaps and falling dates; with --json everything, a line each."""
    if isinstance(event, PastReport):
        for message in _messages(event):
            print(f"faktura: {files[event.source]}:{event.position}: {message}", file=sys.stderr)
    elif not as_json:
        typer.echo(_sentence(event))
    if as_json:
        print_json(_json(files, event))


def _messages(report: PastReport) -> list[str]:
    messages = [str(found) for found in report.faults]
    if report.outcome is PastOutcome.CONFLICT:
        messages.append(f"conflict: the ledger has another {report.number}, which differs in {', '.join(report.differences)}; it stays")
    if report.outcome is PastOutcome.DUPLICATE:
        messages.append(f"{report.number} stands in an earlier line already")
    return messages


def _sentence(event: Gap | Fall | SeriesEnd) -> str:
    if isinstance(event, Gap):
        numbers = f"number {event.first}" if event.first == event.last else f"numbers {event.first} to {event.last}"
        return f"gap: series {event.series}{f' of {event.year}' if event.year else ''} lacks {numbers}"
    if isinstance(event, Fall):
        return f"date falls: series {event.series}, number {event.sequence} is of {event.issue_date}, {event.previous} of {event.previous_date}"
    return f"series {event.series} goes on with number {event.next_number}{f', from {event.last_date}' if event.last_date else ''}"


def _json(files: Sequence[Path], event: Told) -> dict[str, Any]:
    if isinstance(event, Gap):
        return {"gap": {"series": event.series, "year": event.year or None, "first": event.first, "last": event.last}}
    if isinstance(event, Fall):
        fall = {"series": event.series, "number": event.sequence, "issue_date": event.issue_date}
        return {"fall": fall | {"previous": event.previous, "previous_date": event.previous_date}}
    if isinstance(event, SeriesEnd):
        last_date = event.last_date.isoformat() if event.last_date else None
        return {"series": {"name": event.series, "next_number": event.next_number, "last_date": last_date}}
    line: dict[str, Any] = {"file": str(files[event.source]), "position": event.position, "outcome": event.outcome.value}
    line |= {"number": event.number, "id": event.invoice_id}
    if event.faults:
        line["faults"] = [{"rule": found.rule, "path": printable(found.path), "message": printable(found.message)} for found in event.faults]
    return line | ({"differences": list(event.differences)} if event.differences else {})
