"""Commands that serve: serve, demo."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from faktura.bootstrap.books import DIALECTS
from faktura.bootstrap.demo import open_demo
from faktura.bootstrap.metered import metered
from faktura.cli.output import JsonOption, books, print_json
from faktura.config import Settings, read_settings
from faktura.domain.errors import SettingError
from faktura.ledger.accounts import find_provider
from faktura.ledger.ports import Books
from faktura.server.app import App
from faktura.server.serve import run

Port = Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free port.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]


def serve_command(host: Host = "127.0.0.1", port: Port = 8000, as_json: Annotated[bool, JsonOption] = False) -> None:
    """Serve the provider APIs from the ledger, until SIGTERM or Ctrl-C.

    Example: FAKTURA_DATABASE=sqlite:////var/lib/faktura/ledger.db faktura serve --port 8000
    """
    settings = read_settings(os.environ)

    def ready(bound: int) -> None:
        url = _url(host, bound)
        metrics = {} if metrics_port is None else {"metrics_url": f"{_url(settings.metrics_host, metrics_port)}/metrics"}
        if as_json:
            print_json({"url": url} | metrics)
        else:
            typer.echo("\n".join([f"faktura serves {settings.database.label} on {url}", *(f"metrics on {place}" for place in metrics.values())]))
        sys.stdout.flush()

    with books() as stored, metered(stored, settings) as (opened, meter, metrics_port):
        if settings.default_provider is not None:
            with opened.storage.reading() as tx:
                find_provider(tx, settings.default_provider)
        run(App(opened, DIALECTS, settings, meter=meter), host=host, port=port, ready=ready)


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
