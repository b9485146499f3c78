"""Several processes that serve from one listener, and the one that looks after them.

The supervisor forks them before any storage, thread or event loop exists in it, and has none later: so it can fork again whenever one dies.
It hears of them by a pipe each, which ends when its worker ends; they hear of its end likewise.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

import structlog

from faktura.domain.errors import FakturaError, SettingError
from faktura.server.crew import Crew, Place

_RESTART_SECONDS = 1.0
"""A worker is not started more often than this, whatever it dies of."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_READY, _FAILED = b"R", b"F"

Work = Callable[[Place, Callable[[], None]], None]
"""Serves as the worker of a place until it is told to stop, and says when it accepts connections."""

_log = structlog.get_logger()


@dataclass(slots=True)
class _Worker:
    index: int
    process_id: int
    pipe: int
    """Where it is heard."""
    started_at: float
    said: bytes = b""

    @property
    def is_ready(self) -> bool:
        return self.said.startswith(_READY)

    @property
    def trouble(self) -> str:
        """Why it ended, in its own words."""
        return self.said.removeprefix(_READY).removeprefix(_FAILED).decode(errors="replace")


def supervise(crew: Crew, work: Work, *, ready: Callable[[], None]) -> None:
    """Keep a crew of workers at work until SIGTERM or SIGINT; then they finish running requests. `ready` is called once, when all accept.

    SettingError, with its words, where a worker cannot start at first. One that dies later is replaced.
    """
    _Supervisor(crew, work, ready).run()


class _Supervisor:
    def __init__(self, crew: Crew, work: Work, ready: Callable[[], None]) -> None:
        self._crew = crew
        self._work = work
        self._ready: Callable[[], None] | None = ready
        self._selector = selectors.DefaultSelector()
        self._workers: dict[int, _Worker] = {}
        """By pipe."""
        self._due: dict[int, float] = {}
        """Places that wait for a worker: from when on one may be started."""
        self._is_stopping = False
        self._failure: str | None = None
        self._lifeline, self._held = os.pipe()
        """Workers read the one; it ends with this process, which alone keeps the other."""
        self._told: str | None = None

    def run(self) -> None:
        with self._signals() as woken:
            self._selector.register(woken, selectors.EVENT_READ)
            gc.collect()
            gc.freeze()  # what is here now stays in pages that all share
            for index in range(self._crew.count):
                self._start(index, again=False)
            while self._workers or (self._due and not self._is_stopping):
                self._turn(woken)
        if self._failure is not None:
            raise SettingError(self._failure)

    def _turn(self, woken: socket.socket) -> None:
        """Wait for the next thing to happen, and see to it."""
        now = time.monotonic()
        for index, due in list(self._due.items()):
            if due <= now and not self._is_stopping:
                del self._due[index]
                self._start(index, again=True)
        wait = None if self._is_stopping or not self._due else max(0.0, min(self._due.values()) - now)
        for key, _ in self._selector.select(wait):
            if key.fileobj is woken:
                for number in woken.recv(64):
                    self._stop(signal.Signals(number))
            else:
                self._hear(self._workers[key.fd])

    def _stop(self, number: signal.Signals) -> None:
        if number not in _SIGNALS:
            return
        self._is_stopping = True
        for worker in self._workers.values():
            os.kill(worker.process_id, number)

    def _hear(self, worker: _Worker) -> None:
        said = os.read(worker.pipe, 65536)
        if not said:
            self._bury(worker)
            return
        worker.said += said
        if self._ready is not None and len(self._workers) == self._crew.count and all(each.is_ready for each in self._workers.values()):
            self._ready()
            self._ready = None

    def _bury(self, worker: _Worker) -> None:
        """A worker has ended."""
        self._selector.unregister(worker.pipe)
        os.close(worker.pipe)
        del self._workers[worker.pipe]
        _, status, usage = os.wait4(worker.process_id, 0)
        self._crew.ended(worker.index, int((usage.ru_utime + usage.ru_stime) * 1e6))
        if self._is_stopping:
            return
        code = os.waitstatus_to_exitcode(status)
        reason = worker.trouble or (f"killed by signal {-code}" if code < 0 else f"ended with status {code}")
        if self._ready is not None:  # it never served: there is something that a person must see to
            self._failure = worker.trouble or f"a worker could not start: {reason}"
            self._stop(signal.SIGTERM)
            return
        if reason != self._told or worker.is_ready:
            self._told = reason
            _log.error("a worker died and is replaced", worker=worker.index, pid=worker.process_id, reason=reason)
        self._due[worker.index] = worker.started_at + _RESTART_SECONDS

    def _start(self, index: int, *, again: bool) -> None:
        heard, spoken = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until the worker has handlers of its own
        process_id = os.fork()
        if process_id == 0:
            os.close(heard)
            os.close(self._held)
            _be_worker(Place(self._crew, index), self._work, spoken=spoken, lifeline=self._lifeline)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(spoken)
        self._workers[heard] = _Worker(index, process_id, heard, time.monotonic())
        self._selector.register(heard, selectors.EVENT_READ)
        self._crew.began(index, process_id, again=again)

    @contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """A socket that tells which signals came, each a byte."""
        woken, waking = socket.socketpair()
        woken.settimeout(0)
        waking.settimeout(0)
        before = {number: signal.signal(number, _hold) for number in _SIGNALS}
        signal.set_wakeup_fd(waking.fileno())
        try:
            yield woken
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            woken.close()
            waking.close()


def _hold(number: int, frame: FrameType | None) -> None:
    """A signal: its number is read where the supervisor waits."""


def _be_worker(place: Place, work: Work, *, spoken: int, lifeline: int) -> NoReturn:
    """Serve, in a process that was just forked; nothing of the supervisor's is unwound at its end."""
    code = 1
    try:
        os.setpgid(0, 0)  # Ctrl-C reaches the supervisor alone, which passes it on: once
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        threading.Thread(target=_end_with, args=(lifeline,), name="lifeline", daemon=True).start()
        work(place, lambda: _say(spoken, _READY))
        code = 0
    except FakturaError as error:
        _say(spoken, _FAILED + str(error).encode())
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - there is nobody above
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say(pipe: int, what: bytes) -> None:
    os.write(pipe, what)


def _end_with(lifeline: int) -> None:
    """Stop as if told to, once the supervisor is no more."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
