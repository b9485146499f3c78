"""The cost curve: a page over HTTP and an issued invoice, in ledgers of a thousand to ten million invoices."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from bench import large
from bench.harness import SAMPLES, Context, pinned
from bench.serving import SERVER_CORE, Load, faktura
from faktura.ledger.commands import issue
from faktura.ledger.ports import Books

SIZES = (1_000, 10_000, 100_000, *large.SIZES)
_ISSUED = 100
"""Invoices a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    ledger: large.Large
    load: Load
    books: Books

    def issue(self) -> float:
        """Seconds for an invoice that is issued, in this process, each in a commit of its own."""
        with pinned(SERVER_CORE):
            began = time.perf_counter()
            for _ in range(_ISSUED):
                issue(self.books, account_id=self.ledger.issuing_account_id, draft=self.ledger.draft)
            return (time.perf_counter() - began) / _ISSUED


def measure(context: Context) -> list[dict[str, object]]:
    """A point for each size that is there, with its samples; sizes take turns, and both costs are of the same ledgers."""
    with ExitStack() as stack:
        points = [_Point(ledger=ledger, load=_load(stack, ledger, context), books=stack.enter_context(ledger.books())) for ledger in _ledgers(context)]
        pages: list[list[float]] = [[] for _ in points]
        issues: list[list[float]] = [[] for _ in points]
        for turn in range(1 + (1 if context.is_quick else SAMPLES)):
            for place, point in enumerate(points):
                cost = point.load.cost(), point.issue()
                if turn:  # the first does not count
                    pages[place].append(cost[0])
                    issues[place].append(cost[1])
    found: list[dict[str, object]] = []
    for point, page, issued in zip(points, pages, issues, strict=True):
        found.append({"invoices": point.ledger.invoices, "page": median(page), "page_samples": page, "issue": median(issued), "issue_samples": issued})
        print(f"{point.ledger.invoices:>10,} invoices: a page {median(page) * 1e6:,.0f} µs, an issued invoice {median(issued) * 1e6:,.0f} µs", flush=True)
    return found


def _ledgers(context: Context) -> Iterator[large.Large]:
    for invoices in SIZES[:2] if context.is_quick else SIZES:
        if invoices in large.SIZES:
            found = large.find(context.kept, invoices)
            if found is None:
                print(f"{invoices:>10,} invoices: not measured: not built: make bench-large", flush=True)
                continue
            yield found
        else:
            yield large.build(context.scratch / "curve", invoices)


def _load(stack: ExitStack, ledger: large.Large, context: Context) -> Load:
    """The page in the middle of the large account's list."""
    server = stack.enter_context(faktura(ledger.environment))
    page = ledger.invoices // large.PAGE // 2
    return Load(server=server, path=f"/v1/invoices?page={page}", headers={"Authorization": f"Bearer {ledger.token}"}, seconds=1 if context.is_quick else 2)
