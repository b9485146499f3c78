"""A server of several workers: one server to whoever asks it, and to whoever stops, kills or watches it."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from tests.conftest import Ledger
from tests.database import database_environment, execute, sqlite_only
from tests.operations.watched import STOP_SECONDS_MAX, Watched, furnish, watching

from faktura.config import read_settings
from faktura.domain.errors import SettingError
from faktura.domain.provider import hash_token
from faktura.ledger.accounts import set_provider

SECONDS_MAX = 30
LIMIT = 120


@pytest.fixture(autouse=True, scope="session")
def each_engine(engine: str) -> str:
    """Every test here runs on each engine."""
    return engine


@pytest.fixture
def server(ledger: Ledger) -> Iterator[Watched]:
    """A server of two workers; checkdomain lets 120 requests an hour pass."""
    tokens = furnish(ledger)
    set_provider(ledger.books, name="checkdomain", change=lambda provider: replace(provider, rate_limit=LIMIT))
    with watching(ledger, tokens, FAKTURA_WORKERS="2") as watched:
        yield watched


def workers(server: Watched) -> list[psutil.Process]:
    """The processes that serve."""
    return psutil.Process(server.process.pid).children(recursive=True)  # type: ignore[no-any-return]


def until(holds: Callable[[], object]) -> None:
    """Wait for something that must come about."""
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def connect(server: Watched) -> http.client.HTTPConnection:
    """A connection that stays open."""
    return http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=SECONDS_MAX)


def status(server: Watched, connection: http.client.HTTPConnection, token: str, target: str = "/v1/invoices") -> int:
    """One request on it."""
    connection.request("GET", target, headers={"Authorization": f"Bearer {server.tokens[token]}"})
    response = connection.getresponse()
    response.read()
    return response.status


def crowd(server: Watched, callers: int, requests: int, meanwhile: Callable[[], None] = lambda: None) -> Counter[int]:
    """What callers on connections of their own are answered, all at once; 0 where a connection broke, and a new one was made."""
    found: list[int] = []
    begin = threading.Barrier(callers + 1)

    def call() -> None:
        connection = connect(server)
        begin.wait()
        for _ in range(requests):
            try:
                found.append(status(server, connection, "checkdomain"))
            except (OSError, http.client.HTTPException):
                found.append(0)
                connection.close()
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    begin.wait()
    meanwhile()
    for thread in threads:
        thread.join()
    return Counter(found)


def total(server: Watched, name: str, **labels: str) -> float:
    """The sum of a metric's samples that bear these labels."""
    return sum(value for key, value in server.metrics().get(name, {}).items() if labels.items() <= dict(key).items())


def test_connections_spread_evenly(server: Watched) -> None:
    """Of a few connections that live long each worker gets its half, whether they come one by one or at once."""
    with ExitStack() as kept:
        for _ in range(8):
            connection = connect(server)
            kept.callback(connection.close)
            assert status(server, connection, "vpsbg") == 200
        port = int(server.url.rpartition(":")[2])
        held = [sum(each.laddr.port == port and each.status == "ESTABLISHED" for each in worker.net_connections("tcp")) for worker in workers(server)]
        assert sorted(held) == [4, 4]


def test_a_limit_is_exact_over_all_workers(server: Watched) -> None:
    """However many ask at once, of two workers, the limit passes and no request more."""
    assert crowd(server, 8, 25) == {200: LIMIT, 429: 8 * 25 - LIMIT}
    until(lambda: total(server, "faktura_http_requests_total", provider="checkdomain", status="429") == 8 * 25 - LIMIT)


def test_a_worker_that_is_killed_is_replaced_and_forgets_nothing(server: Watched) -> None:
    """Killed in the middle of counting, a worker loses its own requests only: no more than the limit passes, counts go on where they were, and two serve again."""
    victim, other = workers(server)
    assert server.ask("GET", "/v1/invoices", "vpsbg").status == 200
    until(lambda: total(server, "faktura_http_requests_total", provider="vpsbg", route="list") == 1)
    found = crowd(server, 8, 25, victim.kill)
    assert found[200] <= LIMIT <= found[200] + found[0]
    assert server.ask("GET", "/v1/invoices", "checkdomain").status == 429
    until(lambda: len(workers(server)) == 2 and other in workers(server))
    until(lambda: total(server, "faktura_workers") == 2)
    assert total(server, "faktura_worker_restarts_total") == 1
    assert total(server, "faktura_http_requests_total", provider="vpsbg", route="list") == 1
    (line,) = [line for line in server.lines() if line["event"] != "request"]
    assert (line["level"], line["reason"]) == ("error", "killed by signal 9")


def test_no_worker_is_started_more_than_once_a_second(server: Watched) -> None:
    """Workers that die as soon as they are there are replaced at a bounded rate; meanwhile the other one serves."""
    keeper = workers(server)[0].pid
    began, killed = time.monotonic(), 0
    while time.monotonic() < began + 2.5:
        for worker in workers(server):
            if worker.pid != keeper:
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
                    worker.wait(SECONDS_MAX)
                    killed += 1
        assert server.ask("GET", "/healthz").status == 200
    assert killed <= 4


