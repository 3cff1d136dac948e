"""The table's store: the changelog's records in memory, by partition and program. Recovery fills it; the records of a
program that we own are its state's, which keeps them up to date.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import faust
import structlog
from faust.stores.memory import Store as MemoryStore
from faust.types import TP

from agents.local_copy import OLDEST, LocalCopy
from agents.owner import Stored, split_key
from agents.recovery import RecoveryWatch
from streams.clock import SECOND, Micros, wall

log = structlog.get_logger()

#: Messages of the changelog that are put aside before they are taken in; each is a batch of records.
RECOVERY_BUFFER = 8


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
        #: Changelog offset up to which a partition's records are here: the next recovery reads on from there.
        self.offsets: dict[int, int] = {}
        self._as_of: dict[int, Micros] = {}  # when the changelog ended there, or a little later

    def apply_changelog_batch(
        self, batch: Iterable[Any], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Take in what recovery read: single records, or messages that are batches of records."""
        for event in batch:
            message = event.message
            records = message.value if isinstance(message.value, (list, tuple)) else (message,)
            changes = [(record.key, record.value) for record in records]
            self.put(message.partition, changes)
            self.offsets[message.partition] = message.offset
            self._as_of[message.partition] = as_of = _as_of(message)
            self.watch.read(len(changes))
            if self.local is not None:
                self.local.save(message.partition, changes, message.offset, as_of)

    def put(self, partition: int, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Set records; None takes one out."""
        stored = self.partitions[partition]
        for key, value in records:
            program, of_state = split_key(key)
            kept = stored.setdefault(program, {})
            if value is None:
                kept.pop(of_state, None)
            else:
                kept[of_state] = value

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
        self.offsets.pop(partition, None)
        self.partitions.pop(partition, None)
        if self.local is not None:
            self.local.drop(partition)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Drop what is of partitions that went elsewhere: it is stale from now on, and is read anew if it comes back."""
        mine = {tp.partition for tp in active_tps | standby_tps}
        for partition in self.partitions.keys() - mine:
            del self.partitions[partition]
            self.offsets.pop(partition, None)
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
