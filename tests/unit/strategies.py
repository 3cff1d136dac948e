"""A small program, builders of its events, and hypothesis strategies of whole event histories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from streams import events as e
from streams import tally
from streams.clock import DAY, SECOND, Micros, micros, utc
from streams.programs import Profile
from streams.read import Spread, read
from streams.state import ProgramState

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]
OFFICE = {"days": WEEKDAYS, "from": "10:30:00", "until": "16:00:00"}
ALWAYS = {"days": [*WEEKDAYS, "sat", "sun"], "from": "00:00:00", "until": "00:00:00"}
#: Two teams, three areas: north has both, south only beta, far none (but it is in the profile).
PROGRAM: dict[str, Any] = {
    "program": "small",
    "name": "Small",
    "timezone": "America/Chicago",
    "triages": True,
    "followup_outcomes": ["services"],
    "areas": {
        "north": {"label": "North", "codes": ["n"]},
        "south": {"label": "South"},
        "far": {"label": "Far"},
    },
    "teams": [
        {
            "code": "alpha",
            "label": "Alpha",
            "areas": ["north"],
            "hours": [OFFICE],
            "staffing": [{**OFFICE, "units": 2}],
            "targets": {
                "received_to_dispatched": "5min",
                "received_to_on_scene": "20min",
                "en_route_to_on_scene": "7min",
            },
            "followups": [
                {"id": "1d", "kinds": ["encounter"], "opens": "12h", "due": "24h", "lapses": "48h"},
                {"id": "7d", "kinds": ["encounter", "case_management"], "opens": "6d", "due": "7d", "lapses": "9d"},
            ],
        },
        {
            "code": "beta",
            "label": "Beta",
            "areas": ["north", "south"],
            "hours": [OFFICE],
            "targets": {"received_to_on_scene": "30min"},
            "followups": [{"id": "72h", "kinds": ["overdose"], "opens": "24h", "due": "72h", "lapses": "72h"}],
        },
    ],
    "call_types": {"crisis": {"label": "Crisis"}, "check": {"label": "Check", "codes": ["welfare"]}},
    "outcomes": {"services": {"label": "Services", "codes": ["svc"]}, "cancelled": {"label": "Cancelled"}},
    "destinations": {"shelter": {"label": "Shelter"}},
    "services": {"housing": {"label": "Housing"}},
}


def profile(**changes: Any) -> Profile:
    """The small program, with other top-level keys."""
    return msgspec.convert(PROGRAM | changes, Profile)


SMALL = profile()
#: Wednesday noon in Chicago, inside everyone's hours; builders take minutes after it.
NOON: Micros = micros(datetime.fromisoformat("2024-05-15T12:00:00-05:00"))

_ids = count(1)


def when(text: str) -> Micros:
    """Microseconds of an ISO time."""
    return micros(datetime.fromisoformat(text))


def make(of: type[Any], at: float, /, **fields: Any) -> Any:
    """An event at minutes after noon, with an id of its own."""
    fields.setdefault("id", f"e{next(_ids)}")
    return of(program="small", at=utc(NOON + round(at * MINUTE)), **fields)


def received(at: float, call: str = "C1", **fields: Any) -> Any:
    return make(e.CallReceived, at, call=call, **{"call_type": "crisis", "area": "north"} | fields)


def triaged(at: float, call: str = "C1", **fields: Any) -> Any:
    return make(e.CallTriaged, at, call=call, **{"eligible": True} | fields)


def dispatched(at: float, unit: str = "U1", call: str = "C1", **fields: Any) -> Any:
    return make(e.UnitDispatched, at, call=call, unit=unit, **fields)


def en_route(at: float, unit: str = "U1", call: str = "C1", **fields: Any) -> Any:
    return make(e.UnitEnRoute, at, call=call, unit=unit, **fields)


def on_scene(at: float, unit: str = "U1", call: str = "C1", **fields: Any) -> Any:
    return make(e.UnitOnScene, at, call=call, unit=unit, **fields)


def transporting(at: float, unit: str = "U1", call: str = "C1", **fields: Any) -> Any:
    return make(e.UnitTransporting, at, call=call, unit=unit, **fields)


def at_destination(at: float, unit: str = "U1", call: str = "C1", **fields: Any) -> Any:
    return make(e.UnitAtDestination, at, call=call, unit=unit, **fields)


def cleared(at: float, unit: str = "U1", call: str = "C1", **fields: Any) -> Any:
    return make(e.UnitCleared, at, call=call, unit=unit, **fields)


def closed(at: float, call: str = "C1", **fields: Any) -> Any:
    return make(e.CallClosed, at, call=call, **fields)


def status(at: float, code: str, unit: str = "U1", team: str = "alpha", **fields: Any) -> Any:
    return make(e.UnitStatus, at, unit=unit, team=team, status=code, **fields)


def opened(at: float, case: str = "K1", **fields: Any) -> Any:
    return make(e.CaseOpened, at, case=case, **{"kind": "encounter", "team": "alpha"} | fields)


def attempted(at: float, followup: str = "1d", result: str = "completed", case: str = "K1") -> Any:
    return make(e.FollowupAttempted, at, case=case, followup=followup, result=result)


def outreach(at: float, case: str = "K1", *, located: bool = True) -> Any:
    return make(e.OutreachAttempted, at, case=case, located=located)


def case_closed(at: float, case: str = "K1") -> Any:
    return make(e.CaseClosed, at, case=case)


# --- what a state shows --------------------------------------------------------------------------------------

#: Labels without the program; a histogram is (counts, sum).
Numbers = dict[tuple[str, tuple[str, ...]], Any]


def numbers(state: ProgramState, now: Micros, running_to: Micros | None = None, kind: str = "") -> Numbers:
    """Every number of a state, of one kind of metric if it is given."""
    found: Numbers = {}
    for metric, samples in read(state, now, running_to):
        if kind in ("", metric.kind):
            for labels, value in samples:
                key = metric.name, labels[1:]
                assert key not in found
                found[key] = (tuple(value.counts), value.sum) if isinstance(value, Spread) else value
    return found


class Bench:
    """A state under test. Events are applied at their own time unless *now* is given."""

    def __init__(self, of: Profile = SMALL, records: dict[str, bytes] | None = None) -> None:
        self.state = ProgramState(of, tally.edges([of]), records)

    def __call__(self, *events: Any, now: Micros | None = None) -> list[str]:
        """Apply events; what each did."""
        return [self.state.apply(x, micros(x.at) if now is None else now).effect for x in events]

    def show(self, name: str, minutes: float = 240, *, at: Micros | None = None) -> dict[tuple[str, ...], Any]:
        """The samples of a metric that are not zero, by labels (without the program)."""
        now = NOON + round(minutes * MINUTE) if at is None else at
        found = {key[1]: value for key, value in numbers(self.state, now).items() if key[0] == name}
        return {k: v for k, v in found.items() if (any(v[0]) if isinstance(v, tuple) else v)}

    def intervals(self) -> dict[tuple[str, ...], tuple[int, float]]:
        """(team, area, interval) -> times observed, sum in seconds."""
        return {k: (sum(v[0]), v[1]) for k, v in self.show("care_call_interval_seconds").items()}

    def results(self) -> dict[tuple[str, ...], Any]:
        """(area, result) -> calls."""
        return self.show("care_demand_total")

    def stages(self) -> dict[str, int]:
        """Stage -> open calls."""
        return {labels[2]: n for labels, n in self.show("care_calls_open").items()}


class Store:
    """The changelog as a store of records: what `flush` hands out goes in one by one."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}

    def put(self, changes: Iterable[tuple[str, bytes | None]]) -> None:
        for key, value in changes:
            if value is None:
                self.records.pop(key, None)
            else:
                self.records[key] = value

    def restart(self, of: Profile = SMALL) -> ProgramState:
        """A new state from what is stored."""
        return ProgramState(of, tally.edges([of]), dict(self.records))


