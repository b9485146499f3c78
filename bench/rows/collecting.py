"""The other side of the wire: what importing the client costs, and what a pull costs beside reading the same pages."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from bench.harness import SAMPLES, Context, Goal, Row, compare, pinned
from bench.retail import Shop, build_shop
from bench.serving import faktura
from faktura.bootstrap.books import open_books
from faktura.bootstrap.pulling import pull_sources
from faktura.bootstrap.sources import make_source
from faktura.client import Client
from faktura.config import DatabaseUrl, Settings
from faktura.dialects.known import DIALECTS
from faktura.domain.recorded import Outcome

_CLIENT = "import faktura.client"
_STANDARD = "import http.client, ssl, json, decimal, dataclasses, zoneinfo, email.utils, urllib.parse"
"""What a client by hand would import of the standard library alone."""
DIALECT = "vpsbg"


def rows(context: Context) -> Iterator[Row]:
    """The import, then a first pull of one account over HTTP."""
    count = 1 if context.is_quick else SAMPLES
    what, against = "import of faktura.client", "import of what a client by hand takes of the standard library"
    with pinned(0):
        row = compare(what, against, Goal(at_most=3), ours=partial(_import, _CLIENT), theirs=partial(_import, _STANDARD), samples=count)
    ours, theirs = (1000 * median(pair[side] for pair in row.samples) for side in (0, 1))
    yield replace(row, note=f"a new interpreter each, in all {ours:.0f} ms against {theirs:.0f} ms")
    shop = build_shop(DatabaseUrl(path=str(context.scratch / "provider.db")), context.scratch, copies=1, dialects=(DIALECT,))
    note = "VPSBG's list, 30 a page, SQLite. Ours: read, parsed, compared and recorded, a commit a page. Theirs: read and parsed by the same client."
    with faktura(shop.environment) as server, pinned(1):
        url = f"{server.url}/v1"
        what, against = "first pull of 2,025 invoices", "reading and parsing the same pages"
        yield compare(what, against, Goal(at_least=0.15), ours=partial(_pull, context, shop, url), theirs=partial(_read, shop, url), samples=count, note=note)


def _import(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - began


def _read(shop: Shop, url: str) -> float:
    began = time.perf_counter()
    with Client(provider=DIALECT, token=shop.tokens[DIALECT], base_url=url) as client:
        count = sum(1 for _ in client.invoices.list())
    return (time.perf_counter() - began) / count


class _Silent:
    def heard(self, *_: object) -> None:
        """Nobody asks."""

    def moved(self, *_: object) -> None:
        """Nobody looks."""


def _pull(context: Context, shop: Shop, url: str) -> float:
    path = context.scratch / "books.db"
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(FileNotFoundError):
            name.unlink()
    source = make_source(DIALECTS, given={"provider": DIALECT, "base_url": url, "token_env": "TOKEN"}, name="mine")
    with open_books(Settings(database=DatabaseUrl(path=str(path))), create=True) as books:
        began = time.perf_counter()
        (report,) = pull_sources(books, [source], environment={**os.environ, "TOKEN": shop.tokens[DIALECT]}, listener=_Silent())
        seconds = time.perf_counter() - began
    if not report.is_complete:
        raise AssertionError(report)
    return seconds / report.outcomes[Outcome.NEW]
