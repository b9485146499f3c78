"""Mixed load over HTTP, and a note of every call: what was acknowledged, what was refused, and of what nobody knows."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.crash.home import ACCOUNTS, ISSUING, Place

SECONDS_MAX = 60
"""How long a call may take before it is a failure."""
IDLE_SECONDS_MAX = 2
"""How long a connection is kept: the server hangs up after five."""
AWAY_SECONDS = 0.25
"""How long a caller pauses who was told that the database is away."""
BASE = "/manage/v1"
_JSONL = "application/jsonl"
_AWAY = 503


@dataclass(slots=True, kw_only=True)
class Write:
    """A writing call: what was asked, and what came of it."""

    kind: str
    key: str
    provider: str
    path: str
    body: bytes
    mark: str
    """What its effect bears: the note of a document, the reference of a payment, the beginning of a run's products."""
    match: str | None = None
    status: int | None = None
    """None: nobody knows. 503 tells as little."""
    answer: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_acknowledged(self) -> bool:
        """Whether somebody was told that it is done."""
        return self.status is not None and self.status < 300

    @property
    def is_unknown(self) -> bool:
        """Whether it is done, only the ledger knows."""
        return self.status is None or self.status == _AWAY

    def json(self) -> dict[str, Any]:
        """The answer's value."""
        found: dict[str, Any] = json.loads(self.answer)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """A document that somebody may pay or credit."""

    provider: str
    account_id: int
    invoice_id: int
    total: str


