"""The table's store: the changelog's records in memory, by partition, so that a partition goes in one step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import faust
from faust.stores.memory import Store as MemoryStore
from faust.types import TP


class Store(MemoryStore[bytes, bytes]):
    """Records by partition and key. Filled by recovery and by the owner of a partition, who writes the changelog."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.partitions: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        #: Changelog offset up to which a partition's records are here: the next recovery reads on from there.
        self.offsets: dict[int, int] = {}

    def apply_changelog_batch(
        self, batch: Iterable[Any], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Take in what recovery read: single records, or messages that are batches of records."""
        for event in batch:
            message = event.message
            records = message.value if isinstance(message.value, (list, tuple)) else (message,)
            self.put(message.partition, ((record.key, record.value) for record in records))
            self.offsets[message.partition] = message.offset

    def put(self, partition: int, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Set records; None takes one out."""
        kept = self.partitions[partition]
        for key, value in records:
            if value is None:
                kept.pop(key, None)
            else:
                kept[key] = value

    def written(self, partition: int, offset: int) -> None:
        """All that was put is durable in the changelog, up to this offset."""
        self.offsets[partition] = offset

    def persisted_offset(self, tp: TP) -> int | None:
        """Where the next recovery reads on; None: from the beginning."""
        return self.offsets.get(tp.partition)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Drop what is of partitions that went elsewhere: it is stale from now on, and is read anew if it comes back."""
        mine = {tp.partition for tp in active_tps | standby_tps}
        for partition in self.partitions.keys() - mine:
            del self.partitions[partition]
            self.offsets.pop(partition, None)


class Table(faust.Table[bytes, bytes]):
    """A table over our store."""

    def _new_store(self) -> Store:
        return Store("memory://", self.app, self, table_name=self.name, loop=self.loop)

    @property
    def store(self) -> Store:
        """The store."""
        store: Any = self.data
        assert isinstance(store, Store)
        return store
