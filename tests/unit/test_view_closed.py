"""Closed calls by day and by hour of week, and when topics were last heard of."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.clock import HOUR, Micros, local, micros
from streams.entries import Call, Fact
from streams.programs import DAYS
from streams.views.closed import Closed
from streams.views.feeds import Feeds
from streams.views.hours import Hours, reached
from tests.unit.open_calls import MINUTE, RECEIVED, call, small, when

RULES = small()
AT = when("13:40")


def closed(at: Micros = AT, outcome: str = "services", result: str = "served", **fields: Any) -> Call:
    area = fields.get("area", "east")
    fact: Fact = ("closed", RULES.day(at), "red", area, "crisis", outcome, result, "none", 1)
    received: Fact = ("received", RULES.day(at), area, "crisis", "911", 1)
    plain: dict[str, Any] = {"state": "closed", "closed": at, "outcome": outcome, "result": result}
    return call(**plain | {"facts": (received, fact)} | fields)


def merged(at: Micros = AT) -> Call:
    day = RULES.day(at)
    return call(state="merged", into="b", facts=(("merged", day, "east", 1), ("duplicate", day, "east", 1)))


# --- by day ---------------------------------------------------------------------------------------------------


def test_a_day_is_a_local_one() -> None:
    view = Closed(RULES)
    view.change(None, closed(when("23:59")))
    view.change(None, closed(when("2026-03-05T00:00:00-06:00"), outcome="refused"))
    assert view.today(when("23:59")) == {("red", "east", "services"): 1}
    assert view.today(when("2026-03-05T23:00:00-06:00")) == {("red", "east", "refused"): 1}
    assert view.today(when("2026-03-06T00:00:00-06:00")) == {}


def test_a_corrected_call_moves() -> None:
    view = Closed(RULES)
    view.change(None, closed(outcome="no_contact", result="unknown"))
    view.change(closed(outcome="no_contact", result="unknown"), closed())
    assert view.today(AT) == {("red", "east", "services"): 1}
    assert view.demand(AT) == {("east", "served"): 1}


def test_a_merged_call_is_demand_that_was_told_twice() -> None:
    view = Closed(RULES)
    view.change(None, closed())
    view.change(call(), merged())
    assert view.today(AT) == {("red", "east", "services"): 1}
    assert view.demand(AT) == {("east", "served"): 1, ("east", "duplicate"): 1}
    view.change(merged(), call())
    assert view.demand(AT) == {("east", "served"): 1}


def test_a_reopened_call_keeps_its_earlier_close() -> None:
    view = Closed(RULES)
    view.change(None, closed())
    view.change(closed(), closed(state="open", spell=1))
    assert view.today(AT) == {("red", "east", "services"): 1}


def test_a_call_never_closed_is_not_there() -> None:
    view = Closed(RULES)
    view.change(None, call())
    view.change(call(), call(area="west"))
    assert view.today(AT) == view.demand(AT) == {}


def test_a_day_goes_with_its_last_call() -> None:
    view = Closed(RULES)
    view.change(None, closed())
    view.change(closed(), None)
    assert not view._closings
    assert not view._demand


_minutes = st.integers(0, 40 * 24 * 60)
_RESULTS = ["served", "served_remotely", "ineligible", "duplicate", "outside_area", "outside_hours", "unknown"]


@st.composite
def endings(draw: st.DrawFn) -> Call | None:
    at = RECEIVED + draw(_minutes) * MINUTE
    kind = draw(st.sampled_from(["closed", "closed", "closed", "reopened", "merged", "open", "gone"]))
    if kind == "gone":
        return None
    if kind == "merged":
        return merged(at)
    if kind == "open":
        return call(received=at)
    received = draw(st.just(at) | st.none())
    state = "closed" if kind == "closed" else "open"
    outcome = draw(st.sampled_from(["services", "refused"]))
    return closed(at, outcome=outcome, result=draw(st.sampled_from(_RESULTS)), received=received, state=state)


@given(changes=st.lists(st.tuples(st.sampled_from("abcd"), endings(), _minutes), max_size=12))
def test_after_any_changes_and_looks_the_views_are_those_of_the_last_entries(
    changes: list[tuple[str, Call | None, int]],
) -> None:
    by_day, by_hour = Closed(RULES), Hours(RULES)
    there: dict[str, Call | None] = {}
    for id, after, minute in changes:
        by_day.change(there.get(id), after)
        by_hour.change(there.get(id), after)
        there[id] = after
        now = RECEIVED + minute * MINUTE
        day = RULES.day(now)
        facts = [fact for each in there.values() if each for fact in each.facts if fact[1] == day]
        assert by_day.today(now) == Counter((f[2], f[3], f[5]) for f in facts if f[0] == "closed")
        demand = Counter((f[3], f[6]) for f in facts if f[0] == "closed")
        demand.update(("east", "duplicate") for f in facts if f[0] == "duplicate")
        assert by_day.demand(now) == demand
        assert by_hour.since(now) == Counter(plainly(there, now))


# --- by hour of week ------------------------------------------------------------------------------------------


def plainly(there: dict[str, Call | None], now: Micros) -> list[tuple[str, ...]]:
    zone = RULES.profile.zone
    begins = micros(local(now, zone) - timedelta(days=28))
    found: list[tuple[str, ...]] = []
    for each in there.values():
        if each is None or each.closed is None or each.received is None or not begins < each.received <= now:
            continue
        what = {
            "served": "served",
            "served_remotely": "served",
            "outside_hours": "outside_hours",
            "unknown": "unmet",
        }.get(each.result or "")
        if what is not None:
            shown = local(each.received, zone)
            found.append((DAYS[shown.weekday()], f"{shown.hour:02}", what))
    return found


@pytest.mark.parametrize(
    ("result", "counts_for"),
    [
        ("served", "served"),
        ("served_remotely", "served"),
        ("outside_hours", "outside_hours"),
        ("ineligible", None),
        ("duplicate", None),
        ("outside_area", None),
        ("handled_by_other", "unmet"),
        ("cancelled", "unmet"),
        ("all_units_busy", "unmet"),
        ("not_triaged", "unmet"),
    ],
)
def test_what_a_result_counts_for(result: str, counts_for: str | None) -> None:
    assert reached(result) == counts_for


def test_it_counts_in_the_hour_of_its_receipt() -> None:
    view = Hours(RULES)
    view.change(None, closed(received=when("13:59")))
    view.change(None, closed(received=when("14:00"), result="unknown"))
    assert view.since(when("14:00")) == {("wed", "13", "served"): 1, ("wed", "14", "unmet"): 1}


def test_it_is_exact_where_the_28_days_begin() -> None:
    view = Hours(RULES)
    view.change(None, closed(received=when("2026-02-04T13:10:00-06:00")))
    assert view.since(when("13:10") - 1) == {("wed", "13", "served"): 1}
    assert view.since(when("13:10")) == {}
    assert view.since(when("13:10") - 1) == {("wed", "13", "served"): 1}


def test_it_is_exact_where_they_end() -> None:
    view = Hours(RULES)
    view.change(None, closed(received=when("13:10")))
    view.change(None, closed(received=when("15:10")))
    assert view.since(when("13:10") - 1) == {}
    assert view.since(when("13:10")) == {("wed", "13", "served"): 1}


def test_28_days_are_by_the_clock_on_the_wall() -> None:
    view = Hours(RULES)  # the clocks go forward on the 8th of March
    view.change(None, closed(received=when("2026-02-20T12:30:00-06:00")))
    assert view.since(when("2026-03-20T12:29:00-05:00")) != {}
    assert view.since(when("2026-03-20T12:30:00-05:00")) == {}


def test_the_hour_that_comes_twice_is_one_hour_of_the_week() -> None:
    view = Hours(RULES)
    first = when("2026-11-01T01:30:00-05:00")
    view.change(None, closed(received=first))
    view.change(None, closed(received=first + HOUR))
    assert view.since(first + 5 * HOUR) == {("sun", "01", "served"): 2}


def test_a_call_that_comes_or_changes_after_a_reading_counts_at_once() -> None:
    view = Hours(RULES)
    assert view.since(AT) == {}
    view.change(None, closed(result="unknown"))
    assert view.since(AT) == {("wed", "13", "unmet"): 1}
    view.change(closed(result="unknown"), closed())
    assert view.since(AT) == {("wed", "13", "served"): 1}


def test_what_is_taken_out_leaves_nothing() -> None:
    view = Hours(RULES)
    view.change(None, closed())
    assert view.since(AT) == {("wed", "13", "served"): 1}
    view.change(closed(), None)
    assert not view._received
    assert view.since(AT) == {}


# --- topics ---------------------------------------------------------------------------------------------------


def test_the_newest_of_each_topic_is_kept() -> None:
    feeds = Feeds()
    assert feeds.newest() == {}
    assert feeds.heard("dispatch", AT)
    assert not feeds.heard("dispatch", AT - 1)
    assert not feeds.heard("dispatch", AT)
    assert feeds.heard("status", AT - 5)
    assert feeds.newest() == {("dispatch",): AT, ("status",): AT - 5}
