"""What a call is, by what was said about it. Source: the contract, section 3; docs/meaning.md where it is silent.

Read `derive_call` from top to bottom; each step has its own file:

- `told.py` walks through the statements once: spells, and which telling of each field holds;
- `response.py` cuts the points of each unit into responses, and asks the units' past how they ended;
- `result.py`, `police.py`, `intervals.py`, `counted.py` say what follows from these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streams.clock import Micros
from streams.derive import counted, intervals
from streams.derive.past import Past
from streams.derive.police import involvement
from streams.derive.response import Work, team_of, works_of
from streams.derive.result import Result, result, served, team_of_call
from streams.derive.told import Close, Reached, Told
from streams.entries import Call, Fact, Opening, Served
from streams.programs import NO_TEAM, OTHER, UNRECORDED
from streams.rules import Rules
from streams.said import AnyOfCall, OnScene


class Problem(NamedTuple):
    """A contradiction that was applied as far as it makes sense, and where its day is."""

    problem: str
    at: Micros


def derive_call(id: str, said: Sequence[AnyOfCall], rules: Rules, past: Past, into: str | None = None) -> Call:
    """What a call is.

    `said` are the statements that hold, in the order of the walk (`said.place`), one at least; beside its own what is said of
    units, contacts, force, needles, referrals and police requests on calls merged into it. `into` is the call that it is
    merged into itself, as told, if that merge holds (see `asks_into`).

    Pure: statements, program file and past decide, nothing else.
    """
    told = Told(id, said, rules, into)
    merged = told.merged is not None
    spell = len(told.spells) - 1
    close = None if merged else told.close

    works = [work for unit in told.units.values() for work in works_of(unit, past)]
    care = [work for work in works if work.unit.agency == "care"]
    for contact in told.contacts:
        if contact.by is not None:
            team_of(contact.by, past)

    eligible_since = _eligible_since(told, said[0].at)
    team = team_of_call(care, told.contacts)
    how = served(care, told.contacts, None if close is None else close.outcome)
    case = None if close is None else _case(told, close, team, rules)
    found = None if close is None else result(told, close, how, eligible_since, rules, past)
    problems = _problems(told, works, close, case, said[0].at)

    facts: list[Fact] = []
    if told.received is not None:
        facts.append(("received", rules.day(told.received), told.area, told.call_type, told.source, 1))
    for again in told.spells[1:]:
        facts.append(("reopened", rules.day(again.begins), told.area, 1))
    if told.merged is not None:
        day = rules.day(told.merged)
        facts += ("merged", day, told.area, 1), ("duplicate", day, told.area, 1)
    if close is not None and found is not None:
        facts += _of_close(told, close, team, found, works, rules)
    facts += _measured(told, care, eligible_since, team, rules)
    for work in care:
        facts += counted.of_work(work, rules)
    facts += counted.of_statements(told, rules)
    facts += [("unmapped", rules.day(at), field, 1) for at, field in told.unmapped]
    facts += [("problem", rules.day(at), problem, 1) for problem, at in problems]

    return Call(
        state="merged" if merged else "closed" if told.spell.ended else "open",
        last_said=said[-1].at,
        since=told.spell.begins if spell > 0 else eligible_since,
        area=told.area,
        call_type=told.call_type,
        team=team,
        facts=tuple(facts),
        responses=tuple([work.response(rules) for work in works]),
        received=told.received,
        closed=None if close is None else close.at,
        outcome=None if close is None else close.outcome or UNRECORDED,
        result=None if found is None else found.result,
        asks=None if found is None else found.asks,
        eligible_since=eligible_since,
        eligible=told.triaged is not False,
        scheduled_for=told.scheduled_for,
        spell=spell,
        served=how,
        served_in_spell=how if spell == 0 else _served_in(told, care, spell),
        dispatch_open=not _is_sent(care, told.contacts, spell),
        arrival_open=not _is_there(care, told.contacts, spell),
        people=() if told.person is None else (told.person,),
        case=case,
        into=into if merged else None,
        problems=tuple([problem for problem, _ in problems]),
    )


# --- waiting ------------------------------------------------------------------------------------------------


def _eligible_since(told: Told, first_said: Micros) -> Micros:
    for at in (told.scheduled_for, told.eligible_again, told.received):
        if at is not None:
            return at
    return first_said


def _served_in(told: Told, care: Sequence[Work], spell: int) -> Served:
    return served(care, told.contacts, told.spells[spell].outcome, spell)


def _is_sent(care: Sequence[Work], contacts: Sequence[Reached], spell: int) -> bool:
    """Whether a CARE unit was sent in this spell that was not taken away before it arrived, or is still on its way."""
    if any(work.ended == "works" or work.reached_in >= spell for work in care):
        return True
    return _in_contact(contacts, spell)


def _is_there(care: Sequence[Work], contacts: Sequence[Reached], spell: int) -> bool:
    """Whether a CARE unit arrived in this spell or is still there, or something is told that comes after an arrival."""
    if any(work.served_in >= spell or (work.ended == "works" and work.served_in >= 0) for work in care):
        return True
    return _in_contact(contacts, spell)


def _in_contact(contacts: Sequence[Reached], spell: int) -> bool:
    return any(contact.in_person and contact.spell >= spell and contact.by_care for contact in contacts)


# --- what follows from the close ----------------------------------------------------------------------------


def _case(told: Told, close: Close, team: str, rules: Rules) -> Opening | None:
    """The case that the call opens at its close, if its outcome asks for one."""
    if close.outcome not in rules.profile.followup_outcomes:
        return None
    owes: str | None = team
    if team in (NO_TEAM, OTHER):
        owes = next(iter(rules.covering(told.area, rules.day(close.at))), None)
    return Opening(close.at, "encounter", owes, told.area, told.person)


def _of_close(
    told: Told, close: Close, team: str, found: Result, works: Sequence[Work], rules: Rules
) -> Iterator[Fact]:
    day = rules.day(close.at)
    police, freed = involvement(works)
    outcome = close.outcome or UNRECORDED
    yield "closed", day, team, told.area, told.call_type, outcome, found.result, police, 1
    if freed is not None:
        yield "freed", day, freed


def _measured(told: Told, care: Sequence[Work], eligible_since: Micros, team: str, rules: Rules) -> Iterator[Fact]:
    """The intervals of the call and of its responses, each on the local day of its end."""
    found = list(intervals.of_call(told, care, eligible_since, team))
    for work in care:
        found += intervals.of_response(work)
    for interval, of_team, begins, ends in found:
        if ends < begins:
            yield "disorder", rules.day(ends), interval, 1
        else:
            yield "interval", rules.day(ends), of_team, told.area, interval, ends - begins


def _problems(
    told: Told, works: Sequence[Work], close: Close | None, case: Opening | None, first_said: Micros
) -> list[Problem]:
    found: list[Problem] = []
    if told.first_close is not None and told.received is not None and told.first_close < told.received:
        found.append(Problem("closed_before_received", told.first_close))
    if told.received is None and told.merged is None:
        found.append(Problem("no_receipt", first_said))
    if close is not None and close.outcome is None:
        found.append(Problem("unrecorded_outcome", close.at))
    if case is not None and case.team is None:
        found.append(Problem("case_without_plan", case.at))
    found += [Problem("merge_ignored", at) for at in told.ignored_merges]
    for work in works:
        if work.ended == "on_scene_elsewhere" and OnScene in work.told:
            found.append(Problem("unit_on_two_scenes", work.ends))
    return found
