"""What the tests of the state share."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.unit.examples import SHARE, examples
from tests.unit.strategies import Bench

settings.register_profile("carewatch", max_examples=examples(100), derandomize=SHARE <= 1)
settings.load_profile("carewatch")


@pytest.fixture
def bench() -> Bench:
    """A state of the test program that events are applied to."""
    return Bench()