@dataclass
class Known:
    """What all callers of one ledger know. Appending is atomic."""

    place: Place
    debts: list[Debt] = field(default_factory=list)
    runs: list[Write] = field(default_factory=list)
    asked: int = 0
    moved_in: int = 0
    """The last number of history that a command was given."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_key(self, kind: str) -> str:
        """A key that no other call has."""
        with self.lock:
            self.asked += 1
            return f"{kind}-{self.asked:06d}"

    def learn(self, write: Write) -> None:
        """Remember what others may work with."""
        if write.kind in {"issue", "issue-draft"} and write.is_acknowledged:
            told = write.json()
            debt = Debt(provider=write.provider, account_id=told["account_id"], invoice_id=told["id"], total=told["total_with_vat"])
            self.debts.append(debt)


class Line:
    """One connection to a server, made when it is needed."""

    def __init__(self, url: str) -> None:
        self._host = url.removeprefix("http://")
        self._connection: http.client.HTTPConnection | None = None
        self._used = 0.0

    def ask(
        self, method: str, path: str, token: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body. ConnectionRefusedError where it was certainly not sent; OSError or HTTPException where nobody knows."""
        if time.monotonic() - self._used > IDLE_SECONDS_MAX:
            self.close()
        self._used = time.monotonic()
        if self._connection is None:
            connection = http.client.HTTPConnection(self._host, timeout=SECONDS_MAX)
            try:
                connection.connect()
            except OSError as error:  # also a reset while it connects: nothing was sent
                connection.close()
                raise ConnectionRefusedError from error
            self._connection = connection
        try:
            self._connection.request(method, path, body=body, headers={"Authorization": f"Bearer {token}", **(headers or {})})
            answer = self._connection.getresponse()
            found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except BaseException:
            self.close()
            raise
        if answer.will_close:
            self.close()
        return found

    def send(self, place: Place, write: Write) -> tuple[int, dict[str, str], bytes]:
        """Make a writing call."""
        headers = {"Idempotency-Key": write.key, "Content-Type": _JSONL if write.kind == "run" else "application/json"}
        if write.match is not None:
            headers["If-Match"] = write.match
        return self.ask("POST", BASE + write.path, place.tokens[write.provider], body=write.body, headers=headers)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Caller:
    """A thread that makes one call after the other until its server is gone, or it is told to stop."""

    known: Known
    url: str
    seeded: random.Random
    survives: bool
    """Whether the server answers through everything: then no call may fail, but with 503."""
    stop: threading.Event
    writes: list[Write] = field(default_factory=list)
    reads: int = 0
    away: int = 0
    failure: BaseException | None = None

    def run(self) -> None:
        """Make calls."""
        line = Line(self.url)
        try:
            while not self.stop.is_set():
                if not self._call(line):
                    return
        except BaseException as error:  # noqa: BLE001 - told by whoever started the thread
            self.failure = error
        finally:
            line.close()

    def _call(self, line: Line) -> bool:
        """Whether to go on."""
        if self.seeded.random() < 0.15:
            return self._read(line)
        made = self._make()
        if made is None:
            return True
        sent = self._send(line, made)
        if sent and made.kind == "draft" and made.is_acknowledged:
            key = self.known.next_key("issue-draft")
            path = f"/drafts/{made.json()['id']}/issue"
            return self._send(line, Write(kind="issue-draft", key=key, provider=made.provider, path=path, body=b"", mark=made.mark, match=made.headers["etag"]))
        return sent

    def _send(self, line: Line, write: Write) -> bool:
        try:
            write.status, write.headers, write.answer = line.send(self.known.place, write)
        except ConnectionRefusedError:
            return self.survives and self._fail("the server takes no connections")
        except (OSError, http.client.HTTPException) as error:
            self.writes.append(write)
            return self.survives and self._fail(f"{write.key}: {error!r}")
        self.writes.append(write)
        if write.status == _AWAY:
            self.away += 1
            require_away(write.headers, write.answer, "title")
            time.sleep(AWAY_SECONDS)
        elif write.status >= 500:
            self._fail(f"{write.key}: {write.status} {write.answer[:500]!r}")
        self.known.learn(write)
        return True

    def _read(self, line: Line) -> bool:
        """A page of a provider's own API."""
        name = f"{self.seeded.choice(ISSUING)}/{self.seeded.choice(ACCOUNTS)}"
        try:
            status, headers, body = line.ask("GET", "/v1/invoices?page=1", self.known.place.tokens[name])
        except (OSError, http.client.HTTPException) as error:
            return self.survives and self._fail(f"GET {name}: {error!r}")
        self.reads += 1
        if status == _AWAY and self.survives:
            self.away += 1
            require_away(headers, body, "message")
            time.sleep(AWAY_SECONDS)
        elif status != 200:
            self._fail(f"GET {name}: {status} {body[:500]!r}")
        else:
            json.loads(body)
        return True

    def _fail(self, message: str) -> bool:
        raise AssertionError(message)

    def _make(self) -> Write | None:
        kinds: dict[str, tuple[int, Callable[[], Write | None]]] = {
            "issue": (30, self._issue),
            "pay": (25, self._pay),
            "credit": (12, self._credit),
            "draft": (15, self._draft),
            "run": (8, self._run_billing),
        }
        weights = [weight for weight, _ in kinds.values()]
        return self.seeded.choices([make for _, make in kinds.values()], weights)[0]()

    def _document(self, mark: str, provider: str) -> dict[str, Any]:
        reference = self.seeded.choice(ACCOUNTS)
        price = f"{self.seeded.randint(100, 9900) / 100:.2f}"
        lines = [{"name": "VPS", "unit_price": price, "quantity": self.seeded.randint(1, 3)} for _ in range(self.seeded.randint(1, 3))]
        document = {"account_id": self.known.place.accounts[f"{provider}/{reference}"], "lines": lines, "note": mark}
        if provider == "vps" and self.seeded.random() < 0.2:
            return document | {"type_code": 325, "order_ids": [int(mark.rpartition("-")[2])]}
        return document

    def _issue(self) -> Write:
        provider, key = self.seeded.choice(ISSUING), self.known.next_key("issue")
        return _write("issue", key, provider, "/invoices", self._document(key, provider))

    def _draft(self) -> Write:
        provider, key = self.seeded.choice(ISSUING), self.known.next_key("draft")
        document = self._document(key, provider)
        return _write("draft", key, provider, "/drafts", {"account_id": document.pop("account_id"), "document": document})

    def _pay(self) -> Write | None:
        debt = self._debt()
        if debt is None:
            return None
        key = self.known.next_key("pay")
        amount = debt.total if self.seeded.random() < 0.5 else f"{float(debt.total) / 2 + 0.01:.2f}"
        body = {"account_id": debt.account_id, "amount": amount, "reference": key, "invoices": [{"invoice_id": debt.invoice_id}]}
        return _write("pay", key, debt.provider, "/payments", body)

    def _credit(self) -> Write | None:
        debt = self._debt()
        if debt is None:
            return None
        key = self.known.next_key("credit")
        part = {"quantities": {"1": 1}} if self.seeded.random() < 0.6 else {}
        return _write("credit", key, debt.provider, f"/invoices/{debt.invoice_id}/credit-notes", {**part, "note": key})

    def _debt(self) -> Debt | None:
        recent = self.known.debts[-20:]
        return self.seeded.choice(recent) if recent else None

    def _run_billing(self) -> Write:
        """A run; some repeat what an earlier one billed, under a key of their own."""
        key = self.known.next_key("run")
        if self.known.runs and self.seeded.random() < 0.3:
            earlier = self.seeded.choice(self.known.runs)
            return Write(kind="run", key=key, provider=earlier.provider, path="/billing-runs", body=earlier.body, mark=earlier.mark)
        provider = self.seeded.choice(ISSUING)
        write = Write(kind="run", key=key, provider=provider, path="/billing-runs", body=billing_items(key, self.seeded), mark=key)
        self.known.runs.append(write)
        return write


def billing_items(mark: str, seeded: random.Random, *, count: int | None = None) -> bytes:
    """JSON Lines of a billing run; each document's note is its product."""
    rows = [
        {
            "account": seeded.choice(ACCOUNTS),
            "period": "2026-10",
            "product": f"{mark}/{place}",
            "note": f"{mark}/{place}",
            "lines": [{"name": "VPS", "unit_price": "12.50"}],
        }
        for place in range(count or seeded.randint(1, 12))
    ]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def products(body: bytes) -> list[str]:
    """What a run's input bills."""
    return [json.loads(row)["product"] for row in body.splitlines()]


def require_away(headers: Mapping[str, str], body: bytes, member: str) -> None:
    """A 503 in the API's own words, which says when to come again."""
    assert headers.get("retry-after", "").isdigit(), headers
    assert member in json.loads(body), body[:500]


def _write(kind: str, key: str, provider: str, path: str, body: object) -> Write:
    return Write(kind=kind, key=key, provider=provider, path=path, body=json.dumps(body).encode(), mark=key)
