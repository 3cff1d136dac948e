"""The intake's contract: events in, numbers out. One suite, in memory and through real workers on each broker, where
one worker takes records in batches and another one by one (CAREWATCH_PATH), each in a group of its own.

Every case has a program of its own (the same small profile under another id), so one worker runs all of them at once
and none can disturb another. The numbers are worked out by hand from the contract; a sample that a case does not name
has to be 0 in the families that it does name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kafka import KafkaProducer

from carewatch.scrape import Numbers
from feeds.wire import encode, topic_of
from streams import door, tally
from streams.clock import wall
from streams.events import Topic
from streams.programs import Profile, load_all
from streams.state import ProgramState
from tests.integration.harness import (
    ON_TANSU,
    PATHS,
    QUICK,
    Broker,
    Site,
    Worker,
    eventually,
    history,
    numbers_of,
    of_events,
    session_kafka,
    session_tansu,
    shares,
    split,
    total,
)

pytestmark = pytest.mark.contract

PROFILE = """
program = "{program}"
name = "Contract"
timezone = "America/Chicago"
triages = true

[areas]
east = {{ label = "East" }}
west = {{ label = "West", codes = ["W"] }}

[[teams]]
code = "crt"
label = "Team"
areas = ["east", "west"]
hours = [{{ days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from = 00:00:00, until = 00:00:00 }}]
targets = {{ received_to_on_scene = "20min" }}

[call_types]
crisis = {{ label = "Crisis" }}

[outcomes]
services = {{ label = "Services", codes = ["10-8"] }}
cancelled = {{ label = "Cancelled" }}

[destinations]
shelter = {{ label = "Shelter" }}

