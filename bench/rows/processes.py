"""Processes: what a second worker costs, how long a start takes, and what a worker weighs that has nothing to do."""

from __future__ import annotations

import http.client
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from bench.harness import SAMPLES, Context, Goal, Row, compare, pinned
from faktura.bootstrap.demo import open_demo
from faktura.config import read_settings
from faktura.ledger.accounts import set_provider

_TARGET = "/v1/invoices"
_BARE = """\
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
"""
_REST_SECONDS = 1.5
"""After the first answer; by then what starts beside it is done."""


@dataclass(frozen=True, slots=True)
class _Program:
    """A server to start: its command, but for the port, and what else it needs."""

    command: Sequence[str]
    environment: Mapping[str, str]
    token: str = ""

    @contextmanager
    def running(self, *options: str) -> Iterator[tuple[psutil.Process, int, float]]:
        """Its process, its port, and the seconds from its exec to its first answer."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        began = time.perf_counter()
        process = psutil.Popen([*self.command, "--port", str(port), *options], env=os.environ | self.environment, stdout=subprocess.DEVNULL)
        try:
            while not self._answers(port):
                if process.poll() is not None:
                    message = f"{' '.join(self.command)} ended with {process.returncode}"
                    raise RuntimeError(message)
                time.sleep(0.001)
            yield process, port, time.perf_counter() - began
        finally:
            process.terminate()
            process.wait(20)

    def _answers(self, port: int) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", _TARGET, headers={"Authorization": f"Bearer {self.token}"})
            response = connection.getresponse()
            response.read()
        except ConnectionRefusedError:
            return False
        finally:
            connection.close()
        if response.status != 200:
            message = f"answered {response.status}"
            raise RuntimeError(message)
        return True


def rows(context: Context) -> Iterator[Row]:
    """Two workers against one; a start, and a worker at rest, against uvicorn with an app of one line."""
    ours, bare = _faktura(context.scratch / "processes"), _bare(context.scratch)
    count = 1 if context.is_quick else SAMPLES
    with pinned(0):
        yield _start(ours, bare, count)
        yield _memory(ours, bare, count, "a worker at rest after its first answer: memory of its own (USS)", "uss")
    yield _cpu(ours, count, seconds=1 if context.is_quick else 3)


def _faktura(folder: Path) -> _Program:
    """A ledger whose limits nobody reaches."""
    with open_demo(read_settings(os.environ), folder) as (books, tokens):
        set_provider(books, name="vpsbg", change=lambda provider: replace(provider, rate_limit=1_000_000_000, rate_window_seconds=3600))
    environment = {"FAKTURA_DATABASE": f"sqlite:///{folder / 'ledger.db'}", "FAKTURA_ACCESS_LOG": "off", "FAKTURA_WORKERS": "1"}
    return _Program([sys.executable, "-m", "faktura", "serve"], environment, tokens["vpsbg"])


def _bare(folder: Path) -> _Program:
    (folder / "bare_app.py").write_text(_BARE, encoding="utf-8")
    return _Program([sys.executable, "-m", "uvicorn", "bare_app:app", "--log-level", "error"], {"PYTHONPATH": str(folder)})


def _start(ours: _Program, bare: _Program, count: int) -> Row:
    def seconds(program: _Program) -> float:
        with program.running() as (_, _, elapsed):
            return elapsed

    return compare(
        "exec of `faktura serve` to the first answered list page",
        "exec of uvicorn with a one-line app to its first answer",
        Goal(at_most=3),
        ours=lambda: seconds(ours),
        theirs=lambda: seconds(bare),
        samples=count,
        note="the same Python, bytecode cached, all on core 0",
    )


def _memory(ours: _Program, bare: _Program, count: int, what: str, kind: str) -> Row:
    others: dict[str, list[tuple[int, ...]]] = {"ours": [], "bare": [], "two": []}

    def weight(name: str, program: _Program, *options: str) -> float:
        with program.running(*options) as (process, _, _):
            time.sleep(_REST_SECONDS)
            found = (process.children() or [process])[0].memory_full_info()
            others[name].append((found.rss, found.pss, found.uss))
            return float(getattr(found, kind))

    row = compare(
        what,
        "uvicorn with a one-line app, likewise",
        Goal(at_most=3),
        ours=lambda: weight("ours", ours),
        theirs=lambda: weight("bare", bare),
        samples=count,
    )
    weight("two", ours, "--workers", "2")
    said = [
        f"{name}: RSS, PSS, USS {', '.join(f'{statistics.median(kinds) / 1e6:.1f}' for kinds in zip(*found, strict=True))} MB" for name, found in others.items()
    ]
    return replace(row, unit="B", note="; ".join(said) + " (two: one of two workers, who share what was loaded before they were forked)")


def _cpu(ours: _Program, count: int, *, seconds: int) -> Row:
    """Both stay up, so that what is measured is requests alone."""
    with pinned(0):
        two, one = ours.running("--workers", "2"), ours.running()
        with two as (crew, crew_port, _), one as (alone, alone_port, _), pinned(1):
            return compare(
                "two workers: processor time of a list page",
                "one worker",
                Goal(at_most=1.1),
                ours=lambda: _cost(crew, crew_port, ours.token, seconds),
                theirs=lambda: _cost(alone, alone_port, ours.token, seconds),
                samples=count,
                note="supervisor and workers, user and system; server on core 0, wrk with 16 connections on core 1; limits shared and counted",
            )


def _cost(process: psutil.Process, port: int, token: str, seconds: int) -> float:
    """Processor seconds of a server, its workers included, for a request."""
    family = [process, *process.children()]
    before = sum(sum(each.cpu_times()[:2]) for each in family)
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-H", f"Authorization: Bearer {token}", f"http://127.0.0.1:{port}{_TARGET}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+) requests in", said)
    if found is None or "Non-2xx" in said:
        raise RuntimeError(said)
    return (sum(sum(each.cpu_times()[:2]) for each in family) - before) / int(found.group(1))
