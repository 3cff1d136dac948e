"""The questions that can be put to this implementation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from tests.second.entry import Call
from tests.second.metrics import Values, of
from tests.second.stage import missed, stage, waits
from tests.second.work import Response
from tests.second.world import Texts, world


def numbers(
    events: Sequence[dict[str, Any]], program_texts: Texts, now: datetime, arrived: Sequence[datetime] | None = None
) -> Values:
    """Metric -> label values (program first, then as in LABELS) -> value, net of corrections; zeros are left out.

    `events`: all of one program, in the order of the log. `program_texts`: when each text of the program file came into
    force; the last one applies to everything. `arrived`: when each event came, for those that came too early. A
    histogram is the sorted seconds of all that was observed.
    """
    return of(world(events, program_texts, arrived), now)


def call(events: Sequence[dict[str, Any]], text: str, now: datetime, id: str) -> dict[str, Any] | None:
    """What one call is; None where nothing that holds is said of it."""
    all = world(events, [(now, text)])
    found = all.calls.get(id)
    if found is None:
        return None
    plain = {name: value for name, value in vars(found).items() if name not in ("walk", "spells", "teams", "responses")}
    return plain | {
        "open": found.open,
        "stage": stage(found, all.program, now),
        "waits": waits(found, all.program, now),
        "missed": missed(found, all.program, now),
        "spells": [(spell.begins, spell.ends) for spell in found.spells],
        "responses": [_response(found, response) for response in found.responses],
    }


def _response(call: Call, response: Response) -> dict[str, Any]:
    return {
        "unit": response.unit,
        "agency": call.agencies[response.unit],
        "team": call.teams[response.unit],
        "shown_from": response.shown_from,
        "ended": None if response.ending is None else (response.ending.at, response.ending.how),
        "cancelled": response.cancelled,
        "reached": response.reached,
    }


def unit(events: Sequence[dict[str, Any]], text: str, now: datetime, id: str) -> dict[str, Any] | None:
    """What one unit is; None where nothing that holds is said of it, or none of its statuses holds yet."""
    all = world(events, [(now, text)])
    found = all.units.get(all.program.unit(id))
    if found is None:
        return None
    shown = found.shown(now)
    if shown is None:
        return None
    return {
        "status": shown.status,
        "team": shown.team,
        "area": shown.area,
        "stale": found.is_stale(shown, now),
        "spans": [(span.begin, span.end, span.status.status) for span in found.spans()],
    }


def case(events: Sequence[dict[str, Any]], text: str, now: datetime, id: str) -> dict[str, Any] | None:
    """What one case is; None where nothing that holds is said of it."""
    all = world(events, [(now, text)])
    found = all.cases.get(id)
    if found is None:
        return None
    followups = [asdict(followup) | {"state": followup.state(now)} for followup in found.followups]
    return vars(found) | {"active": found.active(now), "is_closed": found.is_closed, "followups": followups}
