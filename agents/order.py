"""Statuses first: a dispatch record waits until the statuses that came before it are applied.

A call's result asks which units were on duty and free when it was received, and those come on another topic, read
in any order against this one. The state asks by event time, so statuses may run ahead; they must not lag behind.
See docs/decisions/0003-statuses-first.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from agents.transport import Progress
from streams.events import Topic

log = structlog.get_logger()

#: Seconds to wait while no status moves: a feed that cannot be read must not hold up the calls for longer.
PATIENCE = 5.0
#: Seconds to wait while those of other partitions do: in a backlog they may come first, a hundred thousand of them.
LONGEST = 60.0
#: A log may end in offsets that are no records (transaction markers): fetched to the end and quiet this long is done.
SETTLED = 0.1
#: Seconds between looks where nothing wakes us: progress of the fetcher makes no event.
LOOK = 0.005


class Order:
    """Knows, per partition, which dispatch records may go."""

    def __init__(
        self, progress: Callable[[Topic, int], Progress | None], handed_out: Callable[[Topic, int], int | None]
    ) -> None:
        """`progress` and `handed_out` as in agents/transport.py, by topic and partition."""
        self._progress = progress
        self._handed_out = handed_out
        self._handled: dict[tuple[Topic, int], int] = {}
        self._cleared: dict[int, int] = {}
        self._steps = 0  # messages of statuses that were handled

    def reset(self) -> None:
        """Forget everything: the partitions are being shared out anew."""
        self._handled.clear()
        self._cleared.clear()

    def handled(self, topic: Topic, partition: int, offset: int) -> None:
        """A record was applied (or rejected)."""
        self._handled[topic, partition] = offset
        self._steps += topic == "status"

    def caught_up(self, topic: Topic, partition: int) -> bool:
        """Whether everything that the last poll showed is applied."""
        progress = self._progress(topic, partition)
        return progress is not None and self._next(topic, partition) >= progress.end

    async def statuses_first(self, partition: int, offset: int) -> None:
        """Wait until the statuses that were in the log when this dispatch record was fetched are applied."""
        if offset < self._cleared.get(partition, 0):
            return
        dispatch = self._progress("dispatch", partition)
        if dispatch is None:
            return
        now = asyncio.get_running_loop().time
        end: int | None = None
        idle_since, seen = now(), -1
        stuck_since, steps = now(), -1
        while True:
            status = self._progress("status", partition)
            if status is not None and end is None and status.polled_at >= dispatch.polled_at:
                end = status.end  # every status that came before our record lies below this
            done = self._next("status", partition)
            if done != seen:
                idle_since, seen = now(), done
            if self._steps != steps:
                stuck_since, steps = now(), self._steps
            # not while some wait in the agent's queue, behind those of other partitions
            queued = done < (self._handed_out("status", partition) or 0)
            settled = not queued and now() - max(idle_since, stuck_since) > SETTLED
            if end is not None and status is not None and (done >= end or (settled and status.position >= end)):
                break
            if now() - max(idle_since, stuck_since) > PATIENCE or now() - idle_since > LONGEST:
                log.warning("statuses lag behind dispatch", partition=partition, offset=offset)
                break
            await asyncio.sleep(LOOK)
        self._cleared[partition] = dispatch.position

    def _next(self, topic: Topic, partition: int) -> int:
        """The next offset to apply. Before the first one that is the committed offset, which the consumer starts at."""
        handled = self._handled.get((topic, partition))
        return handled + 1 if handled is not None else self._handed_out(topic, partition) or 0
