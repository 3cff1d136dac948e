"""What a case is, by the statements that hold. Source: the contract, section 3, *Case and follow-ups*; docs/meaning.md, *Cases*.

Read from `derive_case` down. Each question is one pass through the statements, which are few.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from streams.clock import DAY, NEVER, Micros
from streams.derive.plan import Planned, planned_for
from streams.entries import Case, Fact, Followup, Opening, Resolution
from streams.programs import OTHER, plain
from streams.rules import Rules
from streams.said import (
    Attempted,
    CaseClosed,
    CaseReopened,
    Opened,
    Outreach,
    Person,
    Rescheduled,
    Said,
    Transferred,
    place,
)

#: A missed follow-up is shown so long after its lapse, and its case is active so long: then nobody will do it any more.
MISSED_FOR: Final[Micros] = 30 * DAY
NOBODY: Final[Mapping[Person, Micros]] = MappingProxyType({})

Place = tuple[Micros, int, str]


def derive_case(
    id: str,
    said: Sequence[Said],
    by_call: Opening | None,
    rules: Rules,
    forgotten: Mapping[Person, Micros] = NOBODY,
    before: Case | None = None,
) -> Case | None:
    """The case of these statements; None if it does not exist. Pure.

    `id`: of the case. `said`: its statements that hold, sorted by `said.place`. `by_call`: the opening that the call of the
    same id asks for. `forgotten`: persons, and up to when (microseconds) statements lose them.

    `before`: what the case was; asked only about what is gone from the program file (retired).
    - A team that is gone: its plan is not known any more, so the follow-ups of `before` stay, with the times that they have
      there, while the case begins with that team. So does a checkpoint that no version of its team has any more.
    - A team or area that is gone keeps its label where a statement tells the label itself, or the call told it. (A city's
      own code for it means nothing without the file.)
    Without `before`, what is gone is `other` and owes nothing.
    """
    if not said and by_call is None:
        return None
    labels = _Labels(rules, before)
    opened = [s for s in said if type(s) is Opened]
    asked = _asked(by_call, labels, forgotten) if by_call else None
    opening = _opening(opened, asked, labels, forgotten)
    if opened:
        asked = None  # case_opened tells when it began and who has it
    teams = _Teams(said, asked, labels)
    closures = _closures(said, asked)
    closed = closures[-1].at if closures and closures[-1].until == NEVER else None
    area, kind, person = _last_told(opened, opening, labels, forgotten)
    planned = _planned(opening, rules, before) if opening else ()
    followups = _followups(planned, said, teams, closures)
    return Case(
        state="never_opened" if opening is None else "active" if closed is None else "closed",
        last_said=max(said[-1].at if said else -NEVER, by_call.at if by_call else -NEVER),
        team=teams.last,
        area=area,
        opening=opening,
        kind=kind,
        person=person,
        followups=followups,
        closed=closed,
        ends=_ends(opening, kind, followups),
        call=id if by_call else next((s.call for s in reversed(opened) if s.call is not None), None),
        facts=(*_without_plan(opening, rules, labels), *_facts(said, teams, area, rules, labels)),
    )


def shown_until(case: Case) -> Micros:
    """Until when a case is needed: NEVER while it goes on by itself, else as long as one of its follow-ups is shown."""
    if case.state == "active":
        return case.ends
    return max((each.lapses for each in case.followups), default=-NEVER) + MISSED_FOR


# --- how it began -------------------------------------------------------------------------------------------


def _opening(
    opened: Sequence[Opened], asked: Opening | None, labels: _Labels, forgotten: Mapping[Person, Micros]
) -> Opening | None:
    """The first opening: the plan stays that of the first, if the case is opened again.

    `case_opened` goes before what a call asks for, which tells only the area and person that no `case_opened` tells.
    """
    if not opened:
        return asked
    first = opened[0]
    area, person = (asked.area, asked.person) if asked else (OTHER, None)
    if first.area is not None:
        area = labels.area(first.area)
    if (told := _person(first, forgotten)) is not None:
        person = told
    return Opening(first.at, first.kind, labels.team(first.team), area, person)


def _asked(by_call: Opening, labels: _Labels, forgotten: Mapping[Person, Micros]) -> Opening:
    """What a call asks for, without a person who is forgotten, under the labels that the case had."""
    team, area = labels.of_call(by_call)
    forgets = by_call.person is not None and by_call.at <= forgotten.get(by_call.person, -NEVER)
    if not forgets and (team, area) == (by_call.team, by_call.area):
        return by_call
    return Opening(by_call.at, by_call.kind, team, area, None if forgets else by_call.person)


def _person(said: Opened, forgotten: Mapping[Person, Micros]) -> Person | None:
    if said.person is None or said.at <= forgotten.get(said.person, -NEVER):
        return None
    return said.person


def _last_told(
    opened: Sequence[Opened], opening: Opening | None, labels: _Labels, forgotten: Mapping[Person, Micros]
) -> tuple[str, str | None, Person | None]:
    """Area, kind and person: each as the last opening that tells it says."""
    if opening is None:
        return OTHER, None, None
    area, kind, person = opening.area, opening.kind, opening.person
    for said in opened[1:]:
        area = area if said.area is None else labels.area(said.area)
        kind = said.kind
        person = person if (told := _person(said, forgotten)) is None else told
    return area, kind, person


# --- codes --------------------------------------------------------------------------------------------------


class _Labels:
    """Label values of codes, those of teams and areas that the case had and the program file has no more included."""

    __slots__ = ("_before", "_rules", "_teams")

    def __init__(self, rules: Rules, before: Case | None) -> None:
        self._rules = rules
        self._before = before
        self._teams: frozenset[str] = frozenset()
        if before:
            had = {before.team, *(each.team for each in before.followups)}
            if before.opening and before.opening.team:
                had.add(before.opening.team)
            self._teams = frozenset(had.difference(rules.profile.team_codes, (OTHER,)))

    def team(self, code: str) -> str:
        label = self._rules.label("team", code)
        return plain(code) if label == OTHER and plain(code) in self._teams else label

    def area(self, code: str) -> str:
        label = self._rules.label("area", code)
        if label == OTHER and self._before and plain(code) == self._before.area:
            return self._before.area
        return label

    def knows_team(self, code: str) -> bool:
        """Whether the file knows the code of a team, or the case had it; the word `other` is known."""
        return self._rules.knows("team", code) or self.team(code) != OTHER

    def knows_area(self, code: str) -> bool:
        """The same of an area."""
        return self._rules.knows("area", code) or self.area(code) != OTHER

    def is_retired(self, team: str | None) -> bool:
        """Whether the case had a team of this label that is gone from the file."""
        return team in self._teams

    def had(self, fact: Fact) -> bool:
        """Whether the case had this fact."""
        return self._before is not None and fact in self._before.facts

    def retired(self, checkpoint: str) -> bool:
        """Whether the case had a checkpoint of this id."""
        return self._before is not None and any(each.checkpoint == checkpoint for each in self._before.followups)

    def of_call(self, asked: Opening) -> tuple[str | None, str]:
        """Team and area that a call asks for: a retired one is no team or `other` by now."""
        before = self._before.opening if self._before else None
        if before is None or before.at != asked.at:
            return asked.team, asked.area
        team, area = asked.team, asked.area
        if team in (None, OTHER) and before.team in self._teams:
            team = before.team
        if area == OTHER and before.area not in self._rules.profile.areas:
            area = before.area
        return team, area


class _Teams:
    """Who has the case at which place of the walk; before any is told, the first that will have it."""

    __slots__ = ("_at", "_team")

    def __init__(self, said: Sequence[Said], asked: Opening | None, labels: _Labels) -> None:
        told = [(place(s), labels.team(s.team)) for s in said if type(s) is Opened or type(s) is Transferred]
        if asked:
            insort(told, (_place_of(asked), asked.team or OTHER))
        self._at = [at for at, _ in told]
        self._team = [team for _, team in told] or [OTHER]

    def at(self, place: Place) -> str:
        return self._team[max(bisect_right(self._at, place) - 1, 0)]

    @property
    def last(self) -> str:
        return self._team[-1]


def _place_of(asked: Opening) -> Place:
    """Where the opening by a call stands in the walk: where a statement of opening would."""
    return asked.at, 0, ""


# --- closed and open ----------------------------------------------------------------------------------------


class _Closure(NamedTuple):
    """From when until when the case is closed; `until` NEVER: it still is."""

    at: Micros
    until: Micros
    place: Place


def _closures(said: Sequence[Said], asked: Opening | None) -> list[_Closure]:
    """When the case is closed, in order. One that closes before it was ever opened does not count: it opens after that."""
    found: list[_Closure] = []
    state: Literal["not_opened", "open", "closed"] = "not_opened"
    since: Place = (-NEVER, 0, "")
    waits = asked
    for s in said:
        if waits and _place_of(waits) <= place(s):
            state, waits = "open", None
        if type(s) is CaseClosed:
            if state == "open":
                state, since = "closed", place(s)
        elif type(s) is Opened or (type(s) is CaseReopened and state == "closed"):
            if state == "closed":
                found.append(_Closure(since[0], s.at, since))
            state = "open"
    if state == "closed":
        found.append(_Closure(since[0], NEVER, since))
    return found


# --- follow-ups ---------------------------------------------------------------------------------------------


def _planned(opening: Opening, rules: Rules, before: Case | None) -> tuple[Planned, ...]:
    """The checkpoints of the plan, and those of `before` that are retired."""
    planned = planned_for(opening, rules)
    began = before.opening if before else None
    if before is None or began is None or began.team != opening.team:
        return planned
    # of a team that is gone there is no checkpoint in the file; of a changed opening the plan decides what is owed
    gone = opening.team not in rules.profile.team_codes or (began.at, began.kind) == (opening.at, opening.kind)
    in_file = rules.profile.checkpoints
    retired = [
        Planned(each.checkpoint, each.opens, each.due, each.lapses, each.per)
        for each in before.followups
        if gone and (opening.team, each.checkpoint) not in in_file
    ]
    return (*planned, *retired)


def _followups(
    planned: Sequence[Planned], said: Sequence[Said], teams: _Teams, closures: Sequence[_Closure]
) -> tuple[Followup, ...]:
    if not planned:
        return ()
    rescheduled: dict[str, Rescheduled] = {}
    done: dict[str, Attempted] = {}
    attempts: dict[str, int] = {}
    for s in said:
        if type(s) is Rescheduled:
            rescheduled[plain(s.followup)] = s
        elif type(s) is Attempted:
            checkpoint = plain(s.followup)
            attempts[checkpoint] = attempts.get(checkpoint, 0) + 1
            if s.result != "no_contact" and (checkpoint not in done or done[checkpoint].result != s.result):
                done[checkpoint] = s  # said again it was done no later
    found = []
    for each in planned:
        if each.checkpoint in rescheduled:
            each = _rescheduled(each, rescheduled[each.checkpoint])
        checkpoint, opens, due, lapses, per = each
        how, at, place = _resolved(each, done.get(checkpoint), closures)
        team = teams.at(place) if place else teams.last
        found.append(Followup(checkpoint, team, opens, due, lapses, how, at, attempts.get(checkpoint, 0), per))
    return tuple(found)


def _rescheduled(planned: Planned, said: Rescheduled) -> Planned:
    """At the time agreed with the person: nothing moves it to working hours."""
    gap = planned.lapses - planned.due
    lapses = said.due + gap if said.lapses is None else max(said.due, said.lapses)
    return planned._replace(opens=min(planned.opens, said.due), due=said.due, lapses=lapses)


class _Became(NamedTuple):
    """How a follow-up was resolved, when, and at which place of the walk; all None: it is owed."""

    how: Resolution | None = None
    at: Micros | None = None
    place: Place | None = None


_OWED: Final = _Became()


def _resolved(planned: Planned, done: Attempted | None, closures: Sequence[_Closure]) -> _Became:
    """What was done counts as done, also while the case was closed. Else what fell due while it was closed is `closed`.

    A closing that still holds ends all that is owed: what had lapsed by then stays missed.
    """
    if done is not None:
        late = done.result == "completed" and done.at >= planned.due
        how: Resolution = "completed_late" if late else "declined" if done.result == "declined" else "completed"
        return _Became(how, done.at, place(done))
    for closure in closures:
        if closure.at <= planned.due < closure.until and closure.at < planned.lapses:
            return _Became("closed", closure.at, closure.place)
    if closures and (last := closures[-1]).until == NEVER:
        if planned.lapses <= last.at:
            return _Became("missed", last.at)  # nobody has done it: whoever has the case now has this one too
        return _Became("closed", last.at, last.place)
    return _OWED


def _ends(opening: Opening | None, kind: str | None, followups: Sequence[Followup]) -> Micros:
    """When the case is done, if nobody closes it: case management goes on."""
    if opening is None or kind == "case_management":
        return NEVER
    return max([each.lapses for each in followups], default=opening.at) + MISSED_FOR


# --- what is counted ----------------------------------------------------------------------------------------


def _without_plan(opening: Opening | None, rules: Rules, labels: _Labels) -> tuple[Fact, ...]:
    """The data problem of a case whose team has no plan: no version of it is in force on the day of the opening.

    A team that is gone from the program file had one or not as long as it was there.
    """
    if opening is None:
        return ()
    fact: Fact = ("problem", rules.day(opening.at), "case_without_plan", 1)
    if opening.team in rules.covering(OTHER, rules.day(opening.at)):
        return ()
    return (fact,) if labels.had(fact) or not labels.is_retired(opening.team) else ()


def _facts(said: Sequence[Said], teams: _Teams, area: str, rules: Rules, labels: _Labels) -> list[Fact]:
    """Each attempt under the team that had the case then, each visit, each code that is not known; in walk order."""
    facts: list[Fact] = []
    for s in said:
        day = rules.day(s.at)
        if type(s) is Attempted:
            checkpoint = plain(s.followup)
            known = checkpoint in rules.profile.checkpoint_ids or labels.retired(checkpoint)
            facts.append(("attempt", day, teams.at(place(s)), checkpoint if known else OTHER, s.result, 1))
        elif type(s) is Outreach:
            facts.append(("outreach", day, area, 1))
            if s.located:
                facts.append(("located", day, area, 1))
        elif type(s) is Opened or type(s) is Transferred:
            if not labels.knows_team(s.team):
                facts.append(("unmapped", day, "team", 1))
            if type(s) is Opened and s.area is not None and not labels.knows_area(s.area):
                facts.append(("unmapped", day, "area", 1))
    return facts
