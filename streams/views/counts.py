"""Counters: sums of facts, and of facts that are no longer so. Source: the contract, section 3.

A counter never falls. A fact that is no longer so is counted as corrected, and its record keeps it as *taken*: a fact like
any other whose code is the full name of the metric. Over all records then, at any time and after any restart,

    counter = sum(facts) + sum(taken)        corrected = sum(taken)

so counter minus corrected is the sum of what is so now, whatever was said in between. What was taken of a histogram is kept as two
kinds of facts, as its page has it: how many were within a bound (the last label), and their sum. So all that a record has taken
adds up by labels and day, and a record that is corrected for ever does not grow for ever.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple, cast

from streams.catalogue.catalogue import Catalogue
from streams.catalogue.metric import Facts, Labels, Metric, corrected_as
from streams.clock import NEVER, Micros
from streams.entries import Fact
from streams.programs import Profile
from streams.views import rows
from streams.views.archive import Archive

_Pick = Callable[[Fact], Labels]
#: All labels of a fact.
_whole = cast(_Pick, itemgetter(slice(2, -1)))
#: What was taken of a histogram: the ends of the codes.
_BUCKET, _SUM = "_bucket", "_sum"


class Sum:
    """One number of a counter."""

    __slots__ = ("changed", "labels", "metric", "value")

    def __init__(self, metric: Metric, labels: Labels) -> None:
        self.metric, self.labels = metric, labels
        self.value = 0
        self.changed = False  # whether it is among those that have changed

    def add(self, amount: int) -> None:
        """Add an amount."""
        self.value += amount


class Row:
    """One row of a histogram."""

    __slots__ = ("bounds", "changed", "labels", "metric", "value")

    def __init__(self, metric: Metric, labels: Labels, bounds: tuple[Micros, ...]) -> None:
        self.metric, self.labels, self.bounds = metric, labels, bounds
        self.value = rows.empty(bounds)
        self.changed = False

    def add(self, amount: int) -> None:
        """Observe a time."""
        row = self.value  # as rows.observe does, without a call more: it is most of what is counted
        row[bisect_left(self.bounds, amount)] += 1
        row[-1] += amount


Cell = Sum | Row


class Taker(NamedTuple):
    """A metric that takes the facts of a code, and under which label values."""

    pick: _Pick
    metric: Metric


class Part(NamedTuple):
    """What was taken of a histogram: of a bucket, its bound the last label, or of the sum."""

    metric: Metric
    of_bucket: bool


class Counts:
    """The sums of a program's facts, for the counters and histograms that a catalogue declares."""

    def __init__(self, catalogue: Catalogue, bounds: tuple[Micros, ...]) -> None:
        """Nothing counted yet.

        Args:
            catalogue: What is counted.
            bounds: Upper bounds of the histograms, microseconds (see `values.edges`).
        """
        self.bounds = bounds
        self._cells: dict[Metric, dict[Labels, Cell]] = {}
        self._changed: list[Cell] = []
        #: Counters that are read from views, by name: their archived time is kept as facts of that code.
        self._read: dict[str | int, Metric] = {
            each.name: each for each in catalogue if each.kind == "counter" and each.read
        }
        self._beside: dict[Metric, dict[Labels, Micros]] = {}
        self._takers: dict[str | int, list[Taker]] = {}
        #: Where what is taken back is counted, by the name of the metric that it is of.
        self._corrected: dict[str, Taker] = {}
        #: What facts add to, by their code and labels: found once, as there are few such and many facts.
        self._ways: dict[str | int, dict[tuple[str | int, ...], list[Cell]]] = {}
        assert catalogue.corrections_of_counters is not None, "the catalogue has no place for corrections"
        self._parts: dict[str | int, Part] = {}
        self._corrections = catalogue.corrections_of_counters
        self._cells[self._corrections] = {}
        for metric in catalogue:
            if metric.sums:
                self._take(metric, catalogue)
        times = {str(code) for code, takers in self._takers.items() if takers[0].metric.kind == "histogram"}
        #: What was counted of records that are gone.
        self.archived = Archive(bounds, times)

    def _take(self, metric: Metric, catalogue: Catalogue) -> None:
        """Count the facts of a metric, and what is taken back of it."""
        if metric.kind == "histogram":
            back = Taker(_whole, catalogue.corrections_of[metric])
        else:
            back = Taker(lambda fact: corrected_as(metric, _whole(fact)), self._corrections)
        self._corrected[metric.name] = back
        for each in metric.sums:
            self._takers.setdefault(each.code, []).append(Taker(_picker(each, metric.values.labels), metric))
        self._cells[metric] = {}
        self._cells.setdefault(back.metric, {})
        self._ways |= {each.code: {} for each in metric.sums}
        if metric.kind == "histogram":
            self._parts[metric.name + _BUCKET] = Part(metric, of_bucket=True)
            self._parts[metric.name + _SUM] = Part(metric, of_bucket=False)
        else:
            self._takers[metric.name] = [Taker(_whole, metric), back]
            self._ways[metric.name] = {}

    def start(self, profile: Profile) -> None:
        """Make sure that all that a program file makes possible is there: no first count is lost then."""
        for metric in self._cells:
            if metric.values.from_the_start:
                for labels in metric.values.of(profile):
                    self._cell(metric, labels)

    def change(self, before: Sequence[Fact], after: Sequence[Fact]) -> list[Fact]:
        """Count what is new in the facts of a record, and what is no longer so as corrected.

        Returns what was taken back: the record keeps it, beside what it keeps already.
        """
        kept = len(before)
        if not kept or after[:kept] == before:  # as nearly always: nothing was corrected
            if len(after) > kept:
                self._add(after[kept:])
            return []
        came, gone = _difference(before, after)
        if not gone:
            self._add(came)
            return []
        return self._exchange(gone, came)

    def restore(self, facts: Iterable[Fact], taken: Iterable[Fact]) -> None:
        """Count a record as it was stored."""
        self._add(chain(facts, taken))

    def archive(self, facts: Iterable[Fact], taken: Iterable[Fact]) -> None:
        """Keep what was counted of a record by local day, as the record goes. No counter moves."""
        facts = list(chain(facts, taken))
        self.archived.add(facts)
        for fact in facts:
            self._pass(fact)

    def restore_day(self, day: int, packed: bytes) -> None:
        """Count an archived day as it was stored (see `Archive.pack`)."""
        stored = self.archived.restore(day, packed)
        facts = [(cell[0], day, *cell[1:], amount) for cell, amount in stored.sums]
        self._add(facts)
        for fact in facts:
            self._pass(fact)
        for cell, row in stored.rows:
            for pick, metric in self._takers.get(cell[0], ()):
                mine = self._cell(metric, pick((cell[0], day, *cell[1:], 0)))
                assert isinstance(mine, Row)
                rows.merge(mine.value, self.bounds, row, stored.bounds)
                self._note(mine)

    def correct(self, metric: Metric, labels: Labels, amount: int) -> None:
        """Count by how much a counter fell that is no sum of facts (label values without the program; microseconds)."""
        self._move(self._corrections, corrected_as(metric, labels), amount)
        self._put_beside(metric, labels, amount)

    def beside(self, metric: Metric) -> Mapping[Labels, Micros]:
        """What a counter of time shows beside what its view sums up: by how much that fell, and what is archived."""
        return self._beside.get(metric, {})

    def _pass(self, fact: Fact) -> None:
        """Time that is archived is no longer in its view."""
        if (metric := self._read.get(fact[0])) is not None:
            self._put_beside(metric, _whole(fact), cast(int, fact[-1]))

    def _put_beside(self, metric: Metric, labels: Labels, amount: int) -> None:
        beside = self._beside.setdefault(metric, {})
        beside[labels] = beside.get(labels, 0) + amount

    # --- reading --------------------------------------------------------------------------------------------

    def has(self, metric: Metric) -> bool:
        """Whether it is counted here."""
        return metric in self._cells

    def all(self, metric: Metric) -> Iterable[Cell]:
        """All cells of a metric."""
        return self._cells[metric].values()

    def changed(self) -> list[Cell]:
        """The cells that have changed since this was last asked: it has one reader, the page of /metrics."""
        changed, self._changed = self._changed, []
        for cell in changed:
            cell.changed = False
        return changed

    # --- the way of a fact ----------------------------------------------------------------------------------

    def _add(self, facts: Iterable[Fact]) -> None:
        ways, changed = self._ways, self._changed
        for fact in facts:
            known = ways.get(fact[0])
            if known is None:  # taken of a histogram, or of the days only
                if (part := self._parts.get(fact[0])) is not None:
                    self._add_part(part, fact)
                continue
            amount = fact[-1]
            for cell in known.get(fact[2:-1]) or self._way(fact):
                if type(cell) is Sum:
                    cell.value += amount  # type: ignore[operator]  # the last of a fact is its amount
                else:
                    cell.add(amount)  # type: ignore[arg-type]
                if not cell.changed:
                    cell.changed = True
                    changed.append(cell)

    def _add_part(self, part: Part, fact: Fact) -> None:
        """Count what was taken of a histogram. With other bounds it goes to the next one up, as in rows.py."""
        where, labels = -1, fact[2:-1]
        if part.of_bucket:
            where, labels = bisect_left(self.bounds, cast(Micros, fact[-2])), fact[2:-2]
        for metric in (part.metric, self._corrected[part.metric.name].metric):
            row = self._cell(metric, cast(Labels, labels))
            assert isinstance(row, Row)
            row.value[where] += cast(int, fact[-1])
            self._note(row)

    def _way(self, fact: Fact) -> list[Cell]:
        """What the facts of this code with these labels add to."""
        cells = [self._cell(metric, pick(fact)) for pick, metric in self._takers[fact[0]]]
        self._ways[fact[0]][fact[2:-1]] = cells
        return cells

    def _cell(self, metric: Metric, labels: Labels) -> Cell:
        cells = self._cells[metric]
        cell = cells.get(labels)
        if cell is None:
            made = Row(metric, labels, self.bounds) if metric.kind == "histogram" else Sum(metric, labels)
            cell = cells[labels] = made
        return cell

    def _move(self, metric: Metric, labels: Labels, amount: int) -> None:
        cell = self._cell(metric, labels)
        cell.add(amount)
        self._note(cell)

    def _note(self, cell: Cell) -> None:
        if not cell.changed:
            cell.changed = True
            self._changed.append(cell)

    def _exchange(self, gone: Iterable[Fact], came: Iterable[Fact]) -> list[Fact]:
        """Count facts that took the place of others. What a metric does not tell apart did not change for it."""
        moved: dict[tuple[Metric, Labels], tuple[list[Fact], list[Fact]]] = {}
        for which, facts in enumerate((gone, came)):
            for fact in facts:
                for pick, metric in self._takers.get(fact[0], ()):
                    moved.setdefault((metric, pick(fact)), ([], []))[which].append(fact)
        taken: list[Fact] = []
        for (metric, labels), (old, new) in moved.items():
            settle = _net if metric.micros and metric.kind == "counter" else _unpaired
            more, less = settle(old, new)
            for amount in more:
                self._move(metric, labels, amount)
            for day, amount in less:
                pick, corrections = self._corrected[metric.name]
                self._move(corrections, pick((metric.name, day, *labels, amount)), amount)
                taken += self._taken(metric, day, labels, amount)
        return taken

    def _taken(self, metric: Metric, day: int, labels: Labels, amount: int) -> Iterator[Fact]:
        """The facts that tell what was taken back."""
        if metric.kind != "histogram":
            yield metric.name, day, *labels, amount
            return
        where = bisect_left(self.bounds, amount)
        yield metric.name + _BUCKET, day, *labels, self.bounds[where] if where < len(self.bounds) else NEVER, 1
        yield metric.name + _SUM, day, *labels, amount


