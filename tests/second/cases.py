"""What a case is, and what it owes (the contract, section 3: Case and follow-ups)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.second.entry import Call
from tests.second.names import NONE, OTHER, PLACE
from tests.second.program import Checkpoint, Program, plain
from tests.second.statements import Said, last_told

MONTH = timedelta(days=30)
Place = tuple[datetime, int, str, str]


@dataclass
class Followup:
    """One checkpoint that a case owes."""

    id: str
    opens: datetime
    due: datetime
    lapses: datetime
    per_person: bool
    #: completed, completed_late, declined or closed; None: not resolved.
    result: str | None = None
    resolved: Place | None = None
    superseded: bool = False
    team: str = OTHER

    def state(self, now: datetime) -> str:
        """The state of one that is not resolved."""
        if now < self.opens:
            return "scheduled"
        if now < self.due:
            return "open"
        return "overdue" if now < self.lapses else "missed"


@dataclass
class Case:
    """One case, as its statements that hold and its call make it."""

    id: str
    kind: str
    area: str
    person: str | None
    opened: datetime | None
    #: From each close to the reopening after it; None: still closed.
    closed: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    followups: list[Followup] = field(default_factory=list)
    #: Team, checkpoint and result of each attempt.
    attempts: list[tuple[str, str, str]] = field(default_factory=list)
    outreach: list[bool] = field(default_factory=list)
    #: Whether its person is the one of the call that it came from.
    of_a_call: bool = False
    without_plan: bool = False
    teams: list[tuple[Place, str]] = field(default_factory=list)

    @property
    def is_closed(self) -> bool:
        return bool(self.closed) and self.closed[-1][1] is None

    def active(self, now: datetime) -> bool:
        if self.opened is None or self.is_closed:
            return False
        if self.kind == "case_management":
            return True
        last = max((followup.lapses for followup in self.followups), default=self.opened)
        return now < last + MONTH

    def team_at(self, place: Place) -> str:
        """The team that has the case at a place in its walk; before any was told, the first."""
        found = self.teams[0][1] if self.teams else OTHER
        for told, team in self.teams:
            if told <= place:
                found = team
        return found


def derive(id: str, walk: Sequence[Said], call: Call | None, named: Call | None, program: Program) -> Case | None:
    """`call`: the call whose close opens the case, if one does; `named`: the call that its opening names."""
    openings = [said for said in walk if said.type == "case_opened"]
    if call is None and not walk:
        return None
    area = last_told(openings, "area")
    case = Case(
        id=id,
        kind=last_told(openings, "kind") or "encounter",
        area=program.label("area", area) if area is not None else (call.area if call is not None else OTHER),
        person=last_told(openings, "person") or (call.person if call is not None else None),
        opened=None,
    )
    team, kind = OTHER, "encounter"
    opening: Place | None = None
    if openings:
        # How it began tells `case_opened`, whatever the call's close says.
        opening, team = openings[0].place(), program.label("team", openings[0].told["team"])
        kind = openings[0].told["kind"]
    elif call is not None:
        assert call.closed is not None
        # What is said at the very time at which a call closes comes after the case that it opens.
        opening, team = (call.closed, -1, "", id), _team_of(call, program)
        case.teams.append((opening, team))
    for said in walk:
        if said.type in ("case_opened", "case_transferred"):
            case.teams.append((said.place(), program.label("team", said.told["team"])))
    case.teams.sort()
    if opening is not None:
        case.opened = opening[0]
        case.closed = _closed(walk, opening)
    case.of_a_call = any(of is not None and of.person == case.person for of in (call, named))
    _plan(case, team, kind, walk, program)
    for said in walk:
        if said.type == "followup_attempted":
            _attempt(case, said, program)
        elif said.type == "outreach_attempted":
            case.outreach.append(said.told["located"])
    for followup in case.followups:
        _close(case, followup)
        resolved = followup.resolved
        followup.team = case.teams[-1][1] if resolved is None else case.team_at(resolved)
    return case


def _team_of(call: Call, program: Program) -> str:
    assert call.closed is not None
    if call.team not in (NONE, OTHER):
        return call.team
    return program.first_covering(call.area, program.day(call.closed)) or OTHER


def _closed(walk: Sequence[Said], opening: Place) -> list[tuple[datetime, datetime | None]]:
    """From each close after the opening to the reopening after it."""
    found: list[tuple[datetime, datetime | None]] = []
    closed_at: datetime | None = None
    for said in walk:
        if said.place() <= opening:
            continue
        if said.type == "case_closed" and closed_at is None:
            closed_at = said.at
        elif said.type in ("case_opened", "case_reopened") and closed_at is not None:
            found.append((closed_at, said.at))
            closed_at = None
    if closed_at is not None:
        found.append((closed_at, None))
    return found


def _plan(case: Case, team: str, kind: str, walk: Sequence[Said], program: Program) -> None:
    if case.opened is None:
        return
    points = program.plan(team, kind, case.opened)
    if points is None:
        case.without_plan = True
        return
    for point in points:
        case.followups.append(_followup(case.opened, point, walk, program))


def _followup(opened: datetime, point: Checkpoint, walk: Sequence[Said], program: Program) -> Followup:
    opens, due, lapses = (program.later(opened, text) for text in (point.opens, point.due, point.lapses))
    due = max(opens, due)  # a day of 23 hours must not put 1 day before 24 hours
    lapses = max(due, lapses)
    gap = lapses - due
    about = [said for said in walk if plain(said.told.get("followup", "")) == plain(point.id)]
    for said in about:
        if said.type == "followup_rescheduled":
            due = said.told["due"]
            lapses = max(due, said.told.get("lapses", due + gap))
    followup = Followup(point.id, min(opens, due), due, lapses, point.per_person)
    for said in about:
        if said.type == "followup_attempted" and said.told["result"] != "no_contact":
            done = said.told["result"]
            if done == "completed" and due <= said.at:
                done = "completed_late"
            # Of two that say the same one after the other the first is when it was done.
            same = followup.result is not None and (followup.result == "declined") == (done == "declined")
            if not same:
                followup.result, followup.resolved = done, said.place()
    return followup


def _close(case: Case, followup: Followup) -> None:
    """What the closes of the case end; what was done all the same is done."""
    if followup.result is not None:
        return
    for begin, end in case.closed:
        fell_due = end is None or begin <= followup.due < end
        if fell_due and begin < followup.lapses:
            followup.result, followup.resolved = "closed", (begin, PLACE["case_closed"], "", case.id)
            return


def _attempt(case: Case, said: Said, program: Program) -> None:
    label = program.checkpoint(said.told["followup"])
    case.attempts.append((case.team_at(said.place()), label, said.told["result"]))


def supersede(cases: Iterable[Case]) -> None:
    """Of the cases of one person only the newest owes a checkpoint that is owed once a person."""
    everyone = [case for case in cases if case.person is not None and case.opened is not None]
    for case in everyone:
        for followup in case.followups:
            newer = [
                _age(other)
                for other in everyone
                if other.person == case.person and _age(case) < _age(other) and _owes_once(other, followup.id)
            ]
            if followup.per_person and newer:
                followup.superseded = _owed_at(followup, min(newer)[0])


def _owes_once(case: Case, checkpoint: str) -> bool:
    return any(followup.per_person and followup.id == checkpoint for followup in case.followups)


def _owed_at(followup: Followup, at: datetime) -> bool:
    """Whether a follow-up was still owed when the person's newer case was opened, and nobody did it since."""
    if followup.result == "closed":
        assert followup.resolved is not None
        return at <= followup.resolved[0]
    return followup.result is None and at < followup.lapses


def _age(case: Case) -> tuple[datetime, str]:
    assert case.opened is not None
    return case.opened, case.id
