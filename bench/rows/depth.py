"""How deep a page lies in a list of ten million invoices makes no difference, and the total stays exact."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bench import large
from bench.harness import Context, Goal, Row, Skipped
from bench.serving import Load, compare_loads, faktura, need_wrk

INVOICES, PAGE = 10_000_000, 300_000


def rows(context: Context) -> Iterator[Row | Skipped]:
    """Page 300,000 against page 1, where `make bench-large` was run; a quick run takes a small ledger."""
    need_wrk()
    invoices, page = (10_000, 300) if context.is_quick else (INVOICES, PAGE)
    ledger = large.find(context.kept, invoices) or (large.build(context.scratch, invoices) if context.is_quick else None)
    what = f"page {page:,} of an account with {invoices:,} invoices, SQLite"
    if ledger is None:
        yield Skipped(what=what, reason="not built: make bench-large")
        return
    with faktura(ledger.environment) as server:
        headers = {"Authorization": f"Bearer {ledger.token}"}
        deep, first = (Load(server=server, path=f"/v1/invoices?page={number}", headers=headers) for number in (page, 1))
        for load, newest in ((deep, invoices - (page - 1) * large.PAGE), (first, invoices)):
            _check(load, newest, invoices)
        yield compare_loads(what, "page 1, total exact", Goal(at_most=1.25), ours=deep, theirs=first, context=context)


def _check(load: Load, newest: int, total: int) -> None:
    """ValueError where the page does not begin with that document, or the total is not exact."""
    said = json.loads(load.fetch().body)
    if said["meta"]["total"] != total or [item["id"] for item in said["data"]] != list(range(newest, newest - large.PAGE, -1)):
        message = f"{load.path} is wrong: {said['meta']}"
        raise ValueError(message)
