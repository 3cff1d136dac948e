"""Small cases of everyday work and the numbers that must come out of them.

The events are in `tests/data/cases`; what their README says is added to them ("edits") is added here. A question is put at
a time, with the events that have come by then. It names a number, some of its labels and what must come out: the sum over
all samples that have these labels, or for a histogram the seconds that were observed. Numbers are net of corrections.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Event = dict[str, Any]
Edit = Callable[[list[Event]], list[Event]]

FOLDER = Path(__file__).parent / "data" / "cases"
PROGRAMS = Path(__file__).parent.parent / "programs"


@dataclass(frozen=True)
class Question:
    metric: str
    labels: dict[str, str]
    at: str
    expected: float | tuple[float, ...]


@dataclass(frozen=True)
class Case:
    """`variant`: what is different from the events as they are, in a few words. `program`: changes (old, new) in the text
    of the program file; an empty old adds to its end. `borrowed`: the case whose program file this one takes.
    """

    name: str
    questions: tuple[Question, ...]
    edits: tuple[Edit, ...] = ()
    variant: str = ""
    program: tuple[tuple[str, str], ...] = ()
    borrowed: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.variant}".strip()

    def events(self) -> list[tuple[Event, datetime]]:
        """Events and when they come, in the order of the log."""
        lines = (FOLDER / self.name / "events.jsonl").read_text(encoding="utf-8").splitlines()
        events: list[Event] = [json.loads(line) for line in lines]
        for edit in self.edits:
            events = edit(events)
        found = []
        for event in events:
            came = moment(event.pop("_arrives", event["at"]))
            found.append((event, came))
        return found

    def texts(self) -> list[str]:
        """The program files that hold one after the other; mostly one."""
        folder = FOLDER / (self.borrowed or self.name)
        files = [
            file
            for part in ("programs-before", "programs-after", "programs")
            for file in sorted((folder / part).glob("*.toml"))
        ]
        if not files:
            files = [PROGRAMS / f"{self.events()[0][0]['program']}.toml"]
        texts = []
        for file in files:
            text = file.read_text(encoding="utf-8")
            for old, new in self.program:
                assert old in text, old
                text = text.replace(old, new) if old else text + new
            texts.append(text)
        return texts


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# Edits


def told(id: str, /, **fields: Any) -> Edit:
    """The event with this id tells more, or something else."""

    def edit(events: list[Event]) -> list[Event]:
        assert any(event["id"] == id for event in events)
        return [event | fields if event["id"] == id else event for event in events]

    return edit


def replaced(id: str, /, **event: Any) -> Edit:
    """Another event in the place of the one with this id, of the same program and time."""

    def edit(events: list[Event]) -> list[Event]:
        old = next(event for event in events if event["id"] == id)
        kept = {name: old[name] for name in ("id", "program", "at")}
        return [kept | event if other is old else other for other in events]

    return edit


def added(**event: Any) -> Edit:
    """One more event of the same program, told after the others."""
    return lambda events: [*events, {"program": events[0]["program"]} | event]


# Questions: shown on the clock of the case


@dataclass(frozen=True)
class Clock:
    """Times of one day of a case: `at("13:05")`."""

    day: str
    offset: str

    def __call__(self, time: str) -> str:
        return f"{self.day}T{time if len(time) > 5 else time + ':00'}{self.offset}"


SEATTLE = Clock("2026-03-04", "-08:00")
CHICAGO = Clock("2026-03-04", "-06:00")


def ask(at: str, metric: str, expected: float | tuple[float, ...], /, **labels: str) -> Question:
    return Question(metric, labels, at, expected)


def stages(at: str, /, **expected: int) -> tuple[Question, ...]:
    """How many calls are open, and in these stages."""
    each = [ask(at, "care_calls_open", number, stage=stage) for stage, number in expected.items()]
    return (*each, ask(at, "care_calls_open", sum(expected.values())))


def interval(at: str, name: str, *seconds: float, **labels: str) -> Question:
    return ask(at, "care_call_interval_seconds", seconds, interval=name, **labels)


def no_waits_counted(at: str) -> tuple[Question, ...]:
    names = ("received_to_dispatched", "received_to_on_scene", "eligible_to_dispatched", "eligible_to_on_scene")
    return tuple(interval(at, name) for name in (*names, "received_to_contact"))


def result(at: str, name: str) -> tuple[Question, ...]:
    """One call has this result, and no other call has any."""
    return ask(at, "care_demand_total", 1, result=name), ask(at, "care_demand_total", 1)


OLDEST = "care_call_oldest_waiting_timestamp_seconds"
PAST = "care_calls_over_target"
ONCE_A_PERSON = ('lapses = "14d" }', 'lapses = "14d", per = "person" }')
TWO_CHECKPOINTS = (
    'lapses = "14d" },',
    'lapses = "14d" },\n  { id = "30d", kinds = ["case_management"], opens = "28d", due = "30d", lapses = "40d" },',
)


def unit_named(name: str, *aliases: str) -> tuple[tuple[str, str], ...]:
    listed = ", ".join(f'"{alias}"' for alias in aliases)
    return (("", f'\n[units]\n"{name}" = {{ aliases = [{listed}], agency = "care", team = "ccr" }}\n'),)


def _case_01() -> Case:
    at = SEATTLE
    waiting = [
        question
        for time in ("14:00:30", "14:05:00", "14:09:59")
        for question in (*stages(at(time), wrapping_up=1, waiting=0), ask(at(time), OLDEST, 0), ask(at(time), PAST, 0))
    ]
    return Case(
        "01-cleared-not-closed",
        (
            *waiting,
            *stages(at("13:00:30"), waiting=1),
            *stages(at("13:02:30"), dispatched=1),
            *stages(at("13:03:00"), en_route=1),
            *stages(at("13:10:00"), on_scene=1),
            *stages(at("14:10:00")),
            ask(at("14:10:00"), "care_calls_closed_total", 1, team="ccr", area="downtown", outcome="services"),
        ),
    )


def _case_46() -> Case:
    clock = "2026-11-01T{}"
    times = ("00:00:00-05:00", "01:30:00-05:00", "01:30:00-06:00", "23:59:59-06:00")
    end = "2026-11-02T00:05:00-06:00"
    week = "care_demand_hour_of_week"
    return Case(
        "46-round-the-clock",
        (
            *(ask(clock.format(time), "care_team_open", 1, team="crt") for time in times),
            *(ask(clock.format(time), "care_calls_open", 0, stage="outside_hours") for time in times),
            ask(end, "care_calls_received_total", 5, area="east"),
            ask(end, "care_demand_total", 0, result="outside_hours"),
            ask(end, "care_demand_total", 5),
            ask(end, week, 2, day="sun", hour="00", result="unmet"),
            ask(end, week, 2, day="sun", hour="01", result="unmet"),
            ask(end, week, 1, day="sun", hour="23", result="unmet"),
            ask(end, week, 5),
        ),
    )


CASES: tuple[Case, ...] = (
    _case_01(),
    Case(
        "02-closed-before-cleared",
        (
            interval(SEATTLE("14:01"), "on_scene_to_cleared", 3005),
            ask(SEATTLE("14:01"), "care_police_involvement_total", 1, involvement="released"),
            ask(SEATTLE("14:01"), "care_police_involvement_total", 1),
            ask(SEATTLE("14:01"), "care_police_freed_seconds_total", 2705),
            ask(SEATTLE("14:00"), "care_police_involvement_total", 1, involvement="unknown"),
            ask(SEATTLE("14:01"), "care_calls_reopened_total", 0),
        ),
    ),
    Case(
        "03-self-initiated-zero",
        (
            *result(SEATTLE("13:30"), "served"),
            *no_waits_counted(SEATTLE("13:30")),
            interval(SEATTLE("13:30"), "dispatched_to_on_scene", 0),
            ask(SEATTLE("13:30"), "care_interval_disorder_total", 0),
        ),
    ),
    Case(
        "04-becomes-care-later",
        (
            *stages(SEATTLE("13:20")),
            *stages(SEATTLE("13:41"), with_others=1),
            ask(SEATTLE("13:39:59"), OLDEST, 0),
            ask(SEATTLE("13:41"), OLDEST, moment(SEATTLE("13:40")).timestamp(), area="downtown"),
            *(ask(SEATTLE(time), PAST, 0) for time in ("13:20", "13:39:59", "13:41:59", "13:49:59", "14:00")),
            interval(SEATTLE("14:10"), "eligible_to_dispatched", 120),
            interval(SEATTLE("14:10"), "eligible_to_on_scene", 600),
            *result(SEATTLE("14:10"), "served"),
        ),
    ),
    Case(
        "05-scheduled-call",
        (
            *stages(SEATTLE("13:30"), scheduled=1),
            *stages(SEATTLE("16:59:59"), scheduled=1),
            ask(SEATTLE("16:59:59"), OLDEST, 0),
            ask(SEATTLE("16:59:59"), PAST, 0),
            *stages(SEATTLE("17:05"), dispatched=1),
            *result(SEATTLE("17:40"), "served"),
            *no_waits_counted(SEATTLE("17:40")),
        ),
        (told("e02", scheduled_for=SEATTLE("17:00")),),
    ),
    Case(
        "06-staged",
        (
            *stages(SEATTLE("13:20"), staged=1),
            interval(SEATTLE("14:00"), "en_route_to_staged", 300),
            interval(SEATTLE("14:00"), "staged_to_on_scene", 1620),
            interval(SEATTLE("14:00"), "en_route_to_on_scene"),
        ),
    ),
    Case(
        "07-false-arrival-corrected",
        (
            interval(SEATTLE("13:05"), "received_to_on_scene", 240),
            interval(SEATTLE("13:40"), "received_to_on_scene", 1080),
        ),
        (told("e05-corrected", id="e06"),),
    ),
    Case(
        "09-wrong-unit-removed",
        (
            *stages(SEATTLE("13:01:15"), dispatched=1),
            *stages(SEATTLE("13:02"), waiting=1),
            ask(SEATTLE("13:02"), OLDEST, moment(SEATTLE("13:00")).timestamp(), area="downtown"),
            ask(SEATTLE("13:03"), PAST, 0),
            ask(SEATTLE("13:05"), PAST, 1, area="downtown", interval="received_to_dispatched"),
            *stages(SEATTLE("13:10"), dispatched=1),
            ask(SEATTLE("13:10"), PAST, 0),
        ),
    ),
    Case(
        "09-wrong-unit-removed",
        (
            *stages(SEATTLE("13:02"), waiting=1),
            interval(SEATTLE("13:40"), "received_to_dispatched", 600),
        ),
        (replaced("e06", type="withdrawn", call="A1", of="e05"),),
        "withdrawn",
    ),
    Case(
        "11-one-person-three-calls",
        (
            ask("2026-03-10T12:00:00-07:00", "care_followups", 1, followup="7d", state="open"),
            ask("2026-03-10T12:00:00-07:00", "care_followups", 1),
            ask("2026-03-10T12:00:00-07:00", "care_followups_due", 0),
            ask("2026-03-11T14:00:00-07:00", "care_followups_due", 1, window="7d", result="pending"),
            ask("2026-03-11T14:00:00-07:00", "care_followups_due", 1, window="7d"),
            ask("2026-03-10T12:00:00-07:00", "care_cases_active", 3, kind="encounter"),
            ask("2026-03-10T12:00:00-07:00", "care_people_served", 1),
            ask("2026-03-10T12:00:00-07:00", "care_people_repeat", 1, window="30d"),
            ask("2026-03-02T14:00:00-08:00", "care_people_repeat", 0),
        ),
        program=(ONCE_A_PERSON,),
    ),
    Case(
        "12-refuses-later-contact",
        (
            ask("2026-03-06T12:00:00-06:00", "care_followups", 1, team="art", followup="7d", state="scheduled"),
            ask("2026-03-06T12:00:00-06:00", "care_followups", 1, team="art", followup="30d", state="scheduled"),
            ask("2026-03-06T12:00:00-06:00", "care_followups", 2),
            ask("2026-03-06T12:00:00-06:00", "care_followups_due", 1, followup="1d", window="7d", result="declined"),
            ask("2026-03-06T12:00:00-06:00", "care_cases_active", 1),
        ),
    ),
    Case(
        "12-refuses-later-contact",
        (
            ask("2026-03-06T12:00:00-06:00", "care_followups", 0),
            ask("2026-03-06T12:00:00-06:00", "care_cases_active", 0),
            ask("2026-03-12T12:00:00-05:00", "care_followups_due", 1, followup="7d", window="7d", result="closed"),
        ),
        (added(id="e07", type="case_closed", at="2026-03-05T11:05:00-06:00", case="A1", reason="declined_all"),),
        "declined all",
    ),
    Case(
        "13-two-people-one-call",
        (
            ask(SEATTLE("14:00"), "care_cases_active", 2, kind="encounter"),
            ask(SEATTLE("14:00"), "care_people_served", 2),
            ask(SEATTLE("14:00"), "care_calls_received_total", 1),
            ask(SEATTLE("14:00"), "care_calls_closed_total", 1),
        ),
    ),
    Case(
        "14-new-outcome-code",
        (
            ask(SEATTLE("14:00"), "care_calls_closed_total", 1, outcome="other"),
            ask(SEATTLE("14:00"), "care_cases_active", 0),
            ask(SEATTLE("15:00"), "care_calls_closed_total", 1, outcome="services"),
            ask(SEATTLE("15:00"), "care_calls_closed_total", 1),
            ask(SEATTLE("15:00"), "care_cases_active", 1),
            ask(SEATTLE("15:00"), "care_followups", 1, followup="7d", state="scheduled"),
        ),
    ),
    Case(
        "15-two-names",
        (
            *stages(SEATTLE("13:05"), dispatched=1),
            interval(SEATTLE("13:05"), "received_to_dispatched", 120, team="ccr"),
            ask(SEATTLE("13:20"), "care_units", 1, team="ccr", status="on_scene"),
            ask(SEATTLE("13:20"), "care_units", 1),
            interval(SEATTLE("13:20"), "received_to_on_scene", 600, team="ccr"),
        ),
        program=unit_named("CR01", "CARE-1"),
    ),
    Case(
        "16-crew-swaps-vehicle",
        (
            ask(SEATTLE("15:00"), "care_units", 2, status="available"),
            ask("2026-03-05T03:59:59-08:00", "care_units_stale", 0),
            ask("2026-03-05T04:00:00-08:00", "care_units_stale", 1, team="ccr"),
            ask("2026-03-05T04:00:00-08:00", "care_units", 1),
        ),
    ),
    Case(
        "16-crew-swaps-vehicle",
        (
            ask(SEATTLE("15:00"), "care_units", 1, status="available"),
            ask(SEATTLE("15:00"), "care_units", 1),
            ask("2026-03-05T04:00:00-08:00", "care_units_stale", 0),
            ask(SEATTLE("15:00"), "care_unit_seconds_total", 10_800, team="ccr", status="available"),
        ),
        variant="alias",
        program=unit_named("M2", "M1"),
    ),
    Case(
        "16-crew-swaps-vehicle",
        (
            ask(SEATTLE("15:00"), "care_units", 1, status="available"),
            ask(SEATTLE("15:00"), "care_units", 1, status="off_duty"),
            ask("2026-03-06T12:00:00-08:00", "care_units_stale", 1),
        ),
        (added(id="e03", type="unit_status", at=SEATTLE("14:00"), unit="M1", team="ccr", status="off_duty"),),
        "off duty",
    ),
    Case(
        "17-clock-ahead",
        (
            ask(SEATTLE("13:10"), "care_units", 1, status="on_scene"),
            ask(SEATTLE("13:20"), "care_units", 1, status="on_scene"),
            ask(SEATTLE("13:20"), "care_units", 1),
            ask(SEATTLE("13:20"), "care_unit_seconds_total", 660, status="on_scene"),
            ask(SEATTLE("13:20"), "care_unit_seconds_total", 420, status="available"),
        ),
    ),
    Case(
        "18-shift-ends-on-scene",
        (
            *stages(SEATTLE("22:30"), on_scene=1),
            ask(SEATTLE("22:30"), "care_units", 1, status="on_scene"),
            ask(SEATTLE("22:30"), "care_units", 1),
            ask(SEATTLE("22:40"), "care_units", 1, status="off_duty"),
            ask(SEATTLE("23:00"), "care_unit_seconds_total", 3000, status="on_scene"),
            ask(SEATTLE("23:00"), "care_unit_seconds_total", 1200, status="off_duty"),
        ),
    ),
    Case("19-out-of-service", result(SEATTLE("13:30"), "out_of_service")),
    Case(
        "20-received-before-opening",
        (
            *stages(SEATTLE("11:59"), outside_hours=1),
            *stages(SEATTLE("12:00"), waiting=1),
            *result(SEATTLE("12:20"), "outside_hours"),
        ),
    ),
    Case(
        "21-calls-back",
        (
            ask(SEATTLE("13:40"), "care_calls_received_total", 1),
            ask(SEATTLE("13:21"), OLDEST, moment(SEATTLE("13:00")).timestamp()),
            interval(SEATTLE("13:40"), "received_to_dispatched", 1320),
        ),
    ),
    Case(
        "23-report-filed-after-close",
        (
            ask(SEATTLE("15:00"), "care_use_of_force_total", 1, level="2"),
            ask(SEATTLE("15:00"), "care_referrals_total", 1, service="housing"),
            ask(SEATTLE("15:00"), "care_calls_with_referral_total", 1, area="downtown"),
            ask(SEATTLE("15:00"), "care_needles_collected_total", 7, area="downtown"),
        ),
    ),
    Case(
        "24-arrival-told-late",
        (
            *result(SEATTLE("13:50"), "unknown"),
            *result(SEATTLE("13:51"), "served"),
            interval(SEATTLE("13:51"), "received_to_on_scene", 600),
        ),
    ),
    Case(
        "27-case-reopened",
        (
            ask("2026-03-06T10:00:00-08:00", "care_cases_active", 0),
            ask("2026-03-20T10:00:00-07:00", "care_cases_active", 1, kind="case_management"),
            ask("2026-03-20T10:00:00-07:00", "care_followups_due", 1, followup="7d", window="30d", result="closed"),
            ask("2026-03-20T10:00:00-07:00", "care_followups", 1, followup="30d", state="scheduled"),
            ask("2026-03-20T10:00:00-07:00", "care_followups", 1),
            ask("2026-04-01T12:00:00-07:00", "care_followups", 1, followup="30d", state="open"),
        ),
        (replaced("e03", type="case_reopened", case="K1"),),
        program=(TWO_CHECKPOINTS,),
    ),
    Case(
        "29-case-handed-over",
        (
            ask("2026-03-03T10:59:59-06:00", "care_followups", 2, team="art"),
            ask("2026-03-03T12:00:00-06:00", "care_followups", 2, team="mdrt"),
            ask("2026-03-03T12:00:00-06:00", "care_followups", 2),
            ask("2026-03-03T12:00:00-06:00", "care_followup_attempts_total", 1, team="art", followup="1d"),
            ask(
                "2026-03-03T12:00:00-06:00",
                "care_followups_due",
                1,
                team="art",
                followup="1d",
                window="7d",
                result="completed",
            ),
        ),
        (
            replaced("e02", type="case_transferred", case="K1", team="mdrt"),
            added(
                id="e03",
                type="followup_attempted",
                at="2026-03-03T10:00:00-06:00",
                case="K1",
                followup="1d",
                result="completed",
            ),
        ),
    ),
    Case(
        "31-transfer-between-programs-a",
        (
            ask(SEATTLE("13:10"), "care_calls_received_total", 1, area="downtown"),
            *result(SEATTLE("13:10"), "handled_by_other"),
        ),
    ),
    Case(
        "33-midnight",
        (
            ask("2026-03-04T23:59:59-08:00", "care_calls_today", 0),
            ask("2026-03-05T00:30:00-08:00", "care_calls_today", 1, team="ccr", outcome="services"),
            ask("2026-03-06T00:00:00-08:00", "care_calls_today", 0),
            ask("2026-03-05T00:30:00-08:00", "care_demand_hour_of_week", 1, day="wed", hour="21", result="served"),
        ),
    ),
    Case(
        "34-fall-back",
        (
            interval("2026-11-01T02:00:00-08:00", "received_to_dispatched", 1200),
            interval("2026-11-01T02:00:00-08:00", "received_to_on_scene", 2400),
        ),
    ),
    Case(
        "35-on-two-calls",
        (
            ask(SEATTLE("13:30"), "care_calls_open", 1, area="downtown", stage="on_scene"),
            ask(SEATTLE("13:30"), "care_calls_open", 1, area="sodo", stage="waiting"),
            ask(SEATTLE("13:40"), "care_calls_open", 1, area="downtown", stage="wrapping_up"),
            ask(SEATTLE("13:40"), "care_calls_open", 1, area="sodo", stage="on_scene"),
            ask(SEATTLE("13:40"), "care_units_diverted_total", 0),
            ask(SEATTLE("13:40"), "care_data_quality_total", 1, problem="unit_on_two_scenes"),
        ),
    ),
    Case("38-gave-up-waiting", result(SEATTLE("16:00"), "cancelled")),
    Case(
        "39-team-change",
        (
            ask(CHICAGO("13:40"), "care_calls_closed_total", 1, team="art"),
            ask(CHICAGO("13:40"), "care_calls_closed_total", 1),
        ),
    ),
    Case("40-cancelled-en-route", result(SEATTLE("13:12"), "handled_by_other")),
    Case(
        "42-future-target",
        (
            ask("2026-11-20T13:12:00-06:00", PAST, 0),
            ask("2026-11-20T13:30:00-06:00", PAST, 0),
            ask("2026-11-20T13:30:01-06:00", PAST, 1, area="east", interval="received_to_on_scene"),
            ask("2026-11-20T13:12:00-06:00", "care_interval_target_seconds", 1800, team="crt"),
        ),
    ),
    Case(
        "43-area-moved-between-teams",
        (
            *stages("2026-07-15T13:12:00-05:00", waiting=1),
            ask("2026-07-15T13:12:00-05:00", PAST, 0),
            ask("2026-07-15T13:40:00-05:00", PAST, 0),
            ask("2026-07-15T13:40:01-05:00", PAST, 1, area="east", interval="received_to_on_scene"),
        ),
    ),
    _case_46(),
    Case(
        "48-no-arrival-stamp",
        (
            *stages(SEATTLE("13:30"), on_scene=1),
            *(ask(SEATTLE(time), PAST, 0) for time in ("13:13", "13:16", "13:30", "13:50")),
            *stages(SEATTLE("13:50"), transporting=1),
            *result(SEATTLE("14:00"), "served"),
            ask(SEATTLE("14:00"), "care_transports_total", 1, team="ccr", destination="shelter"),
            ask(SEATTLE("14:00"), "care_transports_total", 1),
        ),
    ),
    Case(
        "49-no-en-route",
        (
            ask("2026-07-15T13:05:00-05:00", PAST, 1, area="east", interval="dispatched_to_en_route"),
            ask("2026-07-15T13:10:00-05:00", PAST, 0, interval="dispatched_to_en_route"),
            ask("2026-07-15T13:13:00-05:00", PAST, 0),
            ask("2026-07-15T13:30:00-05:00", PAST, 0),
        ),
    ),
    Case(
        "51-same-id-changed-content",
        (
            ask(SEATTLE("14:00"), "care_calls_closed_total", 1, outcome="no_contact"),
            ask(SEATTLE("14:00"), "care_cases_active", 0),
            ask(SEATTLE("15:00"), "care_calls_closed_total", 1, outcome="services"),
            ask(SEATTLE("15:00"), "care_calls_closed_total", 1),
            ask(SEATTLE("15:00"), "care_cases_active", 1, kind="encounter"),
        ),
    ),
    Case(
        "52-area-renamed",
        (
            ask("2026-07-15T13:05:00-05:00", "care_calls_open", 1, area="east_side", stage="waiting"),
            ask("2026-07-15T13:05:00-05:00", "care_calls_open", 1),
            ask("2026-07-15T13:05:00-05:00", "care_calls_received_total", 2, area="east_side"),
            ask("2026-07-15T13:05:00-05:00", "care_calls_received_total", 2),
            ask("2026-07-15T13:05:00-05:00", "care_calls_closed_total", 1, area="east_side"),
            ask("2026-07-15T13:05:00-05:00", "care_unmapped_values_total", 0, field="area"),
        ),
    ),
    Case(
        "53-team-removed",
        (
            ask("2026-07-20T14:00:00-05:00", "care_followups", 1, team="art", followup="7d", state="open"),
            ask("2026-07-20T14:00:00-05:00", "care_followups", 1),
            ask("2026-07-23T14:00:00-05:00", "care_followups", 1, team="art", followup="7d", state="overdue"),
        ),
    ),
    Case(
        "55-sent-again-after-45-days",
        (
            ask("2026-05-01T12:02:00-05:00", "care_calls_received_total", 1, area="east"),
            ask("2026-05-01T12:02:00-05:00", "care_calls_closed_total", 1),
            *result("2026-05-01T12:02:00-05:00", "served"),
            interval("2026-05-01T12:02:00-05:00", "received_to_on_scene", 600),
        ),
        borrowed="46-round-the-clock",
    ),
    Case(
        "57-declined-then-accepted",
        (
            ask("2026-03-09T12:00:00-07:00", "care_followups", 0),
            ask("2026-03-11T10:00:00-07:00", "care_followups_due", 1, followup="7d", window="7d", result="completed"),
            ask("2026-03-11T10:00:00-07:00", "care_followups_due", 1, window="7d"),
            ask("2026-03-11T10:00:00-07:00", "care_followup_attempts_total", 1, followup="7d", result="declined"),
            ask("2026-03-11T10:00:00-07:00", "care_followup_attempts_total", 1, followup="7d", result="completed"),
        ),
    ),
)


def come_by(events: Sequence[tuple[Event, datetime]], at: datetime) -> tuple[list[Event], list[datetime]]:
    """The events that have come by a time, and when each of them came."""
    there = [(event, came) for event, came in events if came <= at]
    return [event for event, _ in there], [came for _, came in there]
