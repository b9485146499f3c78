"""`faktura demo`: a ledger made up, and its server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from faktura.bootstrap.books import DIALECTS
from faktura.bootstrap.demo import open_demo
from faktura.bootstrap.demo_items import INVOICES_MAX
from faktura.cli.output import JsonOption, print_json
from faktura.cli.servers import Host, Port
from faktura.cli.serving import shown_url
from faktura.config import Settings, read_settings
from faktura.domain.errors import SettingError
from faktura.ledger.ports import Books
from faktura.server.app import App
from faktura.server.fault_plan import ALL, DELAY_SECONDS_MAX, FaultKind, FaultPlan, parse_rates
from faktura.server.faults import FaultyApp
from faktura.server.listener import listen_at, port_of
from faktura.server.serve import run


def demo_command(
    port: Port = 8000,
    data: Annotated[Path, typer.Option(help="Folder of the demo's ledger; made if it is not there, used again if it is.")] = Path("faktura-demo"),
    host: Host = "127.0.0.1",
    as_json: Annotated[bool, JsonOption] = False,
    invoices: Annotated[int, typer.Option(min=0, max=INVOICES_MAX, help="Made-up invoices more for each provider, when the ledger is made.")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=RATE]", help=f"Befalls that share of requests (0 to 1; 0.1 if none is named). NAME is {', '.join(FaultKind)}, or {ALL}."),
    ] = None,
    fault_seed: Annotated[int, typer.Option(help="The same seed and requests have the same faults.")] = 0,
    fault_delay: Annotated[float, typer.Option(min=0, max=DELAY_SECONDS_MAX, help="Seconds that the fault `slow` waits.")] = 1.0,
    fault_retry_after: Annotated[int, typer.Option(min=0, max=DELAY_SECONDS_MAX, help="Seconds that the fault `429` asks to wait.")] = 1,
) -> None:
    """Make a ledger with both providers' documented sample invoices, and serve it.

    With --fault it misbehaves as asked, to test clients against: docs/reference/stand-in.md.

    Example: faktura demo --port 0 --data /tmp/demo --json --invoices 100 --fault 429=0.2 --fault cut
    """
    settings = read_settings(os.environ)
    plan = FaultPlan(seed=fault_seed, rates=parse_rates(fault or ()), delay_seconds=fault_delay, retry_after_seconds=fault_retry_after)
    with _demo(settings, data, invoices) as (opened, tokens), listen_at(host, port) as listener:

        def ready() -> None:
            url = shown_url(host, port_of(listener))
            if as_json:
                print_json({"url": url, "tokens": tokens})
            else:
                typer.echo(_welcome(url, tokens, data / "ledger.db"))
            sys.stdout.flush()

        app = App(opened, DIALECTS, settings)
        if not fault:
            run(app, listener=listener, ready=ready)
            return
        faulty = FaultyApp(app, plan)
        run(faulty, listener=listener, ready=ready)
        summary = faulty.summary()
        if as_json:
            print_json(summary)
        else:
            typer.echo(_told(summary))


@contextmanager
def _demo(settings: Settings, data: Path, invoices: int) -> Iterator[tuple[Books, dict[str, str]]]:
    try:
        with open_demo(settings, data, invoices=invoices) as demo:
            yield demo
    except OSError as error:
        message = f"the demo's folder cannot be used: {error}"
        raise SettingError(message) from error


def _welcome(url: str, tokens: dict[str, str], ledger: Path) -> str:
    return f"""The demo is ready; its ledger is {ledger}. Ctrl-C stops it.

VPSBG's list of invoices:
  curl -H 'Authorization: Bearer {tokens["vpsbg"]}' '{url}/v1/invoices?page=1'

checkdomain's list, and one invoice:
  curl -H 'Authorization: Bearer {tokens["checkdomain"]}' '{url}/v1/invoices?page=1&limit=10'
  curl -H 'Authorization: Bearer {tokens["checkdomain"]}' '{url}/v1/invoices/1'
"""


def _told(summary: dict[str, Any]) -> str:
    """What the stand-in did, in one line."""
    faults = ", ".join(f"{name} {count}" for name, count in summary["faults"].items()) or "none"
    documents = [f"{what}: {_ids(by_provider)}" for what, by_provider in summary.items() if what != "faults" and by_provider]
    return "; ".join([f"faults: {faults}", *documents])


def _ids(by_provider: dict[str, list[int]]) -> str:
    return ", ".join(f"{provider} {' '.join(map(str, ids))}" for provider, ids in by_provider.items())
