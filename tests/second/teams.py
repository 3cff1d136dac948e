"""Whose a unit, a contact and a call are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tests.second.entry import Call
from tests.second.names import NONE, OTHER
from tests.second.program import Program
from tests.second.statements import Said, last_told
from tests.second.statuses import Unit
from tests.second.work import is_point


class Teams:
    """Agencies and teams, as told on the call, by `[units]` or by the units' statuses."""

    def __init__(self, program: Program, units: Mapping[str, Unit]) -> None:
        self._program = program
        self._units = units

    def agencies(self, walk: Sequence[Said]) -> dict[str, str]:
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

    def of_units(self, walk: Sequence[Said]) -> dict[str, str]:
        """The team of each unit that a call's walk names."""
        named: dict[str, list[Said]] = {}
        for said in walk:
            if "unit" in said.told:
                named.setdefault(self._program.unit(said.told["unit"]), []).append(said)
        found: dict[str, str] = {}
        for unit, there in named.items():
            team = last_told([said for said in there if said.type == "unit_dispatched"], "team")
            # A unit that only phoned has no point there.
            points = [said for said in there if is_point(said)] or there
            found[unit] = self._not_told(unit, points[0].at) if team is None else self._program.label("team", team)
        return found

    def _not_told(self, unit: str, at: datetime) -> str:
        """The team of a unit that no dispatch tells."""
        listed = self._program.listed(unit)
        if listed is not None and listed.team is not None:
            return self._program.label("team", listed.team)
        team = self._units[unit].team_at(at) if unit in self._units else None
        return OTHER if team is None else team

    def of_contact(self, call: Call, contact: Said) -> str | None:
        if "team" in contact.told:
            return self._program.label("team", contact.told["team"])
        if "unit" in contact.told:
            return call.teams[self._program.unit(contact.told["unit"])]
        return None

    def of_call(self, call: Call) -> str:
        care = call.care()
        for points in (("unit_on_scene",), ("unit_transporting", "unit_at_destination"), ("contact_made",)):
            first = [
                (point.at, response.unit, call.teams[response.unit])
                for response in care
                for point in response.points
                if point.type in points
            ]
            if first:
                return min(first)[2]
        for contact in contacts(call, call.walk, self._program):
            team = self.of_contact(call, contact)
            if team is not None:
                return team
        sent = [
            (response.told("unit_dispatched") or response.first, response.unit, call.teams[response.unit])
            for response in care
            if not response.cancelled
        ]
        return min(sent)[2] if sent else NONE


def contacts(call: Call, walk: Sequence[Said], program: Program) -> list[Said]:
    """Contacts of CARE: all by phone and video, in person those without a unit or by a CARE unit."""
    found = []
    for said in walk:
        if said.type == "contact_made":
            by_other = is_point(said) and call.agencies[program.unit(said.told["unit"])] != "care"
            if not by_other:
                found.append(said)
    return found
