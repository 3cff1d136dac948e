"""The table's store: the changelog's records in memory, by partition and program. Recovery fills it; the records of a
program that we own are its state's, which keeps them up to date.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import faust
import msgspec
import structlog
from faust.stores.memory import Store as MemoryStore
from faust.types import TP

from agents import fence
from agents.damage import named
from agents.local_copy import OLDEST, LocalCopy
from agents.owner import Stored, split_key, unversioned
from agents.place import KEY, Place, unpack
from agents.recovery import RecoveryWatch
from streams.clock import SECOND, Micros, wall
from streams.events import Topic

log = structlog.get_logger()

#: Messages of the changelog that are put aside before they are taken in; each is a batch of records.
RECOVERY_BUFFER = 8
#: How many strange records of a message are named.
MOST_TOLD = 10


def _as_of(message: Any) -> Micros:
    """When the changelog was as it is up to a message, not when we read it: what follows it may be a day old too."""
    batch = isinstance(message.value, (list, tuple))
    stamp = (message.value[-1].timestamp or 0) * 1000 if batch else round((message.timestamp or 0) * SECOND)
    return min(stamp, wall())


class Store(MemoryStore[bytes, bytes]):
    """Records by partition, program and key of the state."""

    watch: RecoveryWatch
    local: LocalCopy | None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.partitions: defaultdict[int, Stored] = defaultdict(dict)
        #: How far the records of a partition go in the inputs.
        self.places: dict[int, Place] = {}
        self._with_places: set[int] = set()  # partitions with records of a version that writes places
        #: Changelog offset up to which a partition's records are here: the next recovery reads on from there.
        self.offsets: dict[int, int] = {}
        self._as_of: dict[int, Micros] = {}  # when the changelog ended there, or a little later
        #: Some records may never have come into the changelog, and who reads it next does not have them.
        self.ahead = False

    def apply_changelog_batch(
        self, batch: Iterable[Any], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Take in what recovery read: single records, or messages that are batches of records."""
        for event in batch:
            message = event.message
            records = message.value if isinstance(message.value, (list, tuple)) else (message,)
            changes = [(record.key, record.value) for record in records]
            if strange := self.put(message.partition, changes):
                log.error(
                    "records of the changelog that are not ours; left alone",
                    partition=message.partition,
                    offsets=[records[place].offset for place in strange[:MOST_TOLD]],
                    keys=[named(records[place].key) for place in strange[:MOST_TOLD]],
                )
                changes = [change for place, change in enumerate(changes) if place not in strange]
            self.offsets[message.partition] = message.offset
            self._as_of[message.partition] = as_of = _as_of(message)
            self.watch.read(len(changes))
            if self.local is not None:
                self.local.save(message.partition, changes, message.offset, as_of)

    def put(self, partition: int, records: Iterable[tuple[bytes | None, bytes | None]]) -> list[int]:
        """Set records; None takes one out. Returns the places of those that are none of a carewatch worker's."""
        stored = self.partitions[partition]
        strange: list[int] = []
        for place, (key, value) in enumerate(records):
            found = split_key(key) if key else None
            if found is None:
                if not self._put_other(partition, key, value):
                    strange.append(place)
                continue
            program, of_state = found
            kept = stored.setdefault(program, {})
            if value is None:
                kept.pop(of_state, None)
            else:
                kept[of_state] = of_version = unversioned(value)
                if of_version is not value:
                    self._with_places.add(partition)
        return strange

    def _put_other(self, partition: int, key: bytes | None, value: bytes | None) -> bool:
        """Take in a record that is of no program; whether it is one of ours."""
        if key == KEY and value is not None:
            try:
                self.places[partition] = unpack(value)
            except msgspec.DecodeError:
                return False
        return key in (fence.MARK, KEY)

    def place(self, partition: int, committed: Mapping[Topic, int]) -> Place | None:
        """How far a partition's records go in the inputs; None where there are none.

        `committed`: the group's offsets, which are right for records of before places were written.
        """
        if partition in self.places:
            return self.places[partition]
        if partition in self._with_places:  # it has been lost, or was never written: a rebuild wrote some programs only
            return Place()
        return Place(dict(committed)) if committed and any(self.partitions[partition].values()) else None

    async def written(self, partition: int, records: Mapping[bytes, bytes | None], offset: int, began: Micros) -> None:
        """These records of ours are durable in the changelog, up to this offset (-1: not known which).

        `began`: when they were sent. We may have been frozen since, and others have written after them.
        """
        self.offsets[partition] = offset = max(offset, self.offsets.get(partition, -1))
        self._as_of[partition] = began
        if self.local is not None:
            await asyncio.to_thread(self.local.save, partition, records.items(), offset, began)

    def persisted_offset(self, tp: TP) -> int | None:
        """Where the next recovery reads on; None: from the beginning."""
        partition = tp.partition
        if partition not in self.offsets and self.local is not None and (found := self.local.load(partition)):
            self.offsets[partition], records = found
            self.put(partition, records.items())
            self._as_of[partition] = wall()  # half of what it may be at most, and this is the other half
            log.info("read the copy of the changelog", partition=partition, records=len(records))
        return self.offsets.get(partition)

    def too_old(self, partition: int) -> bool:
        """Whether a tombstone that comes after what is here may be gone from the changelog, see local_copy.py."""
        return partition in self.offsets and wall() - self._as_of[partition] > OLDEST

    def forget(self, partition: int) -> None:
        """What we have of a partition is of another changelog, or too old."""
        self._drop(partition)
        if self.local is not None:
            self.local.drop(partition)

    def fall_back(self) -> None:
        """Be where the changelog, or its copy, is: forget what is ahead of it. Nothing of ours may be on its way to it."""
        if self.ahead:
            for partition in list(self.partitions):
                self._drop(partition)
            self.ahead = False

    def _drop(self, partition: int) -> None:
        for kept in (self.offsets, self.partitions, self.places):
            kept.pop(partition, None)
        self._with_places.discard(partition)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Drop what is of partitions that went elsewhere: it is stale from now on, and is read anew if it comes back."""
        mine = {tp.partition for tp in active_tps | standby_tps}
        for partition in self.partitions.keys() - mine:
            self._drop(partition)
            if self.local is not None:
                self.local.close(partition)


class Table(faust.Table[bytes, bytes]):
    """A table over our store."""

    watch: RecoveryWatch
    local: LocalCopy | None = None

    def _new_store(self) -> Store:
        store = Store("memory://", self.app, self, table_name=self.name, loop=self.loop)
        store.watch, store.local = self.watch, self.local
        return store

    @property
    def store(self) -> Store:
        """The store."""
        store: Any = self.data
        assert isinstance(store, Store)
        return store
