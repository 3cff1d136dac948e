"""Counts about the pipeline itself. They live with the process and may restart at 0."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from streams import events
from streams.clock import SECOND, Micros
from streams.door import Reason
from streams.events import Topic

#: Seconds from an event's time to its being applied: live feeds take under a second, CAD exports poll by the minute.
DELAY_EDGES = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0)
_EDGES = tuple(round(edge * SECOND) for edge in DELAY_EDGES)


class Pipeline:
    """Counters of one worker process."""

    def __init__(self) -> None:
        """All at zero."""
        #: By topic: (program, event type) -> events.
        self.applied: dict[Topic, Counter[tuple[str, type[events.Event]]]] = {t: Counter() for t in events.TOPICS}
        self.rejected: Counter[tuple[Topic, Reason]] = Counter()
        self.duplicate: Counter[Topic] = Counter()
        self.late: Counter[Topic] = Counter()
        self.archived: Counter[Topic] = Counter()
        self.conflicts: Counter[str] = Counter()
        self.delays: dict[Topic, list[int]] = {topic: [0] * (len(DELAY_EDGES) + 1) for topic in events.TOPICS}
        self.delay_sums: dict[Topic, float] = dict.fromkeys(events.TOPICS, 0.0)

    def observe(
        self, topic: Topic, applied: Mapping[str, Iterable[type[events.Event]]], delays: Sequence[Micros]
    ) -> None:
        """Events of a topic were applied, by program, so long after their time."""
        counts = self.applied[topic]
        for program, kinds in applied.items():
            for kind, count in Counter(kinds).items():
                counts[program, kind] += count
        row, ordered, below = self.delays[topic], sorted(delays), 0
        for place, edge in enumerate(_EDGES):
            upto = bisect_right(ordered, edge)
            row[place] += upto - below
            below = upto
        row[-1] += len(ordered) - below
        self.delay_sums[topic] += sum(delays) / SECOND
