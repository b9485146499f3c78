"""`faktura pull`: every invoice of every source into the ledger."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faktura.bootstrap.books import DIALECTS
from faktura.bootstrap.pulling import pull_sources
from faktura.bootstrap.sources import Source, make_source, read_sources
from faktura.cli.output import EXIT_INCOMPLETE, JsonOption, books, harmless, print_json, print_table
from faktura.client.pull_report import PullReport
from faktura.config import read_settings
from faktura.domain.errors import SettingError
from faktura.domain.recorded import Change, Outcome

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EXIT_FAILED = 1
_COLUMNS = ("source", "requests", "new", "changed", "conflicts", "gone", "back", "details", "details left", "known", "total", "")


def pull_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="[SOURCE]...", help="Only these sources of the file; default: all.")] = None,
    provider: Annotated[str | None, typer.Option(help=f"Instead of sources of the file, one of this API: {', '.join(DIALECTS)}.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Where its API is, /v1 included; default: the documented host.")] = None,
    token_env: Annotated[str | None, typer.Option(help="The variable that has its token.")] = None,
    token_file: Annotated[str | None, typer.Option(help="The file that has its token, and nothing else.")] = None,
    name: Annotated[str | None, typer.Option(help="What the source is called; default: by provider and host.")] = None,
    account: Annotated[str | None, typer.Option(help="What the ledger calls the account; default: the source's name.")] = None,
    currency: Annotated[str | None, typer.Option(help="What its amounts are in; default: the provider's.")] = None,
    zone: Annotated[str | None, typer.Option(help="Where its dates are legal ones; default: the provider's.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Compare every document, not only what is new or has an amount due.")] = False,
    accept_vanished: Annotated[bool, typer.Option("--accept-vanished", help="Believe a source that most documents are gone.")] = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Gather the invoices of all sources into the ledger: what is new, what has changed, what is gone.

    The sources are those of the file that FAKTURA_SOURCES names (default: sources.toml), or one that options describe.
    Exit code 0: everything is here, and nothing contradicts what was. 3: something is to be looked at, `faktura changes`
    says what. 1: a source could not be read to its end; the next pull goes on.

    Example: faktura pull --provider vpsbg --base-url http://127.0.0.1:8000/v1 --token-env VPSBG_TOKEN
    """
    options = {
        "provider": provider,
        "base_url": base_url,
        "token_env": token_env,
        "token_file": token_file,
        "account": account,
        "currency": currency,
        "zone": zone,
    }
    given = {key: value for key, value in options.items() if value is not None}
    sources = _sources(names or [], given, name)
    with _teller(as_json=as_json) as teller, books(create=True) as opened:
        reports = pull_sources(opened, sources, environment=os.environ, listener=teller, is_full=full, accepts_vanished=accept_vanished)
    _show(reports, as_json=as_json)
    if any(report.failure for report in reports):
        raise typer.Exit(EXIT_FAILED)
    if not all(report.is_complete and report.is_calm for report in reports):
        raise typer.Exit(EXIT_INCOMPLETE)


def _sources(names: list[str], given: dict[str, str], name: str | None) -> list[Source]:
    if given or name:
        if names:
            raise SettingError("name sources of the file, or describe one with options, not both")
        return [make_source(DIALECTS, given=given, name=name)]
    path = Path(read_settings(os.environ).sources)
    known = {source.name: source for source in read_sources(DIALECTS, path)}
    unknown = [item for item in names if item not in known]
    if unknown or not known:
        message = f"{path} has no source {unknown[0]!r}; it has: {', '.join(known)}" if unknown else f"{path} names no source"
        raise SettingError(message)
    return [known[item] for item in dict.fromkeys(names)] if names else list(known.values())


class _Teller:
    """Tells of contradictions as they come; with --json of every change, a line each. Progress is for terminals."""

    def __init__(self, progress: Progress, *, as_json: bool) -> None:
        self._progress = progress
        self._as_json = as_json
        self._tasks: dict[str, TaskID] = {}

    def heard(self, source: str, changes: Sequence[Change]) -> None:
        """See `faktura.client.pull_report.Listener`."""
        for change in changes:
            if self._as_json:
                differences = [{"term": item.term, "kept": item.kept, "heard": item.heard} for item in change.differences]
                print_json({"source": source, "id": change.invoice_id, "number": change.number, "outcome": change.outcome.value, "differences": differences})
            elif change.outcome is Outcome.CONFLICT:
                print(harmless(f"faktura: {source}: {change.number} (id {change.invoice_id}): {'; '.join(map(str, change.differences))}"), file=sys.stderr)

    def moved(self, what: str, done: int, total: int | None) -> None:
        """See `faktura.client.pull_report.Listener`."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)


@contextmanager
def _teller(*, as_json: bool) -> Iterator[_Teller]:
    from rich.console import Console  # noqa: PLC0415 - for people
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield _Teller(progress, as_json=as_json)


def _show(reports: Sequence[PullReport], *, as_json: bool) -> None:
    for report in reports:
        for message in [*report.faults, *([str(report.failure)] if report.failure else [])]:
            print(harmless(f"faktura: {report.source}: {message}"), file=sys.stderr)
    if as_json:
        for report in reports:
            print_json({"summary": _summary(report)})
        return
    rows = []
    for report in reports:
        outcomes = report.outcomes
        changed = outcomes[Outcome.ENRICHED] + outcomes[Outcome.OBSERVED]
        found = (outcomes[Outcome.NEW], changed, outcomes[Outcome.CONFLICT], report.vanished, report.returned)
        state = "failed" if report.failure else "" if report.is_complete else "incomplete"
        if not state and report.singles_left:
            state = "details go on with the next pull"
        elif not state and not (sum(found) or report.singles):
            state = "nothing changed"
        rows.append((report.source, report.requests, *found, report.singles, report.singles_left, report.known, report.total, state))
    print_table(_COLUMNS, rows, right=frozenset(_COLUMNS[1:-1]))


def _summary(report: PullReport) -> dict[str, object]:
    return {
        "source": report.source,
        "requests": report.requests,
        **{outcome.value: report.outcomes[outcome] for outcome in Outcome},
        "vanished": report.vanished,
        "returned": report.returned,
        "details": report.singles,
        "details_left": report.singles_left,
        "known": report.known,
        "total": report.total,
        "faults": list(report.faults),
        "failure": str(report.failure) if report.failure else None,
        "complete": report.is_complete,
    }
