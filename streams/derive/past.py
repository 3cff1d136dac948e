"""What a call asks about its units beyond its own statements: their other calls, and their statuses.

Units go by the names that `Rules.unit` gives them, aliases resolved. *Reached* is in the sense of docs/meaning.md: staged, on
scene, in-person contact, transporting or at destination told there.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from streams.clock import Micros
from streams.entries import Ended

UnitResult = Literal["no_unit_on_duty", "out_of_service", "all_units_busy"]


class End(NamedTuple):
    """When the work of a unit on the call that asks ended by what was told elsewhere, and how."""

    at: Micros
    how: Ended


class Past(Protocol):
    """Answers for one call. All are pure: they depend on the statements that hold, not on the clock."""

    def end(self, unit: str, after: Micros, reached: bool) -> End | None:
        """The first thing told elsewhere, strictly later than `after`, that ends work of the unit on this call.

        Work that reached the call ends by en route or on scene at another call and by `available`. Other work ends by these,
        by a dispatch to another call that is not stacked (`diverted`) and by `off_duty`.
        """

    def stacked(self, unit: str, at: Micros) -> bool:
        """Whether the unit has then reached another call and its work there has not ended."""

    def free_from(self, unit: str, at: Micros) -> Micros:
        """The first moment from then on at which no reached work of the unit at another call stands. NEVER: none."""

    def team(self, unit: str, at: Micros) -> str | None:
        """The team label of the unit's last status at or before a time."""

    def result(self, at: Micros, teams: tuple[str, ...]) -> UnitResult | None:
        """What the statuses of the units of these teams say of a call that nobody served."""
