"""All views of one program, and who hears of what."""

from __future__ import annotations

from collections.abc import Iterable

from streams.entries import Call, Case
from streams.rules import Rules
from streams.views import people
from streams.views.closed import Closed
from streams.views.feeds import Feeds
from streams.views.followups import Followups
from streams.views.hours import Hours
from streams.views.kept import Kept
from streams.views.open_calls import OpenCalls
from streams.views.people import OfCases, People
from streams.views.staffing import Staffing
from streams.views.units import Units


class Views:
    """Sums over what the records of a program are."""

    def __init__(self, rules: Rules) -> None:
        """Over nothing yet."""
        self._rules = rules
        self.units = Units(rules)
        self.staffing = Staffing(rules, self.units)
        self.open_calls = OpenCalls(rules)
        self.closed = Closed(rules)
        self.hours = Hours(rules)
        self.followups = Followups()
        self.people = People(rules.day)
        self._people_of_cases = OfCases(rules)
        self.feeds = Feeds()
        self.kept = Kept(self.units)

    def of_call(self, id: str, before: Call | None, after: Call | None) -> None:
        """A call is something else now; None: not there."""
        self._of_call(id, before, after)
        were, are = before.people if before else (), after.people if after else ()
        if were or are:
            told, tells = people.of_call(before, self._rules), people.of_call(after, self._rules)
            if told != tells:
                self.people.change(told, tells)
            if were != are:
                self.people.change(*self._people_of_cases.call_tells(id, are))

    def archive_call(self, id: str, call: Call | None) -> set[int]:
        """A call is no longer kept; the days of people that are stored otherwise now."""
        if call is None:
            return set()
        self._of_call(id, call, None)
        days = self.people.archive(people.of_call(call, self._rules))
        if call.people:
            self.people.change(*self._people_of_cases.call_tells(id, ()))
        return days

    def archive_case(self, id: str, case: Case | None) -> set[int]:
        """A case is no longer kept; the days of people that are stored otherwise now."""
        if case is None:
            return set()
        self._of_case(id, case, None)
        contacts, _ = self._people_of_cases.change(id, case, None)
        return self.people.archive(contacts)

    def cases_of(self, call: str) -> Iterable[str]:
        """The cases of persons that came from a call: it is kept as long as they are, for it tells whose contact they are."""
        return self._people_of_cases.of_call(call)

    def of_case(self, id: str, before: Case | None, after: Case | None) -> None:
        """A case is something else now; None: not there."""
        self._of_case(id, before, after)
        self.people.change(*self._people_of_cases.change(id, before, after))

    def _of_call(self, id: str, before: Call | None, after: Call | None) -> None:
        was_open = before is not None and before.state == "open"
        is_open = after is not None and after.state == "open"
        if was_open or is_open:
            self.open_calls.change(id, before, after)
        if was_open is not is_open:
            self.kept.of_call(before, after)
        # a reopened call still counts as closed
        was_closed = before is not None and (not was_open or before.closed is not None)
        if was_closed or (after is not None and (not is_open or after.closed is not None)):
            self.closed.change(before, after)
            self.hours.change(before, after)

    def _of_case(self, id: str, before: Case | None, after: Case | None) -> None:
        self.followups.change(id, before, after)
        self.kept.of_case(before, after)
