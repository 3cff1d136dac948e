"""Where units were: examples in words, and a plain machine that walks forward through all that was told of one unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streams.books.whereabouts import (
    AVAILABLE,
    DISPATCHED,
    EN_ROUTE,
    LEFT,
    OFF_DUTY,
    ON_SCENE,
    REACHED,
    Mark,
    Timeline,
    Whereabouts,
)
from streams.clock import NEVER, Micros
from streams.derive.past import End
from tests.unit.examples import examples


class Told(NamedTuple):
    """One thing told of the unit; of no call: a status."""

    at: Micros
    kind: int
    call: str | None = None


def timeline(*told: Told) -> Timeline:
    found = Timeline()
    for at, kind, call in told:
        found.add(call, (at, kind))
    return found


# --- examples -----------------------------------------------------------------------------------------------


def test_a_unit_that_is_sent_elsewhere_before_it_arrived_was_diverted() -> None:
    told = timeline(Told(1, DISPATCHED, "A"), Told(2, EN_ROUTE, "A"), Told(5, DISPATCHED, "B"))
    assert told.end("A", 2, reached=False) == End(5, "diverted")


def test_a_dispatch_elsewhere_after_it_arrived_is_stacked_and_ends_nothing() -> None:
    told = timeline(Told(1, DISPATCHED, "A"), Told(3, ON_SCENE, "A"), Told(5, DISPATCHED, "B"))
    assert told.end("A", 3, reached=True) is None
    assert told.stands(5, "B")
    assert told.free_from(5, "B") == NEVER


def test_a_stacked_dispatch_is_shown_from_when_the_unit_leaves() -> None:
    told = timeline(Told(3, ON_SCENE, "A"), Told(5, DISPATCHED, "B"), Told(9, LEFT, "A"))
    assert told.free_from(5, "B") == 9
    assert not told.stands(9, "B")


def test_another_stacked_dispatch_diverts_nothing() -> None:
    told = timeline(Told(3, ON_SCENE, "A"), Told(5, DISPATCHED, "B"), Told(6, DISPATCHED, "C"), Told(9, LEFT, "A"))
    assert told.end("B", 5, reached=False) is None


def test_en_route_elsewhere_ends_work_on_scene() -> None:
    told = timeline(Told(3, ON_SCENE, "A"), Told(5, EN_ROUTE, "B"))
    assert told.end("A", 3, reached=True) == End(5, "elsewhere")


def test_on_scene_at_two_calls_ends_the_first() -> None:
    told = timeline(Told(3, ON_SCENE, "A"), Told(5, ON_SCENE, "B"))
    assert told.end("A", 3, reached=True) == End(5, "on_scene_elsewhere")


def test_available_ends_all_work_and_off_duty_only_what_has_not_reached_its_call() -> None:
    available = timeline(Told(3, ON_SCENE, "A"), Told(5, AVAILABLE))
    off_duty = timeline(Told(3, ON_SCENE, "A"), Told(5, OFF_DUTY))
    assert available.end("A", 3, reached=True) == End(5, "available")
    assert off_duty.end("A", 3, reached=True) is None
    assert off_duty.end("A", 3, reached=False) == End(5, "off_duty")


def test_what_is_told_elsewhere_at_the_very_time_of_a_point_here_ends_nothing_here() -> None:
    told = timeline(Told(3, ON_SCENE, "A"), Told(5, AVAILABLE), Told(5, REACHED, "A"))
    assert told.end("A", 3, reached=True) is None


def test_of_equal_times_on_scene_counts_before_available_before_off_duty() -> None:
    told = timeline(Told(1, DISPATCHED, "A"), Told(5, OFF_DUTY), Told(5, AVAILABLE), Told(5, ON_SCENE, "B"))
    assert told.end("A", 1, reached=False) == End(5, "on_scene_elsewhere")


def test_staged_is_as_good_as_on_scene_for_what_is_stacked_but_ends_nothing_elsewhere() -> None:
    told = timeline(Told(1, ON_SCENE, "A"), Told(3, REACHED, "B"))
    assert told.end("A", 1, reached=True) is None
    assert told.stands(3, "A")


def test_a_mark_that_was_taken_out_ends_nothing() -> None:
    told = timeline(Told(3, ON_SCENE, "A"), Told(5, EN_ROUTE, "B"))
    told.remove("B", (5, EN_ROUTE))
    assert told.end("A", 3, reached=True) is None
    assert len(told) == 1


def test_calls_lean_on_what_a_unit_does_elsewhere() -> None:
    where = Whereabouts()
    where.change("U1", "A", [], [(1, DISPATCHED)])
    assert "A" in where.change("U1", "B", [], [(5, DISPATCHED)])
    assert "A" in where.change("U1", "B", [(5, DISPATCHED)], [])
    assert "A" not in where.change("U2", "B", [], [(5, DISPATCHED)])  # another unit


def test_work_that_was_ended_long_before_does_not_lean_on_what_comes() -> None:
    where = Whereabouts()
    for number in range(100):
        where.change("U1", f"C{number}", [], [(10 * number, DISPATCHED), (10 * number + 5, ON_SCENE)])
    leaning = where.change("U1", "new", [], [(2000, DISPATCHED)])
    assert leaning == {"C99", "new"}


def test_a_unit_of_which_nothing_is_told_any_more_is_forgotten() -> None:
    where = Whereabouts()
    where.change("U1", "A", [], [(1, DISPATCHED)])
    where.change("U1", "A", [(1, DISPATCHED)], [])
    assert not where.units


def test_many_at_once_are_as_one_after_the_other() -> None:
    told = [Told(at * 7 % 50, at % 5, f"C{at % 3}") for at in range(30)]
    filled = Timeline()
    filled.fill(told[:10])
    filled.fill(told[10:])
    one_by_one = timeline(*told)
    for call in ("C0", "C1", "C2"):
        for at in range(50):
            assert filled.stands(at, call) == one_by_one.stands(at, call)
            assert filled.end(call, at, reached=True) == one_by_one.end(call, at, reached=True)


# --- against a plain machine --------------------------------------------------------------------------------

_MOVES = (EN_ROUTE, ON_SCENE, AVAILABLE)
_CALLS = "ABC"
_TIMES = range(10)

_mark = st.one_of(
    st.builds(Told, st.integers(1, 8), st.integers(DISPATCHED, LEFT), st.sampled_from(_CALLS)),
    st.builds(Told, st.integers(1, 8), st.sampled_from((AVAILABLE, OFF_DUTY))),
)
_marks = st.lists(_mark, max_size=12, unique=True)
tried = settings(deadline=None, max_examples=examples(200))


def works(told: Sequence[Told], upto: Micros) -> dict[str, bool]:
    """The calls at which the unit works after all that was told up to a time, and whether it has reached each."""
    live: dict[str, bool] = {}
    for at in sorted({each.at for each in told if each.at <= upto}):
        live = _after(live, sorted((each for each in told if each.at == at), key=lambda each: each.kind))
    return live


def _after(live: dict[str, bool], told: Sequence[Told]) -> dict[str, bool]:
    here = {each.call for each in told}  # nothing ends here now, but what is cleared here
    live = dict(live)
    for each in told:
        if each.call is not None and each.kind == LEFT:
            live.pop(each.call, None)
        elif each.call is not None:
            live[each.call] = live.get(each.call, False) or each.kind in (REACHED, ON_SCENE)
    if any(each.kind in _MOVES for each in told):
        live = {call: reached for call, reached in live.items() if call in here}
    for each in told:
        stacked = any(reached for call, reached in live.items() if call != each.call)
        if each.kind == OFF_DUTY or (each.kind == DISPATCHED and not stacked):
            live = {call: reached for call, reached in live.items() if call in here or reached}
    return live


def ended(told: Sequence[Told], call: str, since: Micros) -> Micros | None:
    """When work at a call ends by what is told elsewhere, before anything more is told of it there."""
    following = min((each.at for each in told if each.call == call and each.at > since), default=max(_TIMES) + 1)
    return next((at for at in range(since + 1, following) if call not in works(told, at)), None)


@tried
@given(_marks)
def test_work_stands_as_the_plain_machine_says(told: list[Told]) -> None:
    found = timeline(*told)
    for at in _TIMES:
        live = works(told, at)
        for call in (*_CALLS, None):
            expected = any(reached for each, reached in live.items() if each != call)
            assert found.stands(at, call) == expected


@tried
@given(_marks)
def test_a_unit_is_free_as_the_plain_machine_says(told: list[Told]) -> None:
    found = timeline(*told)
    for call in (*_CALLS, None):
        for at in _TIMES:
            free = (t for t in range(at, 12) if not any(r for each, r in works(told, t).items() if each != call))
            assert found.free_from(at, call) == next(free, NEVER)


@tried
@given(_marks)
def test_work_ends_as_the_plain_machine_says(told: list[Told]) -> None:
    found = timeline(*told)
    for call in _CALLS:
        points = sorted(each.at for each in told if each.call == call)
        for at in points:
            live = works(told, at)
            if call in live:
                end = found.end(call, at, live[call])
                following = min((each for each in points if each > at), default=NEVER)
                assert (end.at if end and end.at < following else None) == ended(told, call, at)


@tried
@given(_marks, _mark)
def test_all_calls_that_change_by_what_is_told_are_found(told: list[Told], new: Told) -> None:
    assume(new not in told)
    where = Whereabouts()
    for at, kind, call in told:
        where.change("U1", call, [], [(at, kind)])
    before = {call: facts(told, call) for call in _CALLS}
    leaning = where.change("U1", new.call, [], [(new.at, new.kind)])
    changed = {call for call in _CALLS if facts([*told, new], call) != before[call]}
    assert changed - {new.call} <= leaning
    assert changed - {new.call} <= where.change("U1", new.call, [(new.at, new.kind)], [])


def facts(told: Iterable[Told], call: str) -> list[tuple[object, ...]]:
    """What derivation asks about a call: how its work ends, what is stacked and from when it is shown."""
    told = list(told)
    found = timeline(*told)
    points = sorted({each.at for each in told if each.call == call})
    asked: list[tuple[object, ...]] = []
    for at, following in pairwise([*points, NEVER]):
        live = works(told, at)
        if call in live:
            end = found.end(call, at, live[call])
            over = end.at if end and end.at < following else following
            how = end if end and end.at < following else None
            asked.append((how, found.stands(at, call), min(found.free_from(at, call), over)))
    return asked


@tried
@given(_marks, st.integers(1, 8), st.integers(1, 8))
def test_calls_between_two_times_are_those_with_a_point_there(told: list[Told], begin: int, end: int) -> None:
    expected = {each.call for each in told if each.call is not None and begin <= each.at <= end}
    assert set(timeline(*told).between(begin, end)) == expected


@tried
@given(_marks, st.lists(_mark, max_size=4, unique=True))
def test_marks_put_in_and_taken_out_leave_no_trace(told: list[Told], others: list[Told]) -> None:
    where = Whereabouts()
    by_call = _by_call(told)
    for call, marks in by_call.items():
        where.change("U1", call, [], marks)
    expected = _whole(where)
    for call, marks in _by_call(others).items():
        both = [*by_call.get(call, []), *(mark for mark in marks if mark not in by_call.get(call, []))]
        where.change("U1", call, by_call.get(call, []), both)
        where.change("U1", call, both, by_call.get(call, []))
    assert _whole(where) == expected


def _by_call(told: Iterable[Told]) -> dict[str | None, list[Mark]]:
    found: dict[str | None, list[Mark]] = {}
    for at, kind, call in told:
        found.setdefault(call, []).append((at, kind))
    return found


def _whole(where: Whereabouts) -> list[tuple[Micros, int, str | None]]:
    if "U1" not in where.units:
        return []
    line = where.units["U1"]
    return sorted(zip(line._at, line._kind, line._call, strict=True), key=str)
