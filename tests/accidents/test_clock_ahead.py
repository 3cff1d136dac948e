"""A changelog whose records have their writer's time, and a writer whose clock is far ahead: the broker refuses them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder

from agents.fence import Claim
from agents.settings import Settings, WorkerError
from agents.skew import Skew
from tests.integration.harness import Site

#: Milliseconds.
HOUR = 3_600_000


def test_it_says_why(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = BatchBuilder.append

    def now() -> int:
        return time.time_ns() // 1_000_000 + 2 * HOUR

    def stamped(batch: BatchBuilder, *, timestamp: int | None, **record: Any) -> Any:
        return append(batch, timestamp=now() if timestamp is None else timestamp, **record)

    monkeypatch.setattr(BatchBuilder, "append", stamped)

    async def run() -> None:
        claim = Claim(Settings(broker=f"kafka://{site.bootstrap}", programs=tmp_path), site.deadletter, 0, Skew())
        try:
            with pytest.raises(WorkerError, match="clock is an hour or more ahead of the broker's"):
                await claim.make()
        finally:
            await claim.drop()

    asyncio.run(run())
