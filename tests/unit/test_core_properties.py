"""What holds for all lives: how often it is settled, what is told again, restarts and crashes do not change the numbers."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.catalogue.program import PROGRAM
from streams.clock import DAY, Micros, micros
from streams.core import Core
from streams.programs import Profile
from tests.unit.examples import examples
from tests.unit.lives import NOON, TEXT, Event, Numbers, enter, lives, net, new_core, profile

SMALL = profile()
NOW: Micros = micros(NOON) + 13 * DAY
relaxed = settings(deadline=None, max_examples=examples(60), suppress_health_check=list(HealthCheck))


HEARTBEAT = enter({"id": "h", "type": "heartbeat", "program": "small", "at": NOON.isoformat(), "topic": "status"}, NOW)


def folded(found: list[Event], of: Profile = SMALL) -> Core:
    """All of it at once."""
    core = new_core(of)
    for each in found:
        event, at = enter(each, NOW)
        core.apply(event, NOW, at)
    core.flush()
    return core


@relaxed
@given(lives(), st.data())
def test_numbers_do_not_depend_on_groups_and_restarts(found: list[Event], data: st.DataObject) -> None:
    expected = net(folded(found), NOW)
    core = new_core(SMALL)
    for each in found:
        event, at = enter(each, NOW)
        core.apply(event, NOW, at)
        how = data.draw(st.sampled_from(("goes on", "flushed", "read", "restarted")))
        if how == "read":
            net(core, NOW)
        elif how == "flushed":
            core.flush()
        elif how == "restarted":
            core.flush()
            core = new_core(SMALL, dict(core.records()))
    assert net(core, NOW) == expected
    core.flush()
    assert net(new_core(SMALL, dict(core.records())), NOW) == expected


@relaxed
@given(lives(), st.data())
def test_numbers_survive_a_crash_in_the_middle_of_a_flush(found: list[Event], data: st.DataObject) -> None:
    expected = net(folded(found), NOW)
    stored: dict[str, bytes] = {}
    core = new_core(SMALL)
    acknowledged = 0
    for number, each in enumerate(found):
        event, at = enter(each, NOW)
        core.apply(event, NOW, at)
        if data.draw(st.booleans()):
            continue
        changes: list[tuple[str, Any]] = list(core.flush().items())
        crash = data.draw(st.booleans())
        for key, packed in changes[: data.draw(st.integers(0, len(changes)))] if crash else changes:
            if packed is None:
                stored.pop(key, None)
            else:
                stored[key] = packed
        if crash:
            core = new_core(SMALL, dict(stored))
            for again in found[acknowledged : number + 1]:
                event, at = enter(again, NOW)
                core.apply(event, NOW, at)
            core.flush()
            stored = dict(core.records())
        acknowledged = number + 1
    assert net(core, NOW) == expected


#: Codes that are mapped now, an alias more, another agency, other hours, targets and plans.
OTHER_TEXT = (
    TEXT.replace('codes = ["n"]', 'codes = ["n", "nowhere"]')
    .replace('codes = ["svc"]', 'codes = ["svc", "odd"]')
    .replace('codes = ["welfare"]', 'codes = ["welfare", "odd"]')
    .replace('codes = ["A-TEAM"]', 'codes = ["A-TEAM", "gamma"]')
    .replace('aliases = ["Medic 1"]', 'aliases = ["Medic 1", "U2"]')
    .replace('P1 = { agency = "police" }', "")
    .replace("until = 16:00:00", "until = 12:10:00")
    .replace('due = "24h"', 'due = "20h"')
    .replace('received_to_on_scene = "30min"', 'received_to_on_scene = "10min"')
)


@relaxed
@given(lives(), st.integers(0, 25))
def test_a_changed_program_file_applies_to_all_that_is_kept(found: list[Event], where: int) -> None:
    expected = net(folded(found, profile(OTHER_TEXT)), NOW)
    core = new_core(SMALL)
    for number, each in enumerate(found):
        if number == where:
            core.flush()
            core = new_core(profile(OTHER_TEXT), dict(core.records()))
        event, at = enter(each, NOW)
        core.apply(event, NOW, at)
    core.flush()
    if where >= len(found):
        core = new_core(profile(OTHER_TEXT), dict(core.records()))
        core.apply(HEARTBEAT.event, NOW, HEARTBEAT.at)
    assert net(core, NOW) == expected
    core.flush()
    assert net(new_core(profile(OTHER_TEXT), dict(core.records())), NOW) == expected


@relaxed
@given(lives(), st.lists(st.sampled_from((3, 8, 40, 47)), min_size=1, max_size=4), st.booleans())
def test_what_is_archived_still_counts(found: list[Event], days: list[int], restarted: bool) -> None:
    core = folded(found)
    now = NOW
    for passed in days:
        now += passed * DAY
        core.apply(HEARTBEAT.event, now, HEARTBEAT.at)
        for _ in range(2):
            core.flush()
            if restarted:
                core = new_core(SMALL, dict(core.records()))
    kept = folded(found)
    assert counters(core, now) == counters(kept, now)
    for each in found:  # sent again: nothing changes
        event, at = enter(each, now)
        core.apply(event, now, at)
    core.flush()
    assert counters(core, now) == counters(kept, now)


def counters(core: Core, now: Micros) -> Numbers:
    """Counters and histograms, net."""
    return {name: values for name, values in net(core, now).items() if PROGRAM[name].kind != "gauge"}
