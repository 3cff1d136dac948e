"""The product and the second implementation say the same of all lives: every number, at any time after them."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.catalogue.values import edges
from streams.clock import DAY, SECOND, Micros, micros
from tests import second
from tests.unit.examples import examples
from tests.unit.lives import NOON, TEXT, Event, Numbers, enter, lives, net, new_core, profile

SMALL = profile()
BOUNDS = edges([SMALL])
#: Later than all that is told, so that nothing comes from the future.
CLOCK: Micros = micros(NOON) + 30 * DAY
#: Numbers that the second implementation does not have: the product's own, and what is of arrival.
OF_THE_PRODUCT = (
    "care_demand_today",
    "care_program_records",
    "care_program_records_limit",
    "care_interval_target_seconds",
)
OF_ARRIVAL = ("care_feed_last_event_timestamp_seconds",)


@settings(deadline=None, max_examples=examples(150), suppress_health_check=list(HealthCheck))
@given(lives(), st.sampled_from(({"hours": 0}, {"minutes": 31}, {"hours": 9}, {"days": 2, "hours": 3}, {"days": 10})))
def test_both_say_the_same(found: list[Event], later: dict[str, int]) -> None:
    now = max(datetime.fromisoformat(each["at"]) for each in found) + timedelta(**later)
    core = new_core(SMALL)
    for each in found:
        event, at = enter(each, CLOCK)
        core.apply(event, CLOCK, at)
    ours = {name: values for name, values in net(core, micros(now)).items() if name not in OF_THE_PRODUCT}
    assert ours == theirs(found, now)


def theirs(found: list[Event], now: datetime) -> Numbers:
    """What the second implementation says, with its histograms counted by the edges of ours."""
    numbers = second.numbers(found, [(NOON, TEXT)], now)
    return {
        name: {
            labels: _spread(value) if isinstance(value, tuple) else round(value, 6) for labels, value in values.items()
        }
        for name, values in numbers.items()
        if name not in (*OF_THE_PRODUCT, *OF_ARRIVAL)
    }


def _spread(observed: tuple[float, ...]) -> Any:
    counts = [0] * (len(BOUNDS) + 1)
    for seconds in observed:
        counts[bisect_left(BOUNDS, round(seconds * SECOND))] += 1
    return tuple(counts), round(sum(observed), 6)
