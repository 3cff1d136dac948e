"""People: how many were served, and how many of them had contact again. Of a person there is only a keyed hash.

For each person the local days with a call or a case are kept for 400 days, which is longer than records are: the days of
records that are archived stand here as state of their own, one small record a day.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from streams.clock import Micros
from streams.entries import Call, Case
from streams.rules import Rules
from streams.said import Person

K = TypeVar("K")
#: How many local days are kept, today included.
KEPT_DAYS: Final = 400
#: Windows of repeat contact, in local days, today included.
WINDOWS: Final[dict[str, int]] = {"30d": 30, "365d": 365}


class Contact(NamedTuple):
    """A person in a kept record. `day`: the local day (`date.toordinal`) of the contact.

    Its day is None where the record tells of the person but is no contact of its own: a case that came from a call of the
    same person.
    """

    person: Person
    day: int | None


def of_call(call: Call | None, rules: Rules) -> frozenset[Contact]:
    """The contacts that a call tells of, on the day on which it began."""
    if call is None or not call.people:
        return frozenset()
    began = call.received if call.received is not None else call.eligible_since
    day = rules.day(call.since if began is None else began)
    return frozenset(Contact(person, day) for person in call.people)


def of_case(case: Case | None, people_of_call: Collection[Person], rules: Rules) -> frozenset[Contact]:
    """The contacts that a case tells of, on the day of its opening. `people_of_call`: persons of the call that it came from."""
    if case is None or case.person is None or case.opening is None:
        return frozenset()
    return frozenset((Contact(case.person, None if case.person in people_of_call else rules.day(case.opening.at)),))


class OfCases:
    """The contacts of cases: they lean on what the calls tell that the cases came from, whichever is known first."""

    def __init__(self, rules: Rules) -> None:
        """No cases."""
        self._rules = rules
        self._people: dict[str, tuple[Person, ...]] = {}  # by call, where it tells of any
        self._cases: dict[str, dict[str, Case]] = {}  # by the call that they came from: those that tell of a person

    def of_call(self, call: str) -> Iterable[str]:
        """The cases that came from a call."""
        return self._cases.get(call, ())

    def call_tells(self, call: str, people: tuple[Person, ...]) -> tuple[list[Contact], list[Contact]]:
        """A call tells of these persons now: the contacts of its cases that are none any more, and those that are new."""
        were = self._people.get(call, ())
        gone: list[Contact] = []
        new: list[Contact] = []
        if were != people:
            for case in self._cases.get(call, {}).values():
                gone += of_case(case, were, self._rules)
                new += of_case(case, people, self._rules)
            if people:
                self._people[call] = people
            else:
                del self._people[call]
        return gone, new

    def change(self, id: str, before: Case | None, after: Case | None) -> tuple[frozenset[Contact], frozenset[Contact]]:
        """A case is something else now (None: not there): its contacts that are none any more, and those that are new."""
        gone, new = self._of(before), self._of(after)
        if before and before.person is not None and before.call is not None:
            cases = self._cases[before.call]
            del cases[id]
            if not cases:
                del self._cases[before.call]
        if after and after.person is not None and after.call is not None:
            self._cases.setdefault(after.call, {})[id] = after
        return gone, new

    def _of(self, case: Case | None) -> frozenset[Contact]:
        people = self._people.get(case.call, ()) if case and case.call is not None else ()
        return of_case(case, people, self._rules)


class People:
    """Persons of a program and their days. A day is a local day, as `date.toordinal` counts; times are microseconds."""

    def __init__(self, day: Callable[[Micros], int]) -> None:
        """Nobody yet. `day` tells the program's local day of a time."""
        self._day = day
        self._records: Counter[Person] = Counter()  # kept records that tell of a person
        self._archived: dict[int, set[Person]] = {}  # by day: contacts of records that are gone
        #: The days of both, in order, each once; and how many tell of a day beside the first: that is rare.
        self._days: dict[Person, list[int]] = {}
        self._more: Counter[tuple[Person, int]] = Counter()
        #: How many persons had their last contact on a day, and how many their last but one: all that windows ask.
        self._last: Counter[int] = Counter()
        self._last_but_one: Counter[int] = Counter()

    # --- changes --------------------------------------------------------------------------------------------

    def change(self, before: Iterable[Contact], after: Iterable[Contact]) -> None:
        """The contacts that a record told of, and those that it tells of."""
        for contact in after:
            _change(self._records, contact.person, +1)
            if contact.day is not None:
                self._put_in(contact.person, contact.day)
        for contact in before:
            _change(self._records, contact.person, -1)
            if contact.day is not None:
                self._take_out(contact.person, contact.day)

    def archive(self, contacts: Iterable[Contact]) -> set[int]:
        """The record that told of these is archived: its days stay. Returns the days whose packed form changed."""
        changed: set[int] = set()
        for person, day in contacts:
            _change(self._records, person, -1)
            if day is None:
                continue
            persons = self._archived.setdefault(day, set())
            if person in persons:
                self._take_out(person, day)
            else:
                persons.add(person)
                changed.add(day)
        return changed

    def forget(self, person: Person, upto: Micros) -> set[int]:
        """Forget the archived days of a person up to a time, its day included. Returns the days whose packed form changed.

        Kept records lose the person as they are derived anew.
        """
        last = self._day(upto)
        changed = {day for day in self._days.get(person, ()) if day <= last and person in self._archived.get(day, ())}
        for day in changed:
            self._leave(person, day)
        return changed

    def expire(self, now: Micros) -> set[int]:
        """Drop the archived days that are kept no longer. Returns them."""
        today = self._day(now)
        expired = {day for day in self._archived if day <= today - KEPT_DAYS}
        for day in expired:
            self.restore(day, ())
        return expired

    # --- as it is stored ------------------------------------------------------------------------------------

    def archived_days(self) -> list[int]:
        """The days that have a packed form, in order."""
        return sorted(self._archived)

    def pack(self, day: int) -> list[Person]:
        """The persons of an archived day in order, as plain data to be stored; empty: there is nothing to store."""
        return sorted(self._archived.get(day, ()))

    def restore(self, day: int, persons: Iterable[Person]) -> None:
        """Take an archived day as it was packed, in place of what is known of it."""
        for person in tuple(self._archived.get(day, ())):
            self._leave(person, day)
        restored = set(persons)
        if restored:
            self._archived[day] = restored
        for person in restored:
            self._put_in(person, day)

    # --- answers --------------------------------------------------------------------------------------------

    def served(self) -> int:
        """Distinct persons of the kept calls and cases."""
        return len(self._records)

    def repeat(self, now: Micros) -> dict[tuple[str, ...], int]:
        """(window,) -> persons with two days of contact or more within it, today included."""
        today = self._day(now)
        if any(day > today for day in self._last):  # asked for an earlier day, or a clock that is ahead at midnight
            return {
                (window,): sum(_twice(days, today - length, today) for days in self._days.values())
                for window, length in WINDOWS.items()
            }
        return {
            (window,): sum(n for day, n in self._last_but_one.items() if day > today - length)
            for window, length in WINDOWS.items()
        }

    # --- days of a person -----------------------------------------------------------------------------------

    def _put_in(self, person: Person, day: int) -> None:
        days = self._days.setdefault(person, [])
        where = bisect_left(days, day)
        if where < len(days) and days[where] == day:
            _change(self._more, (person, day), +1)
            return
        self._count(days, -1)
        days.insert(where, day)
        self._count(days, +1)

    def _take_out(self, person: Person, day: int) -> None:
        if (person, day) in self._more:
            _change(self._more, (person, day), -1)
            return
        days = self._days[person]
        self._count(days, -1)
        del days[bisect_left(days, day)]
        self._count(days, +1)
        if not days:
            del self._days[person]

    def _leave(self, person: Person, day: int) -> None:
        """No archived record tells of a person on a day any more."""
        persons = self._archived[day]
        persons.remove(person)
        if not persons:
            del self._archived[day]
        self._take_out(person, day)

    def _count(self, days: Sequence[int], by: int) -> None:
        if days:
            _change(self._last, days[-1], by)
        if len(days) > 1:
            _change(self._last_but_one, days[-2], by)


def _twice(days: Sequence[int], after: int, upto: int) -> bool:
    return sum(after < day <= upto for day in days) > 1


def _change(counts: Counter[K], key: K, by: int) -> None:
    """Count, and keep nothing at zero."""
    counts[key] += by
    if not counts[key]:
        del counts[key]
