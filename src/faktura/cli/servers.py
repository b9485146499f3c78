"""`faktura serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from faktura.cli.output import JsonOption
from faktura.cli.serving import serve
from faktura.config import WORKERS_MAX

Port = Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free port.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]


def serve_command(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int | None, typer.Option(min=1, max=WORKERS_MAX, help="Processes that serve; default FAKTURA_WORKERS, else 1.")] = None,
    as_json: Annotated[bool, JsonOption] = False,
) -> None:
    """Serve the provider APIs from the ledger, until SIGTERM or Ctrl-C.

    Example: FAKTURA_DATABASE=sqlite:////var/lib/faktura/ledger.db faktura serve --port 8000
    """
    serve(host=host, port=port, workers=workers, as_json=as_json)
