"""Records of the changelog that cannot be read: which they are and why.

The store keeps no offsets of its records, so a changelog is read once more when there is something to be found.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.fence import MARK
from agents.owner import REBUILD, home, known_version, split_key, unversioned
from agents.place import KEY, unpack
from agents.settings import Settings
from streams import tally
from streams.programs import Profile
from streams.state import ProgramState, unreadable

_PLAIN = re.compile(r"[A-Za-z0-9_.|/ -]{1,160}")

#: The highest number that a later version may have; what begins with another is something else.
LATER = 15
#: Of a partition: key -> offset and value of its newest record.
Newest = dict[bytes, tuple[int, bytes]]


class Damage(NamedTuple):
    """A record that cannot be read. `program`: whose it is; "": nobody's, and it does no harm. Offset -1: no single one."""

    partition: int
    offset: int
    key: str
    program: str
    why: str

    def __str__(self) -> str:
        whose = f"program {self.program}" if self.program else "of no program, left alone"
        where = f"partition {self.partition}" + ("" if self.offset < 0 else f", offset {self.offset}, key {self.key}")
        return f"{where}: {self.why} ({whose})"


def named(key: bytes | None) -> str:
    """A key where it looks like one, else its length and a digest: it may hold anything then."""
    text = (key or b"").decode(errors="replace")
    if _PLAIN.fullmatch(text):
        return text
    return f"({len(key or b'')} bytes, digest {blake2b(key or b'', digest_size=8).hexdigest()})"


async def newest(settings: Settings, topic: str, partitions: Iterable[int]) -> dict[int, Newest]:
    """The changelog as it is now, by partition. Raises KafkaError."""
    found: dict[int, Newest] = {number: {} for number in partitions}
    async for record in _records(settings, [TopicPartition(topic, number) for number in found]):
        kept = found[record.partition]
        if record.value is None:
            kept.pop(record.key or b"", None)
        else:
            kept[record.key or b""] = (record.offset, record.value)
    return found


async def _records(settings: Settings, places: list[TopicPartition]) -> AsyncIterator[Any]:
    """All records of these partitions up to their ends of now."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await reader.start()
        reader.assign(places)
        ends = await reader.end_offsets(places)
        waiting = set(places)
        while waiting:
            for place in list(waiting):
                if await reader.position(place) >= ends[place]:
                    waiting.discard(place)
            for found in (await reader.getmany(*waiting, timeout_ms=200)).values() if waiting else ():
                for record in found:
                    yield record
    finally:
        await reader.stop()


def damages(found: Mapping[int, Newest], profiles: Mapping[str, Profile], partitions: int) -> list[Damage]:
    """What cannot be read of a changelog, by partition and offset; `partitions`: of the whole."""
    bad = []
    bounds = tally.edges(profiles.values())
    for partition, records in found.items():
        mine: dict[str, dict[str, bytes]] = {
            program: {} for program in profiles if home(program, partitions) == partition
        }
        hurt = set()
        for key, (offset, value) in records.items():
            program, why = _judged(key, value)
            if why:
                bad.append(Damage(partition, offset, named(key), program, why))
                hurt.add(program)
            elif program in mine:
                mine[program][key.decode().partition("|")[2]] = unversioned(value)
        for program, kept in mine.items():
            if program not in hurt and not _stands(profiles[program], bounds, kept):
                bad.append(Damage(partition, -1, "", program, "each record can be read, but not all of them together"))
    return sorted(bad)


def _judged(key: bytes, value: bytes) -> tuple[str, str]:
    """Whose a record is, and why it cannot be read."""
    parts = split_key(key)
    if parts is None:
        return "", "" if _of_partition(key, value) else "not a record of carewatch"
    program, of_state = parts
    if of_state == REBUILD:
        return program, "events were passed over, or a rebuild was broken off: run carewatch state rebuild"
    if not known_version(value):
        if value and value[0] <= LATER:
            return program, f"of version {value[0]}, which this carewatch does not know"
        return program, "not a record of carewatch" if value else "it is empty"
    return program, unreadable(of_state, unversioned(value))


def _of_partition(key: bytes, value: bytes) -> bool:
    if key == KEY:
        try:
            unpack(value)
        except ValueError:
            return False
    return key in (MARK, KEY)


def _stands(profile: Profile, bounds: tuple[int, ...], kept: dict[str, bytes]) -> bool:
    try:
        ProgramState(profile, bounds, kept)
    except Exception:  # noqa: BLE001  # whatever it is, a worker would not get over it either
        return False
    return True
