"""The changelog, written in groups: while one group is on its way, events go on being applied, and what they change is
the next group. One record a key and group, however many events changed it.

An event is acknowledged when the group with its changes, and whatever else came of it, is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

Records = Mapping[bytes, bytes | None]


class Applied(NamedTuple):
    """A message that was applied, and what else must be durable before it is acknowledged. No message: notices."""

    message: Any
    acknowledge: Callable[[], object]
    others: list[Awaitable[Any]]


class Changelog:
    """Groups of changes, one at a time for each partition."""

    def __init__(
        self,
        write: Callable[[int, Records], Awaitable[None]],
        changes: Callable[[int], Records],
        failed: Callable[[BaseException], None],
        most: int,
        apart: float = 0.0,
    ) -> None:
        """Groups of what `changes` hands over: what changed in a partition since it was last asked.

        `write` writes a partition's records in their order and returns when they are durable; at most `most` messages
        of a partition wait. A group begins `apart` seconds after the one before it at the earliest: a group costs as much
        as some hundred events, and nobody waits for it but the acknowledgement.
        """
        self._write_records = write
        self._changes = changes
        self._failed = failed
        self._most = most
        self._apart = apart
        self._hurry = asyncio.Event()
        self._waiting: defaultdict[int, list[Applied]] = defaultdict(list)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._written = asyncio.Condition()
        self._epoch = 0

    async def room(self, partition: int) -> None:
        """Wait until fewer than `most` messages of a partition wait for the broker."""
        if len(self._waiting[partition]) >= self._most:
            async with self._written:
                await self._written.wait_for(lambda: len(self._waiting[partition]) < self._most)

    def add(self, partition: int, applied: Applied) -> None:
        """A message was applied: see that it becomes durable."""
        self._waiting[partition].append(applied)
        if partition not in self._tasks:
            self._tasks[partition] = asyncio.create_task(self._write(partition))

    def unwritten(self, partition: int) -> list[Any]:
        """Messages that were applied and are in no group yet, in their order."""
        return [applied.message for applied in self._waiting[partition] if applied.message is not None]

    def forget(self) -> None:
        """The states go: what waits has no changes to write any more, and must never be acknowledged."""
        self._waiting.clear()
        self._epoch += 1

    async def drain(self, within: float) -> bool:
        """Write what waits, so that nothing of it comes after the next owner's; False if it took too long (seconds)."""
        now = asyncio.get_running_loop().time
        until = now() + within
        self._hurry.set()
        while self._tasks and now() < until:
            await asyncio.wait(self._tasks.values(), timeout=until - now())
        self._hurry.clear()
        return not self._tasks

    async def _write(self, partition: int) -> None:
        epoch = self._epoch
        now = asyncio.get_running_loop().time
        try:
            while epoch == self._epoch and (group := self._waiting.pop(partition, None)):
                until = now() + self._apart
                changes = self._changes(partition)
                if changes:
                    await self._write_records(partition, changes)
                for applied in group:
                    if applied.others:
                        await asyncio.gather(*applied.others)
                    if epoch != self._epoch:
                        return
                    applied.acknowledge()
                async with self._written:
                    self._written.notify_all()
                if (rest := until - now()) > 0:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._hurry.wait(), rest)
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends the worker
            # memory is ahead of the changelog now; only a restart from the changelog puts that right
            if epoch == self._epoch:  # else nothing of that memory is used any more
                self._failed(error)
        finally:
            del self._tasks[partition]
            if self._waiting[partition]:  # came after a `forget` in the middle of our group
                self._tasks[partition] = asyncio.create_task(self._write(partition))
