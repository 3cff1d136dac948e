"""The units of a program, as they are shown: each is looked at again only after a status of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from streams.clock import Micros
from streams.units import Unit, UnitArchive


class _Seen(NamedTuple):
    """What one unit shows until its next status."""

    shown: tuple[str, ...] | None  # team, area, status that holds; none: no status yet
    since: Micros
    micros: Mapping[tuple[str, str], Micros]
    unmapped: Mapping[str, int]


class Fleet:
    """Sums over the units. `counts`: (team, area, status) -> units, no zeros; `unmapped`: field -> unknown codes."""

    def __init__(self) -> None:
        """No units."""
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.unmapped: Counter[str] = Counter()
        self._spent: Counter[tuple[str, ...]] = Counter()
        self._seen: dict[str, _Seen] = {}
        self._stale: set[str] = set()

    def changed(self, unit: str) -> None:
        """A status of the unit was applied, or archived."""
        self._stale.add(unit)

    def sleep(self, name: str, archive: UnitArchive) -> None:
        """The unit is archived whole: it is not shown, and its sums stay."""
        self._stale.discard(name)
        if before := self._seen.pop(name, None):
            self._add(before, -1)
        self._add(_asleep(archive), +1)

    def wake(self, archive: UnitArchive) -> None:
        """A unit that was archived is one of the units again, with its sums."""
        self._add(_asleep(archive), -1)

    def look(self, units: Mapping[str, Unit]) -> None:
        """Look at the units that have changed, or were never looked at."""
        for name in self._stale | (units.keys() - self._seen.keys()):
            if before := self._seen.get(name):
                self._add(before, -1)
            self._seen[name] = now = _seen(units[name])
            self._add(now, +1)
        self._stale.clear()

    def spent(self, now: Micros) -> Counter[tuple[str, ...]]:
        """(team, status) -> microseconds that units spent in it, the status that holds up to *now*."""
        spent = self._spent.copy()
        for shown, since, _, _ in self._seen.values():
            if shown and now > since:
                spent[shown[0], shown[2]] += now - since
        return spent

    def _add(self, seen: _Seen, sign: int) -> None:
        if seen.shown:
            self.counts[seen.shown] += sign
            if not self.counts[seen.shown]:
                del self.counts[seen.shown]
        for owner, took in seen.micros.items():
            self._spent[owner] += sign * took
        for field, count in seen.unmapped.items():
            self.unmapped[field] += sign * count


def _seen(unit: Unit) -> _Seen:
    held = unit.held
    shown = (held.team, unit.area, held.status) if held else None
    return _Seen(shown, held.at if held else 0, dict(unit.micros), dict(unit.unmapped))


def _asleep(archive: UnitArchive) -> _Seen:
    return _Seen(None, 0, {(team, status): took for team, status, took in archive.seconds}, archive.unmapped)
