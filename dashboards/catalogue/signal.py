"""What a signal is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dashboards.catalogue.promql import everywhere, held

#: `count`: a whole number of what the title names. `seconds`: how long. `timestamp`: when, seconds since 1970.
#: `ratio`: 0 to 1. `per_second`: how often. `minutes`: how long, in minutes.
Unit = Literal["count", "seconds", "timestamp", "ratio", "per_second", "minutes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """One number that people act on.

    Attributes:
        home: Module that defines it: one for each dashboard.
        name: Stable, lower case with underscores.
        title: For people, short; says from what to what where it is a time.
        description: The definition: start, end, statistic, what is left out.
        unit: Of the value.
        expr: PromQL with the variables `$program`, `$team`, `$area` and Grafana's `$__range`, `$__interval`.
        labels: Of the result.
    """

    home: str
    name: str
    title: str
    description: str
    unit: Unit
    expr: str
    labels: tuple[str, ...]

    @property
    def rule_expr(self) -> str:
        """The expression for rules: every program, team and area, held while nobody shows the program."""
        return held(everywhere(self.expr))


class Definer:
    """Defines the signals of one module; keeps each definition to what is its own."""

    def __init__(self, home: str) -> None:
        """For the module of this name."""
        self._home = home

    def __call__(self, name: str, title: str, unit: Unit, labels: str, expr: str, description: str) -> Signal:
        """A signal; `labels` with spaces between."""
        return Signal(
            home=self._home,
            name=name,
            title=title,
            description=description,
            unit=unit,
            expr=expr,
            labels=tuple(labels.split()),
        )
