"""How tests talk to a server: requests as written, answers as they came, JSON with exact numbers."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.database import database_environment

from faktura.dialects.base import WireDialect, encoder
from faktura.domain.provider import Provider
from faktura.ledger.importing import record
from faktura.ledger.ports import Books

SECONDS_MAX = 20
"""How long a test waits for a byte before it fails."""
VARYING = frozenset({"date", "x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset"})
"""Headers that differ from one answer to the next by their nature."""


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

    def json(self) -> dict[str, Any]:
        """The body's object; numbers with a fraction are Decimal."""
        value = json.loads(self.body, parse_float=Decimal)
        assert isinstance(value, dict)
        return value

    def lasting(self) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
        """All of it that must not vary between equal answers."""
        return self.status, tuple(pair for pair in self.headers if pair[0] not in VARYING), self.body


@dataclass(frozen=True, slots=True)
class Site:
    """A running server and the tokens of its accounts, by a name of the test's choice."""

    url: str
    tokens: Mapping[str, str]
    path: Path | None = None
    """The ledger's file, or what its database stands for."""
    log: Path | None = None
    """What the server wrote to standard error, where that is kept."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def get(
        self,
        target: str,
        account: str | None = None,
        *,
        method: str = "GET",
        headers: Iterable[tuple[str, str | bytes]] = (),
        host: str | None = None,
        peer: str = "127.0.0.1",
    ) -> Reply:
        """One request on a connection of its own, with an account's token if one is named. No header is sent but those given, Host and the token."""
        connection = http.client.HTTPConnection(*self.address, timeout=SECONDS_MAX, source_address=(peer, 0))
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host if host is not None else self.url.removeprefix("http://"))
            if account is not None:
                connection.putheader("Authorization", f"Bearer {self.tokens[account]}")
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            pairs = tuple((name.lower(), value) for name, value in response.getheaders())
            return Reply(response.status, pairs, response.read())
        finally:
            connection.close()

    def lines(self, *, running: bool = True) -> list[dict[str, Any]]:
        """What the server logged, a JSON object a line.

        A request's line is written after its answer; so while the server runs one more request makes sure that all others' are there.
        """
        assert self.log is not None
        if running:
            self.get("/healthz")
        text = self.log.read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        assert all(isinstance(line, dict) for line in lines)
        return lines

    def talk(self, *parts: bytes) -> bytes:
        """Send bytes as they are, and all that the server says until it hangs up. A server may hang up before it has read everything."""
        said = bytearray()
        with socket.create_connection(self.address, timeout=SECONDS_MAX) as connection:
            try:
                for part in parts:
                    connection.sendall(part)
            except ConnectionError:
                pass
            try:
                while chunk := connection.recv(65536):
                    said += chunk
            except ConnectionError:
                pass
        return bytes(said)


def request_bytes(target: str, token: str | None = None, *headers: bytes, method: str = "GET") -> bytes:
    """The bytes of a request after which the server hangs up; without a Host among the headers, `api.test`."""
    lines = [f"{method} {target} HTTP/1.1".encode(), *headers, b"Connection: close"]
    if not any(line.lower().startswith(b"host:") for line in headers):
        lines.append(b"Host: api.test")
    if token is not None:
        lines.append(f"Authorization: Bearer {token}".encode())
    return b"\r\n".join(lines) + b"\r\n\r\n"


def parse_reply(said: bytes) -> Reply:
    """The first answer among what a server said."""
    head, _, body = said.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    assert first.startswith("HTTP/1.1 "), f"no answer: {said[:100]!r}"
    return Reply(int(first.split(" ")[1]), pairs, body)


def serve_and_end(path: Path, port: int = 0) -> subprocess.CompletedProcess[str]:
    """What `serve` says where it cannot serve."""
    command = [sys.executable, "-m", "faktura", "serve", "--port", str(port), "--json"]
    return subprocess.run(command, env=os.environ | database_environment(path), capture_output=True, text=True, timeout=60, check=False)


def record_answer(books: Books, dialect: WireDialect, provider: Provider, reference: str, answer: Mapping[str, object]) -> None:
    """Record an answer of the provider's API in an account, as an import does."""
    parsed = dialect.parse_answer(encoder.encode(answer), provider=provider)
    assert not parsed.faults
    for change in record(books, provider=provider.name, documents=((reference, heard) for heard in parsed.documents)):
        assert not change.differences


def vpsbg_items(count: int, *, first_id: int = 1) -> list[dict[str, object]]:
    """Items of a VPSBG list, oldest first; two of a day. Amounts differ, so that sums tell whether one is missing."""
    return [
        {
            "id": first_id + place,
            "invoice_number": f"{place + 1:010}",
            "created_at": f"20{10 + place // 672:02}-{place // 56 % 12 + 1:02}-{place // 2 % 28 + 1:02}T21:00:00.000000Z",
            "amount": Decimal(place * 37 % 10007) / 100,
            "amount_with_vat": Decimal(place * 53 % 10007 + 10007) / 100,
            "type": ("original", "proform")[place % 2],
            "order_ids": [place + 1],
        }
        for place in range(count)
    ]


def checkdomain_items(count: int, *, first_id: int = 1) -> list[dict[str, object]]:
    """Items of a checkdomain list, oldest first, each third one open in part."""
    items = []
    for place in range(count):
        total, payed = 1000 + place * 53 % 10007, 0 if place % 3 else place % 1000
        items.append(
            {
                "id": first_id + place,
                "invoice_number": f"{2010 + place // 336}-{place + 1:06}",
                "created": f"{2010 + place // 336}-{place // 28 % 12 + 1:02}-{place % 28 + 1:02}T10:07:15+0100",
                "amount_total": Decimal(total) / 100,
                "amount_payed": Decimal(payed) / 100,
                "amount_open": Decimal(total - payed) / 100,
            }
        )
    return items
