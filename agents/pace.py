"""Long work in short turns: the event loop is held for some milliseconds at a time."""

from __future__ import annotations

import asyncio
from time import perf_counter

#: Seconds of work between two looks at the loop. Under full load each look lets the agents apply a message or three,
#: so that shorter turns make a scrape longer; 20 ms is what the loop may be held at the most.
TURN = 0.008


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