[services]
housing = {{ label = "Housing" }}
"""

BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
Fields = dict[str, Any]
#: A sample without its program: name, then label=value in any order.
Sample = str


class Case(NamedTuple):
    """Events in order (topic, minute, type, fields) and the samples that are not 0 afterwards."""

    events: Sequence[tuple[Topic, float, str, Fields]]
    want: Mapping[Sample, float]


def call(minute: float, type: str, call: str = "c", **fields: Any) -> tuple[Topic, float, str, Fields]:
    return "dispatch", minute, type, {"call": call, **fields}


def unit(minute: float, status: str, unit: str = "u", **fields: Any) -> tuple[Topic, float, str, Fields]:
    return "status", minute, "unit_status", {"unit": unit, "team": "crt", "status": status, **fields}


RECEIVED = call(0, "call_received", call_type="crisis", area="east", source="911")
TRIAGED = call(1, "call_triaged", eligible=True)
DISPATCHED = call(2, "unit_dispatched", unit="u", team="crt")
EN_ROUTE = call(3, "unit_en_route", unit="u")
ON_SCENE = call(12, "unit_on_scene", unit="u")
CLEARED = call(42, "unit_cleared", unit="u")
CLOSED = call(43, "call_closed", outcome="services", person="p1")
SERVED = [RECEIVED, TRIAGED, DISPATCHED, EN_ROUTE, ON_SCENE, CLEARED, CLOSED]

IS_RECEIVED = {"care_calls_received_total area=east call_type=crisis source=911": 1}
IS_SERVED = {
    **IS_RECEIVED,
    "care_calls_closed_total team=crt area=east call_type=crisis outcome=services": 1,
    "care_demand_total area=east result=served": 1,
    "care_police_involvement_total area=east involvement=none": 1,
    "care_people_served": 1,
    "care_call_interval_seconds_count team=crt area=east interval=received_to_dispatched": 1,
    "care_call_interval_seconds_count team=crt area=east interval=received_to_on_scene": 1,
    "care_call_interval_seconds_count team=crt area=east interval=dispatched_to_en_route": 1,
    "care_call_interval_seconds_count team=crt area=east interval=en_route_to_on_scene": 1,
    "care_call_interval_seconds_count team=crt area=east interval=on_scene_to_cleared": 1,
    "care_call_interval_seconds_count team=crt area=east interval=dispatched_to_cleared": 1,
    "care_call_interval_seconds_sum team=crt area=east interval=received_to_dispatched": 120,
    "care_call_interval_seconds_sum team=crt area=east interval=received_to_on_scene": 720,
    "care_call_interval_seconds_sum team=crt area=east interval=dispatched_to_en_route": 60,
    "care_call_interval_seconds_sum team=crt area=east interval=en_route_to_on_scene": 540,
    "care_call_interval_seconds_sum team=crt area=east interval=on_scene_to_cleared": 1800,
    "care_call_interval_seconds_sum team=crt area=east interval=dispatched_to_cleared": 2400,
}
NONE_OPEN: Fields = {"care_calls_open": 0}


def stage(name: str) -> dict[Sample, float]:
    return {**IS_RECEIVED, f"care_calls_open area=east call_type=crisis stage={name}": 1}


def unserved(result: str, outcome: str = "unrecorded", *, police: str = "none") -> dict[Sample, float]:
    return {
        **IS_RECEIVED,
        f"care_calls_closed_total team=none area=east call_type=crisis outcome={outcome}": 1,
        f"care_demand_total area=east result={result}": 1,
        f"care_police_involvement_total area=east involvement={police}": 1,
    }


def _unknown_yet(sample: Sample) -> Sample:
    sample = sample.replace("area=east", "area=other")
    return sample.replace("team=crt", "team=other") if "on_scene_to_cleared" in sample else sample


CASES: dict[str, Case] = {
    "nothing": Case([], {"care_calls_received_total": 0, "care_calls_open": 0, "care_units": 0}),
    "waiting": Case([RECEIVED], stage("waiting")),
    "ineligible_is_not_open": Case(
        [RECEIVED, call(1, "call_triaged", eligible=False)], {**IS_RECEIVED, "care_calls_open": 0}
    ),
    "dispatched": Case([RECEIVED, DISPATCHED], stage("dispatched")),
    "on_scene": Case([RECEIVED, DISPATCHED, ON_SCENE], stage("on_scene")),
    "transporting": Case(
        [RECEIVED, DISPATCHED, ON_SCENE, call(20, "unit_transporting", unit="u", destination="shelter")],
        {**stage("transporting"), "care_transports_total team=crt destination=shelter": 1},
    ),
    "cleared_waits_again": Case([RECEIVED, DISPATCHED, CLEARED], stage("waiting")),
    "police_make_no_stage": Case(
        [RECEIVED, call(2, "unit_dispatched", unit="p", agency="police"), call(9, "unit_on_scene", unit="p")],
        {**stage("waiting"), "care_call_interval_seconds_count": 0},
    ),
    "served": Case(SERVED, {**IS_SERVED, **NONE_OPEN}),
    "served_twice_delivered": Case([each for each in SERVED for _ in range(2)], {**IS_SERVED, **NONE_OPEN}),
    "served_all_again": Case(SERVED * 2, {**IS_SERVED, **NONE_OPEN}),
    "served_in_disorder": Case(
        [CLEARED, ON_SCENE, DISPATCHED, EN_ROUTE, TRIAGED, RECEIVED, CLOSED],
        # counters count when a fact is recorded: area, and at first the unit's team, were not known yet
        {
            _unknown_yet(sample) if "interval=" in sample and "received" not in sample else sample: value
            for sample, value in IS_SERVED.items()
        }
        | NONE_OPEN,
    ),
    "late_events_move_no_counter": Case(
        [*SERVED, call(44, "needles_collected", count=3), call(2.5, "use_of_force", level=2)],
        {**IS_SERVED, "care_needles_collected_total": 0, "care_use_of_force_total": 0},
    ),
    "earliest_time_wins": Case(
        [
            RECEIVED,
            call(5, "unit_dispatched", unit="u", team="crt"),
            call(4, "unit_dispatched", unit="u", team="crt"),
            call(6, "unit_en_route", unit="u"),
        ],
        {
            **stage("en_route"),
            # observed once, when first recorded; the leg's second time point sees the corrected first one
            "care_call_interval_seconds_sum team=crt area=east interval=received_to_dispatched": 300,
            "care_call_interval_seconds_sum team=crt area=east interval=dispatched_to_en_route": 120,
            "care_call_interval_seconds_count team=crt area=east interval=received_to_dispatched": 1,
            "care_call_interval_seconds_count team=crt area=east interval=dispatched_to_en_route": 1,
        },
    ),
    "corrected_while_open": Case(
        [RECEIVED, call(1, "call_triaged", eligible=True, area="W")],
        {**IS_RECEIVED, "care_calls_open area=west call_type=crisis stage=waiting": 1},
    ),
    "never_received": Case(
        [DISPATCHED, ON_SCENE],
        {
            "care_calls_received_total": 0,
            "care_calls_open area=other call_type=other stage=on_scene": 1,
            "care_call_interval_seconds_count": 0,
        },
    ),
    "negative_interval": Case(
        [RECEIVED, call(-1, "unit_dispatched", unit="u", team="crt")],
        {
            **stage("dispatched"),
            "care_interval_disorder_total interval=received_to_dispatched": 1,
            "care_call_interval_seconds_count": 0,
        },
    ),
    "cancelled": Case(
        [RECEIVED, TRIAGED, call(5, "call_closed", outcome="cancelled")], unserved("cancelled", "cancelled")
    ),
    "reason_given": Case(
        [RECEIVED, TRIAGED, call(5, "call_closed", unserved_reason="outside_area")], unserved("outside_area")
    ),
    "reason_unknown": Case(
        [RECEIVED, TRIAGED, call(5, "call_closed", unserved_reason="weather")], unserved("no_unit_on_duty")
    ),
    "no_unit_on_duty": Case(
        [unit(-5, "available"), unit(-1, "off_duty"), RECEIVED, call(5, "call_closed")],
        unserved("no_unit_on_duty"),
    ),
    "all_units_busy": Case([unit(-1, "on_scene"), RECEIVED, call(5, "call_closed")], unserved("all_units_busy")),
    "not_triaged": Case([unit(-1, "available"), RECEIVED, call(5, "call_closed")], unserved("not_triaged")),
    "unknown": Case([unit(-1, "available"), RECEIVED, TRIAGED, call(5, "call_closed")], unserved("unknown")),
    "police_released": Case(
        [
            *SERVED[:3],
            call(2, "unit_dispatched", unit="p", agency="police"),
            call(8, "unit_on_scene", unit="p"),
            ON_SCENE,
            call(22, "unit_cleared", unit="p"),
            CLEARED,
            CLOSED,
        ],
        {
            "care_police_involvement_total area=east involvement=released": 1,
            "care_police_freed_seconds_total": 1200,
            "care_demand_total area=east result=served": 1,
        },
    ),
    "police_cancelled": Case(
        [
            RECEIVED,
            TRIAGED,
            call(2, "unit_dispatched", unit="p", agency="police"),
            call(5, "call_closed", outcome="cancelled"),
        ],
        unserved("cancelled", "cancelled", police="cancelled"),
    ),
    "unknown_codes": Case(
        [
            call(0, "call_received", call_type="ufo", area="mars"),
            call(1, "referral_made", service="astronomy"),
            call(2, "call_closed", outcome="beamed_up", unserved_reason="unknown"),
        ],
        {
            "care_calls_received_total area=other call_type=other source=other": 1,
            "care_calls_closed_total team=none area=other call_type=other outcome=other": 1,
            "care_referrals_total service=other": 1,
            "care_unmapped_values_total field=call_type": 1,
            "care_unmapped_values_total field=area": 1,
            "care_unmapped_values_total field=service": 1,
            "care_unmapped_values_total field=outcome": 1,
        },
    ),
    "local_codes": Case(
        [call(0, "call_received", call_type="crisis", area="W"), call(5, "call_closed", outcome="10-8")],
        {
            "care_calls_received_total area=west call_type=crisis source=other": 1,
            "care_calls_closed_total team=none area=west call_type=crisis outcome=services": 1,
            "care_unmapped_values_total": 0,
        },
    ),
    "facts": Case(
        [
            RECEIVED,
            call(3, "use_of_force", level=1),
            call(4, "use_of_force", level=3),
            call(5, "needles_collected", count=7),
            call(6, "referral_made", service="housing"),
        ],
        {
            "care_use_of_force_total level=1": 1,
            "care_use_of_force_total level=3": 1,
            "care_needles_collected_total area=east": 7,
            "care_referrals_total service=housing": 1,
        },
    ),
    "units_by_latest_time": Case(
        [unit(10, "on_scene", area="east"), unit(5, "available", area="west"), unit(1, "available", "v")],
        {
            "care_units team=crt area=east status=on_scene": 1,
            "care_units team=crt area=other status=available": 1,
        },
    ),
    "people_are_counted_once": Case(
        [
            event
            for n in range(3)
            for event in (
                call(n, "call_received", f"c{n}", call_type="crisis", area="east"),
                call(n + 1, "call_closed", f"c{n}", person=f"p{n % 2}"),
            )
        ],
        {"care_people_served": 2},
    ),
}


def records(case: str) -> Iterator[tuple[Topic, bytes, bytes]]:
    """The records of a case; the same event twice has the same id."""
    for topic, minute, type, fields in CASES[case].events:
        at = BEGIN + timedelta(minutes=minute)
        body = {"type": type, "program": case, "at": at.isoformat(), **fields}
        value = {"id": f"{type}-{fields.get('call')}-{fields.get('unit')}-{minute}", **body}
        yield topic, json.dumps(value).encode(), case.encode()


def problems(case: str, numbers: Numbers) -> list[str]:
    """Where the numbers are not those that the case wants."""
    want: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for sample, value in CASES[case].want.items():
        name, *labels = sample.split()
        pairs = [label.partition("=") for label in labels]
        want[name, frozenset({("program", case), *((key, label) for key, _, label in pairs)})] = value
    named = {name for name, _ in want}
    have = {
        (name, frozenset(labels)): value
        for (name, labels), value in numbers.items()
        if name in named and ("program", case) in labels
    }
    return [
        f"{key[0]} {sorted(key[1])}: {have.get(key, 0)}, not {want.get(key, 0)}"
        for key in sorted(want.keys() | have.keys(), key=str)
        if have.get(key, 0) != want.get(key, 0)
    ]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program file for each case."""
    folder = tmp_path_factory.mktemp("programs")
    for case in CASES:
        (folder / f"{case}.toml").write_text(PROFILE.format(program=case))
    return folder


