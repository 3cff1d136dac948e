"""The clock of follow-ups: each state at its second, and any sequence of changes held against a plain count of what is."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.clock import DAY, NEVER, Micros
from streams.derive.case import MISSED_FOR
from streams.entries import Case, Followup, Opening, Resolution
from streams.views.followups import RESULTS, STATES, WINDOWS, Followups, Owed
from tests.unit.examples import examples


def week(
    per: Literal["case", "person"] = "case",
    resolution: Resolution | None = None,
    at: Micros | None = None,
    opens: float = 6,
    due: float = 7,
    lapses: float = 9,
    checkpoint: str = "7d",
    team: str = "alpha",
) -> Followup:
    """Opens after six days, is due after seven, lapses after nine."""
    opens, due, lapses = (round(days * DAY) for days in (opens, due, lapses))
    return Followup(checkpoint, team, opens, due, lapses, resolution, at, 0, per)


def case(*followups: Followup, opened: float = 0, person: int | None = None, ends: float | None = 39) -> Case:
    return Case(
        state="active",
        last_said=0,
        team="alpha",
        area="north",
        opening=Opening(round(opened * DAY), "encounter", "alpha", "north", person),
        kind="encounter",
        person=person,
        followups=followups,
        ends=NEVER if ends is None else round(ends * DAY),
    )


def view(**cases: Case) -> Followups:
    found = Followups()
    for id, each in cases.items():
        found.change(id, None, each)
    return found


def states(view: Followups, now: float) -> dict[str, int]:
    return {labels[3]: n for labels, n in view.states(round(now * DAY)).items()}


def results(view: Followups, now: float, window: str = "30d") -> dict[str, int]:
    return {labels[3]: n for labels, n in view.due(round(now * DAY)).items() if labels[2] == window}


# --- one follow-up -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (0, "scheduled"),
        (6 * DAY - 1, "scheduled"),
        (6 * DAY, "open"),
        (7 * DAY - 1, "open"),
        (7 * DAY, "overdue"),
        (9 * DAY - 1, "overdue"),
        (9 * DAY, "missed"),
        (39 * DAY - 1, "missed"),
        (39 * DAY, None),
    ],
)
def test_a_state_flips_at_its_second(now: Micros, state: str | None) -> None:
    found = view(c1=case(week()))
    assert found.states(now) == ({("alpha", "north", "7d", state): 1} if state else {})
    for each in STATES:
        listed = list(found.in_state(each, now))
        assert listed == ([Owed("c1", "alpha", "north", "7d", 6 * DAY, 7 * DAY, 9 * DAY)] if each == state else [])


def test_what_is_resolved_is_in_no_state() -> None:
    assert states(view(c1=case(week(resolution="completed", at=0))), 8) == {}


def test_the_next_lapse_is_that_of_an_open_or_overdue_one() -> None:
    found = view(c1=case(week()), c2=case(week(opens=1, due=3, lapses=20)))
    assert found.next_lapse(0) == {}
    assert found.next_lapse(2 * DAY) == {("alpha",): 20 * DAY}
    assert found.next_lapse(6 * DAY) == {("alpha",): 9 * DAY}
    assert found.next_lapse(9 * DAY) == {("alpha",): 20 * DAY}
    assert found.next_lapse(20 * DAY) == {}


def test_what_fell_due_is_pending_then_missed_and_leaves_with_its_window() -> None:
    found = view(c1=case(week()))
    assert results(found, 6.9) == {}
    assert results(found, 7) == results(found, 8.9) == {"pending": 1}
    assert results(found, 9) == results(found, 36.9) == {"missed": 1}
    assert results(found, 37) == {}
    assert results(found, 14, "7d") == {}


@pytest.mark.parametrize("resolution", ["completed", "completed_late", "declined", "closed", "missed"])
def test_what_was_resolved_is_counted_by_its_due_time(resolution: Resolution) -> None:
    found = view(c1=case(week(resolution=resolution, at=0)))
    assert results(found, 6.9) == {}
    assert results(found, 7) == {resolution: 1}


def test_a_case_is_active_until_it_ends() -> None:
    found = view(c1=case(), c2=case(ends=None))
    assert found.active(39 * DAY - 1)["encounter",] == 2
    assert found.active(39 * DAY)["encounter",] == 1
    assert found.active(0)["overdose",] == 0
    closed = msgspec.structs.replace(case(ends=None), state="closed", closed=1)
    found.change("c2", case(ends=None), closed)
    assert found.active(0)["encounter",] == 1


def test_what_became_overdue_or_missed_between_two_looks() -> None:
    found = view(c1=case(week()), c2=case(week(due=9), opened=1))
    assert [each.case for each in found.became("overdue", 7 * DAY - 1, 7 * DAY)] == ["c1"]
    assert [each.case for each in found.became("overdue", 7 * DAY, 8 * DAY)] == []
    assert [each.case for each in found.became("overdue", 0, 99 * DAY)] == ["c1"]  # c2 is missed as it falls due
    assert sorted(each.case for each in found.became("missed", 8 * DAY, 9 * DAY)) == ["c1", "c2"]


# --- owed per person -----------------------------------------------------------------------------------------


def test_a_persons_newest_case_owes_the_checkpoint() -> None:
    found = view(
        c1=case(week("person"), opened=0, person=1),
        c2=case(week("person", opens=7, due=8, lapses=10), opened=1, person=1),
        c3=case(week("person", opens=8, due=9, lapses=11), opened=2, person=1),
    )
    assert [each.case for each in found.in_state("scheduled", 0)] == ["c3"]
    assert results(found, 10) == {"pending": 1}


def test_other_persons_and_checkpoints_owed_by_each_case_stay() -> None:
    found = view(
        c1=case(week("person"), week(checkpoint="1d"), person=1),
        c2=case(week("person"), opened=1, person=2),
        c3=case(week("person"), opened=1),
        c4=case(week(checkpoint="1d"), opened=2, person=1),
    )
    assert found.states(0) == {
        ("alpha", "north", "7d", "scheduled"): 3,
        ("alpha", "north", "1d", "scheduled"): 2,
    }


def test_what_was_missed_before_the_newer_case_stays_missed() -> None:
    later = week("person", opens=50, due=51, lapses=52)
    for opened, missed in ((9, {"missed": 1}), (8.9, {})):
        found = view(c1=case(week("person"), person=1), c2=case(later, opened=opened, person=1))
        assert results(found, 10) == missed


def test_what_was_done_counts_also_in_an_older_case() -> None:
    done = week("person", "completed_late", at=20 * DAY)
    found = view(c1=case(done, person=1), c2=case(week("person", opens=50, due=51, lapses=52), opened=1, person=1))
    assert results(found, 20) == {"completed_late": 1}


def test_what_was_closed_before_the_newer_case_stays_closed() -> None:
    for at, counted in ((1, {"closed": 1}), (2, {}), (3, {})):  # of one time the opening comes first
        closed = week("person", "closed", at=at * DAY)
        newer = case(week("person", opens=50, due=51, lapses=52), opened=2, person=1)
        assert results(view(c1=case(closed, person=1), c2=newer), 8) == counted


def test_as_the_newer_case_goes_the_older_owes_again() -> None:
    newer = case(week("person", opens=50, due=51, lapses=52), opened=1, person=1)
    found = view(c1=case(week("person"), person=1), c2=newer)
    assert states(found, 7) == {"scheduled": 1}
    found.change("c2", newer, None)
    assert states(found, 7) == {"overdue": 1}


# --- any sequence of changes ---------------------------------------------------------------------------------

DAYS = st.integers(0, 24).map(lambda half: half / 2)
RESOLUTIONS: list[Resolution] = ["completed", "completed_late", "declined", "closed", "missed"]
PERS: list[Literal["case", "person"]] = ["case", "person"]


@st.composite
def some_followup(draw: st.DrawFn, checkpoint: str) -> Followup:
    opens, due, lapses = sorted(draw(DAYS) for _ in range(3))
    resolution = draw(st.none() | st.sampled_from(RESOLUTIONS))
    at = None if resolution is None else round(draw(DAYS) * DAY)
    per = draw(st.sampled_from(PERS))
    return week(per, resolution, at, opens, due, lapses, checkpoint, draw(st.sampled_from(["alpha", "beta"])))


@st.composite
def some_case(draw: st.DrawFn) -> Case:
    followups = [draw(some_followup(each)) for each in draw(st.sets(st.sampled_from(["1d", "7d"])))]
    found = case(*followups, opened=draw(DAYS), person=draw(st.sampled_from([None, 1, 2])), ends=draw(DAYS))
    state = draw(st.sampled_from(["active", "closed"]))
    return msgspec.structs.replace(found, state=state, area=draw(st.sampled_from(["north", "south"])))


def counted(cases: dict[str, Case], now: Micros) -> list[tuple[str, Case, Followup]]:
    """The follow-ups that are not superseded."""

    def newer_from(id: str, each: Followup) -> Micros:
        of = cases[id]
        assert of.opening is not None
        return min(
            (
                other.opening.at
                for name, other in cases.items()
                if other.opening and (other.opening.at, name) > (of.opening.at, id) and other.person == of.person
                if any(x.checkpoint == each.checkpoint and x.per == "person" for x in other.followups)
            ),
            default=NEVER,
        )

    found = []
    for id, of in cases.items():
        for each in of.followups:
            if each.per == "person" and of.person is not None:
                ended = each.at if each.resolution == "closed" else each.lapses
                done = each.resolution in ("completed", "completed_late", "declined")
                if not done and ended is not None and ended > newer_from(id, each):
                    continue
            found.append((id, of, each))
    return found


def state_of(each: Followup, now: Micros) -> str | None:
    if each.resolution is not None or now >= each.lapses + MISSED_FOR:
        return None
    passed = [now >= time for time in (each.opens, each.due, each.lapses)]
    return STATES[sum(passed)]


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.none() | some_case(), st.booleans()), max_size=12),
    st.lists(st.integers(-1, 120).map(lambda half: half * DAY // 2), min_size=1, max_size=4),
)
def test_after_any_changes_it_says_what_a_plain_count_says(
    changes: list[tuple[str, Case | None, bool]], times: list[Micros]
) -> None:
    found, cases = Followups(), dict[str, Case]()
    for id, after, look in changes:
        found.change(id, cases.get(id), after)
        if after is None:
            cases.pop(id, None)
        else:
            cases[id] = after
        if look:
            found.states(times[0])
    for now in times:
        all = counted(cases, now)
        states = Counter((x.team, of.area, x.checkpoint, state) for _, of, x in all if (state := state_of(x, now)))
        assert found.states(now) == states
        lapses: dict[tuple[str, ...], Micros] = {}
        for _, _, x in all:
            if state_of(x, now) in ("open", "overdue"):
                lapses[x.team,] = min(lapses.get((x.team,), x.lapses), x.lapses)
        assert found.next_lapse(now) == lapses
        due: Counter[tuple[str, ...]] = Counter()
        for _, _, x in all:
            result = x.resolution or ("missed" if now >= x.lapses else "pending")
            assert result in RESULTS
            for window, length in WINDOWS.items():
                if now - length < x.due <= now:
                    due[x.team, x.checkpoint, window, result] += 1
        assert found.due(now) == due
        active = sum(of.state == "active" and now < of.ends for of in cases.values())
        assert found.active(now)["encounter",] == active
        for state in STATES:
            listed = sorted((each.case, each.checkpoint) for each in found.in_state(state, now))
            assert listed == sorted((id, x.checkpoint) for id, _, x in all if state_of(x, now) == state)
    for id in list(cases):
        found.change(id, cases.pop(id), None)
    assert not found.states(times[0])
    assert not found._owed
    assert not found._groups
    assert not found._grouped
