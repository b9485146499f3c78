"""`/metrics` for Prometheus, on a port of its own: what the meter counted, how the ledger stands, and how the process fares.

No label has a value that callers choose: neither path, account, token nor number.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from faktura import __version__
from faktura.ledger.ports import Books
from faktura.server.crew import Crew, Place
from faktura.server.meter import Histogram, Meter


@contextmanager
def serve_metrics(books: Books, meter: Meter, listener: socket.socket, *, place: Place | None = None) -> Iterator[None]:
    """Answer Prometheus in threads of its own until the block ends, however busy the server is.

    Where several workers share the listener, whichever of them takes a connection tells of all.
    """
    registry = CollectorRegistry()
    if place is None:
        registry.register(_Counts(books, meter, lambda: meter))
        ProcessCollector(registry=registry)
    else:
        registry.register(_Counts(books, meter, lambda: place.counted(meter)))
        registry.register(_Processes(place.crew))
    with _server(listener) as server:
        server.set_app(make_wsgi_app(registry))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _server(listener: socket.socket) -> ThreadingWSGIServer:
    """Of a listener that somebody else made; one that another worker answered first must not be waited for."""
    host, port = listener.getsockname()[:2]
    server = ThreadingWSGIServer((host, port), _QuietHandler, bind_and_activate=False)
    server.socket.close()
    listener.settimeout(0)
    listener.listen()
    server.socket = listener.dup()
    server.server_name, server.server_port = host, port
    server.setup_environ()
    return server


class _QuietHandler(WSGIRequestHandler):
    """Logs no requests of its own."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the library's own
        """Nothing."""


class _Processes(Collector):
    """The figures of all processes of a server together: sums, the oldest start, and the processor time of workers that died."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._supervisor_id = os.getppid()

    def describe(self) -> list[Metric]:
        """Nothing, as below."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One of each family."""
        found: dict[str, Metric] = {}
        values: dict[str, list[float]] = {}
        for process_id in (self._supervisor_id, *self._crew.process_ids):
            if process_id:
                for family in ProcessCollector(pid=lambda process_id=process_id: process_id, registry=None).collect():  # type: ignore[misc]
                    found[family.name] = family
                    values.setdefault(family.name, []).extend(sample.value for sample in family.samples)
        values.setdefault("process_cpu_seconds", []).append(self._crew.ended_cpu_us / 1e6)
        for name, family in found.items():
            combine = {"process_start_time_seconds": min, "process_max_fds": max}.get(name, sum)
            family.samples = [family.samples[0]._replace(value=combine(values[name]))]
            yield family
        restarts = CounterMetricFamily("faktura_worker_restarts", "Workers that took the place of one that died.")
        restarts.add_metric([], self._crew.restarts)
        workers = GaugeMetricFamily("faktura_workers", "Workers that live.")
        workers.add_metric([], sum(map(bool, self._crew.process_ids)))
        yield from (restarts, workers)


class _Counts(Collector):
    """Reads the meter, and the ledger, when Prometheus asks."""

    def __init__(self, books: Books, meter: Meter, counted: Callable[[], Meter]) -> None:
        self._books = books
        self._meter = meter
        self._counted = counted
        self._names: dict[int, str] = {}
        """Provider names never change: those that are known are still known while the ledger is away."""

    def describe(self) -> list[Metric]:
        """Nothing: what there is shows when it is asked for, and registering must not read the ledger."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Everything, once."""
        standing = list(self._ledger())
        counted = self._counted()
        build = GaugeMetricFamily("faktura_build_info", "The release that runs.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield from self._requests(counted)
        yield from standing
        yield from self._writes(counted)
        errors = CounterMetricFamily("faktura_errors", "Failures by kind: trouble of the ledger, or internal (a mistake of ours).", labels=["kind"])
        for kind, count in counted.errors.copy().items():
            errors.add_metric([kind], count)
        yield errors

    def _name(self, provider: str | int | None) -> str:
        return self._names.get(provider, str(provider)) if isinstance(provider, int) else provider or ""

    def _requests(self, counted: Meter) -> Iterator[Metric]:
        requests = CounterMetricFamily("faktura_http_requests", "Answers by provider, route and status.", labels=["provider", "route", "status"])
        for (provider, route, status), count in counted.requests.copy().items():
            requests.add_metric([self._name(provider), route, str(status)], count)
        yield requests
        yield _histogram("faktura_http_request_duration_seconds", "From the request's head to the answer's last byte.", "route", counted.durations.copy())

    def _writes(self, counted: Meter) -> Iterator[Metric]:
        entries = CounterMetricFamily("faktura_journal_entries", "What was written, by the journal's event.", labels=["provider", "event"])
        for (provider_id, event), count in counted.events.copy().items():
            entries.add_metric([self._name(provider_id), event], count)
        yield entries
        yield _histogram("faktura_ledger_turn_wait_seconds", "How long writers waited for their turn.", None, {"": counted.turn_seconds})
        yield _histogram(
            "faktura_ledger_commit_duration_seconds", "How long commits took; their count is the number of commits.", None, {"": counted.commit_seconds}
        )
        yield _histogram("faktura_ledger_commit_members", "How many writers shared a commit.", None, {"": counted.commit_members})

    def _ledger(self) -> Iterator[Metric]:
        """How the ledger stands; only that it cannot be read, where it cannot."""
        up = GaugeMetricFamily("faktura_ledger_up", "1 if the ledger can be read, else 0.")
        runs = GaugeMetricFamily("faktura_billing_runs", "Billing runs that wait or are worked on.", labels=["provider", "state"])
        items = GaugeMetricFamily("faktura_billing_items", "Items of those runs by what they have come to.", labels=["provider", "outcome"])
        try:
            with self._books.storage.reading() as tx:
                self._names = {provider.id: provider.name for provider in tx.providers.all()}
                unfinished = tx.runs.unfinished()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other metrics are told
            self._meter.error(error)
            up.add_metric([], 0)
            yield up
            return
        run_counts: dict[tuple[str, str], int] = {}
        item_counts: dict[tuple[str, str], int] = {}
        for provider_id, _, state, counts in unfinished:
            name = self._name(provider_id)
            run_counts[name, state.value] = run_counts.get((name, state.value), 0) + 1
            for outcome, count in counts.items():
                item_counts[name, outcome.value] = item_counts.get((name, outcome.value), 0) + count
        for family, found in ((runs, run_counts), (items, item_counts)):
            for labels, count in found.items():
                family.add_metric(labels, count)
        up.add_metric([], 1)
        yield from (up, runs, items)


def _histogram(name: str, documentation: str, label: str | None, found: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, documentation, labels=[label] if label else [])
    for value, histogram in found.items():
        bounds: list[str] = [*map(str, map(float, histogram.bounds)), "+Inf"]
        family.add_metric([value] if label else [], list(zip(bounds, accumulate(histogram.counts), strict=True)), histogram.total)
    return family
