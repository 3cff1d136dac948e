"""Calls whose result the units say: a page asks again only for those of a time of which something new is known."""

from __future__ import annotations

from streams import tally
from streams.state import ProgramState
from tests.unit.strategies import NOON, SMALL, closed, received, status

CALLS = 50
DAY_OF = SMALL.local(NOON).toordinal()


class Asked(ProgramState):
    """A state that counts how often it judges a closed call by its units."""

    asked = 0

    def _demanded(self, key: str) -> tuple[str, str]:
        self.asked += 1
        return super()._demanded(key)

    def ask(self) -> tuple[int, dict[str, int]]:
        """How many calls a page asks for now, and what it shows: result -> calls."""
        before, found = self.asked, self.demand_on(DAY_OF)
        return self.asked - before, {result: count for (_, result), count in found.items()}


def busy_day() -> Asked:
    """Calls of one area, a minute apart while its team works, all closed without a unit."""
    state = Asked(SMALL, tally.edges([SMALL]))
    state.apply(status(0, "available"), NOON)
    for n in range(CALLS):
        state.apply(received(n + 1, call=f"C{n}"), NOON)
        state.apply(closed(n + 2, call=f"C{n}"), NOON)
    return state


def test_a_page_asks_once() -> None:
    """Was: each page asked for every such call of the day, 30,000 of them for ten seconds on a slow machine."""
    state = busy_day()
    asked, shown = state.ask()
    assert asked == CALLS
    assert sum(shown.values()) == CALLS
    assert "no_unit_on_duty" not in shown
    assert state.ask() == (0, shown)


def test_a_status_asks_for_the_calls_of_its_time() -> None:
    state = busy_day()
    _, shown = state.ask()
    state.apply(status(CALLS + 5, "off_duty"), NOON)
    assert state.ask() == (0, shown), "it is later than all of them"
    state.apply(status(9.5, "off_duty"), NOON)
    state.apply(status(19.5, "available"), NOON)
    asked, shown = state.ask()
    assert asked == CALLS - 9, "both came after the last page: from the first one's time on"
    assert shown["no_unit_on_duty"] == 10
    state.apply(status(14.5, "available"), NOON)
    asked, shown = state.ask()
    assert (asked, shown["no_unit_on_duty"]) == (5, 5), "up to the unit's next status"


def test_a_call_that_changes_is_asked_for_and_one_that_goes_is_not() -> None:
    state = busy_day()
    state.ask()
    state.apply(closed(30, call="C7", outcome="cancelled"), NOON)
    asked, shown = state.ask()
    assert (asked, shown["cancelled"], sum(shown.values())) == (0, 1, CALLS)
    state.apply(received(8.5, call="C8"), NOON)
    assert state.ask()[0] == 1
