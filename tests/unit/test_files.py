"""Program files that applied: kept with the records by digest, so that a rebuild gives the same."""

from __future__ import annotations

import pytest

from streams.clock import DAY
from streams.core import Core
from streams.files import CURRENT, Files
from streams.programs import Profile, digest
from tests.unit.lives import TEXT, Event, enter, net, new_core, profile
from tests.unit.test_journal import LIVES, NOW, event, heartbeat, tell

OLD = profile()
RENAMED = profile(
    TEXT.replace('south = { label = "South" }', 'lower = { label = "Lower", codes = ["south"] }').replace(
        'areas = ["north", "south"]', 'areas = ["north", "lower"]'
    )
)
NO_BETA = profile("[[teams]]".join(part for part in TEXT.split("[[teams]]") if 'code = "beta"' not in part))


def key(of: Profile) -> str:
    return CURRENT + digest({of.program: of})


def lived(of: Profile = OLD, found: list[Event] = LIVES) -> dict[str, bytes]:
    core = new_core(of)
    tell(core, found, NOW)
    core.flush()
    return dict(core.records())


def restarted(of: Profile, records: dict[str, bytes], later: int = 0) -> Core:
    core = new_core(of, dict(records))
    heartbeat(core, NOW + later)
    core.flush()
    return core


def test_the_file_is_stored_with_the_first_records() -> None:
    records = lived()
    assert records[CURRENT].decode() == digest({OLD.program: OLD})
    assert {each for each in records if each.startswith(CURRENT)} == {CURRENT, key(OLD)}


def test_of_a_new_program_nothing_is_stored_before_the_clock_is_known() -> None:
    assert new_core(OLD).flush() == {}


def test_it_is_stored_once() -> None:
    core = restarted(OLD, lived())
    heartbeat(core, NOW + DAY)
    assert not any(each.startswith(CURRENT) for each in core.flush())


def test_with_the_same_file_nothing_was_before() -> None:
    files = Files(OLD, lived())
    assert files.before is None
    assert list(files.stored(NOW)) == []


def test_another_file_finds_the_one_before() -> None:
    files = Files(RENAMED, lived())
    assert files.before == OLD
    assert [each for each, _ in files.stored(0)] == []
    assert [each for each, _ in files.stored(NOW)] == [key(RENAMED)]
    assert list(files.stored(NOW)) == []


def test_all_that_ever_applied_are_kept() -> None:
    records = lived()
    for of, later in ((RENAMED, 1), (OLD, 2), (NO_BETA, 3)):
        records = dict(restarted(of, records, later).records())
    assert {each for each in records if each.startswith(CURRENT)} == {CURRENT, key(OLD), key(RENAMED), key(NO_BETA)}
    assert records[CURRENT].decode() == digest({NO_BETA.program: NO_BETA})


def test_the_text_is_stored_first_and_that_records_stand_under_it_last() -> None:
    core = new_core(RENAMED, lived(OLD, [event("r", "call_received", 7, call="C9", call_type="crisis", area="south")]))
    heartbeat(core, NOW)
    changes = list(core.flush())
    assert changes[0] == key(RENAMED)
    assert "call/C9" in changes
    assert changes[-1] == CURRENT


@pytest.mark.parametrize("new", [RENAMED, NO_BETA], ids=["renamed", "removed"])
def test_killed_after_any_record_of_the_flush_that_changes_the_file(new: Profile) -> None:
    south = {"call": "C9", "call_type": "crisis", "area": "south"}
    found = [*LIVES, event("r", "call_received", 7, **south), event("b", "unit_dispatched", 9, call="C9", unit="U7")]
    found.append(event("t", "unit_status", 3, unit="U7", team="beta", status="available"))
    records = lived(OLD, found)
    core = new_core(new, dict(records))
    heartbeat(core, NOW + DAY)
    changes = list(core.flush().items())
    expected = net(core, NOW + DAY)
    for prefix in range(len(changes) + 1):
        stored = dict(records)
        for each, packed in changes[:prefix]:
            if packed is None:
                stored.pop(each, None)
            else:
                stored[each] = packed
        again = restarted(new, stored, DAY)
        assert net(again, NOW + DAY) == expected, prefix
        assert net(new_core(new, dict(again.records())), NOW + DAY) == expected


def test_until_the_clock_is_known_the_records_stand_as_before() -> None:
    core = new_core(RENAMED, lived(OLD, [event("r", "call_received", 7, call="C9", call_type="crisis", area="south")]))
    assert ("small", "south", "crisis", "stale") in net(core, NOW)["care_calls_open"]
    heartbeat(core, NOW)
    assert ("small", "lower", "crisis", "stale") in net(core, NOW)["care_calls_open"]


def test_a_file_that_came_and_went_leaves_the_numbers_as_they_were() -> None:
    expected = net(new_core(OLD, lived()), NOW + DAY)
    records = dict(restarted(NO_BETA, lived(), DAY).records())
    back = restarted(OLD, records, DAY)
    assert net(back, NOW + DAY) == expected


def test_a_team_that_is_gone_is_retired_while_it_is_needed() -> None:
    opened = event("k", "case_opened", 7, case="K1", kind="encounter", team="beta", area="north")
    core = restarted(NO_BETA, lived(OLD, [opened]))
    assert core.files.retired.teams == ("beta",)
    assert net(core, NOW)["care_followups"] == {("small", "beta", "north", "7d", "scheduled"): 1}
    later = enter(event("o", "outreach_attempted", 8, case="K1", located=True), NOW)
    core.apply(later.event, NOW, later.at)
    core.flush()
    again = new_core(NO_BETA, dict(core.records()))
    assert again.files.retired.teams == ("beta",)
    heartbeat(again, NOW + 100 * DAY)
    for _ in range(2):
        again.flush()
    assert new_core(NO_BETA, dict(again.records())).files.retired.teams == ()
