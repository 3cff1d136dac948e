"""Counts about the pipeline itself. They live with the process and may restart at 0."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from streams import events
from streams.door import Reason
from streams.events import Topic

#: Seconds from an event's time to its being applied: live feeds take under a second, CAD exports poll by the minute.
DELAY_EDGES = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0)


class Pipeline:
    """Counters of one worker process."""

    def __init__(self) -> None:
        """All at zero."""
        self.applied: Counter[tuple[str, Topic, type[events.Event]]] = Counter()
        self.rejected: Counter[tuple[Topic, Reason]] = Counter()
        self.duplicate: Counter[Topic] = Counter()
        self.late: Counter[Topic] = Counter()
        self.conflicts: Counter[str] = Counter()
        self.delays: dict[Topic, list[int]] = {topic: [0] * (len(DELAY_EDGES) + 1) for topic in events.TOPICS}
        self.delay_sums: dict[Topic, float] = dict.fromkeys(events.TOPICS, 0.0)

    def observe_delay(self, topic: Topic, seconds: float) -> None:
        """An event was applied so long after its time; a clock that is ahead of ours counts as no delay."""
        seconds = max(0.0, seconds)
        self.delays[topic][bisect_left(DELAY_EDGES, seconds)] += 1
        self.delay_sums[topic] += seconds
