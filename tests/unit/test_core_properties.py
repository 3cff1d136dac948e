"""What holds for all lives: how often it is settled, what is told again, restarts and crashes do not change the numbers."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.clock import DAY, Micros, micros
from streams.core import Core
from tests.unit.examples import examples
from tests.unit.lives import NOON, Event, enter, lives, net, new_core, profile

SMALL = profile()
NOW: Micros = micros(NOON) + 13 * DAY
relaxed = settings(deadline=None, max_examples=examples(100), suppress_health_check=list(HealthCheck))


def folded(found: list[Event]) -> Core:
    """All of it at once."""
    core = new_core(SMALL)
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
