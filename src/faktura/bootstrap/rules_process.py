"""A process that runs official rules: what runs them is large, is loaded once, and takes nobody along where it falls."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from faktura.domain.errors import FakturaError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

_T = TypeVar("_T")
_TRIES = 2
"""One that was ended from outside is started again; what ends two is the document."""
SECONDS_MAX = 300
"""For one document: official rules take a second for a thousand lines."""


class RulesFellError(FakturaError):
    """What checks documents fell over this one, or took too long."""


class RulesAwayError(FakturaError):
    """What checks documents cannot be run now."""


class RulesProcess:
    """Calls functions one after another in a process of its own, which starts with the first. Safe for threads."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._turn = Lock()
        self._is_closed = False

    def call(self, function: Callable[..., _T], *args: object) -> _T:
        """What the function returns or raises.

        RulesFellError where the process ends over it, and again in a new one; RulesAwayError where none works, and once it is closed.
        """
        with self._turn:  # one at a time, so that who ends the process is alone in it
            for _ in range(_TRIES):
                is_good, found = self._ask(function, args)
                if is_good is not None:
                    break
            else:
                is_good, found = self._ask(os.getpid, ())
                raise RulesAwayError if is_good is None else RulesFellError
        if not is_good:
            raise found
        answer: _T = found
        return answer

    def close(self) -> None:
        """End the process, whatever it does; nothing is called any more."""
        self._is_closed = True
        process = self._process
        if process is not None:
            process.kill()
        with self._turn:
            self._end()

    def _ask(self, function: Callable[..., Any], args: tuple[object, ...]) -> tuple[bool | None, Any]:
        """Whether the function returned, and what; or what it raised. None where the process ended over it. RulesFellError where it takes too long."""
        if self._is_closed:
            raise RulesAwayError
        try:
            connection = self._connection or self._start()
            connection.send((function, args))
            if not connection.poll(SECONDS_MAX):
                self._end()
                raise RulesFellError
            answer: tuple[bool, Any] = connection.recv()
        except (OSError, EOFError):
            self._end()
            return None, None
        return answer

    def _start(self) -> Connection:
        from multiprocessing import get_context  # noqa: PLC0415 - nobody loads processes who starts none

        from faktura.bootstrap.worker_process import answer_calls, importing_safely  # noqa: PLC0415

        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=answer_calls, args=(theirs,), daemon=True)
        with importing_safely():
            process.start()
        theirs.close()
        self._process, self._connection = process, ours
        if self._is_closed:  # while it was being started
            process.kill()
        return ours

    def _end(self) -> None:
        process, connection, self._process, self._connection = self._process, self._connection, None, None
        if connection is not None:
            connection.close()
        if process is not None:
            process.kill()
            process.join()
