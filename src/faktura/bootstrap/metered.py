"""Books whose use is counted, and where Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from faktura.config import Settings
from faktura.ledger.ports import Books
from faktura.server.meter import Meter, MeteredStorage
from faktura.storage.turns import Watchable


@contextmanager
def metered(books: Books, settings: Settings) -> Iterator[tuple[Books, Meter, int | None]]:
    """The books to serve from, what counts their use, and the port of `/metrics` while the block lasts, where the settings ask for one."""
    meter = Meter()
    if isinstance(books.storage, Watchable):
        books.storage.watch(meter)
    counted = replace(books, storage=MeteredStorage(books.storage, meter))
    if settings.metrics_port is None:
        yield counted, meter, None
        return
    from faktura.server.metrics import serve_metrics  # noqa: PLC0415 - the library loads where it is used

    with serve_metrics(books, meter, host=settings.metrics_host, port=settings.metrics_port) as port:
        yield counted, meter, port
