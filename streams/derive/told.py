"""What is told of a call, sorted by what it is about: one walk through the statements that hold.

Decided here: the spells of the call, and which telling of each field holds. Source: the contract, section 3, *Order within a
record* and *Call*; docs/meaning.md, *Spells of a call*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple, get_args

from streams.clock import NEVER, SECOND, Micros
from streams.derive.past import Past
from streams.derive.response import Unit
from streams.programs import OTHER, plain
from streams.rules import Rules
from streams.said import (
    AnyOfCall,
    AtDestination,
    Cancelled,
    Cleared,
    Closed,
    Contact,
    Dispatched,
    EnRoute,
    Force,
    Merged,
    Needles,
    OnScene,
    PoliceRequested,
    Received,
    Referral,
    Reopened,
    Said,
    Staged,
    Transporting,
    Triaged,
    UnitPoint,
    place,
)

#: A unit that goes to a closed call reopens it, but not so soon after its close: its times are often rounded.
GRACE: Final[Micros] = 60 * SECOND

Field = Literal["area", "call_type", "team", "outcome", "service", "destination"]
Place = tuple[Micros, int, str]
_BEFORE_ALL: Final[Place] = (-NEVER, 0, "")


class Spell:
    """From where the call begins or is reopened until its first close; and what its closes tell last. `outcome` is a label."""

    __slots__ = ("begins", "by_word_only", "closed", "ended", "outcome", "reason")

    def __init__(self, begins: Micros) -> None:
        self.begins = begins
        self.ended = False  # by a close or by a merge
        self.by_word_only = False  # only call_reopened undoes its end: a merge, or a close before the receipt
        self.closed: Micros = NEVER  # its first close; NEVER: none was told
        self.outcome: str | None = None
        self.reason: str | None = None


class Reached(NamedTuple):
    """A contact with the person. `by` is None where no unit is named, `team` where it names none."""

    at: Micros
    spell: int
    in_person: bool
    by: Unit | None
    team: str | None

    @property
    def by_care(self) -> bool:
        """Whether it is CARE's: all are but those in person by a unit of another agency."""
        return self.by is None or not self.in_person or self.by.agency == "care"

    @property
    def of_team(self) -> str | None:
        """The team that it names, else its unit's (see `Unit.finish`)."""
        return self.team or (None if self.by is None else self.by.team)


