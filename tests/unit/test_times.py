"""Times in order, against a plain list."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import times
from streams.times import Times
from tests.unit.examples import examples

AHEAD = (0, 3, -5)
_pairs = st.tuples(st.integers(0, 20), st.sampled_from("abc"))


@pytest.mark.parametrize("few", [0, 3, 64])
@given(data=st.data())
@settings(deadline=None, max_examples=examples(60))
def test_as_a_list_would_say(few: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(times, "FEW", few)
        bag = Times()
        plain: list[tuple[int, str]] = []
        for _ in range(data.draw(st.integers(0, 5))):
            for _ in range(data.draw(st.integers(0, 8))):
                if len(plain) > 0 and data.draw(st.booleans()):
                    pair = data.draw(st.sampled_from(plain))
                    plain.remove(pair)
                    bag.change(pair[0], pair[1], -1)
                else:
                    pair = data.draw(_pairs)
                    plain.append(pair)
                    bag.change(pair[0], pair[1], +1)
            plain.sort()
            low, high = sorted((data.draw(st.integers(-1, 21)), data.draw(st.integers(-1, 21))))
            assert len(bag) == len(plain)
            assert bag.upto(low) == sum(at <= low for at, _ in plain)
            assert bag.next(low) == min((at for at, _ in plain if at > low), default=None)
            assert list(bag.between(low, high)) == [pair for pair in plain if low < pair[0] <= high]
            for now in data.draw(st.lists(st.integers(-1, 21), max_size=4)):
                expected = [sum(at <= now + ahead for at, _ in plain) for ahead in AHEAD]
                assert list(bag.steady(now, counts)) == expected


def counts(upto: Callable[[int], int]) -> tuple[int, ...]:
    return tuple(upto(ahead) for ahead in AHEAD)


def test_what_holds_is_not_counted_again() -> None:
    bag = Times()
    bag.change(10, "a", +1)
    asked: list[int] = []

    def count(upto: Callable[[int], int]) -> tuple[int, ...]:
        asked.append(1)
        return (upto(0), upto(2))

    assert [bag.steady(now, count) for now in (1, 7, 8, 9, 10, 11, 7)] == [
        (0, 0), (0, 0), (0, 1), (0, 1), (1, 1), (1, 1), (0, 0)
    ]  # fmt: skip
    assert len(asked) == 4


def test_a_change_that_is_taken_back_costs_nothing() -> None:
    bag = Times()
    bag.change(1, "a", +1)
    bag.change(1, "a", -1)
    assert not bag._changes
    assert len(bag) == 0
