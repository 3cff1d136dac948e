"""What a call is (the contract, section 3: Call, Intervals, Result, Counted things, Police)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tests.second.entry import Call
from tests.second.intervals import count_intervals
from tests.second.merges import Merges
from tests.second.names import OTHER, REASONS, SERVICES, UNRECORDED
from tests.second.police import police_on
from tests.second.program import Program, plain
from tests.second.spells import eligible_again, spells_of
from tests.second.statements import Said, last_told
from tests.second.statuses import Unit
from tests.second.teams import Teams, contacts
from tests.second.work import Response

#: A CARE unit with one of these has been there.
THERE = ("unit_on_scene", "unit_transporting", "unit_at_destination")


class Calls:
    """Derives calls; knows the units, their work and their statuses."""

    def __init__(
        self, program: Program, units: Mapping[str, Unit], responses: Mapping[str, Sequence[Response]]
    ) -> None:
        self._program = program
        self._units = units
        self._responses = responses
        self._teams = Teams(program, units)

    def derive(self, id: str, own: Sequence[Said], walk: list[Said], found: Merges) -> Call:
        """`own`: what was said of this call; `walk`: what counts for it, other calls' work included."""
        into = found.into.get(id)
        program = self._program
        receipts = [said for said in own if said.type == "call_received"]
        received = receipts[0].at if receipts else None
        scheduled_for = last_told(own, "scheduled_for")
        # Never empty: a merged call keeps at least its merge.
        first = walk[0].at
        spells = spells_of(first, walk, receipts[0] if receipts else None, found.passed_over)
        since = scheduled_for or eligible_again(own) or received or first
        call = Call(
            id=id,
            walk=walk,
            spells=spells,
            into=into,
            area=program.label("area", last_told(own, "area")),
            call_type=program.label("call_type", last_told(own, "call_type")),
            source=last_told(own, "source") or OTHER,
            eligible=last_told(own, "eligible") is not False,
            triaged=any(said.type == "call_triaged" for said in own),
            scheduled_for=scheduled_for,
            received=received,
            waits_since=since if len(spells) == 1 else spells[-1].begins,
            eligible_since=since,
            last_said=walk[-1].at,
            responses=list(self._responses.get(id, ())),
            agencies=self._teams.agencies(walk),
        )
        call.reopened = len(spells) - 1
        call.person = last_told(own, "person")
        call.involuntary = bool(last_told(own, "involuntary"))
        call.teams = self._teams.of_units(walk)
        if into is not None:
            counts = [said for said in own if said.type == "call_merged" and said not in found.passed_over]
            call.merged = counts[-1].at
        call.team = self._teams.of_call(call)
        self._close(call)
        self._serve(call)
        call.result = self._result(call)
        call.police, call.freed = police_on(call, program)
        count_intervals(call, self._teams, program)
        self._count_things(call)
        self._find_problems(call, receipts, own, found)
        return call

    # Close, served, result

    def _close(self, call: Call) -> None:
        closed = [spell for spell in call.spells if spell.closes]
        if not closed or call.into is not None:
            return
        last = closed[-1]
        call.closed = last.closes[0].at
        call.outcome = self._program.label("outcome", last_told(last.closes, "outcome"))
        call.reason = last_told(last.closes, "unserved_reason")

    def _serve(self, call: Call) -> None:
        in_person, remote = self._reached_by(call, call.walk)
        services = call.outcome in SERVICES
        sent = any(not response.cancelled for response in call.care())
        call.served = in_person or (services and sent)
        call.served_remotely = remote or (services and not sent)
        call.served_in_spell = any(self._reached_by(call, call.spells[-1].walk))

    def _reached_by(self, call: Call, walk: Sequence[Said]) -> tuple[bool, bool]:
        """Whether this part of the walk shows CARE with the person: there, and by phone or video."""
        told = contacts(call, walk, self._program)
        in_person = any(said.told.get("channel", "in_person") == "in_person" for said in told)
        there = any(
            said.type in THERE and call.agencies[self._program.unit(said.told["unit"])] == "care" for said in walk
        )
        remote = any(said.told.get("channel", "in_person") != "in_person" for said in told)
        return in_person or there, remote

    def _result(self, call: Call) -> str | None:
        if call.into is not None:
            return "duplicate"
        if call.closed is None:
            return None
        if call.served:
            return "served"
        if call.served_remotely:
            return "served_remotely"
        if not call.eligible:
            return "ineligible"
        if call.reason is not None and plain(call.reason) in REASONS:
            return plain(call.reason)
        if call.outcome == "resolved_by_other":
            return "handled_by_other"
        if call.outcome == "cancelled":
            return "cancelled"
        if self._program.in_areas(call.area):
            by_area = self._result_of_area(call.area, call.eligible_since)
            if by_area is not None:
                return by_area
        return "not_triaged" if self._program.triages and not call.triaged else "unknown"

    def _result_of_area(self, area: str, at: datetime) -> str | None:
        if not self._program.covered(area, at):
            return "outside_area"
        teams = self._program.at_work(area, at)
        if not teams:
            return "outside_hours"
        if not self._program.has_statuses:
            return None
        live = [status for unit in self._units.values() if (status := unit.live(at)) is not None]
        on_duty = [status.status for status in live if status.team in teams and status.status != "off_duty"]
        if not on_duty:
            return "no_unit_on_duty"
        if all(status == "unavailable" for status in on_duty):
            return "out_of_service"
        return None if "available" in on_duty else "all_units_busy"

    # Counted things

    def _count_things(self, call: Call) -> None:
        program = self._program
        for response in call.care():
            ways = [point for point in response.points if point.type in ("unit_transporting", "unit_at_destination")]
            if ways:
                destination = program.label("destination", last_told(ways, "destination"))
                call.transports.append((call.teams[response.unit], destination))
            if response.ending is not None and response.ending.how == "diverted":
                call.diverted.append(call.teams[response.unit])
        referred: dict[tuple[str, str], str] = {}
        for said in call.walk:
            if said.type == "referral_made":
                code = said.told["service"]
                label = program.label("service", code)
                # Two services that the program does not know are two.
                service = label if program.knows("service", code) else f"? {plain(code)}"
                referred[service, plain(said.told.get("partner", ""))] = label
        call.referrals = list(referred.values())

    def _find_problems(self, call: Call, receipts: Sequence[Said], own: Sequence[Said], found: Merges) -> None:
        closes = [said for said in own if said.type == "call_closed"]
        if receipts and closes and closes[0].place() < receipts[0].place():
            call.problems.append("closed_before_received")
        if not receipts and call.into is None:
            call.problems.append("no_receipt")
        if call.closed is not None and call.outcome == UNRECORDED:
            call.problems.append("unrecorded_outcome")
        call.problems += ["merge_ignored" for said in own if said in found.problems]
        for response in call.responses:
            ending = response.ending
            if response.any_told("unit_on_scene") and ending is not None and ending.how == "on_scene_elsewhere":
                call.problems.append("unit_on_two_scenes")
