"""What a process that works for a command does first: it leaves interrupts to the command, and ends when the command is gone, however that went."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
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


def answer_calls(connection: Connection) -> None:
    """Call the functions that come, one after another, and send back what they return or raise. A process's whole life."""
    begin_worker()
    while True:
        try:
            function, args = connection.recv()
        except EOFError:
            return
        try:
            answer = True, function(*args)
        except Exception as error:  # noqa: BLE001 - whoever called hears of it
            answer = False, error
        connection.send(answer)


@contextmanager
def importing_safely() -> Iterator[None]:
    """Processes that are started in the block import nothing from the working folder, where anybody's files may lie."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("PYTHONSAFEPATH", None)
        else:
            os.environ["PYTHONSAFEPATH"] = before
