"""Writers take turns, and those that wait share one commit: a disk that syncs slowly is waited for once, not once a writer.

A writer whose block ended well while others wait leaves the transaction open; the next goes on in it, in a savepoint of
its own. Nobody is told that it is durable before the commit that all of them share.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from faktura.domain.errors import LedgerBusyError, LedgerError, LedgerInterruptedError
from faktura.storage.driver import Driver

MEMBERS_MAX = 64
GROUP_NS_MAX = 40_000_000
"""A group takes no further writer after this: nobody waits long for the commit that is also theirs."""


class Watcher(Protocol):
    """Who wants to know how writers fare. Called by any thread; must be quick and never raise."""

    def turn_taken(self, seconds: float) -> None:
        """A writer waited so long for its turn, other processes included."""

    def committed(self, members: int, seconds: float) -> None:
        """A commit that so many writers shared took so long."""


@runtime_checkable
class Watchable(Protocol):
    """Storage whose writers take turns."""

    def watch(self, watcher: Watcher) -> None:
        """Tell somebody how writers fare."""


class OpenTransaction(Protocol):
    """A transaction that an engine has begun."""

    @property
    def driver(self) -> Driver:
        """What the stores work with."""

    def run(self, sql: str) -> None:
        """SAVEPOINT, RELEASE, ROLLBACK or COMMIT."""

    def is_open(self) -> bool:
        """False where the engine has rolled it back by itself."""

    def close(self) -> None:
        """Give the connection back."""


@dataclass(slots=True)
class _Waiter:
    is_bulk: bool
    turn: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Group:
    transaction: OpenTransaction
    began_ns: int = field(default_factory=time.monotonic_ns)
    members: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None

    def is_full(self) -> bool:
        return self.members >= MEMBERS_MAX or time.monotonic_ns() - self.began_ns >= GROUP_NS_MAX

    def wait(self) -> None:
        self.done.wait()
        if self.error is not None:
            raise copy.copy(self.error) from self.error


class Turns:
    """The writers of one process, first come first served."""

    def __init__(self, begin: Callable[[], OpenTransaction], *, seconds: int) -> None:
        self._begin = begin
        self._seconds = seconds
        self._mutex = threading.Lock()
        self._queue: deque[_Waiter] = deque()
        self._holder: int | None = None
        self._group: _Group | None = None
        self.watcher: Watcher | None = None

    @contextmanager
    def transaction(self, *, bulk: bool = False) -> Iterator[Driver]:
        """Run the block in its turn: rolled back unless it ends well, durable when this returns.

        `bulk` marks work of long blocks, which shares a commit with nobody. LedgerBusyError after waiting too long.
        """
        came = time.monotonic()
        self._take(bulk=bulk)
        try:
            group = self._group = self._group or _Group(self._begin())
            if self.watcher is not None:
                self.watcher.turn_taken(time.monotonic() - came)
            is_first = group.members == 0
            try:
                if not is_first:
                    group.transaction.run("SAVEPOINT member")
                yield group.transaction.driver
                if not is_first:
                    group.transaction.run("RELEASE SAVEPOINT member")
            except BaseException as error:
                self._undo(group, error, is_first=is_first)
                raise
            group.members += 1
        finally:
            self._leave(bulk=bulk)
        group.wait()

    def _take(self, *, bulk: bool) -> None:
        with self._mutex:
            if self._holder is None:
                self._holder = threading.get_ident()
                return
            if self._holder == threading.get_ident():
                raise RuntimeError("a transaction that writes inside another of the same thread")
            waiter = _Waiter(bulk)
            self._queue.append(waiter)
        try:
            waiter.turn.wait(self._seconds)
        except BaseException:
            if self._has_turn(waiter):
                self._leave(bulk=bulk)
            raise
        if not self._has_turn(waiter):
            raise LedgerBusyError

    def _has_turn(self, waiter: _Waiter) -> bool:
        """Whether it came; if not, it will not any more."""
        with self._mutex:
            if waiter.turn.is_set():
                self._holder = threading.get_ident()
                return True
            self._queue.remove(waiter)
            return False

    def _undo(self, group: _Group, error: BaseException, *, is_first: bool) -> None:
        """Roll one block back; with everything else of the group where the engine cannot do less."""
        if is_first:
            self._end(group, error)
            return
        if group.transaction.is_open():
            with suppress(Exception):
                group.transaction.run("ROLLBACK TO SAVEPOINT member")
                group.transaction.run("RELEASE SAVEPOINT member")
                return
        # The others did nothing wrong: only the engine's own trouble is theirs too.
        interrupted = LedgerInterruptedError()
        interrupted.__cause__ = error
        self._end(group, error if isinstance(error, LedgerError) else interrupted)

    def _leave(self, *, bulk: bool) -> None:
        """Hand the turn and the open transaction to the next; commit first where there is none, or where it must not wait."""
        while True:
            with self._mutex:
                group, following = self._group, self._queue[0] if self._queue else None
                if group is None or (following and not following.is_bulk and not bulk and not group.is_full()):
                    self._holder = -1 if following else None  # -1: on its way to who waits
                    if following:
                        self._queue.popleft().turn.set()
                    return
            self._commit(group)

    def _commit(self, group: _Group) -> None:
        began = time.monotonic()
        try:
            group.transaction.run("COMMIT")
        except BaseException as error:  # noqa: BLE001 - all members are told, this thread's with them, and the turn goes on
            self._end(group, error)
        else:
            if self.watcher is not None:
                self.watcher.committed(group.members, time.monotonic() - began)
            self._end(group, None)

    def _end(self, group: _Group, error: BaseException | None) -> None:
        """The group is over: its members are told, and after an error nothing of it is kept."""
        self._group = None
        group.error = error
        try:
            if error is not None and group.transaction.is_open():
                with suppress(Exception):
                    group.transaction.run("ROLLBACK")
            group.transaction.close()
        finally:
            group.done.set()
