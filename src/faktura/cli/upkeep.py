"""Commands that keep a ledger well: migrate, verify, journal."""

from __future__ import annotations

import os
from itertools import islice
from typing import Annotated

import typer

from faktura.bootstrap.books import migrate, plan
from faktura.bootstrap.doctor import examine
from faktura.cli.output import ID_MAX, JsonOption, books, harmless, print_json, print_table
from faktura.config import read_settings
from faktura.domain.calendar import instant_text
from faktura.ledger.queries import read_journal
from faktura.ledger.verification import verify

JOURNAL_LIMIT_MAX = 10_000


def migrate_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Bring the ledger to this release's schema and renderings; make it if there is none.

    Example: faktura migrate --dry-run
    """
    settings = read_settings(os.environ)
    done = plan(settings) if dry_run else migrate(settings)
    if as_json:
        print_json(done)
    else:
        typer.echo("\n".join(done) or "nothing to do")


def doctor_command(
    full: Annotated[bool, typer.Option("--full", help="Also recompute the whole ledger, as `faktura verify` does.")] = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Look at everything that the ledger relies on: settings, versions, schema, disk, database, rights, clock; exit code 1 at a fault.

    Example: faktura doctor --full
    """
    levels = set()
    for check in examine(os.environ, full=full):
        levels.add(check.level.value)
        if as_json:
            print_json({"level": check.level.value, "what": check.what, "message": check.message, "advice": check.advice})
        else:
            typer.echo(f"{check.level.value:<5}  {harmless(f'{check.what}: {check.message}')}" + (f" ({harmless(check.advice)})" if check.advice else ""))
    if "fault" in levels:
        raise typer.Exit(1)


def verify_command(
    everything: Annotated[bool, typer.Option("--all", help="Name every finding, not only the first.")] = False,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Recompute journal, digests, sums, series, lists and rendered documents; exit code 1 when something does not follow.

    Example: faktura verify --all
    """
    with books() as opened:
        found = list(islice(verify(opened), None if everything else 1))
    if as_json:
        print_json([{"where": item.where, "message": item.message} for item in found])
    else:
        typer.echo("\n".join(map(str, found)) or "the ledger is whole")
    if found:
        raise typer.Exit(1)


def journal_command(
    provider: Annotated[str, typer.Argument(help="The provider's name.")],
    after: Annotated[int, typer.Option(min=0, max=ID_MAX, help="Only entries after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=JOURNAL_LIMIT_MAX, help="At most so many.")] = 100,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Show what happened, oldest first: a feed without gaps. --json prints an entry a line.

    Example: faktura journal vps --after 120 --json
    """
    with books() as opened:
        found = read_journal(opened, provider=provider, after=after, limit=limit)
    rows = [
        {
            "sequence": entry.sequence,
            "recorded_at": instant_text(entry.recorded_at_us),
            "actor": entry.actor,
            "event": entry.event,
            "account_id": entry.account_id,
            "subject_id": entry.subject_id,
            "digest": entry.digest.hex(),
            "chain": entry.chain.hex(),
        }
        for entry in found
    ]
    if as_json:
        for row in rows:
            print_json(row)
    else:
        columns = ["sequence", "recorded_at", "actor", "event", "account_id", "subject_id"]
        print_table(columns, [[row[column] for column in columns] for row in rows])
