"""Works off billing runs beside the serving of requests, one at a time, and goes on after a restart with what was left."""

from __future__ import annotations

import asyncio
import secrets
import threading
from contextlib import suppress

import structlog

from faktura.domain.calendar import MICROSECONDS
from faktura.domain.errors import LedgerError
from faktura.ledger.ports import Books
from faktura.server.meter import Meter

LOOK_SECONDS = 1
"""How often a run is looked for that another process accepted, or left when it died."""

_log = structlog.get_logger()


class BillingWorker:
    """One a process; a lease in the ledger keeps those of several processes apart."""

    def __init__(self, books: Books, meter: Meter, *, lease_seconds: int) -> None:
        self._books = books
        self._meter = meter
        self._lease_us = lease_seconds * MICROSECONDS
        self._holder = secrets.token_hex(8)
        self._stopping = threading.Event()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._trouble: tuple[str, int | None] | None = None
        self._run_id: int | None = None
        """The run under way, or the last one: None while runs are looked for."""

    def start(self) -> None:
        """Begin to look for runs."""
        self._task = asyncio.create_task(self._work())

    def wake(self) -> None:
        """There is a new run."""
        self._wanted.set()

    async def stop(self) -> None:
        """Finish the batch under way, and leave the rest to whoever comes next."""
        self._stopping.set()
        self._wanted.set()
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):  # before the first look too: a server that starts has callers who wait
                await asyncio.wait_for(self._wanted.wait(), LOOK_SECONDS)
            self._wanted.clear()
            if self._stopping.is_set():
                return
            try:
                await asyncio.to_thread(self._work_waiting)
            except Exception as error:  # noqa: BLE001 - the ledger may be away; runs wait
                self._tell(error)
            else:
                self._trouble = None

    def _tell(self, error: Exception) -> None:
        """Once, not each second for as long as it lasts. The ledger's own trouble needs no traceback."""
        if self._trouble == (str(error), self._run_id):
            return
        self._trouble = (str(error), self._run_id)
        self._meter.error(error)
        _log.error("billing runs wait", run_id=self._run_id, reason=str(error), exc_info=None if isinstance(error, LedgerError) else error)

    def _work_waiting(self) -> None:
        from faktura.ledger.billing_runs import work_waiting  # noqa: PLC0415 - in this thread, after the start

        self._run_id = None
        work_waiting(self._books, holder=self._holder, is_stopping=self._stopping.is_set, lease_us=self._lease_us, began=self._began)

    def _began(self, run_id: int) -> None:
        self._run_id = run_id
