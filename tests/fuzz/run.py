"""Hostile records through the door and into the state: no crash, nothing lost by a restart, memory bounded.

The records come in rounds, each with states of its own and a clock that goes from the present into the next years, so
that calls are archived too. A round depends only on the seed and its number: one that failed can be run alone.
"""

from __future__ import annotations

import gc
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import msgspec
import psutil

from carewatch.settings import PROGRAMS
from feeds.simulate import builtin, load_simulation, simulate
from streams import door, schema, tally
from streams.clock import DAY, SECOND, Micros, utc
from streams.events import AnyEvent, Event
from streams.programs import Profile, load_all
from streams.state import ProgramState
from tests.fuzz.hostile import Hostile, Record, moment
from tests.unit.strategies import Store, numbers

#: Records of one round.
ROUND = 5_000
BEGIN = moment("2026-10-30T00:00:00Z")
#: Bytes of the changelog's records that one applied event may leave behind: ids and codes have a greatest length.
MOST_BYTES_AN_EVENT = 1_000
#: MiB by which the process may grow once it has seen a fifth of the records.
MOST_GROWTH = 24.0
#: Seconds between lines of progress.
EVERY = 2.0


class FuzzError(Exception):
    """A record did harm. The message says which, and how to run its round again."""


@dataclass
class Report:
    """What became of the records."""

    records: int = 0
    applied: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)  # MiB after each round
    seconds: float = 0.0


def run(records: int, seed: int, say: Callable[[str], object], first: int = 0, folder: Path | None = None) -> Report:
    """Fuzz with so many records, from round `first` on. Raises FuzzError; the record is then kept in `folder`."""
    profiles = load_all(PROGRAMS)
    events = samples(profiles)
    report = Report()
    process = psutil.Process()
    began = told = time.monotonic()
    number = first
    while report.records < records:
        _round(seed, number, min(ROUND, records - report.records), profiles, events, report, folder)
        number += 1
        gc.collect()
        report.memory.append(process.memory_info().rss / 2**20)
        report.seconds = time.monotonic() - began
        if time.monotonic() - told > EVERY:
            told = time.monotonic()
            rate = report.records / report.seconds
            say(f"{report.records} records, {rate:.0f}/s, {report.applied} applied, {report.memory[-1]:.0f} MiB")
    _bounded(report, seed)
    return report


def samples(profiles: dict[str, Profile]) -> list[Event]:
    """Real events of all programs and an example of every type, always the same."""
    begin = utc(BEGIN)
    events = [msgspec.convert(example, AnyEvent) for example in schema.examples()]
    for name, profile in profiles.items():
        events += simulate(profile, load_simulation(builtin(name)), begin, begin + timedelta(days=4), 1)
    return events


def _round(
    seed: int,
    number: int,
    count: int,
    profiles: dict[str, Profile],
    events: Sequence[Event],
    report: Report,
    folder: Path | None,
) -> None:
    rng = random.Random(f"{seed}:{number}")
    hostile = Hostile(rng, events)
    bounds = tally.edges(profiles.values())
    states = {name: ProgramState(profile, bounds) for name, profile in profiles.items()}
    stores = {name: Store() for name in profiles}
    now = BEGIN
    record = Record("dispatch", None, None)
    applied = 0
    try:
        for _ in range(count):
            now += rng.choice((0, 0, SECOND, 60 * SECOND)) + (rng.random() < 0.001) * rng.randrange(60 * DAY)
            record = hostile.record(now)
            event = door.decode(record.topic, record.key, record.value, profiles, now)
            report.records += 1
            if isinstance(event, door.Rejected):
                report.rejected[event.reason] += 1
                continue
            applied += states[event.program].apply(event, now).effect != "duplicate"
            if rng.random() < 0.02:
                stores[event.program].put(states[event.program].flush().items())
        for name, state in states.items():
            stores[name].put(state.flush().items())
            _survives_a_restart(state, stores[name], profiles[name], now)
        size = sum(len(key) + len(value) for store in stores.values() for key, value in store.records.items())
        most = MOST_BYTES_AN_EVENT * applied + 100_000
        assert size <= most, f"{applied} events left {size} bytes behind, more than {most}"
    except Exception as error:
        kept = (folder or Path(tempfile.mkdtemp(prefix="carewatch-fuzz-"))) / "record"
        kept.write_bytes(record.value or b"")
        raise FuzzError(
            f"{error!r} after {record.topic} {record.key!r} {(record.value or b'')[:300]!r}\n"
            f"the whole record is in {kept}; run its round again with\n"
            f"python3 dev.py fuzz --seed {seed} --first {number} --records {ROUND}"
        ) from error
    report.applied += applied


def _survives_a_restart(state: ProgramState, store: Store, profile: Profile, now: Micros) -> None:
    """The stored records make a state with the same numbers, now and after all follow-ups and days have passed."""
    again = store.restart(profile)
    for at in (now, now + 40 * DAY):
        shown, anew = numbers(state, at), numbers(again, at)
        wrong = [key for key in shown.keys() | anew.keys() if shown.get(key) != anew.get(key)]
        assert not wrong, f"{profile.program} has other numbers after a restart: {wrong[:5]}"


def _bounded(report: Report, seed: int) -> None:
    """Memory has a plateau: what it was once warm, it is at the end. Raises FuzzError."""
    warm = max(1, len(report.memory) // 5)
    early, late = max(report.memory[:warm]), max(report.memory)
    if late - early > MOST_GROWTH:
        raise FuzzError(f"memory grew from {early:.0f} to {late:.0f} MiB (seed {seed})")
