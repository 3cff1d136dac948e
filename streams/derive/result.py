"""What came of a call: whether it was served, by which team, and its result in the demand.

Source: the contract, section 3, *Served*, *Team of the call*, *Result of a call*; docs/meaning.md, *Results*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from streams.clock import Micros
from streams.derive.past import Past
from streams.derive.response import Work
from streams.derive.told import Close, Reached, Told
from streams.entries import Asks, Served
from streams.programs import NO_TEAM, OTHER
from streams.rules import Rules
from streams.said import AtDestination, Contact, Dispatched, OnScene, Said, Transporting

SERVICES: Final = frozenset(("services", "services_transport", "services_transfer"))
#: The words that `unserved_reason` may give as the result: all but those for a call that was served.
REASONS: Final = frozenset(
    (
        "duplicate",
        "ineligible",
        "handled_by_other",
        "cancelled",
        "outside_area",
        "outside_hours",
        "no_unit_on_duty",
        "out_of_service",
        "all_units_busy",
        "not_triaged",
        "unknown",
    )
)


class Result(NamedTuple):
    """The result of a call; `asks` what it was found by, if units' statuses say it or could have said it."""

    result: str
    asks: Asks | None = None


def served(care: Sequence[Work], contacts: Sequence[Reached], outcome: str | None, spell: int = 0) -> Served:
    """Whether a call was served from this spell on. `care`: responses of CARE units; `outcome`: its label, if it was told."""
    if any(work.served_in >= spell for work in care):
        return "served"
    remotely = False
    for contact in contacts:
        if contact.spell < spell or not contact.by_care:
            continue
        if contact.in_person:
            return "served"
        remotely = True
    if outcome in SERVICES:
        if any(not work.cancelled for work in care):
            return "served"
        remotely = True
    return "served_remotely" if remotely else "no"


def team_of_call(care: Sequence[Work], contacts: Sequence[Reached]) -> str:
    """The team of a call: of the first CARE unit there, else of the first contact, else of the first unit sent."""
    if len(care) == 1 and (care[0].served_in >= 0 or (not contacts and not care[0].cancelled)):
        return care[0].team  # most calls
    for kinds in _THERE:
        there = [(at, work.unit.unit, work.team) for work in care if (at := _first_of(work, kinds)) is not None]
        if there:
            return min(there)[2]
    for contact in contacts:
        if contact.by_care:
            team = contact.of_team
            if team is not None:
                return team
    sent = [work for work in care if not work.cancelled]
    return min(sent, key=_sent_at).team if sent else NO_TEAM


def result(told: Told, close: Close, how: Served, eligible_since: Micros, rules: Rules, past: Past) -> Result:
    """The result of a closed call that is not merged; the first that fits."""
    if how != "no":
        return Result(how)
    if told.triaged is False:
        return Result("ineligible")
    if close.reason is not None and close.reason in REASONS:
        return Result(close.reason)
    if close.outcome == "resolved_by_other":
        return Result("handled_by_other")
    if close.outcome == "cancelled":
        return Result("cancelled")
    not_told = "not_triaged" if told.triaged is None and rules.profile.triages else "unknown"
    if told.area == OTHER:
        return Result(not_told)
    teams = rules.working(told.area, eligible_since)
    if not teams:
        covered = rules.covering(told.area, rules.day(eligible_since))
        return Result("outside_hours" if covered else "outside_area")
    if "status" not in rules.profile.feeds:
        return Result(not_told)
    return Result(past.result(eligible_since, teams) or not_told, Asks(eligible_since, teams))


#: What shows that a unit was there, the surest first.
_THERE: Final[tuple[tuple[type[Said], ...], ...]] = ((OnScene,), (Transporting, AtDestination), (Contact,))


def _first_of(work: Work, kinds: tuple[type[Said], ...]) -> Micros | None:
    return min((point[0].at for kind in kinds if (point := work.told.get(kind)) is not None), default=None)


def _sent_at(work: Work) -> tuple[Micros, str]:
    at = work.at(Dispatched)
    return work.begins if at is None else at, work.unit.unit
