"""Servers in processes of their own on one core, and the load on another: what a request costs over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import psutil

from bench.harness import SAMPLES, CannotRunError, Context, Goal, Row, compare, pinned

SERVER_CORE, LOAD_CORE = 0, 1
"""Where the measured server runs, alone, and where wrk does. A database server stands on the load's core."""
PINNING = f"server: core {SERVER_CORE}, alone; wrk and PostgreSQL: core {LOAD_CORE}"
CONNECTIONS = 8
"""That wrk keeps open, each with one request at a time: the server always has the next one waiting."""
ROOT = Path(__file__).parents[1]

_START_SECONDS = 30
_TRIES = 3
_BUSY_MIN = 0.9
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.MULTILINE)
_TAIL = re.compile(r"^\s+99%\s+([\d.]+)(us|ms|s)", re.MULTILINE)
_WRONG = re.compile(r"^\s*(Non-2xx or 3xx responses|Socket errors): (.+)", re.MULTILINE)
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class VoidError(Exception):
    """A sample that does not count: the server answered with errors, or hung up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[str]

    def cpu_seconds(self) -> float:
        """What it and its workers have used so far."""
        root = psutil.Process(self.process.pid)
        return sum(sum(process.cpu_times()[:2]) for process in [root, *root.children(recursive=True)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, as it came."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """A header's value."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(slots=True, kw_only=True)
class Load:
    """A request that is sent to a server again and again."""

    server: Server
    path: str
    headers: Mapping[str, str]
    seconds: int = 2
    tails: list[float] = field(default_factory=list)
    """The 99th percentile of each sample, milliseconds."""
    busy: list[float] = field(default_factory=list)
    """How much of its core the server used in each sample."""
    cpu: list[float] = field(default_factory=list)
    """What a request cost the server in each sample, seconds of CPU: true even where something else ran on its core."""

    def fetch(self) -> Answer:
        """Send it once."""
        host = self.server.url.removeprefix("http://")
        with closing(http.client.HTTPConnection(host, timeout=60)) as connection:
            connection.request("GET", self.path, headers=dict(self.headers))
            response = connection.getresponse()
            return Answer(status=response.status, headers=response.getheaders(), body=response.read())

    def cost(self) -> float:
        """Seconds for a request, under load. A sample with errors is void, and taken again."""
        for _ in range(_TRIES):
            with suppress(VoidError):
                return self._sample()
        message = f"{self.server.url}{self.path} answers with errors under load"
        raise CannotRunError(message)

    def _sample(self) -> float:
        headers = [part for name, value in self.headers.items() for part in ("-H", f"{name}: {value}")]
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{self.seconds}s", "--latency", "--timeout", "10s"]
        used, began = self.server.cpu_seconds(), time.perf_counter()
        with pinned(LOAD_CORE):
            said = subprocess.run(["wrk", *options, *headers, self.server.url + self.path], capture_output=True, text=True, check=True).stdout
        took, used = time.perf_counter() - began, self.server.cpu_seconds() - used
        rate, tail = _RATE.search(said), _TAIL.search(said)
        if _WRONG.search(said) or rate is None or tail is None or not float(rate.group(1)):
            raise VoidError(said)
        self.busy.append(used / took)
        self.cpu.append(used / (float(rate.group(1)) * self.seconds))
        self.tails.append(float(tail.group(1)) * _MILLISECONDS[tail.group(2)])
        return 1 / float(rate.group(1))


def compare_loads(what: str, against: str, goal: Goal, *, ours: Load, theirs: Load, context: Context, note: str = "") -> Row:
    """Load two servers in turn; both stay up, one has work at a time."""
    for load in (ours, theirs):
        load.seconds = 1 if context.is_quick else 2
    row = compare(what, against, goal, ours=ours.cost, theirs=theirs.cost, samples=1 if context.is_quick else SAMPLES)
    rates = [1 / median(sample[side] for sample in row.samples) for side in (0, 1)]
    said = f"{rates[0]:,.0f} a second against {rates[1]:,.0f}; 99 % within {median(ours.tails):.1f} ms against {median(theirs.tails):.1f} ms"
    said += f"; server's core {median(ours.busy):.0%} busy against {median(theirs.busy):.0%}"
    said += f"; CPU a request {median(ours.cpu) * 1e6:,.0f} µs against {median(theirs.cpu) * 1e6:,.0f} µs"
    if min(median(ours.busy), median(theirs.busy)) < _BUSY_MIN:
        said += "; a server did not have its core to itself, or waited: see the CPU"
    return replace(row, note=f"{note}; {said}" if note else said)


@contextmanager
def faktura(database: Mapping[str, str], *options: str) -> Iterator[Server]:
    """`faktura serve` of a ledger: one worker, no access log."""
    with announced([sys.executable, "-m", "faktura", "serve", "--port", "0", "--json", *options], {"FAKTURA_ACCESS_LOG": "off", **database}) as server:
        yield server


@contextmanager
def announced(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Server]:
    """A server that says as JSON where it listens, on the server's core."""
    with _started(command, environment) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            message = f"{' '.join(command)} ended with {process.wait()} before it served"
            raise CannotRunError(message)
        yield Server(url=json.loads(line)["url"], process=process)


@contextmanager
def listening(command: Callable[[int], Sequence[str]], environment: Mapping[str, str]) -> Iterator[Server]:
    """A server that is told its port, on the server's core, once it accepts connections."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = int(probe.getsockname()[1])
    with _started(command(port), environment) as process:
        until = time.monotonic() + _START_SECONDS
        while True:
            with suppress(ConnectionRefusedError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
                break
            if process.poll() is not None or time.monotonic() > until:
                message = f"{' '.join(command(port))} does not serve"
                raise CannotRunError(message)
            time.sleep(0.05)
        yield Server(url=f"http://127.0.0.1:{port}", process=process)


@contextmanager
def _started(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    with pinned(SERVER_CORE):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | environment, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)
        if process.stdout is not None:
            process.stdout.close()


def need_wrk() -> None:
    """CannotRunError where there is no wrk."""
    if shutil.which("wrk") is None:
        raise CannotRunError("wrk is not installed (Debian: apt install wrk)")
