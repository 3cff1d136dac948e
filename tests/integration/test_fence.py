"""Who takes a partition of the changelog over is its one writer: the broker refuses whoever had it before."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agents import fence
from agents.fence import MARK, Claim, Claims, FencedError
from agents.settings import Settings
from agents.skew import Skew
from tests.integration.harness import Broker, Site

pytestmark = [pytest.mark.integration]


@pytest.fixture
def settings(kafka: Broker, tmp_path: Path) -> Settings:
    return Settings(broker=f"kafka://{kafka.bootstrap}", programs=tmp_path)


def written(site: Site, topic: str) -> list[tuple[int, bytes | None]]:
    return [(record.partition, record.key) for record in site.records(topic)]


def test_the_one_before_is_refused(site: Site, settings: Settings) -> None:
    topic = site.deadletter  # any topic will do

    async def run() -> None:
        frozen, heir = (Claims(settings, lambda: topic, Skew()) for _ in range(2))
        await frozen.take([0, 1])
        assert await frozen.write(0, {b"a": b"1", b"b": b"1"}) == 2
        await heir.take([0])
        with pytest.raises(FencedError, match="took over partition 0"):
            await frozen.write(0, {b"a": b"2"})
        assert await heir.write(0, {b"a": b"3"}) == 4
        assert await frozen.write(1, {b"c": b"1"}) == 1, "the other partition is still its own"
        await asyncio.gather(frozen.close(), heir.close())

    asyncio.run(run())
    assert written(site, topic) == [(0, MARK), (0, b"a"), (0, b"b"), (0, MARK), (0, b"a"), (1, MARK), (1, b"c")]


def test_what_was_on_its_way_when_the_heir_came_is_refused_too(site: Site, settings: Settings) -> None:
    """A request that the broker gets late, as one that lay in a buffer of a frozen machine."""
    topic = site.deadletter

    async def run() -> None:
        frozen, heir = (Claim(settings, topic, 0, Skew()) for _ in range(2))
        await frozen.make()
        batch = frozen._kafka.create_batch()
        batch.append(timestamp=None, key=b"late", value=b"1")
        await heir.make()
        with pytest.raises(FencedError):
            await frozen._send_batch(batch)
        await asyncio.gather(frozen.drop(), heir.drop())

    asyncio.run(run())
    assert written(site, topic) == [(0, MARK), (0, MARK)]


def test_a_claim_is_renewed_before_the_broker_forgets_it(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, now = site.deadletter, 1000.0
    monkeypatch.setattr(fence, "clock", lambda: now)

    async def run() -> None:
        nonlocal now
        claim = Claim(settings, topic, 0, Skew())
        await claim.make()
        await claim.write({b"a": b"1"})
        now += fence.RENEW_AFTER + 1
        assert await claim.write({b"b": b"1"}) == 3
        await claim.drop()

    asyncio.run(run())
    assert written(site, topic) == [(0, MARK), (0, b"a"), (0, MARK), (0, b"b")]


def test_a_hole_in_the_offsets_means_that_somebody_else_wrote(site: Site, settings: Settings) -> None:
    """Even if the broker has forgotten whom to refuse."""
    topic = site.deadletter

    async def run() -> None:
        claim = Claim(settings, topic, 0, Skew())
        await claim.make()
        site.producer.send(topic, key=b"x", value=b"1", partition=0).get(timeout=10)
        with pytest.raises(FencedError, match="wrote to partition 0"):
            await claim.write({b"a": b"1"})
        await claim.drop()

    asyncio.run(run())
