"""`/metrics` for Prometheus, on a port of its own: what the meter counted, how the ledger stands, and how the process fares.

No label has a value that callers choose: neither path, account, token nor number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import start_http_server
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from faktura import __version__
from faktura.domain.errors import SettingError
from faktura.ledger.ports import Books
from faktura.server.meter import Histogram, Meter


@contextmanager
def serve_metrics(books: Books, meter: Meter, *, host: str, port: int) -> Iterator[int]:
    """Answer Prometheus in threads of its own until the block ends, however busy the server is; the port, where 0 asked for any.

    SettingError where the address cannot be used.
    """
    registry = CollectorRegistry()
    registry.register(_Counts(books, meter))
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(port, host, registry)
    except (OSError, OverflowError) as error:
        message = f"FAKTURA_METRICS_PORT: cannot listen on {host}:{port}: {error}"
        raise SettingError(message) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Counts(Collector):
    """Reads the meter, and the ledger, when Prometheus asks."""

    def __init__(self, books: Books, meter: Meter) -> None:
        self._books = books
        self._meter = meter
        self._names: dict[int, str] = {}
        """Provider names never change: those that are known are still known while the ledger is away."""

    def describe(self) -> list[Metric]:
        """Nothing: what there is shows when it is asked for, and registering must not read the ledger."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Everything, once."""
        standing = list(self._ledger())
        build = GaugeMetricFamily("faktura_build_info", "The release that runs.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield from self._requests()
        yield from standing
        yield from self._writes()
        errors = CounterMetricFamily("faktura_errors", "Failures by kind: trouble of the ledger, or internal (a mistake of ours).", labels=["kind"])
        for kind, count in self._meter.errors.copy().items():
            errors.add_metric([kind], count)
        yield errors

    def _name(self, provider: str | int | None) -> str:
        return self._names.get(provider, str(provider)) if isinstance(provider, int) else provider or ""

    def _requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("faktura_http_requests", "Answers by provider, route and status.", labels=["provider", "route", "status"])
        for (provider, route, status), count in self._meter.requests.copy().items():
            requests.add_metric([self._name(provider), route, str(status)], count)
        yield requests
        yield _histogram("faktura_http_request_duration_seconds", "From the request's head to the answer's last byte.", "route", self._meter.durations.copy())

    def _writes(self) -> Iterator[Metric]:
        entries = CounterMetricFamily("faktura_journal_entries", "What this process wrote, by the journal's event.", labels=["provider", "event"])
        for (provider_id, event), count in self._meter.events.copy().items():
            entries.add_metric([self._name(provider_id), event], count)
        yield entries
        yield _histogram("faktura_ledger_turn_wait_seconds", "How long writers waited for their turn.", None, {"": self._meter.turn_seconds})
        yield _histogram(
            "faktura_ledger_commit_duration_seconds", "How long commits took; their count is the number of commits.", None, {"": self._meter.commit_seconds}
        )
        yield _histogram("faktura_ledger_commit_members", "How many writers shared a commit.", None, {"": self._meter.commit_members})

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
