"""`faktura demo`: a ledger made up, and its server."""

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
from faktura.cli.output import JsonOption, print_json
from faktura.cli.servers import Host, Port
from faktura.cli.serving import shown_url
from faktura.config import Settings, read_settings
from faktura.domain.errors import SettingError
from faktura.ledger.ports import Books
from faktura.server.app import App
from faktura.server.listener import listen_at, port_of
from faktura.server.serve import run


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
    with _demo(settings, data) as (opened, tokens), listen_at(host, port) as listener:

        def ready() -> None:
            url = shown_url(host, port_of(listener))
            if as_json:
                print_json({"url": url, "tokens": tokens})
            else:
                typer.echo(_welcome(url, tokens, data / "ledger.db"))
            sys.stdout.flush()

        run(App(opened, DIALECTS, settings), listener=listener, ready=ready)


@contextmanager
def _demo(settings: Settings, data: Path) -> Iterator[tuple[Books, dict[str, str]]]:
    try:
        with open_demo(settings, data) as demo:
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
