"""The view of open calls: whatever happened before, it shows what each call shows by itself."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.clock import HOUR, Micros
from streams.derive.stage import STAGES, Stage, stage, waits
from streams.derive.targets import Targets
from streams.entries import Call
from streams.views import order
from streams.views.open_calls import OpenCalls
from streams.views.order import Order
from tests.unit.open_calls import MINUTE, RECEIVED, call, calls, response, small, times, when

RULES = small()
TARGETS = Targets(RULES)
Labels = tuple[str, ...]


class Answers(NamedTuple):
    stages: dict[Labels, int]
    oldest: dict[Labels, Micros]
    past_target: dict[Labels, int]
    stale: dict[Labels, int]
    ids: dict[Stage, list[tuple[Micros, str]]]


def shown(view: OpenCalls, now: Micros) -> Answers:
    return Answers(
        {tuple(labels): n for labels, n in view.stages(now).items()},
        {tuple(labels): at for labels, at in view.oldest(now).items()},
        {tuple(labels): n for labels, n in view.past_target(now).items()},
        {tuple(labels): n for labels, n in view.stale(now).items()},
        {each: view.ids(each, now, 100) for each in STAGES},
    )


def looked_at_each(open_calls: dict[str, Call], now: Micros) -> Answers:
    """The same from every call, one by one."""
    stages: Counter[Labels] = Counter()
    oldest: dict[Labels, Micros] = {}
    past: Counter[Labels] = Counter()
    ids: dict[Stage, list[tuple[Micros, str]]] = {each: [] for each in STAGES}
    for id, each in open_calls.items():
        found = stage(each, now, RULES)
        if found is None:
            continue
        stages[each.area, each.call_type, found] += 1
        ids[found].append((each.since, id))
        if waits(each, now, RULES):
            oldest[(each.area,)] = min(each.since, oldest.get((each.area,), each.since))
        for interval, deadline in TARGETS.deadlines(each, now).items():
            past[each.area, interval] += deadline < now
    stale: Counter[Labels] = Counter()
    for (area, _, of_stage), n in stages.items():
        stale[(area,)] += n if of_stage == "stale" else 0
    return Answers(
        dict(stages), oldest, dict(+past), dict(+stale), {each: sorted(found) for each, found in ids.items()}
    )


@given(data=st.data())
def test_after_any_changes_and_looks_it_shows_what_each_call_shows(data: st.DataObject) -> None:
    view, now = OpenCalls(RULES), RECEIVED
    there: dict[str, Call] = {}
    for _ in range(data.draw(st.integers(1, 6), label="looks")):
        for id in data.draw(st.lists(st.sampled_from("abcdef"), max_size=6), label="changed"):
            after = data.draw(st.none() | calls(), label=id)
            view.change(id, there.pop(id, None), after)
            if after is not None:
                there[id] = after
        now = data.draw(times | st.just(now), label="now")  # it may go back
        now += data.draw(st.sampled_from([0, 0, -1, 1]), label="and so much")
        assert shown(view, now) == looked_at_each(there, now)


@given(call=calls(), looks=st.lists(times, min_size=1, max_size=8))
def test_an_open_call_that_nobody_changes_shows_the_same_whenever_it_is_asked(call: Call, looks: list[Micros]) -> None:
    view = OpenCalls(RULES)
    view.change("a", None, call)
    for now in looks:
        assert shown(view, now) == looked_at_each({"a": call}, now)


# --- examples -------------------------------------------------------------------------------------------------


def test_who_waits_longest_and_past_which_targets() -> None:
    view = OpenCalls(RULES)
    view.change("later", None, call(since=when("13:10")))
    view.change("first", None, call())
    view.change("by phone", None, call(since=when("12:00"), served_in_spell="served_remotely"))
    view.change("police", None, call(since=when("12:50"), responses=(response(agency="police"),)))
    now = when("13:11")
    assert view.oldest(now) == {("east",): when("12:50")}
    assert view.past_target(now) == {
        ("east", "received_to_dispatched"): 2,
        ("east", "received_to_on_scene"): 1,
    }
    assert view.ids("waiting", now, 1) == [(RECEIVED, "first")]
    assert view.ids("waiting", now, 9) == [(RECEIVED, "first"), (when("13:10"), "later")]


def test_a_target_is_missed_when_more_time_has_passed() -> None:
    view = OpenCalls(RULES)
    view.change("a", None, call())
    late = ("east", "received_to_dispatched")
    assert late not in view.past_target(RECEIVED + 5 * MINUTE)
    assert late in view.past_target(RECEIVED + 5 * MINUTE + 1)
    assert late not in view.past_target(RECEIVED + 5 * MINUTE)


def test_when_the_day_ends_all_of_an_area_are_outside_hours() -> None:
    view = OpenCalls(RULES)
    for n in range(3):
        view.change(str(n), None, call(since=when("21:00") + n))
    assert view.stages(when("22:00") - 1) == {("east", "crisis", "waiting"): 3}
    assert view.oldest(when("22:00") - 1) == {("east",): when("21:00")}
    assert view.stages(when("22:00")) == {("east", "crisis", "outside_hours"): 3}
    assert view.oldest(when("22:00")) == {}
    assert view.past_target(when("22:00")) == {}


def test_a_call_that_has_closed_shows_nothing() -> None:
    view = OpenCalls(RULES)
    waiting = call()
    view.change("a", None, waiting)
    assert view.stages(RECEIVED) != {}
    view.change("a", waiting, call(state="closed", closed=RECEIVED))
    assert shown(view, RECEIVED) == shown(OpenCalls(RULES), RECEIVED)


def test_a_reading_looks_at_no_call_that_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    view = OpenCalls(RULES)
    for n in range(1000):
        view.change(str(n), None, call(since=when("13:00") + n))
    view.look(when("13:01"))
    looked: list[Call] = []
    see = view._see

    def counted(call: Call, now: Micros) -> object:
        looked.append(call)
        return see(call, now)

    monkeypatch.setattr(view, "_see", counted)
    moved = call(since=when("13:00") + 7, responses=(response(begins=RECEIVED),), dispatch_open=False)
    view.change("7", call(since=when("13:00") + 7), moved)
    for minute in (1, 2, 3, 4):
        shown(view, when("13:00") + minute * MINUTE)
    assert looked == [moved]
    view.oldest(when("13:05") + 10)  # ten have missed their first target
    assert len(looked) == 1 + 9  # but the one that was sent for


def test_what_has_passed_away_is_not_kept() -> None:
    view = OpenCalls(RULES)
    for n in range(1000):
        view.change("a", None, call(last_said=RECEIVED + n))
        view.look(RECEIVED)
    assert len(view._turns) < 100


def test_twelve_hours_on_they_are_stale() -> None:
    view = OpenCalls(RULES)
    view.change("a", None, call())
    view.change("b", None, call(area="west"))
    assert view.stale(RECEIVED + 12 * HOUR - 1) == {}
    assert view.stale(RECEIVED + 12 * HOUR) == {("east",): 1, ("west",): 1}


# --- order ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [2, 512])
@given(changes=st.lists(st.tuples(st.integers(0, 20), st.sampled_from("abc")), max_size=60))
def test_order_is_that_of_a_sorted_list(full: int, changes: list[tuple[int, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "FULL", full)
        found, plain = Order(), set[tuple[int, str]]()
        for pair in changes:
            if pair in plain:
                found.remove(*pair)
                plain.remove(pair)
            else:
                found.add(*pair)
                plain.add(pair)
            assert list(found) == sorted(plain)
            assert bool(found) == bool(plain)
            assert not plain or found.first() == min(plain)