@pytest.fixture(scope="module")
def profiles(programs: Path) -> dict[str, Profile]:
    return dict(load_all(programs))


@pytest.mark.parametrize("case", CASES)
def test_in_memory(case: str, profiles: dict[str, Profile]) -> None:
    state = ProgramState(profiles[case], tally.edges(profiles.values()))
    for topic, value, key in records(case):
        event = door.decode(topic, key, value, profiles, wall())
        assert not isinstance(event, door.Rejected), event
        state.apply(event, wall())
    assert problems(case, numbers_of([state], wall())) == []


def taken(worker: Worker, sent: int) -> Numbers:
    """The worker's numbers as soon as it has taken so many records."""

    def all_of_them() -> Numbers | None:
        numbers = worker.scrape().numbers
        names = ("care_events_total", "care_events_duplicate_total", "care_events_rejected_total")
        count = sum(value for (name, _), value in numbers.items() if name in names)
        return numbers if count >= sent else None

    return eventually(all_of_them, f"{sent} records to be taken", 60, every=0.3)


def of_pipeline(numbers: Numbers) -> Numbers:
    """What was done with each record, without how long it took."""
    return {
        key: value
        for key, value in numbers.items()
        if key[0].startswith(("care_events_", "care_partition_conflicts", "care_feed_"))
    }


