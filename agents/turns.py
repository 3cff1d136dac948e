"""Turns: what came of each partition is taken in its order, and no partition waits for what another one has too much of."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from faust.types import TP

#: Messages (records, or batches of them) of a partition that may wait for their turn before it is read no further: as much
#: work as one more poll takes to bring the next ones, and all that others wait for.
MOST = {False: 2000, True: 24}


class Turns:
    """A queue and, while there is something in it, a task for each partition of each topic."""

    def __init__(
        self,
        take: Callable[[Any], Awaitable[None]],
        failed: Callable[[BaseException], None],
        pause: Callable[[TP], None],
        resume: Callable[[TP], None],
        most: int,
    ) -> None:
        """`take` is given one event at a time of each partition; what it raises goes to `failed`.

        `pause` is called for a partition of which `most` messages wait, `resume` when half of them were taken.
        """
        self._take = take
        self._failed = failed
        self._pause = pause
        self._resume = resume
        self._most = most
        self._waiting: dict[TP, deque[Any]] = {}
        self._paused: set[TP] = set()
        self._tasks: set[asyncio.Task[None]] = set()  # a loop keeps no strong reference

    def add(self, event: Any) -> None:
        """An event came; it is taken after those that came before it of the same partition."""
        tp = TP(*event.message.tp)  # it may be aiokafka's own kind, which Faust's consumer refuses
        waiting = self._waiting.get(tp)
        if waiting is None:
            self._waiting[tp] = waiting = deque()
            task = asyncio.create_task(self._run(tp, waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiting.append(event)
        if len(waiting) >= self._most and tp not in self._paused:
            self._paused.add(tp)
            self._pause(tp)

    def clear(self) -> None:
        """The partitions are shared out anew: whoever owns them now reads again what waits. The seek to it resumes all."""
        for waiting in self._waiting.values():
            waiting.clear()
        self._paused.clear()

    async def _run(self, tp: TP, waiting: deque[Any]) -> None:
        try:
            while waiting:
                if tp in self._paused and len(waiting) <= self._most // 2:
                    self._paused.discard(tp)
                    self._resume(tp)
                await self._take(waiting.popleft())
                await asyncio.sleep(0)  # the others' turn
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends the worker
            self._failed(error)
        finally:
            del self._waiting[tp]
