"""What a piece of work costs, counted and not timed: statements on the wire, steps of SQLite's machine, bytecodes of Python."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from faktura.ledger.ports import Books
from faktura.storage.sqlite import SqliteStorage

_SENT = ("Execute", "Query")
"""Messages of PostgreSQL's protocol that run a statement."""


@dataclass
class Counted:
    """What was counted, once the block has ended."""

    count: int = 0


@contextmanager
def statements(books: Books) -> Iterator[Counted]:
    """Statements that reach the database below a ledger, rows of a batch one by one, on connections that are open already."""
    counted = Counted()
    storage: Any = books.storage
    if isinstance(storage, SqliteStorage):
        opened = list(storage._opened)
        for connection in opened:
            connection.set_trace_callback(lambda _: _add(counted))
        yield counted
        for connection in opened:
            connection.set_trace_callback(None)
        return
    with tempfile.TemporaryFile("w+") as file:
        idle = [*storage._ledger._idle, *storage._serving._idle, *(line.connection for line in storage._lines._lines)]
        for connection in idle:
            connection.pgconn.trace(file.fileno())
        yield counted
        for connection in idle:
            connection.pgconn.untrace()
        file.seek(0)
        lines = [line.split("\t") for line in file]
        counted.count = sum(line[1] == "F" and line[3].startswith(_SENT) for line in lines if len(line) > 3)


@contextmanager
def machine_steps(books: Books) -> Iterator[Counted]:
    """Instructions that SQLite runs: they grow with every row and index entry that is looked at."""
    counted = Counted()
    storage: Any = books.storage
    opened = list(storage._opened)
    for connection in opened:
        connection.set_progress_handler(lambda: _add(counted), 1)
    yield counted
    for connection in opened:
        connection.set_progress_handler(None, 0)


@contextmanager
def bytecodes() -> Iterator[Counted]:
    """Instructions that Python runs in this thread."""
    counted = Counted()

    def look(frame: FrameType, event: str, _: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            counted.count += 1
        return look

    before = sys.gettrace()
    sys.settrace(look)
    yield counted
    sys.settrace(before)


def _add(counted: Counted) -> int:
    counted.count += 1
    return 0