@pytest.mark.integration
@pytest.mark.slow
def test_through_apache_kafka(request: pytest.FixtureRequest, tmp_path: Path, programs: Path) -> None:
    run(session_kafka(request.config), tmp_path, programs, list(CASES))


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.full
def test_through_tansu(request: pytest.FixtureRequest, tmp_path: Path, programs: Path) -> None:
    cases = [
        "waiting",
        "served",
        "served_all_again",
        "all_units_busy",
        "unknown_codes",
        "people_are_counted_once",
    ]
    run(session_tansu(request.config), tmp_path, programs, cases, ON_TANSU)


def run(broker: Broker, folder: Path, programs: Path, cases: list[str], env: Mapping[str, str] | None = None) -> None:
    """Send the cases' records once; the workers of both paths have to show what each case wants."""
    with Site(broker.bootstrap, folder, env) as site:
        workers = site.worker_of_each_path("--programs", str(programs))
        sent = 0
        # statuses first: what a call's end asks for must be known by then, and topics have no order among them
        for status in (True, False):
            for case in cases:
                for topic, value, key in records(case):
                    if (topic == "status") == status:
                        site.post(topic, value, key)
                        sent += 1
            site.flush()
        shown = {path: taken(worker.ready(120), sent) for path, worker in workers.items()}
        wrong = [
            f"{path}, {case}: {line}"
            for path, numbers in shown.items()
            for case in cases
            for line in problems(case, numbers)
        ]
        assert not wrong, "\n".join(wrong)
        assert of_pipeline(shown["batch"]) == of_pipeline(shown["plain"])
        assert {path: worker.end() for path, worker in workers.items()} == dict.fromkeys(PATHS, 0)


