"""What a process that works for a command does first: it leaves interrupts to the command, and ends when the command is gone, however that went."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import wait
from threading import Thread


def begin_worker() -> None:
    """Called once in a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started this process hears it, and ends it
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent.sentinel,), name="parent", daemon=True).start()


def _end_with(sentinel: int) -> None:
    """A killed command says nothing to its processes, which would keep the ledger open for ever."""
    wait([sentinel])
    os._exit(1)
