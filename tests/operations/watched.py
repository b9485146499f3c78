"""A server that is watched: its answers, its log, its metrics."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families
from tests.conftest import Ledger
from tests.database import database_environment

from faktura.ledger.accounts import create_token

SECONDS_MAX = 30
STOP_SECONDS_MAX = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Watched:
    """A running server."""

    url: str
    metrics_url: str | None
    tokens: dict[str, str]
    """`vpsbg`, `checkdomain` for an account at each, `manager` for vpsbg's management."""
    log: Path
    process: subprocess.Popen[str]

    def ask(self, method: str, target: str, token: str | None = None, *, body: bytes | None = None, **headers: str) -> Answer:
        """One request on a connection of its own; header names with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named["Authorization"] = f"Bearer {self.tokens.get(token, token)}"
        return _ask(self.url, method, target, body, named)

    def manage(self, method: str, target: str, value: object = None, **headers: str) -> Answer:
        """A call of the management API by vpsbg's manager."""
        body = None if value is None else json.dumps(value).encode()
        return self.ask(method, f"/manage/v1{target}", "manager", body=body, **({} if body is None else {"Content_Type": "application/json"}), **headers)

    def metrics_text(self) -> str:
        """What Prometheus gets."""
        assert self.metrics_url is not None
        answer = _ask(self.metrics_url, "GET", "/metrics", None, {})
        assert answer.status == 200
        return answer.body.decode()

    def metrics(self) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        """Samples by name and labels. A request counts after its answer: one more brings in all others."""
        self.ask("GET", "/healthz")
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for family in text_string_to_metric_families(self.metrics_text()):
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        return found

    def lines(self) -> list[dict[str, Any]]:
        """What was logged so far, each line one JSON object. A request's line is written after its answer: one more brings out all others'."""
        self.ask("GET", "/healthz")
        text = self.log.read_text(encoding="utf-8")
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def _ask(url: str, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS_MAX)
    try:
        connection.request(method, target, body=body, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


def furnish(ledger: Ledger) -> dict[str, str]:
    """Both providers with an account each, checkdomain's limited to three requests; their tokens."""
    ledger.provider("vpsbg", hosts=("vpsbg.test",))
    ledger.provider("checkdomain", hosts=("checkdomain.test",), rate_limit=3, rate_window_seconds=3600)
    tokens = {}
    for dialect in ("vpsbg", "checkdomain"):
        ledger.account(dialect)
        tokens[dialect] = ledger.token(dialect)
    tokens["manager"] = create_token(ledger.books, provider="vpsbg", reference=None, scopes=("admin",))[0]
    return tokens


@contextmanager
def watching(ledger: Ledger, tokens: dict[str, str], **environment: str) -> Iterator[Watched]:
    """A server of the ledger, with metrics on a free port unless told otherwise."""
    log = ledger.path.parent / "log"
    command = [sys.executable, "-m", "faktura", "serve", "--port", "0", "--json"]
    variables = os.environ | database_environment(ledger.path) | {"FAKTURA_METRICS_PORT": "0"} | environment
    with log.open("w") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text(encoding="utf-8")
            said = json.loads(line)
            yield Watched(said["url"], said.get("metrics_url"), tokens, log, process)
        finally:
            process.terminate()
            process.wait(timeout=STOP_SECONDS_MAX)
