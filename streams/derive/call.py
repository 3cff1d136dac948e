"""What a call is, by what was said about it. Source: the contract, section 3; docs/meaning.md where it is silent.

Read `derive_call` from top to bottom; each step has its own file:

- `told.py` walks through the statements once: spells, and which telling of each field holds;
- `response.py` cuts the points of each unit into responses on that walk, and asks the units' past how they ended;
- `result.py`, `police.py`, `intervals.py`, `counted.py` say what follows from these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from streams.clock import Micros
from streams.derive import counted, intervals
from streams.derive.past import Past
from streams.derive.police import involvement
from streams.derive.response import Work
from streams.derive.result import result, served, team_of_call
from streams.derive.told import Reached, Spell, Told
from streams.entries import Call, Fact, Opening
from streams.programs import NO_TEAM, OTHER, UNRECORDED
from streams.rules import Rules
from streams.said import AnyOfCall


def derive_call(
    id: str, said: Sequence[AnyOfCall], rules: Rules, past: Past, into: str | None, known: Callable[[str], bool]
) -> Call:
    """What a call is.

    `said` are the statements that hold, in the order of the walk (`said.place`), one at least; beside its own what is said of
    units, contacts, force, needles, referrals and police requests on calls merged into it. `into` is the call that it is
    merged into itself, as told; None: into none, or in a circle. `known` tells whether there is a call of which a statement
    holds: a merge into another ends nothing.

    Its facts are about in the order in which they come to be, so that most new statements only add some (see
    `streams/views/counts.py`).

    Pure: statements, program file, past and the calls that are known decide, nothing else.
    """
    told = Told(id, said, rules, past, into, known)
    spell, first_said = told.spell, said[0].at
    state: Literal["open", "closed", "merged"] = "open"
    if told.merged is not None:
        state = "merged"
    elif told.last.ended:
        state = "closed"

    works: list[Work] = []
    care: list[Work] = []
    for unit in told.units:
        works += unit.works
        if unit.agency == "care":
            care += unit.works
    contacts = told.contacts
    team = team_of_call(care, contacts) if care or contacts else NO_TEAM

    eligible_since = _eligible_since(told, first_said)
    since = eligible_since if spell == 0 else told.last.begins

    facts: list[Fact] = []
    _add_facts(told, first_said, rules, facts)
    if care or contacts:
        intervals.add_facts(told, care, eligible_since, team, rules, facts)
    if care or told.counted or told.involuntary is not None:
        counted.add_facts(told, care, rules, facts)

    close = None if state == "merged" else told.close
    closed = outcome = found = asks = case = None
    how = served(care, contacts, None if close is None else close.outcome)
    if close is not None:
        closed = close.closed
        outcome = close.outcome or UNRECORDED
        found, asks = result(told, close, how, eligible_since, rules, past)
        case = _case(told, close, team, rules)
        day = rules.day(closed)
        police, freed = involvement(told.units, works)
        facts.append(("closed", day, team, told.area, told.call_type, outcome, found, police, 1))
        if freed is not None:
            facts.append(("freed", day, freed))
    how_in_spell = how if spell == 0 else served(care, contacts, None, spell)

    _add_problems(told, works, close, rules, facts)

    is_open = state == "open"
    return Call(  # each in its place: names would cost five times as much
        state,
        said[-1].at,
        since,
        told.area,
        told.call_type,
        team,
        tuple(facts),
        tuple([work.response(rules) for work in works]),
        told.received,
        closed,
        outcome,
        found,
        asks,
        eligible_since,
        told.triaged is not False,
        told.scheduled_for,
        spell,
        how,
        how_in_spell,
        is_open and not _is_sent(care, contacts, spell),
        is_open and not _is_there(care, contacts, spell),
        () if told.person is None else (told.person,),
        case,
        into if state == "merged" else None,
    )


def _eligible_since(told: Told, first_said: Micros) -> Micros:
    if told.scheduled_for is not None:
        return told.scheduled_for
    if told.eligible_again is not None:
        return told.eligible_again
    return first_said if told.received is None else told.received


def _is_sent(care: Sequence[Work], contacts: Sequence[Reached], spell: int) -> bool:
    """Whether a CARE unit was sent in this spell that was not taken away before it arrived, or is still on its way."""
    for work in care:
        if work.ended == "works" or work.reached_in >= spell:
            return True
    return _in_contact(contacts, spell)


def _is_there(care: Sequence[Work], contacts: Sequence[Reached], spell: int) -> bool:
    """Whether a CARE unit arrived in this spell or is still there, or something is told that comes after an arrival."""
    for work in care:
        if work.served_in >= spell or (work.ended == "works" and work.served_in >= 0):
            return True
    return _in_contact(contacts, spell)


def _in_contact(contacts: Sequence[Reached], spell: int) -> bool:
    return len(contacts) > 0 and any(
        contact.in_person and contact.spell >= spell and contact.by_care for contact in contacts
    )


def _case(told: Told, close: Spell, team: str, rules: Rules) -> Opening | None:
    """The case that the call opens at its close, if its outcome asks for one."""
    if close.outcome not in rules.profile.followup_outcomes:
        return None
    owes: str | None = team
    if team in (NO_TEAM, OTHER):
        # of an area that the program does not know nobody can say who covers it
        covering = rules.covering(told.area, rules.day(close.closed)) if rules.has_area(told.area) else ()
        owes = next(iter(covering), None)
    return Opening(close.closed, "encounter", owes, told.area, told.person)


def _add_facts(told: Told, first_said: Micros, rules: Rules, facts: list[Fact]) -> None:
    """Those of the call itself, but for its close."""
    area = told.area
    if told.received is not None:
        facts.append(("received", rules.day(told.received), area, told.call_type, told.source, 1))
    elif told.merged is None:
        facts.append(("problem", rules.day(first_said), "no_receipt", 1))
    for at, field in told.unmapped:
        facts.append(("unmapped", rules.day(at), field, 1))
    if told.spell:
        for again in told.spells[1:]:
            facts.append(("reopened", rules.day(again.begins), area, 1))
    if told.merged is not None:
        day = rules.day(told.merged)
        facts.append(("merged", day, area, 1))
        facts.append(("duplicate", day, area, 1))


def _add_problems(told: Told, works: Sequence[Work], close: Spell | None, rules: Rules, facts: list[Fact]) -> None:
    """All contradictions but `no_receipt`: applied as far as they make sense, and counted on a day."""
    first_close, received = told.first_close, told.received
    if first_close is not None and received is not None and first_close < received:
        facts.append(("problem", rules.day(first_close), "closed_before_received", 1))
    if close is not None and (close.outcome is None or close.outcome == UNRECORDED):
        facts.append(("problem", rules.day(close.closed), "unrecorded_outcome", 1))
    for at in told.ignored_merges:
        facts.append(("problem", rules.day(at), "merge_ignored", 1))
    for work in works:
        if work.ended == "on_scene_elsewhere" and work.on_scene is not None:
            facts.append(("problem", rules.day(work.ends), "unit_on_two_scenes", 1))
