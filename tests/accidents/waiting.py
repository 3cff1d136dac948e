"""What these tests wait for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest

from streams.events import Event
from tests.integration.harness import Worker, check, eventually


def once_equal(worker: Worker, events: Sequence[Event]) -> None:
    """The worker shows what these events say, as soon as it has read them."""

    def equal() -> bool:
        try:
            check(events, [worker])
        except AssertionError:
            return False
        return True

    with suppress(pytest.fail.Exception):
        eventually(equal, "equal numbers", 30, every=0.3)
    check(events, [worker])
