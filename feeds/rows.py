"""The rows of a CAD export: unit responses and their calls, and what could not be used."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TextIO, get_args
from zoneinfo import ZoneInfo

from feeds.errors import FeedError
from feeds.mapping import Mapping, Source, Stage
from feeds.replay import MAX_LINE
from streams import events
from streams.clock import Micros, micros
from streams.shown import shown

STAGES: tuple[Stage, ...] = get_args(Stage)
#: Longer values are not codes or ids; most likely narrative in the wrong column, so it does not leave the file.
MAX_CODE, MAX_ID = 64, 128


@dataclass(slots=True)
class Summary:
    """What was read and what was not, in rows unless the name says otherwise.

    `skipped`: rows by reason; `first_rows`: the number of the first row of each reason, the header being row 1;
    `disordered`: rows whose times go back, kept as they are; `unclosed`: calls of which no unit has a cleared time;
    `unmapped`: (field, code) that the profile does not know, by calls or responses.
    """

    rows: int = 0
    responses: int = 0
    calls: int = 0
    events: int = 0
    duplicates: int = 0
    disordered: int = 0
    unclosed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    first_rows: dict[str, int] = field(default_factory=dict)
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)

    def skip(self, row: int, reason: str) -> None:
        """Count a row that is left out."""
        self.skipped[reason] += 1
        self.first_rows.setdefault(reason, row)

    def lines(self) -> list[str]:
        """The summary for people."""
        found = [
            f"{self.rows} rows, {self.responses} unit responses of {self.calls} calls, {self.events} events",
            f"{self.duplicates} duplicate rows left out, {sum(self.skipped.values())} rows skipped",
        ]
        found += [f"  skipped: {n} rows, first in row {self.first_rows[why]}: {why}" for why, n in self.skipped.items()]
        if self.disordered:
            found.append(f"{self.disordered} rows have times out of order; kept as they are")
        if self.unclosed:
            found.append(f"{self.unclosed} calls have no unit with a cleared time; they stay open")
        found += [
            f"not in the profile: {key} '{shown(code)}' ({n} times)" for (key, code), n in self.unmapped.most_common()
        ]
        return found


@dataclass(slots=True, eq=False)
class Call:
    """A call of the file. `received` is the earliest time of its rows, `cleared` the latest."""

    id: str
    call_type: str
    area: str
    priority: str | None
    source: str | None
    outcome: str | None = None
    received: Micros | None = None
    cleared: Micros | None = None


@dataclass(slots=True, eq=False)
class Response:
    """One row. `number` counts the responses of the same unit to the same call."""

    call: Call
    unit: str
    team: str | None
    agency: str | None
    destination: str | None
    outcome: str | None
    times: dict[Stage, Micros]
    number: int = 1


def read_rows(path: Path, mapping: Mapping, calls: dict[str, Call], summary: Summary) -> Iterator[Response]:
    """The usable rows in the file's order; fills `calls` and `summary`. Raises FeedError for an unusable file."""
    zone = ZoneInfo(mapping.timezone)
    seen: dict[tuple[str, str], list[dict[Stage, Micros]]] = defaultdict(list)
    with _open(path) as file:
        for number, row in enumerate(_read(path, file, mapping.columns), 2):  # row 1 is the header, as in a spreadsheet
            summary.rows += 1
            try:
                response = _response(row, mapping, zone, calls)
            except ValueError as error:
                summary.skip(number, str(error))
                continue
            earlier = seen[response.call.id, response.unit]
            if response.times in earlier:
                summary.duplicates += 1
                continue
            earlier.append(response.times)
            response.number = len(earlier)
            _add_to_call(response, calls)
            times = [response.times[stage] for stage in STAGES if stage in response.times]
            summary.disordered += times != sorted(times)
            yield response


