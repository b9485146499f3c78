"""A process that runs official rules: what runs them is large, is loaded once, and takes nobody along where it falls."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from threading import Lock
from typing import TypeVar

_T = TypeVar("_T")
_TRIES = 2
"""One that was ended from outside is started again; what ends two is the document."""


class RulesFellError(Exception):
    """What checks documents fell over this one."""


class RulesProcess:
    """Calls functions one after another in a process of its own, which starts with the first. Safe for threads."""

    def __init__(self) -> None:
        self._pool: Executor | None = None
        self._lock = Lock()

    def call(self, function: Callable[..., _T], *args: object) -> _T:
        """What the function returns or raises; RulesFellError where the process ends over it, and again in a new one."""
        for _ in range(_TRIES):
            pool = self._start()
            try:
                return pool.submit(function, *args).result()
            except BrokenExecutor:
                self._drop(pool)
        raise RulesFellError

    def close(self) -> None:
        """End the process."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> Executor:
        with self._lock:
            if self._pool is None:
                from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - nobody loads processes who starts none
                from multiprocessing import get_context  # noqa: PLC0415

                from faktura.bootstrap.worker_process import begin_worker  # noqa: PLC0415

                self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=begin_worker)
            return self._pool

    def _drop(self, broken: Executor) -> None:
        """Others that met the same break may have a new one by now."""
        with self._lock:
            if self._pool is broken:
                self._pool = None
        broken.shutdown(wait=False)
