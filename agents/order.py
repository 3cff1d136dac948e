"""Statuses first, then calls, then cases: a record waits until what it may ask for, and came before it, is applied.

A call's result asks which units were on duty and free when it was received, an attempt at a follow-up asks for the
team of the call that opened its case. Those come on another topic, read in any order against this one. They may run
ahead; they must not lag behind. See docs/decisions/0003-statuses-first.md.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import structlog

from agents.transport import Progress
from streams.events import IN_ORDER, Topic

log = structlog.get_logger()

#: Seconds to wait while nothing moves: a feed that cannot be read must not hold up the others for longer.
PATIENCE = 5.0
#: Seconds to wait while those of other partitions move, for each topic that is waited for in turn: in a backlog they may
#: come first, a hundred thousand of them. So long too for records that are here and not applied yet: it is we who are slow.
LONGEST = 60.0
#: Seconds without an answer to any fetch after which the broker is away: nothing can move, and the time does not count.
#: One that is there answers many times a second, also where there is nothing to read (`Settings.fetch_wait`).
AWAY = 2.0
#: Seconds between looks where nothing wakes us: progress of the fetcher makes no event. After as many as live feeds wait for
#: they come seldom, for in a backlog many wait, and long.
LOOK, SOON, LATER = 0.005, 0.05, 0.08
#: The topic that the records of a topic wait for, and those that it waits for in turn: while they move, it will too.
FIRST: dict[Topic, tuple[Topic, ...]] = {topic: IN_ORDER[:place][::-1] for place, topic in enumerate(IN_ORDER)}


class Order:
    """Knows, per partition, which records may go."""

    def __init__(
        self,
        progress: Callable[[Topic, int], Progress | None],
        began: Callable[[Topic, int], int | None],
        silence: Callable[[], float],
    ) -> None:
        """`progress`, `began` and `silence` as in agents/transport.py, the first two by topic and partition."""
        self._progress = progress
        self._began = began
        self._silence = silence
        self._handled: dict[tuple[Topic, int], int] = {}
        self._done: dict[tuple[Topic, int], int] = {}
        self._cleared: dict[tuple[Topic, int], int] = {}
        self._steps: Counter[Topic] = Counter()  # messages handled, of all partitions
        self._epoch = 0

    def reset(self) -> None:
        """Forget everything: the partitions are being shared out anew."""
        self._handled.clear()
        self._done.clear()
        self._cleared.clear()
        self._epoch += 1

    def handled(self, topic: Topic, partition: int, offset: int) -> None:
        """A record was applied (or rejected)."""
        self._handled[topic, partition] = offset
        self._steps[topic] += 1

    def done(self, topic: Topic, partition: int, offset: int) -> None:
        """All that came of a record is durable, and of those before it."""
        self._done[topic, partition] = offset + 1

    def durable(self, topic: Topic, partition: int) -> int | None:
        """The first offset of which not all that came is known to be durable; None before the first record."""
        return self._done.get((topic, partition))

    def caught_up(self, topic: Topic, partition: int) -> bool:
        """Whether everything that the last poll showed is applied."""
        progress = self._progress(topic, partition)
        return progress is not None and self._applied(topic, partition, progress, progress.end)

    async def earlier_first(self, topic: Topic, partition: int, offset: int) -> None:
        """Wait until what a record may ask for, and was in the log when it was fetched, is applied.

        Returns at once when the partitions are shared out anew: the record must not be applied then.
        """
        chain = FIRST[topic]
        if not chain or offset < self._cleared.get((topic, partition), 0):
            return
        before = chain[0]
        mine = self._progress(topic, partition)
        if mine is None:
            return
        now = asyncio.get_running_loop().time
        end: int | None = None
        epoch = self._epoch
        idle_since, seen = now(), -1
        stuck_since, steps = now(), -1
        soon = now() + SOON
        while epoch == self._epoch:
            other = self._progress(before, partition)
            if other is not None and end is None and other.polled_at >= mine.polled_at:
                end = other.end  # everything that came before our record lies below this
            done = self._next(before, partition)
            if done != seen:
                idle_since, seen = now(), done
            made = sum(self._steps[each] for each in chain)
            if made != steps or (other is not None and (other.fetched or done <= other.last)):
                stuck_since, steps = now(), made
            if end is not None and other is not None and self._applied(before, partition, other, end):
                break
            still = now() - max(idle_since, stuck_since)
            if still > AWAY and self._silence() > AWAY:  # to ask it costs a tenth of a millisecond
                idle_since = stuck_since = now()
            elif still > PATIENCE or now() - idle_since > LONGEST * len(chain):
                log.warning(
                    "records lag behind those that ask for them", topic=before, partition=partition, offset=offset
                )
                break
            await asyncio.sleep(LOOK if now() < soon else LATER)
        else:
            return
        self._cleared[topic, partition] = mine.position

    def _applied(self, topic: Topic, partition: int, progress: Progress, end: int) -> bool:
        """Whether all below `end` is applied. A log may end in offsets that are no records (transaction markers)."""
        done = self._next(topic, partition)
        return done >= end or (progress.position >= end and done > progress.last)

    def reached(self, topic: Topic, partition: int) -> int | None:
        """The next offset to apply; None before the first record that is."""
        handled = self._handled.get((topic, partition))
        return None if handled is None else handled + 1

    def _next(self, topic: Topic, partition: int) -> int:
        """The next offset to apply. Before the first one that is where the reading begins."""
        reached = self.reached(topic, partition)
        return (self._began(topic, partition) or 0) if reached is None else reached
