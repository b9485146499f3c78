"""Where files are made: a few at once, a bounded number that wait, and nobody else waits for them."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest

from faktura.domain.errors import LedgerBusyError
from faktura.server.rendering import Renderer


def test_who_comes_beyond_the_queue_is_told_to_come_back() -> None:
    """So many are made or wait; the next is refused at once, and when there is room again it is not."""

    async def run() -> None:
        renderer, hold = Renderer(threads=1, waiting=3), Event()
        waiting = [asyncio.ensure_future(renderer.run(hold.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(LedgerBusyError, match="too many documents"):
            await renderer.run(lambda: True)
        hold.set()
        assert await asyncio.gather(*waiting) == [True] * 3
        assert await renderer.run(lambda: 7) == 7

    asyncio.run(run())


def test_what_fails_leaves_its_place() -> None:
    """An error is the caller's, and makes room as success does."""

    def fail() -> None:
        raise ValueError("no")

    async def run() -> None:
        renderer = Renderer(threads=1, waiting=1)
        for _ in range(3):
            with pytest.raises(ValueError, match="no"):
                await renderer.run(fail)
        assert await renderer.run(lambda: 1) == 1

    asyncio.run(run())
