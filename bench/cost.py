"""What an event costs in one process, without Kafka: decode, apply, and flush after every thousand.

`python -m bench.cost FILE PROGRAMS LARGEST SECONDS` writes one line of JSON for each of 10^4, 10^5, ... events. When the
file ends, it is read again with other ids, so that calls, cases and units go on growing in number.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import msgspec
import psutil

from bench.ids import renamed
from bench.results import Cost
from streams import tally
from streams.clock import wall
from streams.door import Rejected, decode
from streams.events import TOPIC_OF_TYPE, Topic
from streams.programs import load_all
from streams.state import ProgramState

#: Events to a flush, as many as the worker takes from a poll.
GROUP = 1000
#: The small numbers of events are over in a second: the median of so many runs.
REPEATS = 5
REPEATED = 100_000


class Head(msgspec.Struct):
    """What decides where an event goes."""

    type: str
    program: str


Record = tuple[Topic, bytes, bytes]  # topic, key, value
_head = msgspec.json.Decoder(Head).decode


def records(file: Path) -> Iterator[Record]:
    """The records of an event file again and again, each time with other ids."""
    for again in itertools.count():
        with file.open("rb") as lines:
            for line in lines:
                value = line.rstrip(b"\n")
                head = _head(value)
                yield TOPIC_OF_TYPE[head.type], head.program.encode(), renamed(value, f"{again}-") if again else value


def run(file: Path, programs: Path, marks: list[int], give_up: float) -> Iterator[Cost]:
    """Apply up to the last mark, or until the time is up; the cost at every mark that was reached."""
    profiles = load_all(programs)
    bounds = tally.edges(profiles.values())
    states = {name: ProgramState(profile, bounds) for name, profile in profiles.items()}
    stream = records(file)
    spent, halfway = 0.0, dict[int, float]()
    halves = {mark // 2: mark for mark in marks}
    for done in range(GROUP, marks[-1] + 1, GROUP):
        group = list(itertools.islice(stream, GROUP))
        now = wall()
        began = time.perf_counter()
        for topic, key, value in group:
            event = decode(topic, key, value, states, now)
            assert not isinstance(event, Rejected), event
            states[event.program].apply(event, now)
        for state in states.values():
            state.flush()
        spent += time.perf_counter() - began
        if done in halves:
            halfway[halves[done]] = spent
        if done in marks:
            calls = sum(state.kept_calls for state in states.values())
            rss = psutil.Process().memory_info().rss / 1e6
            yield Cost(events=done, micros=(spent - halfway[done]) / (done / 2) * 1e6, calls=calls, rss_mb=rss)
        if time.monotonic() > give_up:
            return


def main() -> int:
    """Run the command line."""
    file, programs = Path(sys.argv[1]), Path(sys.argv[2])
    largest, give_up = int(float(sys.argv[3])), time.monotonic() + float(sys.argv[4])
    marks = [10**power for power in range(4, 8) if 10**power <= largest]
    small = [mark for mark in marks if mark <= REPEATED]
    runs = [list(run(file, programs, small, give_up)) for _ in range(REPEATS)]
    for each in zip(*runs, strict=True):
        middle = median(cost.micros for cost in each)
        _tell(Cost(events=each[0].events, micros=middle, calls=each[0].calls, rss_mb=each[0].rss_mb))
    if marks != small:
        for cost in run(file, programs, marks, give_up):
            if cost.events > REPEATED:
                _tell(cost)
    return 0


def _tell(cost: Cost) -> None:
    print(msgspec.json.encode(cost).decode(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
