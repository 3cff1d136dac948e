"""What came of a call: whether it was served, by which team, and its result in the demand.

Source: the contract, section 3, *Served*, *Team of the call*, *Result of a call*; docs/meaning.md, *Results*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streams.clock import Micros
from streams.derive.past import Past
from streams.derive.response import Work
from streams.derive.told import Reached, Spell, Told
from streams.entries import Asks, Served
from streams.programs import NO_TEAM, OTHER
from streams.rules import Rules

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


#: A result, and what statuses of units were asked for it, if they were.
Result = tuple[str, Asks | None]


def served(care: Sequence[Work], contacts: Sequence[Reached], outcome: str | None, spell: int = 0) -> Served:
    """Whether a call was served from this spell on. `care`: responses of CARE units; `outcome`: its label, if it was told."""
    for work in care:
        if work.served_in >= spell:
            return "served"
    remotely = False
    for contact in contacts:
        if contact.spell < spell or not contact.by_care:
            continue
        if contact.in_person:
            return "served"
        remotely = True
    if outcome in SERVICES:
        if any(work.sent for work in care):
            return "served"
        remotely = True
    return "served_remotely" if remotely else "no"


def team_of_call(care: Sequence[Work], contacts: Sequence[Reached]) -> str:
    """The team of a call: of the first CARE unit there, else of the first contact, else of the first unit sent."""
    if len(care) == 1 and (care[0].served_in >= 0 or (not contacts and care[0].sent)):
        return care[0].team  # most calls
    for at in (_on_scene, _on_transport, _in_contact):  # the surest first
        there = [(when, work.unit, work.team) for work in care if (when := at(work)) is not None]
        if there:
            return min(there)[2]
    for contact in contacts:
        if contact.by_care:
            team = contact.of_team
            if team is not None:
                return team
    sent = [work for work in care if work.sent]
    return min(sent, key=_sent_at).team if sent else NO_TEAM


def result(told: Told, close: Spell, how: Served, eligible_since: Micros, rules: Rules, past: Past) -> Result:
    """The result of a closed call that is not merged; the first that fits."""
    if how != "no":
        return how, None
    if told.triaged is False:
        return "ineligible", None
    if close.reason is not None and close.reason in REASONS:
        return close.reason, None
    if close.outcome == "resolved_by_other":
        return "handled_by_other", None
    if close.outcome == "cancelled":
        return "cancelled", None
    not_told = "not_triaged" if told.triaged is None and rules.profile.triages else "unknown"
    if told.area == OTHER:
        return not_told, None
    teams = rules.working(told.area, eligible_since)
    if not teams:
        covered = rules.covering(told.area, rules.day(eligible_since))
        return ("outside_hours" if covered else "outside_area"), None
    if "status" not in rules.profile.feeds:
        return not_told, None
    return past.result(eligible_since, teams) or not_told, Asks(eligible_since, teams)


def _on_scene(work: Work) -> Micros | None:
    return work.on_scene


def _on_transport(work: Work) -> Micros | None:
    return min((at for at in (work.transporting, work.at_destination) if at is not None), default=None)


def _in_contact(work: Work) -> Micros | None:
    return work.contact


def _sent_at(work: Work) -> tuple[Micros, str]:
    return work.begins if work.dispatched is None else work.dispatched, work.unit
