"""What open calls show: their stage, since when they wait, and when they pass a target.

A call is looked at again only after an event that can change it, so that a scrape costs little with ten thousand open.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from streams.calls import Call
from streams.clock import Micros


class Shown(NamedTuple):
    """What one open call shows until its next event. Calls triaged ineligible show nothing."""

    stage: tuple[str, ...]  # area, call type, stage
    waiting: Micros  # since when; 0: does not wait
    deadlines: Mapping[tuple[str, ...], Micros]  # (area, interval) -> the time after which it is past the target


class Waiting:
    """The open calls of a program, as they are shown."""

    def __init__(self) -> None:
        """No open calls."""
        self.stages: Counter[tuple[str, ...]] = Counter()
        self._shown: dict[str, Shown] = {}
        self._stale: set[str] = set()
        self._asking: defaultdict[str, set[str]] = defaultdict(set)  # unit -> calls with its team by its status then

    def changed(self, key: str) -> None:
        """An event of the call was applied."""
        self._stale.add(key)

    def closed(self, key: str) -> None:
        """The call is not open any more."""
        self._stale.discard(key)
        self._forget(key)

    def unit_changed(self, unit: str) -> None:
        """What is known of a unit's team has changed."""
        if calls := self._asking.pop(unit, None):
            self._stale |= calls & self._shown.keys()

    def look(self, calls: Mapping[str, Call], show: Callable[[Call], tuple[Shown, Iterable[str]] | None]) -> None:
        """Look at the calls that have changed. `show` gives what one shows, and the units whose statuses it asked."""
        for key in self._stale:
            self._forget(key)
            if found := show(calls[key]):
                self._shown[key], asked = found
                self.stages[found[0].stage] += 1
                for unit in asked:
                    self._asking[unit].add(key)
        self._stale.clear()

    def oldest(self) -> dict[str, Micros]:
        """Area -> since when the call waits that waits longest."""
        oldest: dict[str, Micros] = {}
        for (area, *_), waiting, _ in self._shown.values():
            if waiting and waiting < oldest.get(area, waiting + 1):
                oldest[area] = waiting
        return oldest

    def past_target(self, now: Micros) -> Counter[tuple[str, ...]]:
        """(area, interval) -> calls past the target."""
        return Counter(
            [which for shown in self._shown.values() for which, deadline in shown.deadlines.items() if deadline < now]
        )

    def _forget(self, key: str) -> None:
        shown = self._shown.pop(key, None)
        if shown:
            self.stages[shown.stage] -= 1
            if not self.stages[shown.stage]:
                del self.stages[shown.stage]
