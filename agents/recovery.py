"""How a recovery goes: counted for /metrics, told in the log while it lasts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

#: Seconds between log lines of a recovery that lasts.
EVERY = 2.0


class RecoveryWatch:
    """The recoveries of one worker process: from when the changelog is about to be read until the states are there."""

    def __init__(self, remaining: Callable[[], int]) -> None:
        """`remaining`: how many records of the changelog are still to be read, as far as is known."""
        self._remaining = remaining
        self._began: float | None = None
        self._telling: asyncio.Task[None] | None = None
        self.completed = 0
        self.records = 0
        self.seconds: float | None = None  # of the last one that was completed

    @property
    def remaining(self) -> int:
        """Records still to be read; 0 where no recovery is under way."""
        return 0 if self._began is None else max(0, self._remaining())

    def begin(self) -> None:
        """A recovery begins; one that was under way is given up for it."""
        self.give_up()
        self._began = time.monotonic()
        self._telling = asyncio.create_task(self._tell())

    def read(self, records: int) -> None:
        """So many records of the changelog were read."""
        self.records += records

    def end(self) -> float:
        """The states are there; the seconds that it took."""
        self.seconds = time.monotonic() - (self._began or time.monotonic())
        self.completed += 1
        self.give_up()
        return self.seconds

    def give_up(self) -> None:
        """The recovery under way is not to be completed."""
        self._began = None
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    async def _tell(self) -> None:
        before = self.records
        while True:
            await asyncio.sleep(EVERY)
            log.info("recovering", records_read=self.records - before, records_remaining=self.remaining)
