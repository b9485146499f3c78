"""How tests talk to the management API: requests as written, answers as they came, and the whole ledger to compare."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from tests.database import below, tables

SECONDS_MAX = 30
"""How long a test waits for an answer before it fails."""
IDLE_SECONDS_MAX = 2
"""How long a connection is kept: the server hangs up after five."""
VARYING = frozenset({"date", "x-request-id"})
"""Headers that differ from one answer to the next by their nature."""
BASE = "/manage/v1"
PROBLEM = "application/problem+json"

Headers = Iterable[tuple[str, str | bytes]]
Dump = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came; header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The one value of a header; None when it was not sent."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name} was sent {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)

    def lasting(self, *, but: frozenset[str] = VARYING) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
        """All of it that must not vary between equal answers."""
        return self.status, tuple(sorted(pair for pair in self.headers if pair[0] not in but)), self.body

    def problem(self) -> dict[str, Any]:
        """The refusal, which must be a problem detail of its own status."""
        assert 400 <= self.status < 500, (self.status, self.body[:500])
        assert self.header("content-type") == PROBLEM, self.headers
        found: dict[str, Any] = self.json()
        assert found["status"] == self.status
        assert found["title"]
        return found


@dataclass(frozen=True, slots=True)
class Operation:
    """A call that the OpenAPI document describes."""

    id: str
    method: str
    path: str
    scope: str
    media_types: tuple[str, ...] = ()
    """Of its body."""

    @property
    def is_writing(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"


def operations_of(document: Mapping[str, Any]) -> dict[str, Operation]:
    """All of a document's operations by their ids."""
    found = [
        Operation(item["operationId"], method.upper(), path, item["x-scope"], tuple(item.get("requestBody", {}).get("content", {})))
        for path, methods in document["paths"].items()
        for method, item in methods.items()
    ]
    by_id = {operation.id: operation for operation in found}
    assert len(by_id) == len(found)
    return by_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What to say in a call of an operation: everything but method, path and token."""

    path: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    """Bytes go as they are, anything else as JSON."""
    content_type: str = "application/json"
    match: str | None = None
    """If-Match."""

    def target(self, operation: Operation) -> str:
        """The request target."""
        path = operation.path
        for name, value in self.path.items():
            path = path.replace("{" + name + "}", quote(str(value), safe=""))
        assert "{" not in path, (operation.id, path)
        return path + (f"?{urlencode(self.query)}" if self.query else "")

    def raw_body(self) -> bytes | None:
        """The body's bytes."""
        return self.body if self.body is None or isinstance(self.body, bytes) else json.dumps(self.body).encode()

    def headers(self) -> list[tuple[str, str | bytes]]:
        """Of the body and of what is changed."""
        found: list[tuple[str, str | bytes]] = [] if self.body is None else [("Content-Type", self.content_type)]
        return found + ([] if self.match is None else [("If-Match", self.match)])


class Wire:
    """Connections to a server: one a thread, kept open between requests."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._local = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def connection(self) -> http.client.HTTPConnection:
        """This thread's own."""
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = http.client.HTTPConnection(self.address, timeout=SECONDS_MAX)
            self._opened.append(found)
        elif time.monotonic() - self._local.used > IDLE_SECONDS_MAX:
            found.close()
        self._local.used = time.monotonic()
        return found

    def close(self) -> None:
        """Hang up; whoever asks next calls again."""
        for connection in self._opened:
            connection.close()


@dataclass(frozen=True, slots=True)
class Api:
    """A server, and the token that one speaks to it with."""

    wire: Wire
    token: str | None

    def send(self, method: str, target: str, *, body: bytes | None = None, headers: Headers = ()) -> Reply:
        """A request of one's own writing."""
        connection = self.wire.connection()
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if self.token is not None:
                connection.putheader("Authorization", f"Bearer {self.token}")
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Reply(response.status, tuple((name.lower(), value) for name, value in response.getheaders()), response.read())
        except BaseException:
            connection.close()
            raise

    def call(self, operation: Operation, ask: Ask, *, headers: Headers = ()) -> Reply:
        """Call an operation."""
        return self.send(operation.method, ask.target(operation), body=ask.raw_body(), headers=[*ask.headers(), *headers])

    def get(self, path: str) -> Any:
        """What is at a path of the API."""
        reply = self.send("GET", BASE + path)
        assert reply.status == 200, (path, reply.status, reply.body[:500])
        return reply.json()

    def etag(self, path: str) -> str:
        """The ETag of what is at a path."""
        found = self.send("GET", BASE + path).header("etag")
        assert found is not None, path
        return found

    def post(self, path: str, body: object) -> Any:
        """Make something."""
        reply = self.send("POST", BASE + path, body=json.dumps(body).encode(), headers=[("Content-Type", "application/json")])
        assert reply.status in {201, 202}, (path, reply.status, reply.body[:1000])
        return reply.json()


@dataclass(frozen=True, slots=True)
class Site:
    """A running server, the path that its ledger's database stands for, and tokens by names: `alpha`, `beta` (admin), `alpha/SCOPE`, `expired`, `revoked`, `customer`."""

    wire: Wire
    path: Path
    tokens: Mapping[str, str]
    operations: Mapping[str, Operation]
    pid: int = 0

    def api(self, name: str | None = "alpha") -> Api:
        """The API with a token of that name."""
        return Api(self.wire, None if name is None else self.tokens[name])

    def dump(self) -> Dump:
        """All that the ledger holds, but when tokens were last used."""
        names = tables(self.path)
        with below(self.path, is_read=True) as run:
            return {table: _values(table, run(f"SELECT * FROM {table}")) for table in names}


def _values(table: str, rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((tuple(value for name, value in row.items() if (table, name) != ("token", "last_used_at_us")) for row in rows), key=repr)


def changes(before: Dump, after: Dump) -> dict[str, list[tuple[Any, ...]]]:
    """Rows that are in one of two dumps only, by table."""
    return {table: sorted(difference, key=repr) for table in before | after if (difference := set(before.get(table, [])) ^ set(after.get(table, [])))}
