"""A storm of rebalances: again and again a worker leaves and another comes. How long is a program shown by nobody?"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from carewatch.native.kafka import KafkaBroker
from streams.clock import SECOND, Micros, wall
from tests.integration.harness import PROFILES, Site, check, history, once_shown
from tests.integration.lookout import Lookout, Sighting

WORKERS = 3
#: Seconds from one worker's coming to the next one's leaving: about what it takes until all is calm.
BETWEEN = 5.0
#: Seconds between two looks at a program that is there all the time, on a busy machine.
CLOSE = 0.6


def run(seconds: float, folder: Path, say: Callable[[str], object]) -> dict[str, float]:
    """A storm of so many seconds, with the settings that a city has; program -> seconds that nobody showed it."""
    with KafkaBroker() as broker, Site(broker.bootstrap, folder) as site, Lookout() as lookout:
        events = history(days=3)
        site.send(events)
        workers = [site.worker() for _ in range(WORKERS)]
        for worker in workers:
            lookout.watch(worker)
        once_shown(workers)
        began = wall()
        until = time.monotonic() + seconds
        number = 0
        while time.monotonic() < until:
            number += 1
            assert workers.pop(0).end() == 0
            workers.append(site.worker())
            lookout.watch(workers[-1])
            time.sleep(BETWEEN)  # the storm's own beat; nothing is waited for
        ended = wall()
        once_shown(workers)
        assert not (twice := lookout.doubles()), twice[:10]
        site.verify(workers)  # whoever took over a moment ago has not yet looked whether more statuses have come
        check(events, workers)
        found = {program: unseen(program, lookout.sightings, began, ended) for program in PROFILES}
        said = ", ".join(f"{program} {gap:.1f} s" for program, gap in found.items())
        say(f"{number} workers left and came in {seconds:.0f} s; shown by nobody: {said}; all numbers are equal")
        return found


def unseen(program: str, sightings: Iterable[Sighting], began: Micros, ended: Micros) -> float:
    """Seconds between looks at which a program was shown, where they are farther apart than two looks are."""
    seen = sorted(each.since for each in sightings if program in each.programs and began <= each.since <= ended)
    pairs = itertools.pairwise([began, *seen, ended])
    gaps = ((after - before) / SECOND for before, after in pairs)
    return sum(gap for gap in gaps if gap > CLOSE)
