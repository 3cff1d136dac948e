"""Long work in short turns: the event loop is held for some milliseconds at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from time import perf_counter

#: Seconds of work between two looks at the loop; 20 ms is what it may be held at the most. Where a scrape has no right of
#: way, each look lets the agents apply a message or three under full load: shorter turns make it longer.
TURN = 0.008
#: Seconds that a scrape may keep events waiting.
HELD = 0.1


class Pace:
    """Gives the loop to others once a turn is used up."""

    def __init__(self) -> None:
        """The first turn begins now."""
        self._until = perf_counter() + TURN

    async def rest(self) -> None:
        """To be called between two steps, each much shorter than a turn."""
        if perf_counter() > self._until:
            await asyncio.sleep(0)
            self._until = perf_counter() + TURN


class RightOfWay:
    """Scrapes go before events: who scrapes wants an answer now, and events that wait for it are late by that once."""

    def __init__(self) -> None:
        """Nobody is in the way."""
        self._free = asyncio.Event()
        self._free.set()
        self._not_before = 0.0

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Have others wait meanwhile, for HELD seconds at most; then they have at least as long for themselves."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        if began < self._not_before or not self._free.is_set():
            yield
            return
        self._free.clear()
        enough = loop.call_later(HELD, self._free.set)
        try:
            yield
        finally:
            enough.cancel()
            self._free.set()
            self._not_before = loop.time() + min(loop.time() - began, HELD)

    async def free(self) -> None:
        """Wait until nobody has it."""
        if not self._free.is_set():
            await self._free.wait()
