"""How workers share a listener: who has the fewest connections open takes the next.

The kernel wakes all of them, or picks by a hash of the addresses (SO_REUSEPORT): either way a proxy's few connections, which live long,
often end up with one worker.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection
from contextlib import suppress

from faktura.server.crew import Place

_WAIT_SECONDS = 0.005
_WAITS_MAX = 4
"""So often a connection is left to a worker that has fewer, which may be too busy to take it; then whoever looks takes all that wait."""
_PAUSE_SECONDS = 1
"""After the system refused to accept, as it does when there are too many open files."""


class Acceptor:
    """Accepts for one worker."""

    def __init__(self, listener: socket.socket, place: Place, *, connections: Collection[object], make_protocol: Callable[[], asyncio.Protocol]) -> None:
        self._listener = listener
        self._place = place
        self._connections = connections
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[object]] = set()
        self._waits = 0
        self._later: asyncio.TimerHandle | None = None
        listener.settimeout(0)
        listener.listen(1024)
        self._loop.add_reader(listener, self._look)

    def open_count(self) -> int:
        """Connections that are open, or about to be."""
        return len(self._connections) + len(self._tasks)

    def close(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self._listener)
        if self._later is not None:
            self._later.cancel()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""

    def _look(self) -> None:
        if self._place.is_next(self.open_count()):
            self._accept()
        elif self._waits < _WAITS_MAX:
            self._waits += 1
            self._rest(_WAIT_SECONDS)
        else:
            while self._accept():
                pass

    def _accept(self) -> bool:
        """Take one connection; False where none waits any more."""
        self._waits = 0
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError:
            self._rest(_PAUSE_SECONDS)
            return False
        connection.settimeout(0)
        task: asyncio.Task[object] = self._loop.create_task(self._adopt(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._place.tell(self.open_count())
        return True

    async def _adopt(self, connection: socket.socket) -> None:
        with suppress(OSError):  # it may be gone already
            await self._loop.connect_accepted_socket(self._make_protocol, connection)

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._later = self._loop.call_later(seconds, self._loop.add_reader, self._listener, self._look)
