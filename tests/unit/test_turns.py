"""Turns: order within a partition, none of them waits for another, and reading pauses where too much waits."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from faust.types import TP

from agents.turns import Turns

A, B = TP("dispatch", 0), TP("dispatch", 1)


def event(tp: Any, offset: int) -> Any:
    return SimpleNamespace(message=SimpleNamespace(tp=tp, offset=offset))


class Site:
    """What is taken, in its order; partition A waits for its gate."""

    def __init__(self, most: int = 4) -> None:
        self.taken: list[tuple[TP, int]] = []
        self.told: list[tuple[str, TP]] = []
        self.failed: list[BaseException] = []
        self.gate = asyncio.Event()
        self.turns = Turns(
            self.take,
            self.failed.append,
            lambda tp: self.told.append(("pause", tp)),
            lambda tp: self.told.append(("resume", tp)),
            most,
        )

    async def take(self, event: Any) -> None:
        tp, offset = event.message.tp, event.message.offset
        if tp == A:
            await self.gate.wait()
        if offset < 0:
            raise ValueError
        self.taken.append((tp, offset))

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)


def test_the_consumer_is_told_in_its_own_words() -> None:
    """It refuses aiokafka's kind of partition, which messages have; was: the worker ended at the first pause."""

    async def main() -> None:
        site = Site(most=2)
        for offset in range(3):
            site.turns.add(event(TopicPartition(*A), offset))
        site.gate.set()
        await site.settle()
        assert site.told == [("pause", A), ("resume", A)]
        assert all(type(tp) is TP for _, tp in site.told)

    asyncio.run(main())


@pytest.mark.parametrize("ready", [False, True])
def test_each_partition_in_its_order_and_none_waits_for_another(*, ready: bool) -> None:
    async def main() -> None:
        site = Site(most=100)
        if ready:
            site.gate.set()
        for offset in range(6):
            site.turns.add(event(A, offset))
        for offset in range(3):
            site.turns.add(event(B, offset))
        await site.settle()
        if not ready:
            assert site.taken == [(B, 0), (B, 1), (B, 2)]
            site.gate.set()
            await site.settle()
        else:  # one each, as long as both have some
            assert [tp for tp, _ in site.taken[:6]].count(B) == 3
        for tp, most in ((A, 6), (B, 3)):
            assert [offset for of, offset in site.taken if of == tp] == list(range(most))

    asyncio.run(main())


def test_reading_pauses_where_too_much_waits_and_goes_on_at_half() -> None:
    async def main() -> None:
        site = Site(most=4)
        for offset in range(6):
            site.turns.add(event(A, offset))
        site.turns.add(event(B, 0))
        assert site.told == [("pause", A)]
        await site.settle()
        assert site.told == [("pause", A)]
        site.gate.set()
        await site.settle()
        assert site.told == [("pause", A), ("resume", A)]
        assert len(site.taken) == 7

    asyncio.run(main())


def test_what_waits_is_forgotten_when_the_partitions_are_shared_out_anew() -> None:
    async def main() -> None:
        site = Site(most=4)
        for offset in range(6):
            site.turns.add(event(A, offset))
        await site.settle()  # the first one is under way
        site.turns.clear()
        site.gate.set()
        await site.settle()
        assert site.taken == [(A, 0)]
        assert site.told == [("pause", A)], "the consumer's seek resumes it"
        for offset in range(6, 12):
            site.turns.add(event(A, offset))
        await site.settle()
        assert [offset for _, offset in site.taken] == [0, *range(6, 12)]
        assert site.told[1:] == [("pause", A), ("resume", A)]

    asyncio.run(main())


def test_an_error_ends_the_worker() -> None:
    async def main() -> None:
        site = Site()
        site.turns.add(event(B, -1))
        await site.settle()
        assert [type(error) for error in site.failed] == [ValueError]

    asyncio.run(main())
