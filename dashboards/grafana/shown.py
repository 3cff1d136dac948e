"""What a panel shows: signals with the names of their rows, columns and lines, and what it says where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.catalogue import pipeline
from dashboards.catalogue.promql import INFO, named, select, total
from dashboards.catalogue.signal import Signal, Unit
from dashboards.grafana.style import BLUE, LOOKS, SHORT, TOPICS, Look
from streams import metrics as m

#: Stands for "none", which is known only while a program reports: no value may just as well mean that nobody knows.
NONE = -1
#: Stands for a program that no worker shows, among numbers of programs.
SILENT = -2
#: What is said where nobody knows, and of a row of a table why.
UNKNOWN = "unknown"
_NOT_SHOWN = f"{UNKNOWN}: no worker shows it"
#: The label of a place in words, and what it is made of.
PLACE = "place"
_PLACE = ("program", "team_name", "area_name", "topic", "instance")
#: The programs of which no number is known now, and since when, milliseconds.
UNKNOWN_SINCE = f"({pipeline.SILENT_SINCE.expr}) * 1000"
_ALL_REPORT = f"(group ({select(m.PEOPLE)}) unless on () ({pipeline.SILENT_SINCE.expr}))"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A signal as a panel shows it.

    Attributes:
        signal: What.
        by: Labels to add it up by, if not its own. Only for what can be added up.
        name: Of its column or line, if not its title.
        color, dashed: Of its line.
        scale: Factor for Grafana, which counts time in milliseconds, and for axes.
        unit: After scaling, if not the signal's.
        positive: Whether zeros are left out.
        said: Labels that people read, if not all of them: the others are the same for all that is shown.
        merged: Whether what has one name is one, in all programs.
        place: Whether the labels that say where are one column.
    """

    signal: Signal
    by: str | None = None
    name: str | None = None
    color: str = BLUE
    dashed: bool = False
    scale: float = 1
    unit: Unit | None = None
    positive: bool = False
    said: str | None = None
    place: bool = False
    merged: bool = False

    @property
    def bare(self) -> str:
        """PromQL, without the names of the labels' codes."""
        expr = self.signal.expr
        if self.by is not None:
            expr = total(self.by, expr) if self.by else f"sum({expr})"
        if self.scale != 1:
            expr = f"({expr}) * {self.scale:g}" if self.scale > 1 else f"({expr}) / {1 / self.scale:g}"
        if self.positive:
            expr = f"({expr}) > 0"
        return expr

    @property
    def expr(self) -> str:
        """PromQL, with the names of the labels' codes."""
        expr = named(self.bare, self.labels)
        if self.place:
            for topic, words in TOPICS.items() if "topic" in self.labels else ():
                expr = f'label_replace({expr}, "topic", "{words}", "topic", "{topic}")'
            parts = ", ".join(f'"{name}"' for name in _names(self.labels) if name in _PLACE)
            expr = f'label_join({expr}, "{PLACE}", " ", {parts})'
        return total(self.names, expr) if self.merged else expr

    @property
    def look(self) -> Look:
        """How Grafana writes its values."""
        return LOOKS[self.unit or self.signal.unit]

    @property
    def labels(self) -> list[str]:
        """Of what is shown."""
        return list(self.signal.labels) if self.by is None else self.by.split()

    @property
    def names(self) -> list[str]:
        """The labels that people read."""
        names = _names(self.labels if self.said is None else self.said.split())
        return list(dict.fromkeys(PLACE if name in _PLACE else name for name in names)) if self.place else names

    @property
    def codes(self) -> list[str]:
        """The labels that nobody has to read."""
        return [label for label in (*self.labels, *_names(self.labels)) if label not in self.names]

    @property
    def title(self) -> str:
        """For people."""
        return self.name or self.signal.title

    @property
    def of_programs(self) -> bool:
        """Whether a worker shows it with a program's numbers."""
        return self.signal.home != pipeline.__name__


def _names(labels: Sequence[str]) -> list[str]:
    return [f"{label}_name" if label in INFO else label for label in labels]


@dataclass(frozen=True)
class Limit:
    """From where on a value is red, or below what. `said`: the value in words; `text` takes the place of red values."""

    value: float
    said: str
    text: str | None = None
    below: bool = False


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What a panel says beside its values.

    Attributes:
        title: Of the panel.
        note: What its definition does not say; first in its description.
        empty: Where there are none: numbers and tables say it only while every chosen program reports.
        why: Where a graph has nothing to draw: what it may be.
        alerts: Alerts whose runbooks help, beside those that look at its signals.
    """

    title: str
    note: str = ""
    empty: str = ""
    why: str = ""
    alerts: Sequence[str] = ()


def or_none(expr: str) -> str:
    """The expression, or NONE if it has no value while every chosen program reports."""
    none = f'label_replace({NONE} * {_ALL_REPORT}, "program", "all programs", "", "")'
    return f"({expr}) or on () {none}"


def with_rows(one: Shown, shown: Sequence[Shown], empty: str) -> str:
    """One of what a table shows, with the rows that say something beside its values, in the place or else the last name.

    `empty`, if none of it has a value while every chosen program reports; and that it is unknown, of a program that no
    worker shows. The values of such rows are NONE and SILENT.
    """
    label = row_label(one.names)
    expr = one.expr
    if empty:
        # the others have values only where those have that count
        decisive = [each for each in shown if each.positive] or shown
        found = " or ".join(f"({each.bare})" for each in decisive)
        none = f"{NONE} * ({_ALL_REPORT} unless on () ({found}))"
        expr = f'({expr}) or label_replace({none}, "{label}", "{empty}", "", "")'
    if one.of_programs or (empty and "program" in one.labels):
        expr = f"({expr}) or {silent_row(one, label)}"
    return expr


def row_label(names: Sequence[str]) -> str:
    """The label that has room for words: the last that is no short one, or else the first."""
    return next((name for name in reversed(names) if name.removesuffix("_name") not in SHORT), names[0])


def silent_row(shown: Shown, label: str) -> str:
    """A row for each program that no worker shows, with words in this label."""
    if label == PLACE:
        return silent(label, f"$1 {_NOT_SHOWN}")
    if label == "program":
        return silent(label, f"$1 {UNKNOWN}")
    if "program" in shown.labels:
        return silent(label, _NOT_SHOWN)
    return total(label, silent(label, f"$1 {UNKNOWN}"))


def silent(label: str, said: str = "$1") -> str:
    """A series for each program that no worker shows, SILENT, with these words as a label; `$1` is the program."""
    programs = f"{SILENT} * group by (program) ({pipeline.SILENT_SINCE.expr})"
    return f'label_replace({programs}, "{label}", "{said}", "program", "(.*)")'


def listed(expr: str, shown: Shown, without: str = "") -> str:
    """The expression with a label `key`: its names but for one, or its title if it has none, to be sorted by and read."""
    names = [name for name in shown.names if name != without]
    if not names:
        return f'label_replace({expr}, "key", "{shown.title}", "", "")'
    parts = ", ".join(f'"{name}"' for name in names)
    return f'label_join({expr}, "key", " ", {parts})'