@pytest.mark.integration
@pytest.mark.slow
def test_a_history_is_the_same_on_both_paths(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    events = history(days=5, disorder=0.05, duplicates=0.05)
    poison = (b"{", b'{"id": 1}', b'{"id":"x","type":"call_received","program":"nowhere","at":"2026-01-01T00:00:00Z"}')
    with Site(session_kafka(request.config).bootstrap, tmp_path) as site:
        workers = site.worker_of_each_path()
        first, second = shares(events, 2)
        site.send(first)
        for value in poison * 20:
            site.post("dispatch", value, b"chicago")
        site.send(second)
        sent = len(events) + 20 * len(poison)
        shown = {path: taken(worker.ready(), sent) for path, worker in workers.items()}
        assert total(shown["batch"], "care_events_rejected_total") == 20 * len(poison)
        assert total(shown["batch"], "care_events_duplicate_total") > 50
        for worker in workers.values():
            site.verify([worker])
        assert of_pipeline(shown["batch"]) == of_pipeline(shown["plain"])
        assert of_events(shown["batch"]) == of_events(shown["plain"])


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.full
def test_offsets_without_records_on_both_paths(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A feed that uses transactions leaves marks in the log: an offset each, also at the end, and no record."""
    events = history(days=2, disorder=0.05)
    with Site(session_kafka(request.config).bootstrap, tmp_path, QUICK) as site:
        workers = site.worker_of_each_path()
        feed = KafkaProducer(bootstrap_servers=site.bootstrap, transactional_id=site.prefix)
        feed.init_transactions()
        for share in shares(events, 40):
            for part in split(share):  # statuses first
                feed.begin_transaction()
                for event in part:
                    feed.send(site.prefix + topic_of(event), encode(event), event.program.encode())
                feed.commit_transaction()
        feed.close()
        shown = {path: taken(worker.ready(), len(events)) for path, worker in workers.items()}
        for path, worker in workers.items():
            site.verify([worker])
            assert worker.end() == 0
            heir = site.worker_of(path).ready()
            site.verify([heir])
            again = heir.total("care_events_total") + heir.total("care_events_duplicate_total")
            # all that was taken in batches is committed, marks or not; stock Faust may read some of it again
            assert again == 0 or path == "plain"
        assert of_pipeline(shown["batch"]) == of_pipeline(shown["plain"])
        assert of_events(shown["batch"]) == of_events(shown["plain"])
