"""Pulls sources side by side, each over a client of its own, into one ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from faktura.bootstrap.sources import Source
from faktura.client.collector import Collector, Listener, PullReport
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

    with ThreadPoolExecutor(TOGETHER_MAX, "pull") as threads:
        return list(threads.map(pull, sources))