def _response(row: dict[str, str], mapping: Mapping, zone: ZoneInfo, calls: dict[str, Call]) -> Response:
    """Raises ValueError with the reason why the row cannot be used, without any value of it."""
    times = _times(row, mapping, zone)
    call_id, unit_id = _text(row, mapping.call.id, MAX_ID), _text(row, mapping.unit.id, MAX_ID)
    if call_id is None or unit_id is None:
        raise ValueError("no call id or no unit id")
    call = calls.get(call_id) or Call(
        call_id,
        # a call has both fields; what an empty cell means is for the profile to say
        _text(row, mapping.call.call_type) or "not_given",
        _text(row, mapping.call.area) or "not_given",
        _text(row, mapping.call.priority),
        _text(row, mapping.call.source),
    )
    agency = _text(row, mapping.unit.agency)
    if agency not in (None, *get_args(events.Agency)):
        raise ValueError("an agency that the mapping's values do not map")
    if call.source not in (None, *events.SOURCES):
        raise ValueError("a source that the mapping's values do not map")
    return Response(
        call,
        unit_id,
        team=_text(row, mapping.unit.team),
        agency=agency,
        destination=_text(row, mapping.unit.destination),
        outcome=_text(row, mapping.call.outcome),
        times=times,
    )


def _add_to_call(response: Response, calls: dict[str, Call]) -> None:
    call, times = response.call, response.times
    calls.setdefault(call.id, call)
    received, cleared = times.get("call_received"), times.get("unit_cleared")
    if received is not None:
        call.received = received if call.received is None else min(call.received, received)
    last = cleared is not None and (call.cleared is None or cleared >= call.cleared)
    if last:
        call.cleared = cleared
    if response.outcome and (last or call.outcome is None):
        call.outcome = response.outcome  # where rows differ: what the last unit said


def _text(row: dict[str, str], source: Source, longest: int = MAX_CODE) -> str | None:
    text = source.of(row)
    if text is not None and len(text) > longest:
        raise ValueError(f"column '{source.column}' has more than {longest} characters: no code or id")
    return text


def _times(row: dict[str, str], mapping: Mapping, zone: ZoneInfo) -> dict[Stage, Micros]:
    """The row's times. The hour that comes twice in autumn is the first one, unless the row's order says the second."""
    found: dict[Stage, Micros] = {}
    last: Micros | None = None
    for stage in STAGES:
        column = mapping.times.get(stage)
        text = row[column].strip() if column else ""
        if not text:
            continue
        try:
            first, second = _instants(text, mapping.time_format, zone)
        except (ValueError, OverflowError):
            raise ValueError(f"bad time in column '{column}': expected {mapping.time_format}") from None
        at = second if last is not None and first < last <= second else first
        found[stage] = last = at
    if not found:
        raise ValueError("no times")
    return found


@lru_cache(maxsize=65_536)
def _instants(text: str, time_format: str, zone: ZoneInfo) -> tuple[Micros, Micros]:
    """Both readings of a local time; they differ in the hour that comes twice (fold) only.

    A time in the hour that spring leaves out is read with the offset before the change, as a clock that is set late.
    """
    local = datetime.strptime(text, time_format)  # noqa: DTZ007  # the zone is the mapping's
    if local.tzinfo is not None:  # the format has %z: no question left
        return micros(local), micros(local)
    early, late = (micros(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    return early, max(early, late)


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """The lines, never more of one in memory than MAX_LINE. Raises FeedError for a longer one."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise FeedError(f"{path}: line {number}: over 1 MB; a CAD export has one row a line: export it anew")
        yield line


def _read(path: Path, file: TextIO, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The rows. Raises FeedError if a column is missing, with the line for what is no CSV, as a quote never closed."""
    reader = csv.DictReader(_lines(path, file), restval="")
    try:
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            names = ", ".join(f"'{name}'" for name in missing)
            raise FeedError(f"{path}: missing columns: {names}; mend the mapping or export the columns too")
        yield from reader
    except csv.Error as error:
        raise FeedError(f"{path}: line {reader.line_num}: {error}; mend the line, or export the file anew") from error


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as raw:
            yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise FeedError(f"{path}: cannot be read: {why}; give a .csv or .csv.gz file in UTF-8") from error
