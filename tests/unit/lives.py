"""Everyday lives of calls, units and cases as events of a small program: strategies for any statements in any order."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from streams import door
from streams import events_next as events
from streams.catalogue.metric import Labels, Metric, corrected_as
from streams.catalogue.program import PROGRAM
from streams.catalogue.reading import Reading, Spread, Value
from streams.catalogue.values import edges
from streams.clock import SECOND, Micros
from streams.core import Core
from streams.programs import Profile

Event = dict[str, Any]
MINUTE = 60 * SECOND
#: Wednesday noon in Chicago, inside everyone's hours.
NOON = datetime(2024, 5, 15, 17, 0, tzinfo=UTC)

#: Two teams, three areas: north has both, south only beta, far none. A second version of alpha begins on the last day.
TEXT = """
program = "small"
name = "Small"
timezone = "America/Chicago"
triages = true
followup_outcomes = ["services"]
stale_after = { call = "12h", unit = "16h" }

[areas]
north = { label = "North", codes = ["n"] }
south = { label = "South" }
far = { label = "Far" }

[units]
U1 = { aliases = ["Medic 1"], team = "alpha" }
P1 = { agency = "police" }

[call_types]
crisis = { label = "Crisis" }
check = { label = "Check", codes = ["welfare"] }

[outcomes]
services = { label = "Services", codes = ["svc"] }
cancelled = { label = "Cancelled" }

[destinations]
shelter = { label = "Shelter" }

[services]
housing = { label = "Housing" }

[[teams]]
code = "alpha"
label = "Alpha"
codes = ["A-TEAM"]
until = 2024-05-18
areas = ["north"]
hours = [{ days = ["mon", "tue", "wed", "thu", "fri"], from = 10:30:00, until = 16:00:00 }]
staffing = [{ days = ["mon", "tue", "wed", "thu", "fri"], from = 10:30:00, until = 16:00:00, units = 2 }]
targets = { received_to_dispatched = "5min", received_to_on_scene = "20min", en_route_to_on_scene = "7min" }
followups = [
  { id = "1d", kinds = ["encounter"], opens = "12h", due = "24h", lapses = "48h" },
  { id = "7d", kinds = ["encounter", "case_management"], opens = "6d", due = "7d", lapses = "9d" },
]

[[teams]]
code = "alpha"
label = "Alpha"
since = 2024-05-18
areas = ["north", "south"]
hours = [{ days = ["fri", "sat"], from = 20:00:00, until = 02:00:00 }]
targets = { received_to_on_scene = "25min", dispatched_to_en_route = "3min" }
followups = [{ id = "1d", kinds = ["encounter"], opens = "12h", due = "24h", lapses = "36h" }]

