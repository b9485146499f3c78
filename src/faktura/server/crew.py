"""What the workers of one host share: memory that is made before they are forked, and lasts when one of them dies."""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from faktura.server.meter import Meter
from faktura.server.rate_limit import SharedRateLimiter

_AWAY = 2**63
"""Connections of a worker that is not there: nobody waits for it to take the next."""
_SNAPSHOT_BYTES_MAX = 1024 * 1024
"""What a worker counted, written down; some thirty bytes for each provider, route and status. Pages that are never written cost nothing."""
_HEAD_BYTES = 8


class Crew:
    """A number of workers, each with a place that its successor inherits."""

    def __init__(self, count: int) -> None:
        words = memoryview(mmap.mmap(-1, 8 * (2 * count + 2))).cast("Q")
        self.count = count
        self.limits = SharedRateLimiter()
        self.connections = words[:count]
        """Open ones, by place."""
        self.process_ids = words[count : 2 * count]
        """0 where nobody is."""
        self._totals = words[2 * count :]
        self._boards = [_Board() for _ in range(count)]
        for index in range(count):
            self.connections[index] = _AWAY

    @property
    def restarts(self) -> int:
        """How many workers took the place of one that died."""
        return self._totals[0]

    @property
    def ended_cpu_us(self) -> int:
        """The processor time of those that died."""
        return self._totals[1]

    def began(self, index: int, process_id: int, *, again: bool) -> None:
        """A worker was forked."""
        self.process_ids[index] = process_id
        self._totals[0] += again

    def ended(self, index: int, cpu_us: int) -> None:
        """It is no more."""
        self.process_ids[index], self.connections[index] = 0, _AWAY
        self._totals[1] += cpu_us

    def counted(self) -> Meter:
        """What all of them have told that they counted."""
        total = Meter()
        for board in self._boards:
            total.add_snapshot(board.read())
        return total


@dataclass(frozen=True, slots=True)
class Place:
    """A worker's own place in the crew."""

    crew: Crew
    index: int

    def is_next(self, connections: int) -> bool:
        """Whether a worker with so many open connections is to take the next one: nobody has fewer."""
        return connections <= min(self.crew.connections)

    def tell(self, connections: int) -> None:
        """Tell the others how many connections are open."""
        self.crew.connections[self.index] = connections

    def publish(self, meter: Meter) -> None:
        """Tell the others what was counted."""
        self.crew._boards[self.index].write(meter.snapshot)  # noqa: SLF001 - a part of the same whole

    def counted(self, meter: Meter) -> Meter:
        """What all count: this worker as of now, the others as of their last tick. What was shown once is told, so it outlives this worker."""
        self.publish(meter)
        return self.crew.counted()

    def inherited(self) -> Meter:
        """A meter that goes on from what the worker counted that was here before: no count ever falls."""
        meter = Meter()
        meter.add_snapshot(self.crew._boards[self.index].read())  # noqa: SLF001
        return meter


class _Board:
    """Bytes that one process, any thread of it, writes and others read. They are written beside the last ones, which stay whole if the writer is killed."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _HEAD_BYTES + 2 * _SNAPSHOT_BYTES_MAX)
        self._written = b""
        self._lock = Lock()

    def write(self, read: Callable[[], bytes]) -> None:
        """Put up what is read now, so that of two threads the later one's stays. What is too large leaves what was there."""
        with self._lock:
            content = read()
            if content == self._written or len(content) + _HEAD_BYTES > _SNAPSHOT_BYTES_MAX:
                return
            self._written = content
            side = 1 - self._memory[0]
            start = _HEAD_BYTES + side * _SNAPSHOT_BYTES_MAX
            head = len(content).to_bytes(4, "little") + zlib.crc32(content).to_bytes(4, "little")
            self._memory[start : start + _HEAD_BYTES + len(content)] = head + content
            self._memory[0] = side

    def read(self) -> bytes:
        """What was put up last; empty before the first time."""
        for _ in range(10):  # a writer that came round twice meanwhile has changed it below us
            start = _HEAD_BYTES + self._memory[0] * _SNAPSHOT_BYTES_MAX
            head = self._memory[start : start + _HEAD_BYTES]
            content = self._memory[start + _HEAD_BYTES : start + _HEAD_BYTES + int.from_bytes(head[:4], "little")]
            if zlib.crc32(content) == int.from_bytes(head[4:], "little"):
                return content
        return b""