# --- histories -----------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """An event and the clock when it is applied."""

    event: Any
    now: Micros


CALLS, UNITS, CASES = ("C1", "C2", "C/3"), ("U1", "U2", "u/3"), ("K1", "K2", "C1")
AREAS = ("north", "n", "south", "far", "moon")
TEAMS = ("alpha", "beta", "gone")
POINTS = (
    e.UnitDispatched,
    e.UnitEnRoute,
    e.UnitOnScene,
    e.UnitTransporting,
    e.UnitAtDestination,
    e.UnitCleared,
)


def _maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from((None, *values))


_call = st.sampled_from(CALLS)
_unit = st.sampled_from(UNITS)
_agency = _maybe(None, "care", "police", "police", "fire")


def _fields(of: Any, /, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, dict[str, Any]]]:
    return st.fixed_dictionaries(parts).map(lambda fields: (of, fields))


_points = st.sampled_from(POINTS).flatmap(
    lambda kind: _fields(
        kind,
        call=_call,
        unit=_unit,
        agency=_agency,
        **({"team": _maybe(*TEAMS)} if kind is e.UnitDispatched else {}),
        **({"destination": _maybe("shelter", "moon")} if kind is e.UnitTransporting else {}),
    )
)
_closings = _fields(
    e.CallClosed,
    call=_call,
    outcome=_maybe("services", "svc", "resolved_by_other", "cancelled", "odd"),
    unserved_reason=_maybe("all_units_busy", "handled_by_other", "served", "odd"),
    person=_maybe("p1", "p2"),
)
_statuses = _fields(
    e.UnitStatus,
    unit=_unit,
    team=st.sampled_from(TEAMS),
    status=st.sampled_from(e.STATUSES),
    area=_maybe(*AREAS),
)
_parts = st.one_of(
    _fields(
        e.CallReceived,
        call=_call,
        call_type=st.sampled_from(("crisis", "welfare", "odd")),
        area=st.sampled_from(AREAS),
        source=_maybe("911", "988"),
    ),
    _fields(
        e.CallTriaged,
        call=_call,
        eligible=st.booleans(),
        call_type=_maybe("check", "odd"),
        area=_maybe(*AREAS),
    ),
    _points,
    _points,
    _closings,
    _statuses,
    _statuses,
    _fields(e.ContactMade, call=_call, unit=_maybe(*UNITS)),
    _fields(e.UseOfForce, call=_call, level=st.integers(1, 3)),
    _fields(e.NeedlesCollected, call=_call, count=st.integers(0, 5)),
    _fields(e.ReferralMade, call=_call, service=st.sampled_from(("housing", "odd"))),
    _fields(
        e.CaseOpened,
        case=st.sampled_from(CASES),
        kind=st.sampled_from(e.CASE_KINDS),
        team=st.sampled_from(TEAMS),
        area=_maybe(*AREAS),
        person=_maybe("p1", "p3"),
        call=_maybe(*CALLS),
    ),
    _fields(
        e.FollowupAttempted,
        case=st.sampled_from(CASES),
        followup=st.sampled_from(("1d", "7d", "72h", "odd")),
        result=st.sampled_from(e.ATTEMPT_RESULTS),
    ),
    _fields(e.OutreachAttempted, case=st.sampled_from(CASES), located=st.booleans()),
    _fields(e.CaseClosed, case=st.sampled_from(CASES)),
    _fields(e.Heartbeat, topic=st.sampled_from(e.TOPICS)),
)
#: Minutes after noon; many are equal, some are on other days and outside working hours.
_minutes = st.one_of(st.integers(0, 12), st.integers(-60, 300), st.integers(-3000, 3000))


