"""How far the clock is from the broker's, by when a record was sent, written and answered."""

import pytest

from agents.skew import Skew, said
from streams.clock import HOUR, SECOND


@pytest.mark.parametrize(
    ("began", "written", "ended", "skew"),
    [
        (10, 12, 15, 0),  # as far as can be told
        (10, 3, 15, 7),
        (10, 18, 15, -3),
        (10, 12, 9000, 0),  # we were frozen meanwhile, or the broker was busy
        (10, 10, 10, 0),
    ],
)
def test_a_difference_is_what_cannot_be_explained_otherwise(began: int, written: int, ended: int, skew: int) -> None:
    found = Skew()
    assert found.now == 0
    found.measure(0, began, written, ended)
    assert found.now == skew


def test_of_several_brokers_the_one_that_is_farthest_off_counts() -> None:
    found = Skew()
    for partition, written in enumerate((100, 95, 130)):
        found.measure(partition, 100, written, 101)
    assert found.now == -29
    found.keep({0, 1})
    assert found.now == 5


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (2 * HOUR - 1, "2 h 0 min ahead of"),
        (-90 * 60 * SECOND, "1 h 30 min behind"),
        (-7 * SECOND, "7 s behind"),
        (59 * 60 * SECOND + 40 * SECOND, "1 h 0 min ahead of"),
    ],
)
def test_in_words(skew: int, words: str) -> None:
    assert said(skew) == f"this machine's clock is {words} the broker's"
