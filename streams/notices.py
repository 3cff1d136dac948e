"""What the topic `care.notices` says: a follow-up became overdue or missed, a staffing gap opened or closed.

`look` finds what has become so since the last look. It changes only what the state remembers of being looked at, no
number. A notice's id depends on nothing but what it is about, so that a repeat after a crash carries the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from hashlib import blake2b
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from streams.clock import NEVER, Micros, micros, utc
from streams.events import Code, Id
from streams.followups import MISSED_FOR, Followup
from streams.state import ProgramState, Told

NoticeId = Annotated[
    str,
    Meta(min_length=32, max_length=32, description="Unique id of the notice; a repeat after a crash carries the same."),
]
Team = Annotated[Code, Meta(description="Team, a code of the program.")]
Due = Annotated[datetime, Meta(tz=True, description="When the follow-up is due.")]
Lapses = Annotated[datetime, Meta(tz=True, description="When it lapses: from here on it is missed.")]
Units = Annotated[int, Meta(ge=0)]


class Notice(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every notice carries."""

    id: NoticeId
    program: Code
    at: Annotated[datetime, Meta(tz=True, description="When it became so, not when it was said.")]


class FollowupNotice(Notice, frozen=True):
    """A notice about a follow-up that is neither completed nor declined, of a case that is not closed."""

    case: Annotated[Id, Meta(description="Id of the case; that of a call, if the call opened it.")]
    team: Team
    area: Annotated[Code, Meta(description="The case's area: a code of the program, or other.")]
    followup: Annotated[Code, Meta(description="Id of the checkpoint.")]
    due: Due
    lapses: Lapses


class FollowupOverdue(FollowupNotice, frozen=True, tag="followup_overdue"):
    """A follow-up is due and not done; it can still be, until it lapses."""


class FollowupMissed(FollowupNotice, frozen=True, tag="followup_missed"):
    """A follow-up has lapsed undone."""


class GapNotice(Notice, frozen=True):
    """A notice about units on duty (every status but `off_duty`) against the staffing plan."""

    team: Team
    planned: Annotated[Units, Meta(description="Units that the plan wants on duty.")]
    on_duty: Annotated[Units, Meta(description="Units that are.")]


class StaffingGapOpened(GapNotice, frozen=True, tag="staffing_gap_opened"):
    """Fewer units than planned have been on duty for some minutes; `at` is since when."""


class StaffingGapClosed(GapNotice, frozen=True, tag="staffing_gap_closed"):
    """As many units as planned are on duty again, or the plan wants no more than there are; `at` is since when."""


AnyNotice = FollowupOverdue | FollowupMissed | StaffingGapOpened | StaffingGapClosed
KINDS: tuple[type[Notice], ...] = (FollowupOverdue, FollowupMissed, StaffingGapOpened, StaffingGapClosed)


class Look(NamedTuple):
    """What a look found, in order of time, and what the state has to remember once it is said (None: nothing new)."""

    notices: list[AnyNotice]
    told: Told | None


def look(state: ProgramState, now: Micros, gap_after: Micros) -> Look:
    """What became so up to *now* and was not found before. Only for a state that has applied all there is.

    `gap_after`: how long fewer units than planned are on duty before it is a gap (microseconds).
    """
    state.put_back()  # the record of a late case may be durable before its notice is
    gaps = dict(state.told.gaps)
    notices = [*_followups(state, now), *_gaps(state, now, gap_after, gaps)]
    notices.sort(key=lambda notice: (notice.at, notice.id))
    news = bool(notices) or state.cases.late_from < NEVER
    state.cases.told_upto = now
    state.cases.late, state.cases.late_from = {}, NEVER
    return Look(notices, Told(now, gaps) if news else None)


def _followups(state: ProgramState, now: Micros) -> Iterator[AnyNotice]:
    cases = state.cases
    for kind in ("overdue", "missed"):
        for case, _, each in cases.board.became(kind, cases.told_upto, now):
            yield from _followup(state, kind, case, each, now)
    for (case, checkpoint, kind), at in cases.late.items():
        opening = cases.opening(case)
        for each in cases.board.plans.of(opening) if opening else ():
            if each.checkpoint == checkpoint and at <= cases.told_upto:
                yield from _followup(state, kind, case, each, now)


def _followup(state: ProgramState, kind: str, case: str, each: Followup, now: Micros) -> Iterator[AnyNotice]:
    opening = state.cases.opening(case)
    if opening is None or each.lapses + MISSED_FOR <= now:
        return  # nobody does it any more
    program = state.profile.program
    of, at = (FollowupOverdue, each.due) if kind == "overdue" else (FollowupMissed, each.lapses)
    yield of(
        id=_id(kind, program, case, each.checkpoint, str(at)),
        program=program,
        at=utc(at),
        case=case,
        team=opening.team,
        area=opening.area,
        followup=each.checkpoint,
        due=utc(each.due),
        lapses=utc(each.lapses),
    )


def _gaps(state: ProgramState, now: Micros, gap_after: Micros, gaps: dict[str, Micros]) -> Iterator[AnyNotice]:
    """Notices of gaps; `gaps` (team -> since when) is brought up to date."""
    if "status" not in state.newest:
        return  # nobody says who is on duty
    program = state.profile.program
    for team in state.profile.team_codes:
        planned, on_duty = _planned(state, team, now), _on_duty(state, team, now)
        short = on_duty < planned
        if short == (team in gaps):
            continue
        since = _since(state, team, now)
        if short and now - since >= gap_after:
            gaps[team] = since
            yield StaffingGapOpened(
                id=_id("opened", program, team, str(since)),
                program=program,
                at=utc(since),
                team=team,
                planned=planned,
                on_duty=on_duty,
            )
        elif not short:
            opened = gaps.pop(team)
            yield StaffingGapClosed(
                id=_id("closed", program, team, str(opened)),
                program=program,
                at=utc(max(since, opened)),
                team=team,
                planned=planned,
                on_duty=on_duty,
            )


def _planned(state: ProgramState, team: str, at: Micros) -> int:
    when = state.profile.local(at)
    return sum(version.planned(when) for version in state.profile.teams if version.code == team)


def _on_duty(state: ProgramState, team: str, at: Micros) -> int:
    known = (unit.known_at(at) for unit in state.units.values())
    return sum(found is not None and found[1] == team and found[0] != "off_duty" for found in known)


def _since(state: ProgramState, team: str, now: Micros) -> Micros:
    """Since when the team has been short of units, or not, as it is now; since yesterday began at most."""
    profile = state.profile

    def short(at: Micros) -> bool:
        return _on_duty(state, team, at) < _planned(state, team, at)

    today = profile.local(now).date()
    clocks = {time.min}  # a version of the team begins and ends at midnight
    for version in profile.teams:
        if version.code == team:
            clocks |= {clock for shift in version.staffing for clock in (shift.from_, shift.until)}
    days = (today, today - timedelta(days=1))
    times = {micros(datetime.combine(day, clock, profile.zone)) for day in days for clock in clocks}
    first = min(times)
    for unit in state.units.values():
        if team in unit.teams:
            times.update(unit.times(first, now))
    is_short, since = short(now), now
    for at in sorted((at for at in times if at <= now), reverse=True):
        if short(at) != is_short:
            break
        since = at
    return since


def _id(*parts: str) -> str:
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
