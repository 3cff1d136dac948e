"""The events of a run: the shipped programs simulated, and copied under as many program ids as are wanted."""

from __future__ import annotations

import heapq
import itertools
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from kafka.partitioner.default import murmur2

from bench.ids import renamed
from feeds.simulate import builtin, load_simulation, simulate
from feeds.wire import encode
from streams.clock import Micros, micros
from streams.events import CallReceived, Heartbeat
from streams.programs import Profile, load_all

#: Different simulations of each shipped program.
SEEDS = (1, 2)
PARTITIONS = 8
#: Calls of one day, all copies together; measured, to choose how many days to simulate.
CALLS_A_DAY_AND_PROGRAM = 18.9
_MARK = "@@-"  # stands for a copy's number in its ids
_PROGRAM = b"@program@"


class Feed(NamedTuple):
    """An event file and the profiles of its programs."""

    name: str
    programs: int
    file: Path
    profiles: Path
    events: int
    calls: int


class Copy(NamedTuple):
    """A program that is like a shipped one."""

    id: str
    mark: bytes


def write(folder: Path, shipped: Path, programs: int, calls: int) -> tuple[Feed, Feed]:
    """Two feeds of the same events: under many program ids, and under those of the shipped programs.

    At least so many calls, of the weeks that end now, in the order of time. Heartbeats are left out: they are many and
    cost next to nothing, and would flatter.
    """
    profiles = load_all(shipped)
    copies = _copies(sorted(profiles), programs)
    # whole days: a part of one has as many calls as the hour gives, at night next to none
    days = math.ceil(1.03 * calls / (programs * CALLS_A_DAY_AND_PROGRAM))
    until = datetime.now(UTC)
    bases = [
        _base(profiles[name], seed, until - timedelta(days=days), until)
        for name, seed in itertools.product(profiles, SEEDS)
    ]
    many, few = folder / "many.jsonl", folder / "few.jsonl"
    sent = received = 0
    with many.open("wb") as to_many, few.open("wb") as to_few:
        for _, value, is_call, name, seed in heapq.merge(*bases):
            original = value.replace(_PROGRAM, name.encode())
            for copy in copies[name, seed]:
                to_many.write(value.replace(_PROGRAM, copy.id.encode()).replace(b"@@", copy.mark))
                to_few.write(original.replace(b"@@", copy.mark))
            sent += len(copies[name, seed])
            received += is_call * len(copies[name, seed])
    own = folder / "programs"
    own.mkdir()
    for (name, _), found in copies.items():
        text = (shipped / f"{name}.toml").read_text()
        for copy in found:
            line = f'program = "{copy.id}"'
            (own / f"{copy.id}.toml").write_text(re.sub(r"^program *= *.*$", line, text, count=1, flags=re.MULTILINE))
    assert len(load_all(own)) == programs
    return (
        Feed("many", programs, many, own, sent, received),
        Feed("few", len(profiles), few, shipped, sent, received),
    )


def _base(
    profile: Profile, seed: int, start: datetime, end: datetime
) -> Iterator[tuple[Micros, bytes, bool, str, int]]:
    """Time, line with marks for program and copy, whether it is a new call, program and seed."""
    name = profile.program
    program = f'"program":"{name}"'.encode()
    for event in simulate(profile, load_simulation(builtin(name)), start, end, seed):
        if not isinstance(event, Heartbeat):
            line = renamed(encode(event), _MARK).replace(program, b'"program":"' + _PROGRAM + b'"') + b"\n"
            yield micros(event.at), line, isinstance(event, CallReceived), name, seed


def _copies(names: list[str], programs: int) -> dict[tuple[str, int], list[Copy]]:
    """Copies by shipped program and seed. Their ids spread evenly over the partitions."""
    found: dict[tuple[str, int], list[Copy]] = {key: [] for key in itertools.product(names, SEEDS)}
    numbers = itertools.count(1)
    for index in range(programs):
        name, seed = names[index % len(names)], SEEDS[index // len(names) % len(SEEDS)]
        ids = (f"{name}_{number}" for number in numbers)
        id = next(id for id in ids if partition(id) == index % PARTITIONS)
        found[name, seed].append(Copy(id, f"{index:02d}".encode()))
    return found


def partition(program: str) -> int:
    """Where Kafka's default partitioner puts a program."""
    return int(murmur2(program.encode()) & 0x7FFFFFFF) % PARTITIONS
