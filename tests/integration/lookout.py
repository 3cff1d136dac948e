"""Watches what every worker shows, all the time: a program must never be shown by two workers at one moment."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from types import TracebackType
from typing import NamedTuple, Self

from streams.clock import SECOND, Micros, wall
from tests.integration.harness import Worker

#: Seconds between two looks at a worker.
EVERY = 0.2
#: Two looks that are further apart say nothing about the time between them: the worker was stopped, or the machine busy.
CLOSE: Micros = 3 * SECOND


class Sighting(NamedTuple):
    """What a worker showed. It read its states between `since` (its own word) and `until` (when we had the answer)."""

    worker: str
    since: Micros
    until: Micros
    programs: frozenset[str]


class Lookout:
    """A thread for each worker, because one that is stopped does not answer. A context manager."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []
        self._threads: list[threading.Thread] = []
        self._done = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(timeout=15)

    def watch(self, worker: Worker) -> None:
        """Look at this worker until it ends."""
        thread = threading.Thread(target=self._look, args=(worker,), name=f"lookout-{worker.name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _look(self, worker: Worker) -> None:
        while worker.child.alive and not self._done.wait(EVERY):
            seen = worker.shown() if worker.address else None
            if seen is not None:
                self.sightings.append(Sighting(worker.name, seen.now, wall(), frozenset(seen.programs)))

    def doubles(self) -> list[str]:
        """Where a program was shown by two workers at one moment, each a line; to be asked from time to time."""
        return list(doubles(self.sightings.copy()))


def doubles(sightings: Iterable[Sighting]) -> Iterator[str]:
    """Each sighting of a program on one worker while it was another's, shown before and after.

    A worker that shows a program at two looks in close succession had it all the while. So the moments that count
    reach from the end of the first look to the beginning of the second, and the other's look must lie within them.
    """
    looks: defaultdict[str, list[Sighting]] = defaultdict(list)
    for sighting in sorted(sightings, key=lambda each: each.since):
        looks[sighting.worker].append(sighting)
    for owner, own in looks.items():
        for before, after in pairwise(own):
            both = before.programs & after.programs
            if not both or after.since - before.until > CLOSE:
                continue
            for other, theirs in looks.items():
                if other == owner:
                    continue
                for look in theirs:
                    if before.until <= look.since and look.until <= after.since and (twice := both & look.programs):
                        yield f"{', '.join(sorted(twice))}: shown by {owner} and {other} at {look.since / SECOND:.3f}"
