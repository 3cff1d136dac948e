"""All records of a program made from all its events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.second import cases as case_rules
from tests.second.calls import Calls
from tests.second.cases import Case
from tests.second.entry import Call
from tests.second.merges import merges, walks
from tests.second.program import Program
from tests.second.statements import Heard, Said, hear
from tests.second.statuses import Unit
from tests.second.work import Response, Work, is_point

Texts = Sequence[tuple[datetime, str]]


class World:
    """What all calls, units and cases of one program are."""

    def __init__(self, heard: Heard, program: Program) -> None:
        self.heard = heard
        self.program = program
        found = merges(heard.calls)
        self.walks = walks(heard.calls, found)
        statuses = self._statuses()
        works = self._works(statuses)
        self.units = {
            unit: Unit(walk, program, works[unit].leaves if unit in works else _at_once)
            for unit, walk in statuses.items()
        }
        responses: dict[str, list[Response]] = {}
        for work in works.values():
            for call, there in work.responses.items():
                responses.setdefault(call, []).extend(there)
        derive = Calls(program, self.units, responses).derive
        self.calls: dict[str, Call] = {id: derive(id, own, self.walks[id], found) for id, own in heard.calls.items()}
        self.cases = self._cases()
        case_rules.supersede(self.cases.values())

    def _statuses(self) -> dict[str, list[Said]]:
        """Statuses by the unit's one name."""
        found: dict[str, list[Said]] = {}
        for name, walk in self.heard.units.items():
            found.setdefault(self.program.unit(name), []).extend(walk)
        return {unit: sorted(walk, key=Said.place) for unit, walk in found.items()}

    def _works(self, statuses: dict[str, list[Said]]) -> dict[str, Work]:
        points: dict[str, dict[str, list[Said]]] = {}
        for call, walk in self.walks.items():
            for said in walk:
                if is_point(said):
                    there = points.setdefault(self.program.unit(said.told["unit"]), {})
                    there.setdefault(call, []).append(said)
        return {unit: Work(unit, there, statuses.get(unit, ())) for unit, there in points.items()}

    def _cases(self) -> dict[str, Case]:
        opening = {
            id: call
            for id, call in self.calls.items()
            if call.closed is not None and call.outcome in self.program.followup_outcomes
        }
        found: dict[str, Case] = {}
        for id in dict.fromkeys([*opening, *self.heard.cases]):
            walk = self.heard.cases.get(id, [])
            named = [said.told["call"] for said in walk if said.type == "case_opened" and "call" in said.told]
            call_of = self.calls.get(named[-1]) if named else None
            case = case_rules.derive(id, walk, opening.get(id), call_of, self.program)
            if case is not None:
                found[id] = case
        return found


def _at_once(at: datetime) -> datetime | None:
    return at


def world(events: Sequence[dict[str, Any]], texts: Texts, arrived: Sequence[datetime] | None = None) -> World:
    return World(hear(events, arrived), Program(texts))
