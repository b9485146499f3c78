"""Single reads of the provider APIs from an event loop: a few connections in libpq's pipeline mode, which many requests share.

What requests ask goes out at once and is answered in the same order, so nobody waits for a thread, and a request costs the
loop little more than the statement. Only reads that touch a page's rows come here: behind a long one, others would wait.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import psycopg
from psycopg import errors as pg
from psycopg.pq import DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

from faktura.domain.errors import LedgerBusyError
from faktura.ledger.listing_ports import Ask
from faktura.storage.pool import Connection, Pool
from faktura.storage.statement import PARAMETER, load_statements

LINES_MAX = 4
WAITING_MAX = 1000
"""Requests on one line; more are refused rather than kept waiting."""
LATE_SECONDS = 20
"""A statement has fifteen (SERVING_STATEMENT_SECONDS); who waited longer than these is told so, and a line that says nothing for so long is given up."""
_LOOK_SECONDS = 1
_AGAIN_SECONDS = 1
"""After a further line could not be made, the next is tried so much later; those there are serve meanwhile."""

_MARK = b"SELECT set_config('faktura.token', $1, true)"
_DECODERS: Mapping[int, Callable[[bytes], object]] = {
    17: bytes,  # bytea
    20: lambda value: int.from_bytes(value, "big", signed=True),  # bigint
    23: lambda value: int.from_bytes(value, "big", signed=True),  # integer
    25: lambda value: value.decode(),  # text
}
STALE = (pg.FeatureNotSupported, pg.InvalidSqlStatementName)
"""What prepared statements meet after a migration changed the tables below them."""
_LOST = (*STALE, pg.AdminShutdown, pg.CrashShutdown, pg.CannotConnectNow)


class LineLostError(Exception):
    """The connection broke, or no longer fits the schema, before the answer came; what was asked can be asked again."""


@cache
def numbered(name: str) -> tuple[bytes, tuple[str, ...]]:
    """A statement in libpq's words, and which parameters its numbers stand for."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found.group(1) not in names:
            names.append(found.group(1))
        return f"${names.index(found.group(1)) + 1}"

    text = PARAMETER.sub(place, load_statements("postgresql")[name])
    return text.encode(), tuple(names)


def _text(value: object) -> bytes:
    """A parameter as PostgreSQL reads it."""
    return b"\\x" + value.hex().encode() if isinstance(value, bytes) else str(value).encode()


def _rows(result: PGresult) -> list[tuple[object, ...]]:
    decoders = [_DECODERS[result.ftype(column)] for column in range(result.nfields)]
    return [tuple(_value(result.get_value(row, column), decode) for column, decode in enumerate(decoders)) for row in range(result.ntuples)]


def _value(value: bytes | None, decode: Callable[[bytes], object]) -> object:
    return None if value is None else decode(value)


@dataclass(slots=True, eq=False)
class _Asked:
    """A request on its way."""

    answer: asyncio.Future[list[tuple[object, ...]]]
    since: float
    """By the event loop's clock."""
    name: str
    unprepared: int
    """How many of the statements that are prepared with it are not yet."""
    result: PGresult | None = None
    error: PGresult | None = None


