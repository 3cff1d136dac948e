"""What a call is (the contract, section 3: Call, Intervals, Result, Counted things, Police)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.second.entry import Call
from tests.second.names import NONE, OTHER, REASONS, SERVICES, UNRECORDED
from tests.second.police import police_on
from tests.second.program import Program, plain
from tests.second.spells import MINUTE, eligible_again, spells_of
from tests.second.statements import Said, last_told
from tests.second.statuses import Unit
from tests.second.work import Response, is_point

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

    def derive(
        self, id: str, own: Sequence[Said], walk: list[Said], into: str | None, ignored: frozenset[Said]
    ) -> Call:
        """`own`: what was said of this call; `walk`: what counts for it, other calls' work included."""
        program = self._program
        receipts = [said for said in own if said.type == "call_received"]
        received = receipts[0].at if receipts else None
        scheduled_for = last_told(own, "scheduled_for")
        # Never empty: a merged call keeps at least its merge.
        first = walk[0].at
        spells = spells_of(first, walk, receipts[0] if receipts else None, ignored)
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
            agencies=self._agencies(walk),
        )
        call.reopened = len(spells) - 1
        call.person = last_told(own, "person")
        call.involuntary = bool(last_told(own, "involuntary"))
        call.teams = {response: self._team_of_response(response) for response in call.responses}
        if into is not None:
            call.merged = next(said.at for said in reversed(own) if said.type == "call_merged" and said not in ignored)
        call.team = self._team_of_call(call)
        self._close(call)
        self._serve(call)
        call.result = self._result(call)
        call.police, call.freed = police_on(call, program)
        self._count_intervals(call)
        self._count_things(call)
        self._find_problems(call, receipts, own, ignored)
        return call

    # Agencies and teams

    def _agencies(self, walk: Sequence[Said]) -> dict[str, str]:
        found: dict[str, str] = {}
        for said in walk:
            if "unit" not in said.told:
                continue
            unit = self._program.unit(said.told["unit"])
            listed = self._program.listed(unit)
            found.setdefault(unit, (listed and listed.agency) or "care")
            if "agency" in said.told:
                found[unit] = said.told["agency"]
        return found

    def _team_of_unit(self, unit: str, at: datetime) -> str:
        """The team of a unit that no dispatch tells."""
        listed = self._program.listed(unit)
        if listed is not None and listed.team is not None:
            return self._program.label("team", listed.team)
        team = self._units[unit].team_at(at) if unit in self._units else None
        return OTHER if team is None else team

    def _team_of_response(self, response: Response) -> str:
        team = last_told([point for point in response.points if point.type == "unit_dispatched"], "team")
        if team is not None:
            return self._program.label("team", team)
        return self._team_of_unit(response.unit, response.first)

    def _unit_team_on(self, call: Call, unit: str, at: datetime) -> str:
        """The team of a unit on the call at a time: of its response then, else of its first."""
        responses = [response for response in call.responses if response.unit == unit]
        before = [response for response in responses if response.first <= at]
        if responses:
            return call.teams[before[-1] if before else responses[0]]
        return self._team_of_unit(unit, at)

    def _contact_team(self, call: Call, contact: Said) -> str | None:
        if "team" in contact.told:
            return self._program.label("team", contact.told["team"])
        if "unit" in contact.told:
            return self._unit_team_on(call, self._program.unit(contact.told["unit"]), contact.at)
        return None

    def _team_of_call(self, call: Call) -> str:
        care = call.care()
        for points in (("unit_on_scene",), ("unit_transporting", "unit_at_destination"), ("contact_made",)):
            first = [
                (point.at, response.unit, call.teams[response])
                for response in care
                for point in response.points
                if point.type in points
            ]
            if first:
                return min(first)[2]
        for contact in self._contacts(call, call.walk):
            team = self._contact_team(call, contact)
            if team is not None:
                return team
        sent = [
            (response.told("unit_dispatched") or response.first, response.unit, call.teams[response])
            for response in care
            if not response.cancelled
        ]
        return min(sent)[2] if sent else NONE

    def _contacts(self, call: Call, walk: Sequence[Said]) -> list[Said]:
        """Contacts of CARE: all by phone and video, in person those without a unit or by a CARE unit."""
        found = []
        for said in walk:
            if said.type == "contact_made":
                by_other = is_point(said) and call.agencies[self._program.unit(said.told["unit"])] != "care"
                if not by_other:
                    found.append(said)
        return found

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
        contacts = self._contacts(call, walk)
        in_person = any(said.told.get("channel", "in_person") == "in_person" for said in contacts)
        there = any(
            said.type in THERE and call.agencies[self._program.unit(said.told["unit"])] == "care" for said in walk
        )
        remote = any(said.told.get("channel", "in_person") != "in_person" for said in contacts)
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

    # Intervals

    def _count_intervals(self, call: Call) -> None:
        self._of_the_call(call)
        for response in call.care():
            for name, begin, end in (
                ("dispatched_to_en_route", "unit_dispatched", "unit_en_route"),
                ("en_route_to_on_scene", "unit_en_route", "unit_on_scene"),
                ("en_route_to_staged", "unit_en_route", "unit_staged"),
                ("staged_to_on_scene", "unit_staged", "unit_on_scene"),
                ("on_scene_to_cleared", "unit_on_scene", "unit_cleared"),
                ("dispatched_to_cleared", "unit_dispatched", "unit_cleared"),
            ):
                if name == "en_route_to_on_scene" and response.any_told("unit_staged"):
                    continue
                _interval(call, name, call.teams[response], response.told(begin), response.told(end))

    def _of_the_call(self, call: Call) -> None:
        spell = call.spells[0].walk
        dispatch = self._first_point(call, spell, "unit_dispatched")
        arrival = self._first_point(call, spell, "unit_on_scene")
        if arrival is not None:
            at, response = arrival
            name = "dispatched_to_on_scene"
            _interval(call, name, call.teams[response], response.told("unit_dispatched"), at)
        if call.received is None or call.source == "self" or call.scheduled_for is not None:
            return
        if arrival is not None and call.received - MINUTE <= arrival[0] <= call.received:
            return
        for word, found in (("dispatched", dispatch), ("on_scene", arrival)):
            if found is not None:
                at, response = found
                _interval(call, f"received_to_{word}", call.teams[response], call.received, at)
                _interval(call, f"eligible_to_{word}", call.teams[response], call.eligible_since, at)
        contacts = self._contacts(call, spell)
        if contacts:
            team = self._contact_team(call, contacts[0]) or call.team
            _interval(call, "received_to_contact", team, call.received, contacts[0].at)
        elif arrival is not None:
            _interval(call, "received_to_contact", call.teams[arrival[1]], call.received, arrival[0])

    def _first_point(self, call: Call, walk: Sequence[Said], type: str) -> tuple[datetime, Response] | None:
        found = [
            (point.at, response.unit, index, response)
            for index, response in enumerate(call.care())
            for point in response.points
            if point.type == type and point in walk
        ]
        return (min(found)[0], min(found)[3]) if found else None

    # Counted things

    def _count_things(self, call: Call) -> None:
        program = self._program
        for response in call.care():
            ways = [point for point in response.points if point.type in ("unit_transporting", "unit_at_destination")]
            if ways:
                destination = program.label("destination", last_told(ways, "destination"))
                call.transports.append((call.teams[response], destination))
            if response.ending is not None and response.ending.how == "diverted":
                call.diverted.append(call.teams[response])
        referred: dict[tuple[str, Any], str] = {}
        for said in call.walk:
            if said.type == "referral_made":
                service = program.label("service", said.told["service"])
                referred[service, said.told.get("partner")] = service
        call.referrals = list(referred.values())

    def _find_problems(
        self, call: Call, receipts: Sequence[Said], own: Sequence[Said], ignored: frozenset[Said]
    ) -> None:
        closes = [said for said in own if said.type == "call_closed"]
        if receipts and closes and closes[0].place() < receipts[0].place():
            call.problems.append("closed_before_received")
        if not receipts:
            call.problems.append("no_receipt")
        if call.closed is not None and call.outcome == UNRECORDED:
            call.problems.append("unrecorded_outcome")
        call.problems += ["merge_ignored" for said in own if said in ignored]
        for response in call.responses:
            # Rank 3: on scene at another call.
            if response.any_told("unit_on_scene") and response.ending is not None and response.ending.rank == 3:
                call.problems.append("unit_on_two_scenes")


def _interval(call: Call, name: str, team: str, begin: datetime | None, end: datetime | None) -> None:
    if begin is None or end is None:
        return
    if end < begin:
        call.disorder.append(name)
    else:
        call.intervals.append((team, name, end - begin))
