"""A week of Prometheus's data, made from events: what it would have if it had scraped a worker all the while.

The events are folded in the order of their times, and the numbers are read as they go. What graphs ask for has a sample a
minute (read anew every ten minutes), as Prometheus would have recorded it; of every other series there is one sample in
six hours, and several at the start, where differences over the week look. promtool makes blocks of it, of a length that
Prometheus merges them to.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import TextIO

from agents.exposition import le
from carewatch.scrape import Numbers
from dashboards.catalogue import recorded
from streams import metrics as m
from streams import tally
from streams.clock import SECOND, Micros, micros
from streams.events import AnyEvent, Event
from streams.read import Labels, Spread, Value, read
from streams.state import ProgramState
from tests.integration.harness import PROFILES, numbers_of

MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE
#: How often the numbers are read.
STEP: Micros = 10 * MINUTE
#: How often all series have a sample.
FULL: Micros = 6 * HOUR
#: Length of a block: three times three of Prometheus's two hours.
BLOCK: Micros = 18 * HOUR

Families = dict[m.Metric, list[tuple[Labels, Value]]]
#: A series as text, and its value.
Lines = list[tuple[str, float]]


def write_blocks(
    folder: Path, promtool: Path, events: Iterable[Event], start: Micros, end: Micros, worker: str, pipeline: Numbers
) -> int:
    """Make the blocks for a worker at the address `worker`; the number of samples.

    `pipeline` are the worker's own counts at the end; they are taken to have grown evenly.
    """
    target = f'instance="{worker}",job="carewatch"'
    feed = sorted(events, key=lambda event: event.at)
    bounds = tally.edges(PROFILES.values())
    states = [ProgramState(profile, bounds) for profile in PROFILES.values()]
    by_program = {state.profile.program: state for state in states}
    place = samples = 0
    for begin in range(start - start % BLOCK, end, BLOCK):
        file = folder / f"{begin}.txt"
        with file.open("w") as out:
            for now in range(max(begin, start + -start % STEP), min(begin + BLOCK, end), STEP):
                while place < len(feed) and micros(feed[place].at) <= now:
                    event = feed[place]
                    assert isinstance(event, AnyEvent)
                    by_program[event.program].apply(event, now)
                    place += 1
                grown = (now - start) / (end - start)
                own = _own(pipeline, grown)
                lines = [*_drawn(states, now, target), *((_text(*key, target), value) for key, value in own.items())]
                stamps = [at // SECOND for at in range(now, min(now + STEP, begin + BLOCK, end), MINUTE)]
                samples += _write(out, lines, stamps)
                early = now - start < 2 * STEP
                if early or now % FULL == 0:
                    everything = [(_text(*key, target), value) for key, value in numbers_of(states, now).items()]
                    drawn = {text for text, _ in lines}
                    rest = [line for line in everything if line[0] not in drawn]
                    samples += _write(out, rest, stamps[::4] if early else stamps[:1])
            out.write("# EOF\n")
        _import(promtool, file, folder / "data")
        file.unlink()
    return samples


def _import(promtool: Path, file: Path, to: Path) -> None:
    command = [
        str(promtool),
        "tsdb",
        "create-blocks-from",
        "--max-block-duration=18h",
        "openmetrics",
        str(file),
        str(to),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def _write(out: TextIO, lines: Lines, stamps: list[int]) -> int:
    for text, value in lines:
        sample = f"{text} {value:g} " if value < 1e5 else f"{text} {value:f} "
        out.write("".join([f"{sample}{at}\n" for at in stamps]))
    return len(lines) * len(stamps)


def _text(name: str, labels: Iterable[tuple[str, str]], more: str) -> str:
    inside = ",".join([*(f'{key}="{value}"' for key, value in labels), *([more] if more else [])])
    return f"{name}{{{inside}}}"


def _own(pipeline: Numbers, grown: float) -> Numbers:
    """The pipeline's numbers when this share of the time has passed."""
    names = {metric.name: metric for metric in m.PIPELINE_METRICS}
    found: Numbers = {("up", ()): 1.0}
    for (name, labels), value in pipeline.items():
        metric = names.get(name) or names.get(name.rpartition("_")[0])
        if metric:
            found[name, labels] = value if metric.kind == "gauge" else float(int(value * grown))
    return found


def _drawn(states: list[ProgramState], now: Micros, target: str) -> Iterator[tuple[str, float]]:
    """What is recorded by rules, and what graphs ask a worker's own series for."""
    for state in states:
        families: Families = dict(read(state, now))
        for labels, value in families[m.UNITS_PLANNED]:
            assert isinstance(value, (int, float))
            yield _text(m.UNITS_PLANNED.name, zip(m.UNITS_PLANNED.labels, labels, strict=True), target), value
        yield from _recorded(families)


def _recorded(families: Families) -> Iterator[tuple[str, float]]:
    available = _sum(families[m.UNITS], recorded.AVAILABLE, m.UNITS, lambda has: has["status"] == "available")
    planned = {labels: value for labels, value in families[m.UNITS_PLANNED] if isinstance(value, (int, float))}
    yield from _series(recorded.AVAILABLE, available)
    yield from _series(
        recorded.ON_DUTY, _sum(families[m.UNITS], recorded.ON_DUTY, m.UNITS, lambda has: has["status"] != "off_duty")
    )
    none = {key: float(planned[key] > 0 and available[key] == 0) for key in planned}
    yield from _series(recorded.NO_UNIT, none)
    waiting = _sum(families[m.CALLS_OPEN], recorded.WAITING, m.CALLS_OPEN, lambda has: has["stage"] == "waiting")
    yield from _series(recorded.WAITING, waiting)
    left_out = {"inleft_out", "outside_hours"}
    demand = families[m.DEMAND]
    unmet = _sum(demand, recorded.UNMET, m.DEMAND, lambda has: has["result"] not in {"served", *left_out})
    yield from _series(recorded.UNMET, unmet)
    within = _sum(demand, recorded.WITHIN_HOURS, m.DEMAND, lambda has: has["result"] not in left_out)
    yield from _series(recorded.WITHIN_HOURS, within)
    yield from _series(recorded.CLOSED, _sum(families[m.CLOSED], recorded.CLOSED, m.CLOSED, lambda has: True))
    buckets: dict[Labels, list[int]] = {}
    edges: list[str] = []
    for (program, team, _, interval), spread in families[m.INTERVAL]:
        assert isinstance(spread, Spread)
        edges = edges or [*(le(bound) for bound in spread.bounds), "+Inf"]
        have = buckets.setdefault((program, team, interval), [0] * len(spread.counts))
        have[:] = [x + y for x, y in zip(have, spread.counts, strict=True)]
    for labels, counts in buckets.items():
        cumulated = zip(edges, accumulate(counts), strict=True)
        yield from _series(recorded.INTERVAL, {(*labels, edge): float(count) for edge, count in cumulated})


def _sum(
    samples: list[tuple[Labels, Value]], to: m.Metric, of: m.Metric, wanted: Callable[[dict[str, str]], bool]
) -> dict[Labels, float]:
    sums: dict[Labels, float] = defaultdict(float)
    for labels, value in samples:
        has = dict(zip(of.labels, labels, strict=True))
        if wanted(has):
            assert isinstance(value, (int, float))
            sums[tuple(has[name] for name in to.labels)] += value
    return sums


def _series(metric: m.Metric, values: dict[Labels, float]) -> Iterator[tuple[str, float]]:
    return (
        (_text(metric.name, zip(metric.labels, labels, strict=True), ""), value) for labels, value in values.items()
    )
