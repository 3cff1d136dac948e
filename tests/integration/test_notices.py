"""Notices on a real broker: at their second, once each, through restarts and kill -9."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from streams.events import CaseOpened, FollowupAttempted, UnitStatus
from tests.integration.harness import QUICK, Broker, Site, eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow]

#: A program that works and plans a unit at all times.
PROGRAM = """
program = "always"
name = "Always on duty"
timezone = "America/Chicago"
triages = true
followup_outcomes = ["services"]
areas = { east = { label = "East" } }
call_types = { check = { label = "Check" } }
outcomes = { services = { label = "Services" } }
[[teams]]
code = "crew"
label = "Crew"
areas = ["east"]
hours = [{ days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from = 00:00:00, until = 00:00:00 }]
staffing = [{ days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from = 00:00:00, until = 00:00:00, units = 1 }]
followups = [{ id = "1d", kinds = ["encounter"], opens = "12h", due = "24h", lapses = "48h" }]
"""


@pytest.fixture
def always(kafka: Broker, tmp_path: Path) -> Iterator[Site]:
    """A site with the program that is always on duty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "always.toml").write_text(PROGRAM)
    settings = QUICK | {"PROGRAMS": str(folder), "STAFFING_GAP": "2"}
    with Site(kafka.bootstrap, tmp_path, settings) as site:
        yield site


def notices(site: Site) -> list[dict[str, Any]]:
    """All notices so far."""
    records = site.records(f"{site.prefix}notices")
    assert all(record.key == b"always" for record in records)
    return [json.loads(record.value or b"") for record in records]


def told(site: Site, kind: str, cases: list[str]) -> list[dict[str, Any]]:
    """Notices of a type, once all of these cases have one."""

    def all_there() -> list[dict[str, Any]] | None:
        found = [notice for notice in notices(site) if notice["type"] == kind]
        return found if set(cases) <= {notice["case"] for notice in found} else None

    return eventually(all_there, f"{kind} of {cases}", timeout=60)


def case(name: str, opened: datetime) -> CaseOpened:
    """A case that opened then."""
    return CaseOpened(
        id=f"o-{name}", program="always", at=opened, case=name, kind="encounter", team="crew", area="east"
    )


def test_said_at_their_second_and_once(always: Site) -> None:
    worker = always.worker().ready()
    due = datetime.now(UTC) + timedelta(seconds=4)
    always.send([case("k1", due - timedelta(hours=24)), case("k2", due - timedelta(hours=48)), case("k3", due)])
    (missed,) = told(always, "followup_missed", ["k2"])
    overdue = {notice["case"]: notice for notice in told(always, "followup_overdue", ["k1", "k2"])}
    assert (datetime.now(UTC) - due).total_seconds() < 10
    assert [datetime.fromisoformat(one["at"]) for one in (missed, overdue["k1"])] == [due, due]
    assert {name for name in overdue["k1"] if name not in missed} == set()
    assert set(missed) == {"id", "type", "program", "at", "case", "team", "area", "followup", "due", "lapses"}
    assert worker.total("care_followups", program="always", state="missed") == 1
    assert worker.total("care_followups", program="always", state="overdue") == 1
    # late, and already done: nothing to say
    done = FollowupAttempted(
        id="a-k4", program="always", at=datetime.now(UTC), case="k4", followup="1d", result="completed"
    )
    always.send([done, case("k4", due - timedelta(hours=30)), case("k5", due - timedelta(hours=30))])
    told(always, "followup_overdue", ["k5"])
    assert worker.get("/api/followups")[0] == 401  # no token is set
    assert worker.end() == 0
    again = always.worker().ready()
    always.send([case("k6", due - timedelta(hours=31))])
    told(always, "followup_overdue", ["k6"])
    found = notices(always)
    assert {notice["case"] for notice in found if "case" in notice} == {"k1", "k2", "k5", "k6"}
    assert set(Counter(notice["id"] for notice in found).values()) == {1}
    always.verify([again])


def test_kill_9_in_the_middle_of_lapses(always: Site) -> None:
    worker = always.worker().ready()
    first = datetime.now(UTC) + timedelta(seconds=3)
    cases = {f"k{n}": first + timedelta(seconds=n) for n in range(12)}
    always.send([case(name, lapses - timedelta(hours=48)) for name, lapses in cases.items()])
    told(always, "followup_missed", ["k1", "k2"])
    worker.kill()
    worker = always.worker()
    told(always, "followup_missed", ["k6"])
    worker.kill()
    worker = always.worker()
    missed = told(always, "followup_missed", list(cases))
    assert {notice["case"]: datetime.fromisoformat(notice["at"]) for notice in missed} == cases
    assert len({notice["id"] for notice in missed}) == len(cases)  # a repeat has the same id
    always.verify([worker.ready()])


def test_a_staffing_gap_opens_and_closes(always: Site) -> None:
    always.worker().ready()
    began = datetime.now(UTC)
    unit = partial(UnitStatus, program="always", unit="U1", team="crew")
    always.send([unit(id="s1", at=began - timedelta(hours=1), status="available")])
    always.send([unit(id="s2", at=began, status="off_duty")])

    def gap(kind: str) -> dict[str, Any]:
        found = eventually(lambda: [n for n in notices(always) if n["type"] == f"staffing_gap_{kind}"], kind)
        assert len(found) == 1
        return dict(found[0])

    opened = gap("opened")
    assert datetime.fromisoformat(opened["at"]) == began
    assert (opened["team"], opened["planned"], opened["on_duty"]) == ("crew", 1, 0)
    back = datetime.now(UTC)
    always.send([unit(id="s3", at=back, status="available")])
    closed = gap("closed")
    assert datetime.fromisoformat(closed["at"]) == back
    assert (closed["planned"], closed["on_duty"]) == (1, 1)
