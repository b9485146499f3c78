"""`faktura serve`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from faktura.bootstrap.books import DIALECTS
from faktura.bootstrap.metered import metered
from faktura.cli.output import JsonOption, books, print_json
from faktura.config import read_settings
from faktura.ledger.accounts import find_provider
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
        url = shown_url(host, bound)
        metrics = {} if metrics_port is None else {"metrics_url": f"{shown_url(settings.metrics_host, metrics_port)}/metrics"}
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


def shown_url(host: str, port: int) -> str:
    """An origin, as callers write it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
