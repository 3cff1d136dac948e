"""All cases of a program: those with a record of their own, those that calls opened, and the board of their follow-ups."""

from __future__ import annotations

from collections import Counter

from streams import events, tally
from streams.calls import Fact
from streams.cases import DONE, Case, Opening
from streams.clock import NEVER, Micros
from streams.followups import MISSED_FOR, Board, Followup
from streams.programs import OTHER, Profile

#: What became of a follow-up: its checkpoint, and overdue or missed.
Moment = tuple[str, str]


class Caseload:
    """Cases by id. A case is on the board once it is opened; of two openings the earlier one holds."""

    def __init__(self, profile: Profile) -> None:
        """No cases yet."""
        self._profile = profile
        self.board = Board(profile)
        self.records: dict[str, Case] = {}
        self.by_calls: dict[str, Opening] = {}  # of closed calls whose outcome opens a case
        #: Everything that became so up to here was told, see notices.py; 0: nothing yet.
        self.told_upto: Micros = 0
        #: (case, checkpoint, overdue or missed) -> since when: became known after that time was told.
        self.late: dict[tuple[str, str, str], Micros] = {}
        self.late_from: Micros = NEVER  # the earliest of them since they were last looked at

    def opening(self, id: str) -> Opening | None:
        """How a case began; None if it is not known to have begun."""
        case, by_call = self.records.get(id), self.by_calls.get(id)
        opened = case.opened if case else None
        if opened is None or by_call is None:
            return opened or by_call
        return by_call if by_call.at < opened.at else opened

    def set_by_call(self, id: str, opening: Opening | None) -> None:
        """What a closed call says of its case now: that it opened one, or (None) that it did not or is archived."""
        if self.by_calls.get(id) == opening:
            return
        before = self._take_out(id)
        if opening is None:
            del self.by_calls[id]
        else:
            self.by_calls[id] = opening
        self._put_in(id, before)

    def put(self, id: str, case: Case) -> None:
        """A case from its record."""
        before = self._take_out(id)
        self.records[id] = case
        self._put_in(id, before)

    def begin(self, id: str, case: Case) -> None:
        """A new case, before its first event is written into it: that changes nothing on the board."""
        self.records[id] = case

    def drop(self, id: str) -> Case:
        """Take a case's record away."""
        before = self._take_out(id)
        case = self.records.pop(id)
        self._put_in(id, before)
        return case

    def apply(self, event: events.AnyCaseEvent, at: Micros, id: bytes) -> list[Fact]:
        """Write an event into its case, whose record is there; the facts that it is the first to tell."""
        case = self.records[event.case]
        # where it is opened, everything that it tells is counted but for this event
        counted = (len(case.attempts), len(case.outreach)) if self.opening(event.case) else None
        case.ids += id
        if at > case.newest:
            case.newest = at
        unmapped: list[Fact] = []
        # what is taken off the board and put on it again is only what the event may change there
        match event:
            case events.FollowupAttempted():
                attempt = at, event.followup, str(event.result)
                if event.result in DONE and not _resolves_nothing(case.resolved(event.followup), at, event.result):
                    before = self._take_out(event.case, event.followup)
                    case.attempts.append(attempt)
                    self._put_in(event.case, before, event.followup)
                else:
                    case.attempts.append(attempt)
            case events.OutreachAttempted():
                case.outreach.append((at, event.located))
            case events.CaseOpened():
                team = self._profile.label_of("team", event.team)
                area = self._profile.label_of("area", event.area or OTHER)
                opened = Opening(at, str(event.kind), team, area, event.call or "")
                before = self._take_out(event.case)
                case.opened = min(case.opened or opened, opened)
                self._put_in(event.case, before)
                unmapped = [(tally.UNMAPPED, field, 1) for field, _ in self.unmapped(event)]
                case.facts += unmapped
            case events.CaseClosed():
                before = self._take_out(event.case)
                case.closed = min(case.closed or at, at)
                self._put_in(event.case, before)
        return unmapped + self.settle(event.case, counted)

    def unmapped(self, event: events.CaseOpened) -> list[tuple[str, str]]:
        """Codes that the profile does not know: (field, code)."""
        codes = (("team", event.team), ("area", event.area))
        return [(field, code) for field, code in codes if code and not self._profile.knows(field, code)]

    def settle(self, id: str, counted: tuple[int, int] | None = None, *, last: bool = False) -> list[Fact]:
        """Count the attempts and visits of a case that waited for its opening, under the team and area that it has now.

        One that is not opened counts nothing yet, or with `last` all under `other`: it goes. `counted`: how many attempts
        and visits were counted before, where that is known; else its facts are looked through.
        """
        case = self.records.get(id)
        if case is None:
            return []
        opening = self.opening(id)
        if not (opening or last):
            return []
        team, area = (opening.team, opening.area) if opening else (OTHER, OTHER)
        if counted is None:
            times = Counter(fact[0] for fact in case.facts)
            counted = times[tally.ATTEMPT], times[tally.OUTREACH]
        attempts, visits = counted
        facts: list[Fact] = []
        for _, followup, result in case.attempts[attempts:]:
            point = followup if followup in self._profile.checkpoint_ids else OTHER
            facts.append((tally.ATTEMPT, team, point, result, 1))
        for _, located in case.outreach[visits:]:
            facts.append((tally.OUTREACH, area, 1))
            if located:
                facts.append((tally.LOCATED, area, 1))
        case.facts += facts
        return facts

    def kept_until(self, id: str) -> Micros:
        """Until when the records that tell of a case must be kept, for its follow-ups and for its being active."""
        opening, case = self.opening(id), self.records.get(id)
        if opening is None:
            return 0
        if not (case and case.closed) and self.board.active_until(opening) == NEVER:
            return NEVER
        end = self.board.plans.end
        if case and case.opened and id in self.by_calls:
            return max(end(case.opened), end(self.by_calls[id]))
        return end(opening)

    def _take_out(self, id: str, checkpoint: str | None = None) -> list[Followup]:
        """Take a case off the board, or one follow-up of it; what was owed."""
        opening = self.opening(id)
        return self.board.change(id, opening, self.records.get(id), -1, checkpoint) if opening else []

    def _put_in(self, id: str, before: list[Followup], checkpoint: str | None = None) -> None:
        """Put on the board what was taken out, as it is now."""
        opening = self.opening(id)
        now = self.board.change(id, opening, self.records.get(id), +1, checkpoint) if opening else []
        if self.told_upto:
            told, known = self._past(before), self._past(now)
            for moment in told.keys() | known.keys():
                if moment not in known:
                    self.late.pop((id, *moment), None)
                elif moment not in told or (id, *moment) in self.late:  # of what is not yet said, the time may move
                    self.late[id, *moment] = known[moment]
                    self.late_from = min(self.late_from, known[moment])

    def _past(self, owed: list[Followup]) -> dict[Moment, Micros]:
        """What became of follow-ups up to the time that was told."""
        moments: dict[Moment, Micros] = {}
        for each in owed:
            if each.lapses + MISSED_FOR <= self.told_upto:
                continue  # no longer shown
            if each.due <= self.told_upto and each.due < each.lapses:
                moments[each.checkpoint, "overdue"] = each.due
            if each.lapses <= self.told_upto:
                moments[each.checkpoint, "missed"] = each.lapses
        return moments


def _resolves_nothing(done: tuple[Micros, str] | None, at: Micros, how: str) -> bool:
    """Whether a checkpoint was resolved before an attempt that completes or declines it, see `Case.resolved`."""
    return done is not None and (done[0] < at or (done[0] == at and done[1] in DONE and done[1] <= how))
