"""`query=` in an account with a million invoices, against a plain page of it, over HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.harness import SAMPLES, Context, Cost, Goal, Row, compare, pinned
from bench.searchable import SEARCHABLE, build_searchable
from faktura.bootstrap.books import open_books
from faktura.config import DatabaseUrl, Settings
from faktura.ledger.accounts import create_token

_QUICK = 20_000
_CONNECTIONS = 4
_SECONDS = 2
_PAGE = "page=1&limit=30"
_AGAINST = "plain page"


def rows(context: Context) -> Iterator[Row]:
    """A full number, and a part with some thousand hits; what a text with very many hits takes is told beside."""
    count = _QUICK if context.is_quick else SEARCHABLE
    path = context.kept / f"searchable-{count}.db"
    build_searchable(path, count=count)
    with open_books(Settings(database=DatabaseUrl(path=str(path)))) as books:
        token = create_token(books, provider="checkdomain", reference="searched", label="bench")[0]
    with _serving(path) as url:
        numbers = [f"{place:09d}{place // 128 * 7 % 10}" for place in range(7, count, count // 97)]
        parts = ["417", "358", "862"]
        hits = [_total(url, token, part) for part in parts]
        broad = _broad(url, token)
        samples, seconds = (1, 1) if context.is_quick else (SAMPLES, _SECONDS)

        def cost(texts: Sequence[str]) -> Cost:
            return _load(context.scratch, url, token, [f"/v1/invoices?query={text}&{_PAGE}" if text else f"/v1/invoices?{_PAGE}" for text in texts], seconds)

        asked = f"{count:,} invoices of one account, SQLite, server on one core, wrk with {_CONNECTIONS} connections on the other"
        yield compare(
            "query= with a full number",
            _AGAINST,
            Goal(at_most=10),
            ours=cost(numbers),
            theirs=cost([""]),
            samples=samples,
            note=f"{asked}; {len(numbers)} numbers",
        )
        told = f"{asked}; {min(hits):,} to {max(hits):,} hits. Without a goal: {broad}"
        yield compare("query= with a part of three characters", _AGAINST, Goal(at_most=50), ours=cost(parts), theirs=cost([""]), samples=samples, note=told)


@contextmanager
def _serving(path: Path) -> Iterator[str]:
    """The server itself, on the first core; this process goes to the other."""
    environment = os.environ | {"FAKTURA_DATABASE": f"sqlite:///{path}"}
    command = [sys.executable, "-m", "faktura", "serve", "--port", "0", "--json"]
    with pinned(0):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    if process.stdout is None:
        raise AssertionError("stdout is a pipe")
    try:
        with pinned(1):
            yield str(json.loads(process.stdout.readline())["url"])
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def _load(scratch: Path, url: str, token: str, paths: Sequence[str], seconds: int) -> Cost:
    """Seconds a request, by wrk, which asks for one path after the other."""
    script = scratch / f"searching-{len(list(scratch.glob('searching-*')))}.lua"
    listed = ", ".join(json.dumps(path) for path in paths)
    script.write_text(f'local paths, n = {{{listed}}}, 0\nfunction request() n = n % #paths + 1 return wrk.format("GET", paths[n]) end\n', encoding="utf-8")
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "-s", str(script), "-H", f"Authorization: Bearer {token}", url]

    def cost() -> float:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rate = re.search(r"Requests/sec:\s*([\d.]+)", said)
        if rate is None or "Non-2xx" in said:
            raise AssertionError(said)
        return 1 / float(rate[1])

    return cost


def _get(url: str, token: str, query: str) -> tuple[int, float]:
    """The exact total, and the seconds that the answer took."""
    asked = urllib.request.Request(f"{url}/v1/invoices?{query}", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - our own server
    began = time.perf_counter()
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        body = json.load(answer)
    return int(body["total"]), time.perf_counter() - began


def _total(url: str, token: str, text: str) -> int:
    return _get(url, token, f"query={text}&{_PAGE}")[0]


def _broad(url: str, token: str) -> str:
    """What texts with very many hits take: the first time, when they are counted, and then; and one that is too short to be looked up and is nowhere."""
    told = []
    for text in ("41", "1", "xx"):
        total, first = _get(url, token, f"query={text}&{_PAGE}")
        then = min(_get(url, token, f"query={text}&{_PAGE}")[1] for _ in range(5))
        told.append(f"{text!r} ({total:,} hits) {1000 * first:.0f} ms the first time, then {1000 * then:.1f} ms")
    plain = min(_get(url, token, _PAGE)[1] for _ in range(5))
    return "; ".join(told) + f"; a plain page by the same client {1000 * plain:.1f} ms"
