"""Books whose use is counted, and where Prometheus reads it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from faktura.config import Settings
from faktura.ledger.ports import Books
from faktura.server.crew import Place
from faktura.server.listener import listen_at, port_of
from faktura.server.meter import Meter, MeteredStorage
from faktura.storage.turns import Watchable


def metrics_listener(settings: Settings) -> socket.socket | None:
    """Where Prometheus may ask, where the settings name a port. SettingError where it cannot be had."""
    if settings.metrics_port is None:
        return None
    return listen_at(settings.metrics_host, settings.metrics_port, setting="FAKTURA_METRICS_PORT")


@contextmanager
def metered(books: Books, settings: Settings) -> Iterator[tuple[Books, Meter, int | None]]:
    """The books to serve from, what counts their use, and the port of `/metrics` while the block lasts, where the settings ask for one."""
    with metrics_listener(settings) or nullcontext() as listener, metered_at(books, listener) as (counted, meter):
        yield counted, meter, port_of(listener) if listener else None


@contextmanager
def metered_at(books: Books, listener: socket.socket | None, place: Place | None = None) -> Iterator[tuple[Books, Meter]]:
    """Likewise, with a listener that workers may share; a worker's counts go on from those of the one whose place it took."""
    meter = place.inherited() if place else Meter()
    if isinstance(books.storage, Watchable):
        books.storage.watch(meter)
    counted = replace(books, storage=MeteredStorage(books.storage, meter))
    if listener is None:
        yield counted, meter
        return
    from faktura.server.metrics import serve_metrics  # noqa: PLC0415 - the library loads where it is used

    with serve_metrics(books, meter, listener, place=place):
        yield counted, meter
