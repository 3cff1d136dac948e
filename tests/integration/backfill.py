"""A week of Prometheus's data, made from events: what it would have if it had scraped a worker all the while.

The events are folded in the order of their times, and the numbers are read as they go. What graphs draw has a sample a
minute, or in two as the rules have it (read anew every half hour); every other series has one in six hours, and several at
the start, where differences over the week look. promtool makes blocks of it, of a length that Prometheus merges them to.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
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
#: The interval that graphs are asked for.
DRAWN = "received_to_on_scene"
HOUR: Micros = 60 * MINUTE
#: How often the numbers are read.
STEP: Micros = 30 * MINUTE
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
    first = start - start % STEP
    for begin in range(start - start % BLOCK, end, BLOCK):
        file = folder / f"{begin}.txt"
        with file.open("w") as out:
            for now in range(max(begin, first), min(begin + BLOCK, end), STEP):
                while place < len(feed) and micros(feed[place].at) <= now:
                    event = feed[place]
                    assert isinstance(event, AnyEvent)
                    by_program[event.program].apply(event, now)
                    place += 1
                families: list[Families] = [dict(read(state, now)) for state in states]
                drawn = [line for each in families for line in _drawn(each, target)]
                own = _own(pipeline, max(0.0, (now - start) / (end - start)))
                drawn += [(_text(*key, target), value) for key, value in own.items()]
                stamps = [at // SECOND for at in range(now, min(now + STEP, begin + BLOCK, end), MINUTE)]
                samples += _write(out, drawn, stamps)
                slow = [line for each in families for line in _intervals(each, drawn=True)]
                samples += _write(out, slow, stamps[::2])
                early = now == first
                if early or now % FULL == 0:
                    seldom = [line for each in families for line in _seldom(each)]
                    there = {text for text, _ in drawn}
                    numbers = numbers_of(states, now).items()
                    seldom += [line for line in ((_text(*k, target), v) for k, v in numbers) if line[0] not in there]
                    samples += _write(out, seldom, stamps[::4] if early else stamps[:1])
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


def _drawn(families: Families, target: str) -> Lines:
    """What graphs draw."""
    planned = _sum(families, m.UNITS_PLANNED, m.UNITS_PLANNED)
    available = _sum(families, m.UNITS, recorded.AVAILABLE, lambda has: has["status"] == "available")
    return [
        *_series(m.UNITS_PLANNED, planned, target),
        *_series(recorded.AVAILABLE, available),
        *_series(recorded.ON_DUTY, _sum(families, m.UNITS, recorded.ON_DUTY, lambda has: has["status"] != "off_duty")),
        *_series(recorded.NO_UNIT, {key: float(planned[key] > 0 and available[key] == 0) for key in planned}),
        *_series(
            recorded.WAITING, _sum(families, m.CALLS_OPEN, recorded.WAITING, lambda has: has["stage"] == "waiting")
        ),
    ]


def _seldom(families: Families) -> Lines:
    """What rules record beside it."""
    results = {
        recorded.UNMET: {"served", "ineligible", "outside_hours"},
        recorded.WITHIN_HOURS: {"ineligible", "outside_hours"},
    }
    lines = _series(recorded.CLOSED, _sum(families, m.CLOSED, recorded.CLOSED))
    lines += _series(recorded.RECEIVED, _sum(families, m.RECEIVED, recorded.RECEIVED))
    for series, left_out in results.items():
        lines += _series(series, _sum(families, m.DEMAND, series, partial(_is_not_in, left_out)))
    return lines + _intervals(families, drawn=False)


def _intervals(families: Families, *, drawn: bool) -> Lines:
    """The buckets over all areas, of the interval that graphs are asked for or of the others."""
    found = {key: count for key, count in _buckets(families).items() if (key[2] == DRAWN) is drawn}
    return _series(recorded.INTERVAL, found)


def _is_not_in(left_out: set[str], has: dict[str, str]) -> bool:
    return has["result"] not in left_out


def _buckets(families: Families) -> dict[Labels, float]:
    counts: dict[Labels, list[int]] = {}
    edges: list[str] = []
    for (program, team, _, interval), spread in families[m.INTERVAL]:
        assert isinstance(spread, Spread)
        edges = edges or [*(le(bound) for bound in spread.bounds), "+Inf"]
        have = counts.setdefault((program, team, interval), [0] * len(spread.counts))
        have[:] = [x + y for x, y in zip(have, spread.counts, strict=True)]
    cumulated = ((labels, zip(edges, accumulate(each), strict=True)) for labels, each in counts.items())
    return {(*labels, edge): float(count) for labels, found in cumulated for edge, count in found}


def _sum(
    families: Families, of: m.Metric, to: m.Metric, wanted: Callable[[dict[str, str]], bool] = lambda has: True
) -> dict[Labels, float]:
    sums: dict[Labels, float] = defaultdict(float)
    for labels, value in families[of]:
        has = dict(zip(of.labels, labels, strict=True))
        if wanted(has):
            assert isinstance(value, (int, float))
            sums[tuple(has[name] for name in to.labels)] += value
    return sums


def _series(metric: m.Metric, values: dict[Labels, float], target: str = "") -> Lines:
    texts = (_text(metric.name, zip(metric.labels, labels, strict=True), target) for labels in values)
    return list(zip(texts, values.values(), strict=True))