class Told:
    """What is told of a call.

    `into` is the call that it is merged into; None: into none, or in a circle. If it is, only what is said of the call itself
    counts here: units, contacts, force, needles, referrals and police requests count for the other. `known`: whether there is a
    call of which a statement holds; a merge into one that is not known is passed over.
    """

    __slots__ = (
        "_by_name",
        "_id",
        "_into",
        "_known",
        "_labels",
        "_latest_close",
        "_latest_reopening",
        "_past",
        "_receipt_holds",
        "_rules",
        "_said",
        "area",
        "call_type",
        "contacts",
        "counted",
        "eligible_again",
        "first_close",
        "ignored_merges",
        "involuntary",
        "last",
        "merged",
        "person",
        "received",
        "scheduled_for",
        "source",
        "spell",
        "spells",
        "triaged",
        "units",
        "unmapped",
    )

    def __init__(
        self,
        id: str,
        said: Sequence[AnyOfCall],
        rules: Rules,
        past: Past,
        into: str | None,
        known: Callable[[str], bool],
    ) -> None:
        """Walk through the statements that hold, in order (`said.place`). There is one at least."""
        self._id = id
        self._said = said
        self._rules = rules
        self._labels = rules.labels
        self._past = past
        self._into = into
        self._known = known
        self._latest_reopening: Place | None = None  # None: not looked for yet
        self._receipt_holds: bool | None = None  # None: not looked for yet
        self._latest_close: Micros = 0
        self.received: Micros | None = None
        self.area = OTHER
        self.call_type = OTHER
        self.source: str = OTHER
        self.scheduled_for: Micros | None = None
        self.triaged: bool | None = None  # as eligible or not; None: not at all
        self.eligible_again: Micros | None = None  # the first triage as eligible after one as ineligible
        self.last = Spell(said[0].at)
        self.spells = [self.last]
        self.spell = 0  # number of the last one
        self.first_close: Micros | None = None
        self.merged: Micros | None = None  # into `into`: when its last such merge says
        self.ignored_merges: list[Micros] = []
        self.person: int | None = None
        self.involuntary: tuple[bool, Micros] | None = None
        self.units: list[Unit] = []
        self._by_name: dict[
            str, Unit
        ] = {}  # by the names that the program file gives them, and by those that were told
        self.contacts: list[Reached] = []
        self.counted: list[PoliceRequested | Force | Needles | Referral] = []
        self.unmapped: list[tuple[Micros, Field]] = []
        if into is None:
            for each in said:
                _TAKES[type(each)](self, each)
        else:
            for each in said:
                if type(each) in _OF_A_MERGED_CALL:
                    _TAKES[type(each)](self, each)
        for unit in self.units:
            unit.finish()

    @property
    def close(self) -> Spell | None:
        """The last spell that a close ended, also while the call is reopened; None: it was never closed."""
        for spell in reversed(self.spells):
            if spell.closed != NEVER:
                return spell
        return None

    # --- the call itself ------------------------------------------------------------------------------------

    def _take_received(self, said: Received) -> None:
        if self.received is None:
            self.received = said.at
        self.area = self._label("area", said.area, said.at)
        self.call_type = self._label("call_type", said.call_type, said.at)
        if said.source is not None:
            self.source = said.source
        if said.scheduled_for is not None:
            self.scheduled_for = said.scheduled_for

    def _take_triaged(self, said: Triaged) -> None:
        if said.eligible and self.triaged is False and self.eligible_again is None:
            self.eligible_again = said.at
        self.triaged = said.eligible
        if said.area is not None:
            self.area = self._label("area", said.area, said.at)
        if said.call_type is not None:
            self.call_type = self._label("call_type", said.call_type, said.at)

    def _take_closed(self, said: Closed) -> None:
        at, spell = said.at, self.last
        if not spell.ended:
            self._end(spell)
        if spell.closed == NEVER:
            spell.closed = at
        if self.first_close is None:
            self.first_close = at
        self._latest_close = at
        if said.outcome is not None:
            spell.outcome = self._label("outcome", said.outcome, at)
        if said.unserved_reason is not None:
            spell.reason = plain(said.unserved_reason)
        if said.person is not None:
            self.person = said.person
        if said.involuntary is not None:
            self.involuntary = said.involuntary, at

    def _take_reopened(self, said: Reopened) -> None:
        if self.last.ended:
            self._begin(said.at)

    def _take_merged(self, said: Merged) -> None:
        undone = self._is_reopened_after(said)
        itself = said.into == self._id
        # of calls that are merged in a circle none is: all that was not undone is passed over then
        if itself or not self._known(said.into) or (self._into is None and not undone):
            if itself or not undone:
                self.ignored_merges.append(said.at)
            return
        if not undone and said.into == self._into:
            self.merged = said.at
        if not self.last.ended:
            self._end(self.last)
        self.last.by_word_only = True

    def _begin(self, at: Micros) -> None:
        self.last = Spell(at)
        self.spells.append(self.last)
        self.spell += 1

    def _end(self, spell: Spell) -> None:
        spell.ended = True
        spell.by_word_only = self.received is None and self._is_received()

    def _is_received(self) -> bool:
        if self._receipt_holds is None:
            self._receipt_holds = any(type(each) is Received for each in self._said)
        return self._receipt_holds

    def _is_reopened_after(self, said: Merged) -> bool:
        if self._latest_reopening is None:
            reopenings = (place(each) for each in reversed(self._said) if type(each) is Reopened)
            self._latest_reopening = next(reopenings, _BEFORE_ALL)
        return place(said) < self._latest_reopening

    # --- units and contacts ---------------------------------------------------------------------------------

    def _take_dispatched(self, said: Dispatched) -> None:
        if self.last.ended:
            self._reopen_by_unit(said.at)
        unit = self._by_name.get(said.unit) or self._unit(said.unit, said.at)
        if said.agency is not None:
            unit.agency = said.agency
        if said.team is not None:
            unit.told_team = self._label("team", said.team, said.at)
        unit.take(said, self.spell)

    def _take_on_the_way(self, said: EnRoute | OnScene) -> None:
        if self.last.ended:
            self._reopen_by_unit(said.at)
        self._take_point(said)

    def _take_point(self, said: UnitPoint) -> None:
        unit = self._by_name.get(said.unit) or self._unit(said.unit, said.at)
        if said.agency is not None:
            unit.agency = said.agency
        unit.take(said, self.spell)

    def _take_transport(self, said: Transporting | AtDestination) -> None:
        if said.destination is not None:
            self._label("destination", said.destination, said.at)
        self._take_point(said)

    def _take_contact(self, said: Contact) -> None:
        team = None if said.team is None else self._label("team", said.team, said.at)
        unit = None if said.unit is None else self._by_name.get(said.unit) or self._unit(said.unit, said.at)
        in_person = said.channel == "in_person"
        self.contacts.append(Reached(said.at, self.spell, in_person, unit, team))
        if unit is not None and in_person:
            unit.take(said, self.spell)

    def _reopen_by_unit(self, at: Micros) -> None:
        if not self.last.by_word_only and at - self._latest_close > GRACE:
            self._begin(at)

    def _unit(self, name: str, at: Micros) -> Unit:
        facts = self._rules.unit(name)
        unit = self._by_name.get(facts.unit)
        if unit is None:
            unit = self._by_name[facts.unit] = Unit(facts, at, self._past)
            self.units.append(unit)
        self._by_name[name] = unit
        return unit

    # --- counted things -------------------------------------------------------------------------------------

    def _take_counted(self, said: PoliceRequested | Force | Needles | Referral) -> None:
        if type(said) is Referral:
            self._label("service", said.service, said.at)
        self.counted.append(said)

    def _label(self, field: Field, code: str, at: Micros) -> str:
        label = self._labels[field][code]
        if label == OTHER and not self._rules.knows(field, code):
            self.unmapped.append((at, field))
        return label


_Takes = dict[type[Said], Callable[[Told, Any], object]]
_TAKES: Final[_Takes] = {
    Received: Told._take_received,
    Triaged: Told._take_triaged,
    Closed: Told._take_closed,
    Reopened: Told._take_reopened,
    Merged: Told._take_merged,
    Dispatched: Told._take_dispatched,
    EnRoute: Told._take_on_the_way,
    OnScene: Told._take_on_the_way,
    Staged: Told._take_point,
    Transporting: Told._take_transport,
    AtDestination: Told._take_transport,
    Cleared: Told._take_point,
    Cancelled: Told._take_point,
    Contact: Told._take_contact,
    PoliceRequested: Told._take_counted,
    Force: Told._take_counted,
    Needles: Told._take_counted,
    Referral: Told._take_counted,
}
assert _TAKES.keys() == set(get_args(AnyOfCall)), "a statement about a call that the walk passes over"
#: The rest counts for the call that it is merged into.
_OF_A_MERGED_CALL: Final = frozenset((Received, Triaged, Closed, Reopened, Merged))