def plus(taken: Iterable[Fact], more: Iterable[Fact]) -> tuple[Fact, ...]:
    """What a record has taken, and more of it: one fact for each day and labels."""
    sums: dict[tuple[str | int, ...], int] = {}
    for fact in chain(taken, more):
        sums[fact[:-1]] = sums.get(fact[:-1], 0) + cast(int, fact[-1])
    return tuple([(*key, amount) for key, amount in sums.items()])


def _unpaired(old: Iterable[Fact], new: Iterable[Fact]) -> tuple[Iterable[int], list[tuple[int, int]]]:
    """Amounts that are new, and days and amounts that are gone, but for those of each that are equal."""
    more = Counter(fact[-1] for fact in new)
    less: list[Fact] = []
    for fact in old:
        if more[fact[-1]]:
            more[fact[-1]] -= 1
        else:
            less.append(fact)
    return cast(Iterable[int], more.elements()), [(cast(int, fact[1]), cast(int, fact[-1])) for fact in less]


def _net(old: Sequence[Fact], new: Iterable[Fact]) -> tuple[Iterable[int], list[tuple[int, int]]]:
    """By how much a sum of time rose, or by how much it fell."""
    rise = sum(cast(int, fact[-1]) for fact in new) - sum(cast(int, fact[-1]) for fact in old)
    if rise < 0:
        return (), [(cast(int, old[0][1]), -rise)]
    return (rise,) if rise else (), []


def _difference(before: Sequence[Fact], after: Sequence[Fact]) -> tuple[list[Fact], list[Fact]]:
    """The facts that are new, and those that are gone; of equal ones each counts."""
    same, most = 0, min(len(before), len(after))
    while same < most and before[same] == after[same]:
        same += 1
    before, after = before[same:], after[same:]
    left = Counter(before)
    came: list[Fact] = []
    for fact in after:
        if left[fact]:
            left[fact] -= 1
        else:
            came.append(fact)
    return came, list(left.elements())


def _picker(facts: Facts, labels: Labels) -> _Pick:
    """How a metric's label values are found in the facts of a code."""
    if facts.labels == labels:
        return _whole
    fixed = dict(facts.fixed)
    if len(labels) > 1 and not fixed:
        return cast(_Pick, itemgetter(*(2 + facts.labels.index(label) for label in labels)))
    places = [facts.labels.index(label) if label in facts.labels else None for label in labels]
    values = [fixed.get(label, "") for label in labels]
    return lambda fact: tuple(
        value if place is None else cast(str, fact[2 + place]) for place, value in zip(places, values, strict=True)
    )
