"""`faktura serve`, `demo`, `migrate`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from faktura.bootstrap.books import DIALECTS, migrate
from faktura.bootstrap.demo import open_demo
from faktura.cli.output import ID_MAX, JsonOption, books, instant, print_json, print_table
from faktura.config import Settings, read_settings
from faktura.domain.errors import SettingError
from faktura.ledger.accounts import find_provider
from faktura.ledger.ports import Books
from faktura.ledger.queries import read_journal
from faktura.ledger.verification import verify
from faktura.server.app import App
from faktura.server.serve import run

JOURNAL_LIMIT_MAX = 10_000
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free port.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]


def serve_command(host: Host = "127.0.0.1", port: Port = 8000, as_json: Annotated[bool, JsonOption] = False) -> None:
    """Serve the provider APIs from the ledger, until SIGTERM or Ctrl-C.

    Example: FAKTURA_DATABASE=sqlite:////var/lib/faktura/ledger.db faktura serve --port 8000
    """
    settings = read_settings(os.environ)

    def ready(bound: int) -> None:
        url = _url(host, bound)
        if as_json:
            print_json({"url": url})
        else:
            typer.echo(f"faktura serves {settings.database.path} on {url}")
        sys.stdout.flush()

    with books() as opened:
        if settings.default_provider is not None:
            with opened.storage.reading() as tx:
                find_provider(tx, settings.default_provider)
        run(App(opened, DIALECTS, settings), host=host, port=port, ready=ready)


def demo_command(
    port: Port = 8000,
    data: Annotated[Path, typer.Option(help="Folder of the demo's ledger; made if it is not there, used again if it is.")] = Path("faktura-demo"),
    host: Host = "127.0.0.1",
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Make a ledger with both providers' documented sample invoices, and serve it.

    Example: faktura demo --port 0 --data /tmp/demo --json
    """
    settings = read_settings(os.environ)
    with _demo(settings, data) as (opened, tokens):

        def ready(bound: int) -> None:
            url = _url(host, bound)
            if as_json:
                print_json({"url": url, "tokens": tokens})
            else:
                typer.echo(_welcome(url, tokens, data / "ledger.db"))
            sys.stdout.flush()

        run(App(opened, DIALECTS, settings), host=host, port=port, ready=ready)


def migrate_command(as_json: Annotated[bool, JsonOption] = False) -> None:
    """Bring the ledger to this release's schema and renderings; make it if there is none.

    Example: faktura migrate
    """
    done = migrate(read_settings(os.environ))
    if as_json:
        print_json(done)
    else:
        typer.echo("\n".join(done) or "nothing to do")


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
            "recorded_at": instant(entry.recorded_at_us),
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


@contextmanager
def _demo(settings: Settings, data: Path) -> Iterator[tuple[Books, dict[str, str]]]:
    try:
        with open_demo(settings, data) as demo:
            yield demo
    except OSError as error:
        message = f"the demo's folder cannot be used: {error}"
        raise SettingError(message) from error


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _welcome(url: str, tokens: dict[str, str], ledger: Path) -> str:
    return f"""The demo is ready; its ledger is {ledger}. Ctrl-C stops it.

VPSBG's list of invoices:
  curl -H 'Authorization: Bearer {tokens["vpsbg"]}' '{url}/v1/invoices?page=1'

checkdomain's list, and one invoice:
  curl -H 'Authorization: Bearer {tokens["checkdomain"]}' '{url}/v1/invoices?page=1&limit=10'
  curl -H 'Authorization: Bearer {tokens["checkdomain"]}' '{url}/v1/invoices/1'
"""
