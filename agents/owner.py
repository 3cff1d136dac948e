"""The programs that this worker owns now: their states, rebuilt from the table when a partition comes, dropped when
it goes. A program lives on one partition number, the one that the default partitioner gives its id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kafka.partitioner.default import murmur2

from streams import tally
from streams.programs import Profile
from streams.state import ProgramState

#: What the table holds of a partition: program -> its state's records.
Stored = dict[str, dict[str, bytes]]


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

    def take(self, partitions: Mapping[int, Stored]) -> None:
        """Own these partitions, with the records that the table holds of them."""
        for _ in self.taking(partitions):
            pass

    def taking(self, partitions: Mapping[int, Stored]) -> Iterator[str]:
        """`take` a program at a time: gives the id of each as its state is there. Ready after the last one."""
        self.drop()
        for partition, stored in partitions.items():
            for program in self.profiles:
                if self.homes[program] == partition:
                    self.rebuild(program, stored)
                    yield program
        self.ready = True

    def rebuild(self, program: str, stored: Stored) -> None:
        """Set one program to what the table holds of it; the records are the state's own from now on."""
        self._states[program] = ProgramState(self.profiles[program], self._bounds, stored.setdefault(program, {}))

    def changes(self, partition: int) -> dict[bytes, bytes | None]:
        """What changed in the states of a partition since the last call, in the order to store it.

        The table has it already: its records are those of the states.
        """
        return {
            table_key(program, key): value
            for program, state in self._states.items()
            if self.homes[program] == partition
            for key, value in state.flush().items()
        }

    def drop(self) -> None:
        """Own nothing: the partitions are being shared out anew."""
        self.ready = False
        self._states = {}


def table_key(program: str, key: str) -> bytes:
    """The key of a record in the table."""
    return f"{program}|{key}".encode()


def split_key(stored: bytes) -> tuple[str, str]:
    """Program and key of a record in the table."""
    program, _, key = stored.decode().partition("|")
    return program, key
