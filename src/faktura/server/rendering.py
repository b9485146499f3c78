"""Where documents' files are made: in a few threads, off the event loop, with a bounded queue before them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from faktura.domain.errors import LedgerBusyError

THREADS_MAX = 2
"""A page takes some milliseconds of a core; more threads would only make all of them slower."""
WAITING_MAX = 32
"""Files that are being made or wait for it; who comes beyond is told to come back."""

_T = TypeVar("_T")


class Renderer:
    """Makes files for one process's server."""

    def __init__(self, *, threads: int = THREADS_MAX, waiting: int = WAITING_MAX) -> None:
        self._threads = ThreadPoolExecutor(threads, "documents")
        self._waiting_max = waiting
        self._waiting = 0

    async def run(self, work: Callable[[], _T]) -> _T:
        """What the work returns or raises; LedgerBusyError where too many wait."""
        if self._waiting >= self._waiting_max:
            raise LedgerBusyError("too many documents are being made; try again")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
