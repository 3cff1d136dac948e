"""A CAD export (one row a finished unit response) as the live events that it was made of.

Nothing is shown before it was known: the destination comes with the transport, the outcome with the close. Only the
mapped columns are read; addresses and narrative never become events. The whole file is held in memory to put it in
time order (about 2 kB a row): split an export of many years by month.
"""

from __future__ import annotations

import hashlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from feeds.errors import FeedError
from feeds.mapping import Mapping, Stage, load_mapping
from feeds.rows import STAGES, Call, Response, Summary, read_rows
from streams import events
from streams.clock import Micros, utc
from streams.events import CallClosed, CallReceived, Event, UnitStatus, UnitStatusCode
from streams.programs import Profile

__all__ = ["Mapping", "Summary", "load_mapping", "print_summary", "read_cad"]

CLOSED = len(STAGES)
KINDS: dict[Stage, type[Event]] = {
    "call_received": CallReceived,
    "unit_dispatched": events.UnitDispatched,
    "unit_en_route": events.UnitEnRoute,
    "unit_on_scene": events.UnitOnScene,
    "unit_transporting": events.UnitTransporting,
    "unit_at_destination": events.UnitAtDestination,
    "unit_cleared": events.UnitCleared,
}
STATUS: dict[Stage, UnitStatusCode] = {
    "unit_dispatched": "dispatched",
    "unit_en_route": "en_route",
    "unit_on_scene": "on_scene",
    "unit_transporting": "transporting",
    "unit_at_destination": "at_destination",
}


def print_summary(summary: Summary) -> None:
    """The default report: lines on standard error."""
    sys.stderr.write("\n".join(summary.lines()) + "\n")


class _Item(NamedTuple):
    """An event to be; sorted by time, then stage, then the file's order."""

    at: Micros
    stage: int
    order: int
    response: Response


def read_cad(
    path: Path, mapping: Mapping, profile: Profile, report: Callable[[Summary], None] = print_summary
) -> Iterator[Event]:
    """The events of a .csv or .csv.gz file in time order; `report` gets the Summary after the last one.

    Rows that cannot be used (bad time, no id, a value too long for a code) are skipped, counted and reported with the
    first row's number. Of equal times the earlier stage comes first. Raises FeedError if the file cannot be read,
    columns are missing, or mapping and profile are of different programs.
    """
    if mapping.program != profile.program:
        raise FeedError(f"mapping: program: '{mapping.program}', but the profile is of '{profile.program}'; use a pair")
    summary = Summary()
    calls: dict[str, Call] = {}
    responses = list(read_rows(path, mapping, calls, summary))
    if summary.rows and not responses:
        raise FeedError(
            f"{path}: none of {summary.rows} rows can be used: {'; '.join(summary.skipped)}; mend the mapping"
        )
    summary.responses, summary.calls = len(responses), len(calls)
    summary.unclosed = sum(call.cleared is None for call in calls.values())
    _count_unmapped(responses, calls, profile, summary)
    return _events(_in_time_order(responses), profile.program, summary, report)


def _in_time_order(responses: list[Response]) -> list[_Item]:
    items: list[_Item] = []
    received: set[str] = set()
    closed: set[str] = set()
    for order, response in enumerate(responses):
        call = response.call
        for stage, at in response.times.items():
            if stage != "call_received":
                items.append(_Item(at, STAGES.index(stage), order, response))
        if call.received is not None and call.id not in received:
            received.add(call.id)
            items.append(_Item(call.received, 0, order, response))
        if call.cleared is not None and call.id not in closed:
            closed.add(call.id)
            items.append(_Item(call.cleared, CLOSED, order, response))
    items.sort(key=lambda item: item[:3])
    return items


def _events(items: list[_Item], program: str, summary: Summary, report: Callable[[Summary], None]) -> Iterator[Event]:
    board = _Board(program)
    for item in items:
        yield _event(item, program)
        summary.events += 1
        if 0 < item.stage < CLOSED and (status := board.status(item)):
            yield status
            summary.events += 1
    report(summary)


def _event(item: _Item, program: str) -> Event:
    response, call = item.response, item.response.call
    about: dict[str, Any] = {"program": program, "at": utc(item.at), "call": call.id}
    if item.stage == CLOSED:
        return CallClosed(id=_id(program, call.id, "call_closed"), outcome=call.outcome, **about)
    stage = STAGES[item.stage]
    if stage == "call_received":
        about |= {
            "call_type": call.call_type,
            "area": call.area,
            "priority": call.priority,
            "source": call.source,
        }
        return CallReceived(id=_id(program, call.id, stage), **about)
    about |= {"unit": response.unit, "agency": response.agency}
    if stage == "unit_dispatched":
        about["team"] = response.team
    elif stage == "unit_transporting":
        about["destination"] = response.destination
    return KINDS[stage](id=_id(program, call.id, response.unit, stage, response.number), **about)


class _Board:
    """Unit statuses as a live board would have had them: from the times so far, never from later ones."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.running: dict[str, set[Response]] = defaultdict(set)

    def status(self, item: _Item) -> UnitStatus | None:
        """The status that begins with this time point; None if it says nothing about the unit now."""
        response, stage = item.response, STAGES[item.stage]
        if response.agency not in (None, "care"):
            return None
        running = self.running[response.unit]
        if stage == "unit_cleared":
            running.discard(response)
            # sent to the next call before this one was cleared: it is busy
            return None if running else self._make(item, "available", area=None)
        if stage == "unit_dispatched":
            # a response without a cleared time ends with the next one
            running.difference_update([old for old in running if "unit_cleared" not in old.times])
            running.add(response)
        elif response not in running:  # recorded after the unit was cleared
            return None
        return self._make(item, STATUS[stage], area=response.call.area)

    def _make(self, item: _Item, status: UnitStatusCode, area: str | None) -> UnitStatus:
        response = item.response
        return UnitStatus(
            id=_id(self.program, response.call.id, response.unit, "status", status, response.number),
            program=self.program,
            at=utc(item.at),
            unit=response.unit,
            team=response.team or "not_given",
            status=status,
            area=area,
        )


def _count_unmapped(responses: list[Response], calls: dict[str, Call], profile: Profile, summary: Summary) -> None:
    used = [("call_type", call.call_type) for call in calls.values()]
    used += [("area", call.area) for call in calls.values()]
    used += [("outcome", call.outcome) for call in calls.values() if call.outcome]
    used += [("team", response.team) for response in responses if response.team]
    used += [("destination", r.destination) for r in responses if r.destination and "unit_transporting" in r.times]
    summary.unmapped.update(pair for pair in used if not profile.knows(*pair))


def _id(*parts: object) -> str:
    """The same id for the same part of the file, however often it is read."""
    return hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=12).hexdigest()
