"""The programs that this worker owns now: their states, rebuilt from the table when a partition comes, dropped when
it goes. A program lives on one partition number, the one that the default partitioner gives its id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, MutableMapping

from kafka.partitioner.default import murmur2
from streams import tally
from streams.programs import Profile
from streams.state import ProgramState


def home(program: str, partitions: int) -> int:
    """The partition number of a program: what Kafka's default partitioner (murmur2) makes of the record key."""
    return int(murmur2(program.encode()) & 0x7FFFFFFF) % partitions


class Owner:
    """States by program, for the partitions that are assigned and recovered."""

    def __init__(self, profiles: Mapping[str, Profile], partitions: int) -> None:
        """Owner of nothing yet."""
        self.profiles = profiles
        self.homes = {program: home(program, partitions) for program in profiles}
        self._bounds = tally.edges(profiles.values())
        self._states: dict[str, ProgramState] = {}
        self.ready = False

    def state(self, program: str) -> ProgramState | None:
        """The state of a program; None if it is not ours now."""
        return self._states.get(program)

    def states(self) -> Iterator[ProgramState]:
        """States of all programs that are ours now."""
        return iter(self._states.values())

    def take(self, partitions: set[int], table: Mapping[bytes, bytes]) -> None:
        """Own these partitions, with what the table holds of them."""
        records: dict[str, dict[str, bytes]] = defaultdict(dict)
        for stored, value in table.items():
            partition, program, key = split_key(stored)
            if partition in partitions:
                records[program][key] = value
        self._states = {
            program: ProgramState(profile, self._bounds, records.get(program))
            for program, profile in self.profiles.items()
            if self.homes[program] in partitions
        }
        self.ready = True

    def rebuild(self, program: str, table: Mapping[bytes, bytes]) -> None:
        """Set one program back to what the table holds of it."""
        mine = {key: value for stored, value in table.items() for _, of, key in [split_key(stored)] if of == program}
        self._states[program] = ProgramState(self.profiles[program], self._bounds, mine)

    def drop(self) -> None:
        """Own nothing: the partitions are being shared out anew."""
        self.ready = False
        self._states.clear()


def table_key(partition: int, program: str, key: str) -> bytes:
    """The key of a record in the table."""
    return f"{partition}|{program}|{key}".encode()


def split_key(stored: bytes) -> tuple[int, str, str]:
    """Partition, program and key of a record in the table."""
    partition, program, key = stored.decode().split("|", 2)
    return int(partition), program, key


def forget(partitions: set[int], table: MutableMapping[bytes, bytes]) -> None:
    """Take out of a table what belongs to other partitions; the memory store keeps it, and stale."""
    for stored in [stored for stored in table if split_key(stored)[0] not in partitions]:
        del table[stored]