[[teams]]
code = "beta"
label = "Beta"
areas = ["north", "south"]
hours = [{ days = ["mon", "tue", "wed", "thu", "fri"], from = 10:30:00, until = 23:00:00 }]
staffing = [{ days = ["wed"], from = 22:00:00, until = 01:00:00, units = 1 }]
targets = { received_to_on_scene = "30min", eligible_to_on_scene = "25min", on_scene_to_cleared = "1h" }
followups = [
  { id = "72h", kinds = ["overdose"], opens = "24h", due = "72h", lapses = "72h" },
  { id = "7d", kinds = ["encounter"], opens = "6d", due = "7d", lapses = "9d", per = "person" },
]
"""


def profile(text: str = TEXT) -> Profile:
    """A program by the text of its file."""
    return msgspec.convert(tomllib.loads(text), Profile)


def new_core(of: Profile, records: dict[str, bytes] | None = None) -> Core:
    """A core of a program, from stored records."""
    return Core(of, PROGRAM, edges([of]), records)


# --- events -------------------------------------------------------------------------------------------------

_CALLS, _UNITS, _CASES = ("C1", "C2", "C3"), ("U1", "U2", "Medic 1", "P1"), ("C1", "K1")
_AREAS = ("north", "south", "far", "N ", "nowhere")
_AGENCIES = (None, None, None, "care", "police", "fire")


def _maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from((None, *values))


def _one(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


_call = _one(*_CALLS)
_unit = _one(*_UNITS)
_point = {"call": _call, "unit": _unit, "agency": st.sampled_from(_AGENCIES)}
_person = _maybe("Ann", "Bob")

#: The fields of each type beside the common ones.
FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "call_received": {
        "call": _call,
        "call_type": _one("crisis", "welfare", "odd"),
        "area": _one(*_AREAS),
        "source": _maybe("911", "self"),
        "scheduled_for": _maybe("minutes 90"),
    },
    "call_triaged": {"call": _call, "eligible": st.booleans(), "call_type": _maybe("check"), "area": _maybe(*_AREAS)},
    "unit_dispatched": _point | {"team": _maybe("alpha", "beta", "a-team", "gamma")},
    "unit_en_route": _point,
    "unit_staged": _point,
    "unit_on_scene": _point,
    "unit_transporting": _point | {"destination": _maybe("shelter", "moon")},
    "unit_at_destination": _point | {"destination": _maybe("shelter")},
    "unit_cleared": _point,
    "unit_cancelled": _point,
    "contact_made": {
        "call": _call,
        "unit": _maybe(*_UNITS),
        "team": _maybe("beta"),
        "channel": _maybe("in_person", "phone", "video"),
    },
    "call_closed": {
        "call": _call,
        "outcome": _maybe("services", "svc", "cancelled", "resolved_by_other", "no_contact", "odd"),
        "unserved_reason": _maybe("out_of_service", "odd"),
        "person": _person,
        "involuntary": _maybe(True, False),
    },
    "call_reopened": {"call": _call},
    "call_merged": {"call": _call, "into": _one(*_CALLS, "C9")},
    "police_requested": {"call": _call},
    "use_of_force": {"call": _call, "level": _one(1, 2)},
    "needles_collected": {"call": _call, "count": _one(1, 7)},
    "referral_made": {
        "call": _call,
        "service": _one("housing", "odd"),
        "partner": _maybe("A", "B"),
        "result": _maybe("accepted", "completed"),
    },
    "unit_status": {
        "unit": _unit,
        "team": _one("alpha", "beta", "gamma"),
        "status": st.sampled_from(events.STATUSES),
        "area": _maybe("north", "south"),
    },
    "case_opened": {
        "case": _one(*_CASES),
        "kind": st.sampled_from(events.CASE_KINDS),
        "team": _one("alpha", "beta", "gamma"),
        "area": _maybe("north", "nowhere"),
        "person": _person,
        "call": _maybe("C1"),
    },
    "followup_attempted": {
        "case": _one(*_CASES),
        "followup": _one("1d", "7d", "72h", "odd"),
        "result": st.sampled_from(events.ATTEMPT_RESULTS),
    },
    "outreach_attempted": {"case": _one(*_CASES), "located": st.booleans()},
    "followup_rescheduled": {
        "case": _one(*_CASES),
        "followup": _one("1d", "7d"),
        "due": _one("days 3", "days 12"),
        "lapses": _maybe("days 14"),
    },
    "case_transferred": {"case": _one(*_CASES), "team": _one("alpha", "beta", "gamma")},
    "case_closed": {"case": _one(*_CASES), "reason": _maybe("done", "moved")},
    "case_reopened": {"case": _one(*_CASES)},
}
_OF_CASES = ("followup_attempted", "outreach_attempted", "case_transferred", "case_closed", "case_reopened")
assert FIELDS.keys() == {events.tag_of(kind) for kind in events.STATEMENTS}


def _time(text: Any) -> Any:
    if isinstance(text, str) and text.startswith(("minutes ", "days ")):
        unit, number = text.split()
        return (NOON + timedelta(**{unit: int(number)})).isoformat()
    return text


@st.composite
def statement(draw: st.DrawFn) -> Event:
    """Any statement about one of a few records, at one of a few times; few ids, so that some are corrections."""
    kind = draw(st.sampled_from(sorted(FIELDS)))
    fields = {name: draw(strategy) for name, strategy in FIELDS[kind].items()}
    minutes = draw(
        st.one_of(st.integers(-3, 12).map(lambda n: n * 5), st.integers(0, 60 * 24 * 4).map(lambda n: n * 1))
    )
    if kind in _OF_CASES:
        minutes += draw(st.sampled_from((0, 60 * 24, 60 * 24 * 8)))
    event = {
        "id": f"e{draw(st.integers(0, 40))}",
        "type": kind,
        "program": "small",
        "at": (NOON + timedelta(minutes=minutes)).isoformat(),
        "revision": draw(st.sampled_from((None, None, None, 0, 1))),
        **{name: _time(value) for name, value in fields.items()},
    }
    return {name: value for name, value in event.items() if value is not None}


#: What is told of a call in this order, mostly.
_LIFE = (
    "call_received",
    "call_triaged",
    "unit_dispatched",
    "unit_en_route",
    "unit_staged",
    "unit_on_scene",
    "contact_made",
    "unit_transporting",
    "unit_at_destination",
    "unit_cleared",
    "call_closed",
)


@st.composite
def life(draw: st.DrawFn, call: str) -> list[Event]:
    """A call as it mostly goes: some of its points in order of time, by one or two units, perhaps reopened after that."""
    at = NOON + timedelta(minutes=draw(st.integers(-2, 8)) * 5)
    units = draw(st.lists(_unit, min_size=1, max_size=2))
    kinds = [kind for kind in _LIFE if draw(st.integers(0, 3))]
    if not draw(st.integers(0, 3)):
        kinds += [draw(st.sampled_from(("call_reopened", "unit_dispatched"))), "unit_on_scene", "call_closed"]
    told: list[Event] = []
    for number, kind in enumerate(kinds):
        at += timedelta(minutes=draw(st.sampled_from((0, 1, 5, 5, 10))))
        for unit in units if kind.startswith("unit_") else units[:1]:
            fields = {name: draw(strategy) for name, strategy in FIELDS[kind].items()}
            if kind == "call_received" and draw(st.booleans()):
                fields |= {"scheduled_for": None, "area": "north"}
            fields |= {"call": call} | ({"unit": unit} if kind.startswith("unit_") else {})
            told.append(_event(f"{call}-{number}-{unit}", kind, at, fields))
    return told


@st.composite
def shift(draw: st.DrawFn, unit: str) -> list[Event]:
    """The statuses of a unit, in order of time."""
    at = NOON + timedelta(minutes=draw(st.integers(-30, 5)) * 5)
    told = []
    for number in range(draw(st.integers(0, 6))):
        at += timedelta(minutes=draw(st.sampled_from((1, 5, 20, 60 * 9))))
        fields = {name: draw(strategy) for name, strategy in FIELDS["unit_status"].items()}
        told.append(_event(f"s{number}", "unit_status", at, fields | {"unit": unit}))
    return told


def _event(id: str, kind: str, at: datetime, fields: dict[str, Any]) -> Event:
    event = {"id": id, "type": kind, "program": "small", "at": at.isoformat()}
    return event | {name: _time(value) for name, value in fields.items() if value is not None}


@st.composite
def lives(draw: st.DrawFn, most: int = 12) -> list[Event]:
    """Calls and shifts as they mostly go and statements of all kinds among them; some told again, some withdrawn, a person
    forgotten; sometimes in any order.
    """
    found = [each for call in _CALLS[: draw(st.integers(0, 3))] for each in draw(life(call))]
    found += [each for unit in _UNITS[:2] if draw(st.booleans()) for each in draw(shift(unit))]
    found += draw(st.lists(statement(), min_size=0 if found else 1, max_size=draw(st.integers(1, most))))
    found.sort(key=lambda each: str(each["at"]))
    if draw(st.booleans()):
        found = draw(st.permutations(found))
    for _ in range(draw(st.integers(0, 4))):
        told = draw(st.sampled_from(found))
        where = draw(st.integers(0, len(found)))
        found.insert(where, _about(draw, told, where))
    return found


def _about(draw: st.DrawFn, told: Event, where: int) -> Event:
    """Something about a statement: told again, at another time, withdrawn; or a person is forgotten."""
    how = draw(st.sampled_from(("again", "withdrawn", "withdrawn", "later", "later", "forgotten")))
    if how == "again" or "of" in told or told["type"] == "person_forgotten":
        return told
    if how == "later":
        at = datetime.fromisoformat(told["at"]) + timedelta(minutes=draw(st.sampled_from((-10, 7))))
        return told | {"at": at.isoformat(), "revision": draw(st.sampled_from((0, 1, 2)))}
    common = {"program": "small", "at": told["at"]}
    if how == "forgotten":
        return common | {"id": "f", "type": "person_forgotten", "person": "Ann"}
    record = {name: told[name] for name in ("case", "call", "unit") if name in told}
    record = {"case": record["case"]} if "case" in record else record
    upto = draw(st.sampled_from((None, 0)))
    taken = common | {"id": f"w{where}", "type": "withdrawn", "of": told["id"]} | record
    return taken if upto is None else taken | {"upto": upto}


class Applied(NamedTuple):
    """An event as it came in."""

    event: events.AnyEvent
    at: Micros


def enter(event: Event, now: Micros) -> Applied:
    """Take an event in at the door."""
    topic = events.topic_of(event)
    assert topic is not None, event
    entered = door.enter_next(topic, b"small", json.dumps(event).encode(), {"small"}, now)
    assert not isinstance(entered, door.Rejected), (event, entered)
    return Applied(*entered)


# --- numbers ------------------------------------------------------------------------------------------------

Numbers = dict[str, dict[tuple[str, ...], Any]]
#: What depends on the order in which things came, or is of the pipeline.
_NOT_COMPARED = (
    "care_feed_last_event_timestamp_seconds",
    "care_records_archived_early_total",
    "care_facts_corrected_total",
    "care_call_interval_corrected_seconds",
)


def net(core: Core, now: Micros) -> Numbers:
    """All numbers of a program but zeros; counters less what was taken back."""
    core.settle()
    families = dict(Reading(PROGRAM, core.rules, core.counts, core.views).all(now))
    by_name = {metric.name: dict(samples) for metric, samples in families.items()}
    corrected, spread = by_name["care_facts_corrected_total"], by_name["care_call_interval_corrected_seconds"]
    found: Numbers = {}
    for metric in families:
        if metric.name in _NOT_COMPARED or (not metric.read and metric.start):
            continue
        values = {
            labels: _net(metric, labels, value, corrected, spread) for labels, value in by_name[metric.name].items()
        }
        if left := {labels: value for labels, value in values.items() if value}:
            found[metric.name] = left
    return found


def _net(
    metric: Metric, labels: Labels, value: Value, corrected: Mapping[Labels, Value], spread: Mapping[Labels, Value]
) -> Any:
    """One value less what was taken back; 0 or None: nothing is left."""
    if isinstance(value, Spread):
        back = spread.get(labels, Spread((), [0] * len(value.counts), 0))
        assert isinstance(back, Spread)
        counts = tuple(mine - less for mine, less in zip(value.counts, back.counts, strict=True))
        return (counts, round(value.sum - back.sum, 6)) if any(counts) else None
    if metric.kind == "counter":
        less = corrected.get((labels[0], *corrected_as(metric, labels[1:])), 0)
        assert not isinstance(less, Spread)
        value -= less
    return round(value, 6)
