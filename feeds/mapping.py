"""How the columns of a CAD export become events, typed and checked; `mappings/sf_fire.toml` explains each key."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from feeds.errors import FeedError
from feeds.settings import load_toml

#: The time points of a unit's response, in the order in which they happen.
Stage = Literal[
    "call_received",
    "unit_dispatched",
    "unit_en_route",
    "unit_on_scene",
    "unit_transporting",
    "unit_at_destination",
    "unit_cleared",
]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a field is from: a `column`, through `values` if given (others pass as they are), or one `value`."""

    column: str | None = None
    values: dict[str, str] = {}
    value: str | None = None

    def of(self, row: dict[str, str]) -> str | None:
        """The value in a row; None if the cell is empty."""
        if self.column is None:
            return self.value
        text = row[self.column].strip()
        return (self.values.get(text, text) or None) if text else None


class CallColumns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fields of the call. Its type is as the export has it: the last one, not the one the caller was asked for."""

    id: Source
    call_type: Source
    area: Source
    priority: Source = Source()
    source: Source = Source()
    outcome: Source = Source()


class UnitColumns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fields of the unit on the call."""

    id: Source
    team: Source = Source()
    agency: Source = Source()
    destination: Source = Source()


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One CAD export."""

    program: str
    timezone: str
    time_format: str
    call: CallColumns
    unit: UnitColumns
    times: dict[Stage, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the mapping reads."""
        sources = [getattr(part, name) for part in (self.call, self.unit) for name in part.__struct_fields__]
        return tuple(dict.fromkeys([*(s.column for s in sources if s.column is not None), *self.times.values()]))


def load_mapping(file: Path) -> Mapping:
    """Read and check one mapping. Raises FeedError: one line with the file, the key and the cure."""
    mapping = load_toml(file, Mapping)
    try:
        ZoneInfo(mapping.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        what = f"'{mapping.timezone}' is no time zone; use an IANA name such as America/Chicago"
        raise FeedError(f"{file}: timezone: {what}") from None
    for part, table in (("call", mapping.call), ("unit", mapping.unit)):
        for name in table.__struct_fields__:
            source: Source = getattr(table, name)
            where = f"{file}: {part}.{name}"
            if source.column is not None and source.value is not None:
                raise FeedError(f"{where}: has a column and a value; keep one")
            if source.column is None and source.values:
                raise FeedError(f"{where}: has values but no column; name the column")
            if name in ("id", "call_type", "area") and source.column is None and source.value is None:
                raise FeedError(f'{where}: names no column; write {{ column = "..." }}')
    for key, known in (("unit.agency", {"care", "police", "fire", "ems"}), ("call.source", _SOURCES)):
        part, _, name = key.partition(".")
        source = getattr(getattr(mapping, part), name)
        given = {*source.values.values(), *([source.value] if source.value is not None else [])}
        if unknown := sorted(given - known):
            raise FeedError(f"{file}: {key}: '{unknown[0]}' is not known; use one of {', '.join(sorted(known))}")
    if mapping.call.id.column is None or mapping.unit.id.column is None:
        raise FeedError(f"{file}: call.id and unit.id need a column each; name them")
    for stage in ("call_received", "unit_dispatched", "unit_cleared"):
        if stage not in mapping.times:
            raise FeedError(f"{file}: times.{stage}: is missing; name the column of this time")
    return mapping


_SOURCES = {"911", "988", "officer", "self", "other"}