@dataclass(slots=True, eq=False)
class _Line:
    """One connection in pipeline mode. All of it runs in the event loop."""

    connection: Connection
    loop: asyncio.AbstractEventLoop
    closed: Callable[[_Line, bool], None]
    """Told when it is closed, and whether it was lost."""
    socket: int = field(init=False)
    """Known apart: libpq closes it when the connection breaks, and the loop must forget it before its number is another's."""
    waiting: deque[_Asked] = field(default_factory=deque)
    prepared: set[str] = field(default_factory=set)
    is_closed: bool = False
    is_retired: bool = False
    """It is closed once nobody waits."""
    will_send: bool = False
    heard_at: float = 0
    is_watched: bool = False

    @property
    def _pgconn(self) -> PGconn:
        return self.connection.pgconn

    def open(self) -> None:
        """Take the connection over from psycopg, which keeps it alive."""
        pgconn = self._pgconn
        pgconn.nonblocking = 1
        pgconn.enter_pipeline_mode()
        self.socket = pgconn.socket
        self.loop.add_reader(self.socket, self._read)

    def ask(self, name: str, parameters: Mapping[str, object]) -> asyncio.Future[list[tuple[object, ...]]]:
        """Send the token and the statement, one transaction and one round trip; what is asked meanwhile leaves with it."""
        pgconn, (text, names) = self._pgconn, numbered(name)
        mark, values = cast("bytes", parameters["token_hash"]).hex().encode(), [_text(parameters[each]) for each in names]
        try:
            unprepared = [each for each in (("mark", _MARK), (name, text)) if each[0] not in self.prepared]
            for each, words in unprepared:
                pgconn.send_prepare(each.encode(), words)
                self.prepared.add(each)
            pgconn.send_query_prepared(b"mark", [mark])
            pgconn.send_query_prepared(name.encode(), values, result_format=Format.BINARY)
            pgconn.pipeline_sync()
        except psycopg.Error as error:
            self.close(error)
            raise LineLostError from error
        asked = _Asked(self.loop.create_future(), self.loop.time(), name, len(unprepared))
        self.waiting.append(asked)
        if not self.is_watched:
            self.is_watched = True
            self.loop.call_later(_LOOK_SECONDS, self._look)
        if not self.will_send:
            self.will_send = True
            self.loop.call_soon(self._send)
        return asked.answer

    def _send(self) -> None:
        self.will_send = False
        if self.is_closed:
            return
        try:
            unsent = self._pgconn.flush()
        except psycopg.Error as error:
            self.close(error)
            return
        if unsent:
            self.loop.add_writer(self.socket, self._send)
        else:
            self.loop.remove_writer(self.socket)

    def _look(self) -> None:
        """Tell those who waited too long, and give up a line that says nothing."""
        self.is_watched = not self.is_closed and bool(self.waiting)
        if not self.is_watched:
            return
        late = self.loop.time() - LATE_SECONDS
        for asked in self.waiting:
            if asked.since < late:
                _fail(asked, LedgerBusyError("the database does not answer in time; nothing was written, try again"))
        if max(self.heard_at, self.waiting[0].since) < late:
            self.close(TimeoutError("nothing heard"))
        else:
            self.loop.call_later(_LOOK_SECONDS, self._look)

    def _read(self) -> None:
        pgconn = self._pgconn
        try:
            pgconn.consume_input()
            self.heard_at = self.loop.time()
            is_between = False
            while self.waiting and not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    if is_between:  # nothing has come for the next
                        break
                    is_between = True
                    continue
                is_between = False
                self._take(result)
        except psycopg.Error as error:
            self.close(error)

    def _take(self, result: PGresult) -> None:
        asked, status = self.waiting[0], result.status
        if status == ExecStatus.PIPELINE_SYNC:
            self.waiting.popleft()
            self._tell(asked)
        elif status == ExecStatus.COMMAND_OK:
            asked.unprepared -= 1
        elif status == ExecStatus.TUPLES_OK:
            asked.result = result
        elif asked.error is None:
            asked.error = result

    def _tell(self, asked: _Asked) -> None:
        error: Exception | None = None
        if asked.error is None and asked.result is not None:
            try:
                rows = _rows(asked.result)
            except (LookupError, ValueError) as unreadable:
                error = unreadable
            else:
                if not asked.answer.done():  # or whoever asked has gone
                    asked.answer.set_result(rows)
        elif asked.error is not None:
            error = _error(asked.error)
        if error is not None:
            self._tell_error(asked, error)
        if self.is_retired and not self.waiting:
            self.close()

    def _tell_error(self, asked: _Asked, error: Exception) -> None:
        if asked.unprepared:
            self.prepared.discard(asked.name)
        if isinstance(error, _LOST):
            self.waiting.appendleft(asked)
            self.close(error)
        else:
            _fail(asked, error)

    def close(self, error: BaseException | None = None) -> None:
        """Hang up; whoever waits is told."""
        if not self.is_closed:
            self.is_closed = True
            if not self.loop.is_closed():
                self.loop.remove_reader(self.socket)
                self.loop.remove_writer(self.socket)
            self.connection.close()
            self.closed(self, error is not None)
        while self.waiting:
            lost = LineLostError()
            lost.__cause__ = error
            _fail(self.waiting.popleft(), lost)


def _fail(asked: _Asked, error: BaseException) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(error)
        asked.answer.exception()  # of what nobody waits for, asyncio need not tell


def _error(result: PGresult) -> psycopg.Error:
    code = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    try:
        return pg.lookup(code)(result.get_error_message())
    except KeyError:
        return psycopg.OperationalError(result.get_error_message())


class Lines:
    """The lines of one process. For one event loop at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lines: list[_Line] = []
        self._retired: list[_Line] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: asyncio.Task[_Line] | None = None
        self._opener = ThreadPoolExecutor(1, "line")
        self._again_at = 0.0

    async def fetch(self, ask: Ask[Any]) -> list[Any]:
        """The rows of a statement. LineLostError where it should be asked again; LedgerAwayError where there is no server."""
        line = self._best() or await self._first()
        if len(line.waiting) >= WAITING_MAX:
            raise LedgerBusyError("the database is behind with its answers; try again")
        return await line.ask(ask.name, ask.parameters)

    def _best(self) -> _Line | None:
        """The line with the fewest requests, if there is any. Where all have some, one more is made for those who come later."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self.close()
            self._loop, self._opening = loop, None
        best = min(self._lines, key=_load, default=None)
        if best is not None and best.waiting and len(self._lines) < LINES_MAX and self._opening is None and loop.time() >= self._again_at:
            self._open()
        return best

    async def _first(self) -> _Line:
        """The only line; requests that come while it is opened wait for the same one, or hear why there is none."""
        line = await asyncio.shield(self._opening or self._open())
        if line.is_closed:
            raise LineLostError
        return line

    def _open(self) -> asyncio.Task[_Line]:
        self._opening = asyncio.create_task(self._add())
        self._opening.add_done_callback(self._opened)
        return self._opening

    def _opened(self, task: asyncio.Task[_Line]) -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is not None:  # whoever waited was told
            self._again_at = task.get_loop().time() + _AGAIN_SECONDS

    async def _add(self) -> _Line:
        loop = asyncio.get_running_loop()
        connection = await loop.run_in_executor(self._opener, self._pool.take)
        line = _Line(connection, loop, self._closed)
        try:
            line.open()
        except BaseException:
            connection.close()
            self._pool.give_back(connection)
            raise
        self._lines.append(line)
        return line

    def _closed(self, line: _Line, is_lost: bool) -> None:  # noqa: FBT001 - the line's callback
        """After one was lost, the others of its age are trusted no more: they answer what they can, and go."""
        if line in self._lines:
            self._lines.remove(line)
            for other in self._lines[:] if is_lost else []:
                self._lines.remove(other)
                self._retired.append(other)
                other.is_retired = True
                if not other.waiting:
                    other.close()
        else:
            self._retired.remove(line)
        self._pool.give_back(line.connection)

    def close(self) -> None:
        """Hang up all."""
        for line in (*self._lines, *self._retired):
            line.close()


def _load(line: _Line) -> int:
    return len(line.waiting)
