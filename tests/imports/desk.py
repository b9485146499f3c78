"""An import desk for tests: input files, the import command, and what the ledger then holds and serves."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.cli.terminal import Said, Terminal
from tests.conftest import Ledger

from faktura.cli.output import harmless
from faktura.domain.provider import hash_token

HEADER = "number,date,quantity,unit_price,name,account"
COLUMNS = tuple(word for name in HEADER.split(",") for word in ("--column", f"{name}={name}"))
MTIME = 1_700_000_000
"""When input files were written, unless a test says otherwise: what the ledger takes for the time they were seen."""


@dataclass(frozen=True)
class Imported:
    """What an import with --json said."""

    code: int
    err: str
    changes: list[dict[str, Any]]
    faults: list[str]
    summary: dict[str, int]

    @property
    def outcomes(self) -> dict[str, int]:
        """How often each outcome came, by word."""
        return dict(Counter(change["outcome"] for change in self.changes))


def imported(said: Said) -> Imported:
    """The parsed answer of an import that ran to its end."""
    assert "Traceback" not in said.err, said.err.splitlines()[-1]
    events = said.lines()
    assert events, said
    result = Imported(
        said.code,
        said.err,
        [event for event in events if "outcome" in event],
        [event["fault"] for event in events if "fault" in event],
        events[-1]["summary"],
    )
    assert result.summary["faults"] == len(result.faults)
    assert sum(result.summary[word] for word in ("new", "unchanged", "enriched", "observed", "conflict")) == len(result.changes)
    assert result.code == (3 if result.faults or "conflict" in result.outcomes else 0)
    assert all(harmless(fault) in said.err for fault in result.faults), "people see every fault too"
    return result


@dataclass
class Desk:
    """A ledger with providers named after their dialects, and a folder for input."""

    ledger: Ledger
    folder: Path
    terminal: Terminal = field(init=False)
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.terminal = Terminal(self.ledger.path)

    def file(self, name: str, content: str | bytes | list[str], *, seen: int = MTIME) -> Path:
        """An input file; a list is rows of CSV under the usual header."""
        path = self.folder / name
        if isinstance(content, list):
            content = "".join(f"{row}\n" for row in [HEADER, *content])
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (seen, seen))
        return path

    def answer(self, name: str, body: object, *, seen: int = MTIME) -> Path:
        """A saved answer."""
        return self.file(name, json.dumps(body), seen=seen)

    def lines(self, *files: Path, provider: str = "checkdomain", options: Iterable[object] = COLUMNS) -> Imported:
        """Import line items."""
        return imported(self.terminal("import", *files, "--provider", provider, *options, "--json"))

    def answers(self, *files: Path, provider: str = "checkdomain", account: str = "demo") -> Imported:
        """Import saved answers."""
        return imported(self.terminal("import", *files, "--provider", provider, "--account", account, "--json"))

    def items(self, account: str = "demo", provider: str = "checkdomain") -> list[bytes]:
        """The account's whole list as it is served, newest first."""
        page = self.ledger.books.storage.serving().serving.page(self._token_hash(provider, account), now_us=self.ledger.clock(), skip=0, size=100_000)
        assert page is not None
        assert page.total == len(page.rows)
        return [row[1] for row in page.rows]

    def single(self, wire_id: int, account: str = "demo", provider: str = "checkdomain") -> bytes:
        """One document as it is served."""
        page = self.ledger.books.storage.serving().serving.single(self._token_hash(provider, account), now_us=self.ledger.clock(), wire_id=wire_id)
        assert page is not None
        ((_, body, _),) = page.rows
        return body

    def shown(self, account: str = "demo", provider: str = "checkdomain") -> list[dict[str, Any]]:
        """The list's items, numbers as Decimal."""
        return [read(item) for item in self.items(account, provider)]

    def numbers(self, account: str = "demo", provider: str = "checkdomain") -> list[str]:
        """The list's document numbers, newest first; nothing where there is no such account."""
        if not self.terminal.select("SELECT 1 FROM account WHERE reference = ?", account):
            return []
        return [item["invoice_number"] for item in self.shown(account, provider)]

    def facts(self) -> list[str]:
        """Everything stored but tokens, which looking at lists makes."""
        return self.terminal.dump(without="token")

    def _token_hash(self, provider: str, account: str) -> bytes:
        key = (provider, account)
        if key not in self._tokens:
            self._tokens[key] = self.ledger.token(provider, account)
        token_hash = hash_token(self._tokens[key])
        assert token_hash is not None
        return token_hash


def read(body: bytes) -> dict[str, Any]:
    """JSON with numbers as Decimal."""
    value: dict[str, Any] = json.loads(body, parse_float=Decimal)
    return value


def ignore(_: object) -> None:
    """Listen to nothing."""
