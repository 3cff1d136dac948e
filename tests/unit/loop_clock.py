"""An event loop's clock that a test moves, so that no slow machine adds to what it measures."""

from __future__ import annotations

import asyncio

import pytest


class LoopClock:
    """Goes on by itself, and can be moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of the loop that runs."""
        loop = asyncio.get_running_loop()
        now, self._ahead = loop.time, 0.0
        monkeypatch.setattr(loop, "time", lambda: now() + self._ahead)

    def move(self, seconds: float) -> None:
        """It is later now."""
        self._ahead += seconds

    async def pass_by(self, seconds: float) -> None:
        """It is later, and whoever waits by the clock for up to five milliseconds more looks at it."""
        self.move(seconds)
        await asyncio.sleep(0.005)
