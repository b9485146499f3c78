"""What `serve` does. The command itself is read in `servers.py`; this loads no more than a server that runs needs."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import nullcontext

import msgspec

from faktura.bootstrap.books import DIALECTS, open_books
from faktura.bootstrap.metered import metered_at, metrics_listener
from faktura.config import Settings, read_settings
from faktura.ledger.accounts import find_provider
from faktura.server.app import App
from faktura.server.crew import Crew, Place
from faktura.server.listener import listen_at, port_of
from faktura.server.log import configure_logs
from faktura.server.serve import run
from faktura.server.workers import supervise


def serve(*, host: str, port: int, workers: int | None, as_json: bool) -> None:
    """Serve until SIGTERM or SIGINT; with as many workers as are asked for here, or else by the settings."""
    settings = read_settings(os.environ)
    count = workers or settings.workers
    with listen_at(host, port) as listener, metrics_listener(settings) or nullcontext() as metrics:

        def ready() -> None:
            url = shown_url(host, port_of(listener))
            places = {} if metrics is None else {"metrics_url": f"{shown_url(settings.metrics_host, port_of(metrics))}/metrics"}
            if as_json:
                lines = [msgspec.json.encode({"url": url} | places).decode()]
            else:
                lines = [f"faktura serves {settings.database.label} on {url}", *(f"metrics on {place}" for place in places.values())]
            sys.stdout.write("".join(f"{line}\n" for line in lines))
            sys.stdout.flush()

        if count == 1:
            _work(settings, listener, metrics, ready, None)
            return
        configure_logs()
        supervise(Crew(count), lambda place, is_ready: _work(settings, listener, metrics, is_ready, place), ready=ready)


def _work(settings: Settings, listener: socket.socket, metrics: socket.socket | None, ready: Callable[[], None], place: Place | None) -> None:
    """Serve in this process."""
    with open_books(settings) as stored, metered_at(stored, metrics, place) as (books, meter):
        if settings.default_provider is not None:
            with books.storage.reading() as tx:
                find_provider(tx, settings.default_provider)
        app = App(books, DIALECTS, settings, meter=meter, limits=place.crew.limits if place else None)
        run(app, listener=listener, ready=ready, place=place)


def shown_url(host: str, port: int) -> str:
    """An origin, as callers write it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
