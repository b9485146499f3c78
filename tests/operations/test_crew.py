"""What workers tell each other through memory that outlives them."""

from __future__ import annotations

import os
import signal
from functools import partial

from tests.database import sqlite_only

from faktura.server.crew import Crew, Place, _Board
from faktura.server.meter import Meter

pytestmark = sqlite_only


def used_meter() -> Meter:
    """A meter that has counted something of everything."""
    meter = Meter()
    for provider in ("vps", 7, None):
        meter.request(provider, "list", 200, 0.002)
    meter.error(OSError())
    meter.turn_taken(0.2)
    meter.committed(3, 0.01)
    meter.written([(7, "invoice.issued")] * 2)
    return meter


def counts(meter: Meter) -> bytes:
    """All that a meter counted, comparable."""
    return meter.snapshot()


def test_a_snapshot_is_the_whole_meter() -> None:
    """What another process reads is what was counted, and twice that when added twice."""
    meter, other = used_meter(), Meter()
    other.add_snapshot(meter.snapshot())
    assert counts(other) == counts(meter)
    other.add(meter)
    assert (other.requests[None, "list", 200], other.events[7, "invoice.issued"], other.errors["internal"]) == (2, 4, 2)
    assert (sum(other.commit_members.counts), other.commit_members.total, sum(other.durations["list"].counts)) == (2, 6, 6)


def test_a_successor_goes_on_where_its_predecessor_was() -> None:
    """No count falls when a worker is replaced, and none is counted twice."""
    crew = Crew(2)
    first = Place(crew, 0)
    first.publish(used_meter())
    Place(crew, 1).publish(used_meter())
    heir = first.inherited()
    assert counts(heir) == counts(used_meter())
    heir.request("vps", "list", 200, 0.002)
    assert first.counted(heir).requests["vps", "list", 200] == 3
    first.publish(heir)
    assert crew.counted().requests["vps", "list", 200] == 3


def test_a_board_shows_something_whole_whenever_its_writer_is_killed() -> None:
    """Readers find the last content that was finished, or the one before it, while a writer writes and after it was killed."""
    board = _Board()
    contents = [bytes([number]) * (1000 + 40_000 * number) for number in range(8)]
    for _ in range(20):
        writer = os.fork()
        if writer == 0:
            while True:
                for content in contents:
                    board.write(partial(bytes, content))
        while not board.read():
            pass
        for _ in range(50):
            assert board.read() in {b"", *contents}
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        assert board.read() in contents


def test_what_is_too_large_leaves_what_was_there() -> None:
    """A board's bound is kept."""
    board = _Board()
    board.write(lambda: b"small")
    board.write(lambda: bytes(2**21))
    assert board.read() == b"small"


def test_nobody_waits_for_a_worker_that_is_not_there() -> None:
    """The next connection is for who has fewest, among those that live."""
    crew = Crew(3)
    places = [Place(crew, index) for index in range(3)]
    places[0].tell(5)
    assert places[0].is_next(5)
    places[1].tell(4)
    assert (places[0].is_next(5), places[1].is_next(4)) == (False, True)
    crew.ended(1, 1_500_000)
    assert (places[0].is_next(5), crew.ended_cpu_us) == (True, 1_500_000)
