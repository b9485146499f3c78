"""Connections of a database server: bounded, kept while they are good, made when they are needed.

psycopg's own pool lets callers wait while it connects in the background, longer each time it fails. Here a caller is told
at once that the server is away, and the first call after it is back is served.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from faktura.domain.errors import LedgerAwayError, LedgerBusyError

Connection = psycopg.Connection[Any]

_AWAY_NS = 200_000_000
"""After a connection failed others are not tried for so long: many callers must not wait for the same silence."""


class Pool:
    """At most `size` connections. Safe for threads."""

    def __init__(self, connect: Callable[[], Connection], *, size: int, seconds: int) -> None:
        self._connect = connect
        self._seconds = seconds
        self._slots = threading.BoundedSemaphore(size)
        self._idle: list[Connection] = []
        self._away: tuple[int, str] = (0, "")

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection outside of any transaction. LedgerAwayError where there can be none, LedgerBusyError where all are in use too long."""
        connection = self.take()
        try:
            yield connection
        finally:
            self.give_back(connection)

    def take(self) -> Connection:
        """A connection that `give_back` must get."""
        if not self._slots.acquire(timeout=self._seconds):
            raise LedgerBusyError("all connections to the database are in use; nothing was written, try again")
        try:
            return self._kept() or self._made()
        except BaseException:
            self._slots.release()
            raise

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next caller, or close one that is no longer good."""
        try:
            if connection.info.transaction_status is TransactionStatus.IDLE:
                self._idle.append(connection)
            else:
                connection.close()
        finally:
            self._slots.release()

    def forget(self) -> None:
        """Close all that nobody uses: after one was lost, those of its age are lost too."""
        while connection := self._kept():
            connection.close()

    def _kept(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:  # another thread may take the last
            return None

    def _made(self) -> Connection:
        until, reason = self._away
        if time.monotonic_ns() < until:
            raise LedgerAwayError(reason)
        try:
            return self._connect()
        except psycopg.OperationalError as error:
            said = str(error).strip().splitlines()
            reason = f"the database cannot be reached ({said[0] if said else 'it says nothing'}); nothing was written"
            self._away = (time.monotonic_ns() + _AWAY_NS, reason)
            raise LedgerAwayError(reason) from error
