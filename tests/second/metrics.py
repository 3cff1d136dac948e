"""The numbers of the contract's section 4 that are about a program's calls, units and cases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tests.second.cases import MONTH, Case
from tests.second.program import DAYS
from tests.second.stage import missed, stage, waits
from tests.second.statements import Said
from tests.second.statuses import seconds, staffing
from tests.second.world import World

Values = dict[str, dict[tuple[str, ...], float | tuple[float, ...]]]

WINDOWS = (("7d", timedelta(days=7)), ("30d", timedelta(days=30)))
HOURS_OF_DAYS = 28


class _Sheet:
    """Values by metric and labels."""

    def __init__(self, program: str) -> None:
        self._program = program
        self.values: dict[str, dict[tuple[str, ...], float]] = {}
        self.observed: dict[str, dict[tuple[str, ...], list[float]]] = {}

    def add(self, metric: str, *labels: str, by: float = 1) -> None:
        table = self.values.setdefault(metric, {})
        key = (self._program, *labels)
        table[key] = table.get(key, 0) + by

    def least(self, metric: str, *labels: str, at: datetime) -> None:
        table = self.values.setdefault(metric, {})
        key = (self._program, *labels)
        table[key] = min(at.timestamp(), table.get(key, at.timestamp()))

    def observe(self, metric: str, *labels: str, lasts: timedelta) -> None:
        table = self.observed.setdefault(metric, {})
        table.setdefault((self._program, *labels), []).append(lasts.total_seconds())

    def all(self) -> Values:
        found: Values = {}
        for metric, table in self.values.items():
            found[metric] = {key: value for key, value in table.items() if value != 0}
        for metric, rows in self.observed.items():
            found[metric] = {key: tuple(sorted(lasts)) for key, lasts in rows.items()}
        return {metric: cells for metric, cells in found.items() if cells}


def of(world: World, now: datetime) -> Values:
    sheet = _Sheet(world.program.id)
    now = now.astimezone(UTC)
    _count_calls(world, sheet)
    _show_calls(world, sheet, now)
    _show_units(world, sheet, now)
    _show_cases(world, sheet, now)
    _show_people(world, sheet, now)
    _count_unmapped(world, sheet)
    for topic, at in world.heard.newest.items():
        sheet.add("care_feed_last_event_timestamp_seconds", topic, by=at.timestamp())
    return sheet.all()


def _count_calls(world: World, sheet: _Sheet) -> None:
    for call in world.calls.values():
        if call.received is not None:
            sheet.add("care_calls_received_total", call.area, call.call_type, call.source)
        if call.closed is not None:
            sheet.add("care_calls_closed_total", call.team, call.area, call.outcome)
        if call.result is not None:
            sheet.add("care_demand_total", call.area, call.result)
        if call.police is not None:
            sheet.add("care_police_involvement_total", call.area, call.police)
        if call.freed is not None:
            sheet.add("care_police_freed_seconds_total", by=call.freed.total_seconds())
        if call.merged is not None:
            sheet.add("care_calls_merged_total", call.area)
        sheet.add("care_calls_reopened_total", call.area, by=call.reopened)
        sheet.add("care_involuntary_total", call.area, by=int(call.involuntary))
        for team in call.diverted:
            sheet.add("care_units_diverted_total", team)
        for team, interval, lasts in call.intervals:
            sheet.observe("care_call_interval_seconds", team, interval, lasts=lasts)
        for interval in call.disorder:
            sheet.add("care_interval_disorder_total", interval)
        for team, destination in call.transports:
            sheet.add("care_transports_total", team, destination)
        for service in call.referrals:
            sheet.add("care_referrals_total", service)
        if call.referrals:
            sheet.add("care_calls_with_referral_total", call.area)
        for problem in call.problems:
            sheet.add("care_data_quality_total", problem)
        if any(said.type == "police_requested" for said in call.walk):
            sheet.add("care_police_requested_total", call.area)
        for said in call.walk:
            if said.type == "use_of_force":
                sheet.add("care_use_of_force_total", str(said.told["level"]))
            elif said.type == "needles_collected":
                sheet.add("care_needles_collected_total", call.area, by=said.told["count"])


def _show_calls(world: World, sheet: _Sheet, now: datetime) -> None:
    program = world.program
    since = program.days_before(now, HOURS_OF_DAYS)
    for call in world.calls.values():
        shown = stage(call, program, now)
        if shown is not None:
            sheet.add("care_calls_open", call.area, call.call_type, shown)
        if shown == "stale":
            sheet.add("care_calls_stale", call.area)
        if waits(call, program, now):
            sheet.least("care_call_oldest_waiting_timestamp_seconds", call.area, at=call.waits_since)
        for interval in missed(call, program, now):
            sheet.add("care_calls_over_target", call.area, interval)
        if call.closed is not None and program.day(call.closed) == program.day(now):
            sheet.add("care_calls_today", call.team, call.area, call.outcome)
        if call.received is not None and call.closed is not None and since < call.received <= now:
            result = _of_the_week(call.result)
            if result is not None:
                local = program.local(call.received)
                sheet.add("care_demand_hour_of_week", DAYS[local.weekday()], f"{local.hour:02}", result)


def _of_the_week(result: str | None) -> str | None:
    if result in ("served", "served_remotely"):
        return "served"
    if result == "outside_hours":
        return "outside_hours"
    return None if result in ("ineligible", "duplicate", "outside_area") else "unmet"


def _show_units(world: World, sheet: _Sheet, now: datetime) -> None:
    program = world.program
    units = list(world.units.values())
    for unit in units:
        status = unit.shown(now)
        if status is None:
            continue
        if unit.is_stale(status, now):
            sheet.add("care_units_stale", status.team)
        else:
            sheet.add("care_units", status.team, status.area, status.status)
    for (team, name), lasts in seconds(units, now).items():
        sheet.add("care_unit_seconds_total", team, name, by=lasts)
    for (team, what), lasts in staffing(units, program, now).items():
        sheet.add("care_staffing_seconds_total", team, what, by=lasts)
    for team in program.teams:
        sheet.add("care_units_planned", team, by=program.planned(team, now))
        sheet.add("care_team_open", team, by=int(program.team_works(team, now)))
        version = program.version(team, program.day(now))
        for interval, target in ({} if version is None else version.targets).items():
            sheet.add("care_interval_target_seconds", team, interval, by=target.total_seconds())


def _show_cases(world: World, sheet: _Sheet, now: datetime) -> None:
    for case in world.cases.values():
        if case.active(now):
            sheet.add("care_cases_active", case.kind)
        if case.without_plan:
            sheet.add("care_data_quality_total", "case_without_plan")
        for team, followup, result in case.attempts:
            sheet.add("care_followup_attempts_total", team, followup, result)
        for located in case.outreach:
            sheet.add("care_outreach_attempts_total", case.area)
            sheet.add("care_outreach_located_total", case.area, by=int(located))
        _show_followups(case, sheet, now)


def _show_followups(case: Case, sheet: _Sheet, now: datetime) -> None:
    for followup in case.followups:
        if followup.superseded:
            continue
        state = followup.state(now)
        if followup.result is None and not case.is_closed and now < followup.lapses + MONTH:
            sheet.add("care_followups", followup.team, case.area, followup.id, state)
            if state in ("open", "overdue"):
                sheet.least("care_followup_next_lapse_timestamp_seconds", followup.team, at=followup.lapses)
        result = followup.result or ("missed" if state == "missed" else "pending")
        for window, lasts in WINDOWS:
            if now - lasts < followup.due <= now:
                sheet.add("care_followups_due", followup.team, followup.id, window, result)


def _show_people(world: World, sheet: _Sheet, now: datetime) -> None:
    days: dict[str, set[int]] = {}
    for call in world.calls.values():
        if call.person is not None:
            day = world.program.day(call.received or call.eligible_since)
            days.setdefault(call.person, set()).add(day.toordinal())
    for case in world.cases.values():
        if case.person is not None:
            known = days.setdefault(case.person, set())
            if case.opened is not None and not case.of_a_call:
                known.add(world.program.day(case.opened).toordinal())
    sheet.add("care_people_served", by=len(days))
    today = world.program.day(now).toordinal()
    for window, last in (("30d", 30), ("365d", 365)):
        for contacts in days.values():
            if sum(today - last < day <= today for day in contacts) >= 2:
                sheet.add("care_people_repeat", window)


def _count_unmapped(world: World, sheet: _Sheet) -> None:
    for said in _everything(world):
        for field in ("area", "call_type", "team", "outcome", "destination", "service"):
            code = said.told.get(field)
            if code is not None and not world.program.knows(field, code):
                sheet.add("care_unmapped_values_total", field)


def _everything(world: World) -> Iterator[Said]:
    for records in (world.heard.calls, world.heard.units, world.heard.cases):
        for walk in records.values():
            yield from walk
