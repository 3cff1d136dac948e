"""What the tests of the state share."""

from __future__ import annotations

import pytest

from tests.unit.strategies import Bench


@pytest.fixture
def bench() -> Bench:
    """A state of the test program that events are applied to."""
    return Bench()