def test_metrics_are_those_of_all_workers(server: Watched) -> None:
    """Requests of both workers are summed, whichever of them Prometheus meets; what the ledger says is told once; processes count together."""
    with ExitStack() as kept:
        connections = [connect(server) for _ in range(4)]
        for connection in connections:
            kept.callback(connection.close)
            for _ in range(5):
                assert status(server, connection, "vpsbg") == 200
        for _ in range(6):
            until(lambda: total(server, "faktura_http_requests_total", provider="vpsbg", route="list") == 20)
            assert total(server, "faktura_http_request_duration_seconds_count", route="list") == 20
            assert (total(server, "faktura_ledger_up"), total(server, "faktura_workers")) == (1, 2)
    text = server.metrics_text()
    for family in ("faktura_ledger_up", "process_cpu_seconds_total", "process_resident_memory_bytes", "faktura_build_info"):
        assert sum(line.startswith(family) for line in text.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_under_load_it_finishes_what_it_began(server: Watched, number: signal.Signals) -> None:
    """Requests that were taken are answered whole, the supervisor ends with 0, nobody is left, and the ledger is closed."""
    crew = workers(server)
    broken: list[Exception] = []
    answered: list[int] = []

    def call() -> None:
        connection = connect(server)
        with suppress(ConnectionRefusedError):
            while True:
                try:
                    connection.connect()
                    connection.request("GET", "/v1/invoices", headers={"Authorization": f"Bearer {server.tokens['vpsbg']}", "Connection": "close"})
                except ConnectionRefusedError:
                    raise
                except OSError:
                    continue  # it was not taken
                try:
                    response = connection.getresponse()
                    response.read()
                    answered.append(response.status)
                except (http.client.RemoteDisconnected, ConnectionResetError):
                    pass  # it was not taken either
                except http.client.HTTPException as error:
                    broken.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(answered) > 50)
    server.process.send_signal(number)
    assert server.process.wait(STOP_SECONDS_MAX) == 0
    for thread in threads:
        thread.join()
    assert (set(answered), broken) == ({200}, [])
    assert not [worker for worker in crew if worker.is_running()]


def test_both_workers_write_when_tokens_were_used(ledger: Ledger, server: Watched) -> None:
    """After the end the last use is that of the request that came last, whichever worker had it and wrote last."""
    with ExitStack() as kept:
        connections = [connect(server) for _ in range(2)]
        for connection in connections:
            kept.callback(connection.close)
            assert status(server, connection, "vpsbg") == 200
        before = time.time_ns() // 1000
        assert status(server, connections[0], "vpsbg") == 200
    server.process.terminate()
    server.process.wait(STOP_SECONDS_MAX)
    with ledger.books.storage.reading() as tx:
        provider = tx.providers.find("vpsbg")
        assert provider is not None
        used = [token.last_used_at_us or 0 for token in tx.accounts.tokens(provider.id)]
    assert max(used) >= before


def test_an_older_use_never_takes_the_place_of_a_newer_one(ledger: Ledger) -> None:
    """Of two servers that write a token's last use the later instant stays, in whatever order they write."""
    token_hash = hash_token(furnish(ledger)["vpsbg"]) or b""
    for at_us in (2_000, 1_000, 3_000, 2_500):
        with ledger.books.storage.writing() as tx:
            tx.accounts.tokens_used({token_hash: at_us})
    (row,) = execute(ledger.books, "SELECT last_used_at_us FROM token WHERE last_used_at_us IS NOT NULL")
    assert row["last_used_at_us"] == 3_000


def test_nobody_outlives_a_killed_supervisor(server: Watched) -> None:
    """Where the supervisor is killed its workers end as if told to, and the port is free."""
    crew = workers(server)
    assert len(crew) == 2
    server.process.kill()
    psutil.wait_procs(crew, SECONDS_MAX)
    assert not [worker for worker in crew if worker.is_running()]
    with pytest.raises(ConnectionRefusedError):
        server.ask("GET", "/healthz")


def begun_and_ended(path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a server says that cannot serve."""
    command = [sys.executable, "-m", "faktura", "serve", "--port", "0", "--workers", "2", "--json", *arguments]
    variables = os.environ | database_environment(path) | environment
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)


def test_workers_that_cannot_start_are_one_line(ledger: Ledger) -> None:
    """What keeps workers from starting is told once, in the words that one process has for it, and ends the server with 1."""
    furnish(ledger)
    for environment in ({"FAKTURA_DEFAULT_PROVIDER": "nobody"}, {"FAKTURA_METRICS_PORT": "1", "FAKTURA_METRICS_HOST": "192.0.2.1"}):
        ended, alone = (begun_and_ended(ledger.path, **environment), begun_and_ended(ledger.path, "--workers", "1", **environment))
        assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", alone.stderr)
        assert ended.stderr.count("\n") == 1


@sqlite_only
def test_workers_without_a_ledger_are_one_line(tmp_path: Path) -> None:
    """A ledger that is not there is one line for all workers."""
    ended = begun_and_ended(tmp_path / "none.db")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.startswith("faktura: there is no ledger at ")


def test_the_ready_line_is_said_once(server: Watched) -> None:
    """One line with one address for all workers; the option wins over the setting, and one worker is the process itself."""
    assert server.process.stdout is not None
    server.process.terminate()
    server.process.wait(STOP_SECONDS_MAX)
    assert server.process.stdout.read() == ""


def test_one_worker_is_no_crew(ledger: Ledger) -> None:
    """With one worker nothing is forked."""
    with watching(ledger, furnish(ledger), FAKTURA_WORKERS="1") as watched:
        assert watched.ask("GET", "/readyz").status == 200
        assert workers(watched) == []


@pytest.mark.parametrize("text", ["0", "x", "257", "-1", "1.5", "٣"])
def test_a_number_of_workers_must_be_one(text: str) -> None:
    """Whatever is no number from 1 to 256 is refused by name."""
    with pytest.raises(SettingError, match="FAKTURA_WORKERS"):
        read_settings({"FAKTURA_WORKERS": text})
