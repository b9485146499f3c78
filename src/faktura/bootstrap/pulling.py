"""Pulls sources side by side, each over a client of its own, into one ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread

from faktura.bootstrap.sources import Source
from faktura.client.collector import Collector
from faktura.client.pull_report import Listener, PullReport
from faktura.client.session import Client
from faktura.domain.errors import FakturaError
from faktura.ledger.ports import Books

TOGETHER_MAX = 8
"""Sources that are pulled at once."""


def pull_sources(
    books: Books, sources: Sequence[Source], *, environment: Mapping[str, str], listener: Listener, is_full: bool = False, accepts_vanished: bool = False
) -> list[PullReport]:
    """Pull them all; a report each, in their order. One that fails says so in its report and stops no other."""

    def pull(source: Source) -> PullReport:
        try:
            with Client(
                provider=source.dialect, token=source.token(environment), base_url=source.base_url, currency=source.currency, zone=source.zone
            ) as client:
                return Collector(books, client, source.provider(), source.account, listener, accepts_vanished).pull(is_full=is_full)
        except FakturaError as error:
            return PullReport(source=source.name, failure=error)

    waiting = SimpleQueue[int]()
    for place in range(len(sources)):
        waiting.put(place)
    ends: dict[int, PullReport | BaseException] = {}

    def work() -> None:
        with suppress(Empty):
            while True:
                place = waiting.get_nowait()
                try:
                    ends[place] = pull(sources[place])
                except BaseException as error:  # noqa: BLE001 - raised again below
                    ends[place] = error

    # Threads that end with the program: who interrupts it does not wait for a provider that is slow. What is written then is written whole.
    threads = [Thread(target=work, name="pull", daemon=True) for _ in range(min(TOGETHER_MAX, len(sources)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [_report(ends[place]) for place in range(len(sources))]


def _report(end: PullReport | BaseException) -> PullReport:
    if isinstance(end, BaseException):
        raise end
    return end
