"""When the integration tests say that a program was shown by two workers at one moment, and when not."""

from __future__ import annotations

import pytest

from streams.clock import SECOND
from tests.chaos.storm import unseen
from tests.integration.lookout import Sighting, doubles

P, Q = "chicago", "seattle"


def look(worker: str, begin: float, *programs: str, took: float = 0.1) -> Sighting:
    """A look at a worker that began at this second and took so long."""
    return Sighting(worker, round(begin * SECOND), round((begin + took) * SECOND), frozenset(programs))


@pytest.mark.parametrize(
    "sightings",
    [
        pytest.param([look("a", 0, P), look("b", 0.2), look("a", 0.4, P)], id="one has it"),
        pytest.param([look("a", 0, P), look("b", 0.2, Q), look("a", 0.4, P)], id="each has another"),
        pytest.param([look("a", 0, P), look("a", 0.2, P), look("b", 0.4, P), look("b", 0.6, P)], id="handed over"),
        pytest.param([look("a", 0, P), look("b", 0.2, P), look("a", 0.4)], id="may have been handed over in between"),
        pytest.param([look("a", 0, P), look("b", 0.2, P, took=0.4), look("a", 0.4, P)], id="too long a look to tell"),
        pytest.param([look("a", 0, P), look("b", 5, P), look("a", 9, P)], id="frozen in between, and has it again"),
    ],
)
def test_nothing_to_say(sightings: list[Sighting]) -> None:
    assert list(doubles(sightings)) == []


def test_two_at_once() -> None:
    [found] = doubles([look("a", 0, P, Q), look("b", 0.2, P), look("a", 0.4, P, Q)])
    assert found == f"{P}: shown by a and b at 0.200"


def test_a_frozen_worker_that_wakes_and_still_shows_it() -> None:
    sightings = [look("a", 0, P), look("b", 5, P), look("a", 5.2, P), look("b", 5.4, P), look("a", 5.6)]
    assert list(doubles(sightings)) == [f"{P}: shown by b and a at 5.200"]


def test_the_time_that_nobody_showed_a_program() -> None:
    """Looks of any worker count; what is no farther apart than two looks is no gap."""
    looks = [
        Sighting("w1", at * SECOND, at * SECOND, frozenset(programs))
        for at, programs in ((10, "a"), (11, "ab"), (15, "b"), (16, "a"))
    ]
    close = [Sighting("w2", 16 * SECOND + SECOND // 2, 17 * SECOND, frozenset("a"))]
    assert unseen("a", [*looks, *close], 10 * SECOND, 17 * SECOND) == 1 + 5
    assert unseen("b", looks, 10 * SECOND, 15 * SECOND) == 1 + 4
    assert unseen("c", looks, 10 * SECOND, 17 * SECOND) == 7
