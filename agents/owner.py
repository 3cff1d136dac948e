"""The programs that this worker owns now: their states, rebuilt from the table when a partition comes, dropped when
it goes. A program lives on one partition number, the one that the default partitioner gives its id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import structlog
from kafka.partitioner.default import murmur2

from streams import tally
from streams.programs import Profile
from streams.state import ProgramState

log = structlog.get_logger()

#: What the table holds of a partition: program -> its state's records.
Stored = dict[str, dict[str, bytes]]
#: The first byte of a record's value in the changelog: how the rest is to be read. Records of before it was written begin
#: with a byte of 0x80 or more (MessagePack's lists and maps), and are of the same version.
VERSION = b"\x01"
_BEFORE_VERSIONS = 0x80
#: Key of a record that no version can read: while it is there no worker serves the program, and only a rebuild takes it out.
REBUILD = "rebuild"


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
        #: Programs of our partitions whose records cannot be read; their events are passed over until that is cured.
        self.damaged: set[str] = set()
        #: Of these: events were passed over since the last call of `changes`.
        self.passed_over: set[str] = set()
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
                    try:
                        self.rebuild(program, stored)
                    except Exception:  # noqa: BLE001  # whatever it is: the others are to be served
                        log.error("a program is not served: its state cannot be read", program=program)
                        self.damaged.add(program)
                    yield program
        self.ready = True

    def rebuild(self, program: str, stored: Stored) -> None:
        """Set one program to what the table holds of it; the records are the state's own from now on."""
        self._states[program] = ProgramState(self.profiles[program], self._bounds, stored.setdefault(program, {}))

    def changes(self, partition: int) -> dict[bytes, bytes | None]:
        """What changed in the states of a partition since the last call, in the order to store it.

        The table has it already: its records are those of the states. A program whose events were passed over is marked:
        its records may become readable again, but lack what those events said.
        """
        passed = {program for program in self.passed_over if self.homes[program] == partition}
        self.passed_over -= passed
        return {table_key(program, REBUILD): VERSION for program in passed} | {
            table_key(program, key): None if value is None else VERSION + value
            for program, state in self._states.items()
            if self.homes[program] == partition
            for key, value in state.flush().items()
        }

    def drop(self) -> None:
        """Own nothing: the partitions are being shared out anew."""
        self.ready = False
        self._states = {}
        self.damaged = set()
        self.passed_over = set()


def table_key(program: str, key: str) -> bytes:
    """The key of a record in the changelog."""
    return f"{program}|{key}".encode()


def split_key(stored: bytes) -> tuple[str, str] | None:
    """Program and key of a record in the changelog; None if it is not of a program."""
    try:
        program, bar, key = stored.decode().partition("|")
    except UnicodeDecodeError:
        return None
    return (program, key) if bar else None


def unversioned(value: bytes) -> bytes:
    """A record as the state packed it. One of a version that we do not know stays as it is, and cannot be read."""
    return value[1:] if value[:1] == VERSION else value


def known_version(value: bytes) -> bool:
    """Whether a record's value is of a version that we can read."""
    return value[:1] == VERSION or (bool(value) and value[0] >= _BEFORE_VERSIONS)