def _event(number: int, part: tuple[Any, dict[str, Any]], at: Micros) -> Any:
    kind, fields = part
    return kind(id=f"id{number}", program="small", at=utc(at), **fields)


@st.composite
def _many(draw: st.DrawFn, of: st.SearchStrategy[Any], most: int) -> list[Any]:
    """One to `most`; long lists as often as short ones."""
    return draw(st.lists(of, min_size=draw(st.sampled_from((1, most // 4, most // 2, most))), max_size=most))


@st.composite
def hostile(draw: st.DrawFn, most: int = 32) -> list[Any]:
    """Any events at any times in any order, each with an id of its own."""
    parts = draw(_many(st.tuples(_parts, _minutes), most))
    return [_event(i, part, NOON + at * MINUTE) for i, (part, at) in enumerate(parts)]


@st.composite
def plausible(draw: st.DrawFn, calls: int = 3) -> list[Any]:
    """Calls as they happen, with units that report their status, in order of time."""
    told: list[tuple[int, Any, dict[str, Any]]] = []
    gap = st.integers(0, 15)
    for name in CALLS[: draw(st.integers(1, calls))]:
        now = draw(st.integers(-200, 200))
        area = draw(st.sampled_from(AREAS))
        told.append((now, e.CallReceived, {"call": name, "call_type": "crisis", "area": area, "source": "911"}))
        if draw(st.booleans()):
            now += draw(gap)
            told.append((now, e.CallTriaged, {"call": name, "eligible": draw(st.integers(0, 4)) > 0}))
        for unit in draw(st.lists(_unit, max_size=2, unique=True)):
            agency = draw(_maybe(None, None, "police"))
            told.append((now, e.UnitStatus, {"unit": unit, "team": "alpha", "status": "available", "area": area}))
            for kind, code in zip(POINTS[: draw(st.integers(1, 5))], e.STATUSES[1:6], strict=False):
                now += draw(gap)
                told.append((now, kind, {"call": name, "unit": unit, "agency": agency}))
                told.append((now, e.UnitStatus, {"unit": unit, "team": "alpha", "status": code}))
            if draw(st.booleans()):
                now += draw(gap)
                told.append((now, e.UnitCleared, {"call": name, "unit": unit}))
        if draw(st.booleans()):
            now += draw(gap)
            told.append((now, e.CallClosed, {"call": name, "outcome": draw(_maybe("services", "cancelled"))}))
    told.sort(key=lambda row: row[0])
    return [_event(i, (kind, fields), NOON + at * MINUTE) for i, (at, kind, fields) in enumerate(told)]


histories = st.one_of(plausible(), hostile())


@st.composite
def years(draw: st.DrawFn, most: int = 25) -> list[Step]:
    """Hostile events on a clock that stands still, runs, or jumps so far that records are archived."""
    jump = st.sampled_from((0, 0, 0, MINUTE, HOUR, DAY, 44 * DAY, 45 * DAY, 46 * DAY, 46 * DAY))
    late = st.sampled_from((0, 0, 0, MINUTE, HOUR, 60 * DAY))
    steps: list[Step] = []
    now = NOON
    for i, part in enumerate(draw(_many(_parts, most))):
        now += draw(jump) + draw(st.integers(0, 3)) * MINUTE
        steps.append(Step(_event(i, part, now - draw(late)), now))
    return steps


def with_duplicates(draw: Callable[[st.SearchStrategy[Any]], Any], events: Sequence[Any], most: int = 10) -> list[Any]:
    """The events in the same order, some once more anywhere after the first time."""
    mixed = list(events)
    for _ in range(draw(st.integers(0, most)) if mixed else 0):
        source = draw(st.integers(0, len(mixed) - 1))
        mixed.insert(draw(st.integers(source + 1, len(mixed))), mixed[source])
    return mixed


def local(text: str, zone: str = "-05:00") -> float:
    """Minutes after noon of the builders, for a local time such as 2024-05-16T00:00."""
    return (when(text + zone) - NOON) / MINUTE


def iso(at: Micros) -> str:
    """A time for people, in failures."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).isoformat()
