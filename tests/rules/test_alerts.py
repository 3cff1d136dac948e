"""Every alert with promtool: below, at and above its threshold, and clearing; the words that people get.

A scenario tells what the worker shows over time in plain words: "0 for 2m, 3 for 5m, gone for 1m"; "+8 for 5m" is a counter
that grows by 8 a step. What has to fire at a time is stated with its texts, as a person reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from dashboards import thresholds
from dashboards.alerts import ALERTS
from dashboards.build import ROOT
from tests.integration.harness import require_prometheus
from tests.rules.tools import run

RULES = ROOT / "dashboards" / "prometheus" / "rules.yml"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Fires(NamedTuple):
    """An alert that has to be there: the labels of its series and its texts."""

    labels: dict[str, str]
    summary: str
    description: str


@dataclass
class Scenario:
    """What is shown over time, and which of one alert fire when."""

    about: str
    alert: str
    series: dict[str, str]
    fires: dict[str, list[Fires]]
    step: str = "15s"
    id: str = field(init=False)

    def __post_init__(self) -> None:
        self.id = f"{self.alert}: {self.about}"


def seconds(text: str) -> int:
    """Of '1h30m'."""
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)([smhd])", text))


def samples(story: str, step: str) -> str:
    """A story in promtool's notation."""
    found: list[str] = []
    value = 0.0
    for part in story.split(", "):
        what, _, duration = part.partition(" for ")
        n = seconds(duration) // seconds(step)
        if what == "gone":
            found.append("stale" if n == 1 else f"stale _x{n - 1}")
        elif what.startswith("+"):
            found.append(f"{value + float(what):g}+{float(what):g}x{n - 1}")
            value += float(what) * n
        else:
            value = float(what)
            found.append(f"{value:g}x{n - 1}")
    return " ".join(found)


def test_stories() -> None:
    assert samples("0 for 1m, 3 for 30s, gone for 30s", "15s") == "0x3 3x1 stale _x1"
    assert samples("0 for 30s, +8 for 1m, +1 for 30s", "15s") == "0x1 8+8x3 33+1x1"


ART = {"program": "chicago", "team": "art"}
LOOP = {"program": "chicago", "area": "loop"}
#: The worker that shows chicago.
SHOWN = 'care_people_served{program="chicago",instance="a"}'
COVERED = 'care_calls_today{program="chicago",team="art",area="loop",outcome="services"}'
PLANNED = 'care_units_planned{program="chicago",team="art"}'
AVAILABLE = 'care_units{program="chicago",team="art",area="loop",status="available"}'
ON_SCENE = 'care_units{program="chicago",team="art",area="loop",status="on_scene"}'
OFF_DUTY = 'care_units{program="chicago",team="art",area="loop",status="off_duty"}'
WAITING = 'care_calls_open{program="chicago",area="loop",call_type="mental_health",stage="waiting"}'


def no_unit(calls: int) -> Fires:
    return Fires(
        ART,
        f"chicago: no art unit is available, calls waiting: {calls}",
        "Every art unit of chicago is busy, unavailable or off duty in planned hours. Calls waiting in its areas with no unit "
        f"sent: {calls}. Ask which unit can clear next, or send another agency.",
    )


def waits(time: str) -> Fires:
    return Fires(
        LOOP,
        f"chicago: a call in loop has waited {time} with no unit sent",
        f"The longest-waiting call of chicago in loop was received {time} ago and no CARE unit is on the way. Send one, or "
        "hand the call to another agency and close it.",
    )


def past_target(calls: int) -> Fires:
    return Fires(
        LOOP,
        f"chicago: open calls in loop past the target from received to on scene: {calls}",
        "Open calls of chicago in loop that were received longer ago than the target and have no CARE unit on scene: "
        f"{calls}. Check where their units are.",
    )


LIVE = [
    Scenario(
        "0, 1 and 3 calls wait, then a unit is free",
        "NoUnitAvailable",
        {
            COVERED: "0 for 20m",
            PLANNED: "2 for 20m",
            AVAILABLE: "1 for 2m, 0 for 8m, 1 for 10m",
            ON_SCENE: "1 for 2m, 2 for 8m, 1 for 10m",
            WAITING: "0 for 4m, 1 for 4m, 3 for 12m",
        },
        {
            "3m45s": [],  # below: nobody waits
            "4m45s": [],  # at, and not for a minute yet
            "5m": [no_unit(1)],
            "9m": [no_unit(3)],
            "11m45s": [no_unit(3)],  # a unit is free since 10m; goes on for 2m
            "12m": [],
        },
    ),
    Scenario(
        "calls wait and a unit is available, or it is outside the planned hours",
        "NoUnitAvailable",
        {
            COVERED: "0 for 20m",
            PLANNED: "2 for 10m, 0 for 10m",
            AVAILABLE: "1 for 9m, 0 for 11m",
            WAITING: "3 for 20m",
        },
        {"5m": [], "9m45s": [], "15m": []},
    ),
    Scenario(
        "a call waits in an area that the team does not cover",
        "NoUnitAvailable",
        {
            COVERED: "0 for 10m",
            PLANNED: "2 for 10m",
            AVAILABLE: "0 for 10m",
            WAITING: "0 for 10m",
            WAITING.replace("loop", "uptown"): "2 for 10m",
        },
        {"5m": []},
    ),
    Scenario(
        "a wait of less, just and more than 10 minutes, then a unit is sent",
        "CallWaitingTooLong",
        {
            SHOWN: "5 for 20m",
            # received 60 s after the start
            'care_call_oldest_waiting_timestamp_seconds{program="chicago",area="loop"}': "60 for 13m, gone for 7m",
        },
        {
            "10m45s": [],
            "11m": [],
            "11m15s": [waits("10m 15s")],
            "12m": [waits("11m 0s")],
            "13m45s": [waits("11m 45s")],  # sent at 13m; goes on for 1m
            "14m": [],
        },
    ),
    Scenario(
        "0, 1 and 2 calls are past the target, then none",
        "ResponseTargetMissed",
        {
            'care_calls_over_target{program="chicago",area="loop",interval="received_to_on_scene"}': (
                "0 for 2m, 1 for 2m, 2 for 2m, 0 for 10m"
            ),
            'care_calls_over_target{program="chicago",area="loop",interval="received_to_dispatched"}': "4 for 16m",
        },
        {
            "1m45s": [],
            "2m45s": [],  # at, and not for a minute yet
            "3m": [past_target(1)],
            "5m": [past_target(2)],
            "7m45s": [past_target(2)],  # none since 6m; goes on for 2m
            "8m": [],
        },
    ),
]


def gap(units: int) -> Fires:
    return Fires(
        ART,
        f"chicago: art units missing against the staffing plan: {units}",
        f"The plan of chicago wants more art units on duty now than there are. Missing: {units}. Call in a crew, or tell "
        "dispatch that the team is short.",
    )


def unmet(share: str) -> Fires:
    return Fires(
        {"program": "chicago"},
        f"chicago: {share} of eligible calls were not reached by a CARE unit",
        f"Of the eligible calls of chicago closed lately within its hours, {share} had no CARE unit on scene (last 24 hours, "
        "or 7 days where calls are few). The dashboard shows the reasons: no unit on duty, all busy, not triaged, handled by "
        "others.",
    )


def unrecorded(share: str) -> Fires:
    return Fires(
        {"program": "chicago"},
        f"chicago: {share} of closed calls have no outcome",
        f"Of the calls of chicago closed today (or in 7 days, where calls are few), {share} came without an outcome. Rates "
        "over outcomes mislead until this is mended. Ask the crews first, then the dispatch system.",
    )


def demand(result: str) -> str:
    return f'care_demand_total{{program="chicago",area="loop",result="{result}"}}'


def today(outcome: str) -> str:
    return f'care_calls_today{{program="chicago",team="art",area="loop",outcome="{outcome}"}}'


def closed(outcome: str) -> str:
    return f'care_calls_closed_total{{program="chicago",team="art",area="loop",call_type="assist",outcome="{outcome}"}}'


STAFFING = [
    Scenario(
        "2, 3, 1 and no units of 2 planned, then enough",
        "StaffingGap",
        {
            PLANNED: "2 for 2h",
            ON_SCENE: "2 for 10m, 3 for 10m, 1 for 30m, 0 for 10m, 2 for 1h",
            OFF_DUTY: "4 for 2h",
        },
        {
            "9m": [],
            "19m": [],  # more than planned
            "34m": [],  # one is missing since 20m, and not for 15 minutes yet
            "35m": [gap(1)],
            "55m": [gap(2)],
            "1h4m": [gap(2)],  # enough since 1h; goes on for 5m
            "1h5m": [],
        },
        step="1m",
    ),
    Scenario(
        "3 of 10 calls unmet, then 4 of 11, then many are served",
        "UnmetDemandHigh",
        {
            demand("served"): "90 for 24h, 97 for 4h, 120 for 4h",
            demand("all_units_busy"): "30 for 24h, 33 for 2h, 34 for 6h",
            demand("ineligible"): "0 for 24h, 50 for 8h",
            demand("outside_hours"): "0 for 24h, 50 for 8h",
        },
        {
            "23h": [],  # of 30 in 120 nothing is known but the sum
            "25h": [],  # at: 3 of 10
            "26h5m": [],  # above, and not for 10 minutes yet
            "26h10m": [unmet("36.36%")],
            "28h25m": [unmet("36.36%")],  # 4 of 34 since 28h; goes on for 30m
            "28h30m": [],
        },
        step="5m",
    ),
    Scenario(
        "5 of 9 calls of a day are too few, 5 of 10 in a week are enough",
        "UnmetDemandHigh",
        {
            demand("served"): "0 for 168h, 4 for 48h, 5 for 24h",
            demand("no_unit_on_duty"): "0 for 168h, 5 for 72h",
        },
        {"170h": [], "218h": [unmet("50%")]},
        step="1h",
    ),
    Scenario(
        "2 of 10 calls of today have no outcome, then 3 of 11, then they are mended",
        "OutcomeNotRecorded",
        {
            today("services"): "7 for 30m, 8 for 1h, 10 for 2h",
            today("unrecorded"): "2 for 30m, 2 for 30m, 3 for 30m, 1 for 2h",
        },
        {
            "25m": [],  # 2 of 9: too few calls
            "55m": [],  # at: 2 of 10
            "1h5m": [],  # above, and not for 10 minutes yet
            "1h10m": [unrecorded("27.27%")],
            "1h55m": [unrecorded("27.27%")],  # 1 of 11 since 1h30m; goes on for 30m
            "2h": [],
        },
        step="5m",
    ),
    Scenario(
        "a program with few calls: 6 of 12 in a week",
        "OutcomeNotRecorded",
        {
            today("services"): "0 for 174h",
            today("unrecorded"): "1 for 174h",
            closed("services"): "100 for 168h, 106 for 6h",
            closed("unrecorded"): "0 for 168h, 6 for 6h",
        },
        {"167h": [], "170h": [unrecorded("50%")]},
        step="1h",
    ),
]

FOLLOWUPS = 'care_followups{program="chicago",team="art",area="%s",followup="1d",state="%s",instance="%s"}'
LAPSE = 'care_followup_next_lapse_timestamp_seconds{program="chicago",team="art"}'
ART_1D = {**ART, "followup": "1d"}


def overdue(count: int) -> Fires:
    return Fires(
        ART_1D,
        f"chicago: art follow-ups (1d) overdue: {count}",
        f"Follow-ups 1d of team art of chicago that are past their due time and not done: {count}. They can still be done "
        "before they lapse; the work list says which come first.",
    )


def missed(count: int) -> Fires:
    return Fires(
        ART_1D,
        f"chicago: art follow-ups (1d) missed: {count}",
        f"Follow-ups 1d of team art of chicago that lapsed and were not done: {count}. Nobody has seen these people as "
        "promised. Do them late or close the cases; the work list names them.",
    )


def lapses(time: str) -> Fires:
    return Fires(
        ART,
        f"chicago: the next follow-up of art lapses in {time}",
        f"The next open or overdue follow-up of team art of chicago lapses in {time}, and others may come soon after. The "
        "work list is sorted by lapse time; start at its top.",
    )


FOLLOWUP = [
    Scenario(
        "0, 1 and 3 are overdue in two areas, then all are done",
        "FollowupOverdue",
        {
            FOLLOWUPS % ("loop", "overdue", "a"): "0 for 1m, 1 for 2m, 0 for 5m",
            FOLLOWUPS % ("uptown", "overdue", "a"): "0 for 2m, 2 for 1m, 0 for 5m",
            FOLLOWUPS % ("loop", "open", "a"): "5 for 8m",
        },
        {"45s": [], "1m": [overdue(1)], "2m": [overdue(3)], "2m45s": [overdue(3)], "3m": []},
    ),
    Scenario(
        "0, 1 and 2 are missed, then done late",
        "FollowupMissed",
        {FOLLOWUPS % ("loop", "missed", "a"): "0 for 1m, 1 for 1m, 2 for 1m, 0 for 5m"},
        {"45s": [], "1m": [missed(1)], "2m": [missed(2)], "3m": []},
    ),
    Scenario(
        "the program moves to another worker: nothing doubles, nothing ends",
        "FollowupMissed",
        {
            SHOWN: "5 for 2m, gone for 8m",
            SHOWN.replace('"a"', '"b"'): "gone for 3m, 5 for 7m",
            FOLLOWUPS % ("loop", "missed", "a"): "2 for 2m, gone for 8m",
            FOLLOWUPS % ("loop", "missed", "b"): "gone for 3m, 2 for 2m, 1 for 5m",
            FOLLOWUPS % ("uptown", "missed", "a"): "1 for 2m, gone for 8m",
            FOLLOWUPS % ("uptown", "missed", "b"): "gone for 3m, 1 for 2m, 0 for 5m",
        },
        {f"{t}s": [missed(3)] for t in range(15, 300, 15)} | {"5m": [missed(1)]},
    ),
    Scenario(
        "a case outside the team's areas: its series goes with the last follow-up, and the alert with it",
        "FollowupOverdue",
        {SHOWN: "5 for 8m", FOLLOWUPS % ("uptown", "overdue", "a"): "1 for 2m, gone for 6m"},
        {"1m45s": [overdue(1)], "2m": []},
    ),
    Scenario(
        "two workers show the program for a moment: nothing doubles",
        "FollowupMissed",
        {
            FOLLOWUPS % ("loop", "missed", "a"): "2 for 2m, gone for 3m",
            FOLLOWUPS % ("loop", "missed", "b"): "gone for 1m, 2 for 4m",
        },
        {"45s": [missed(2)], "1m30s": [missed(2)], "2m30s": [missed(2)], "4m": [missed(2)]},
    ),
    Scenario(
        "no worker shows the program: the alert goes on until FeedSilent has taken over",
        "FollowupMissed",
        {
            SHOWN: "5 for 2m, gone for 20m",
            FOLLOWUPS % ("loop", "missed", "a"): "2 for 2m, gone for 20m",
        },
        {"5m": [missed(2)], "16m": [missed(2)], "18m": []},
    ),
    Scenario(
        "more than, just and less than 4 hours are left, then it is done",
        "FollowupLapsingSoon",
        {SHOWN: "5 for 3h", LAPSE: f"{5 * 3600} for 2h, gone for 1h"},
        {
            "59m": [],
            "1h": [],
            "1h1m": [lapses("3h 59m 0s")],
            "1h59m": [lapses("3h 1m 0s")],
            "2h": [],
        },
        step="1m",
    ),
]


def silent(time: str) -> Fires:
    return Fires(
        {"program": "chicago", "topic": "dispatch"},
        f"chicago: nothing on the dispatch feed for {time}",
        f"The dispatch feed of chicago has sent no event and no heartbeat for {time}, or no worker reads it. What the boards "
        "show of it is old, and alerts that depend on it are held back: tell the supervisors.",
    )


def never_heard() -> Fires:
    return Fires(
        {"program": "chicago", "topic": "dispatch"},
        "chicago: nothing ever came on the dispatch feed",
        "No event and no heartbeat ever came on the dispatch feed of chicago. If it has no such feed, say so with feeds in its "
        "file. The boards show nothing of it, and alerts that depend on it are held back: tell the supervisors.",
    )


def rejected(share: str) -> Fires:
    return Fires(
        {"topic": "dispatch"},
        f"dispatch: {share} of the last records were rejected",
        f"Of the last records of the dispatch topic (200 or more), {share} were rejected. They are in the dead-letter topic, "
        "unchanged, with the reason; the numbers lack them until the producer is mended and they are sent again.",
    )


def lost(count: int) -> Fires:
    return Fires(
        {"topic": "dispatch", "partition": "3"},
        f"dispatch, partition 3: records lost unread: {count}",
        f"Kafka removed records of the dispatch topic, partition 3, before a worker read them: {count} in all. The numbers of its "
        "programs lack what they said; the worker's log names the programs. Send these events again from their source: what is "
        "known already changes nothing.",
    )


DAMAGED = Fires(
    {"program": "chicago"},
    "chicago: its state cannot be read, it is not served",
    "A record of chicago in the changelog cannot be read, so nothing is shown of it; the other programs go on. carewatch state "
    "check names the record, carewatch state rebuild makes the state anew.",
)


def skewed(by: str) -> Fires:
    return Fires(
        {"instance": "w1:6066"},
        f"The clock of w1:6066 differs from the broker's by {by}",
        f"The clock of the worker w1:6066 and the broker's differ by {by}. Events are taken by the broker's clock, so none is "
        "lost; waits, today and follow-ups that are due are shown by the worker's. Set the clock that is wrong, with NTP.",
    )


def unknown(count: int) -> Fires:
    return Fires(
        {"program": "chicago", "field": "outcome"},
        f"chicago: unknown outcome codes in the last hour: {count}",
        f"Events of chicago carry outcome codes that its profile does not know: {count} in the last hour. They count under "
        "other. The worker's log has the codes; add them to the program file.",
    )


def conflict(count: int) -> Fires:
    return Fires(
        {"program": "chicago"},
        f"chicago: records on a wrong partition in 15 minutes: {count}",
        f"A producer writes events of chicago to another partition than the program's own: {count} in the last 15 minutes. "
        "Nothing is lost, they are sent on. Set its partitioner to murmur2 (murmur2_random for librdkafka).",
    )


BROKER_PROBLEM = Fires(
    {"problem": "cleanup"},
    "Kafka is not set as it has to be: cleanup, topics: 1",
    "A worker found Kafka away, a topic gone, or a setting with which data can be lost (cleanup). Its log says which topic and "
    "how to mend it; the alert ends a minute after that.",
)


def never_end(share: str) -> Fires:
    return Fires(
        {"program": "chicago", "kind": "open_calls"},
        f"chicago: open calls are at {share} of what a program may have",
        f"chicago has so many open calls that never end: {share} of the limit. At the limit the stalest are archived: their "
        "counts stay, they leave the board, and what comes about them later changes nothing. Find out why the feed does not "
        "end them.",
    )


NOT_READY = Fires(
    {"instance": "w1:6066"},
    "The worker w1:6066 runs and is not ready",
    "The worker w1:6066 answers and shows no program: it has no partitions, or has not recovered them. Its programs are blind "
    "until it is ready.",
)
DOWN = Fires(
    {"instance": "w1:6066"},
    "The worker w1:6066 is down",
    "The worker w1:6066 does not answer. Other workers take over its programs; if there is none, they are blind.",
)
NONE_KNOWN = Fires(
    {"job": "carewatch"},
    "No worker is known",
    "Prometheus has no worker to read from: every program is blind.",
)
FEED = 'care_feed_last_event_timestamp_seconds{program="chicago",topic="dispatch",instance="%s"}'
REJECTED = 'care_events_rejected_total{topic="dispatch",reason="%s"}'
APPLIED = 'care_event_delay_seconds_count{topic="dispatch"}'
DUPLICATE = 'care_events_duplicate_total{topic="dispatch"}'

PIPELINE = [
    Scenario(
        "less than, just and more than 5 minutes since the last event, the worker ends too, then events come",
        "FeedSilent",
        {
            FEED % "a": "60 for 8m, gone for 12m",
            FEED % "b": "gone for 10m, 590 for 10m",
        },
        {
            "5m45s": [],
            "6m": [],
            "6m15s": [silent("5m 15s")],
            "9m": [silent("8m 0s")],  # no worker shows it
            "10m45s": [silent("8m 45s")],  # an event of 9m50s was read at 10m; goes on for 1m
            "11m": [],
            "14m45s": [],
            "15m": [silent("5m 10s")],
        },
    ),
    Scenario(
        "nothing ever came for less than, just and more than 5 minutes, then an event, then silence",
        "FeedSilent",
        {FEED % "a": "0 for 10m, 590 for 10m", FEED.replace("dispatch", "status") % "a": "0 for 1m, +15 for 19m"},
        {
            "15s": [],  # just set up
            "4m45s": [],
            "5m": [never_heard()],
            "9m45s": [never_heard()],
            "10m45s": [never_heard()],  # an event since 10m; goes on for 1m
            "11m": [],
            "14m45s": [],
            "15m": [silent("5m 10s")],
        },
    ),
    Scenario(
        "nothing ever came, and the program moves to another worker, which recovers for longer than a silence",
        "FeedSilent",
        {
            SHOWN: "5 for 2m, gone for 28m",
            SHOWN.replace('"a"', '"b"'): "gone for 8m, 5 for 22m",
            FEED % "a": "0 for 2m, gone for 28m",
            FEED % "b": "gone for 8m, 0 for 7m, 890 for 15m",
        },
        {
            "4m45s": [],  # nobody shows the program, and it was not shown 5 minutes ago
            "5m": [never_heard()],
            "7m45s": [never_heard()],
            "14m45s": [never_heard()],
            "16m": [],
        },
    ),
    Scenario(
        "nothing ever came and no worker shows the program: held as all alerts, then WorkerDown tells",
        "FeedSilent",
        {SHOWN: "5 for 2m, gone for 20m", FEED % "a": "0 for 2m, gone for 20m"},
        {"5m": [never_heard()], "16m": [never_heard()], "18m": []},
    ),
    Scenario(
        "a worker restarts and recovers while feeds are heard of, an hour after another's feed was not yet",
        "FeedSilent",
        {
            SHOWN: "5 for 2m, gone for 1m, 5 for 60m, gone for 4m, 5 for 4m",
            FEED % "a": "0 for 2m, gone for 1m, +60 for 1m, +15 for 59m, gone for 4m, 4020 for 4m",
        },
        {f"{minute}m": [] for minute in range(1, 71)},
    ),
    Scenario(
        "a worker shows a program for a moment, another worker an hour later: its feed has had no time to send",
        "FeedSilent",
        {SHOWN: "5 for 1m, gone for 59m, 5 for 10m", FEED % "a": "0 for 1m, gone for 59m, 0 for 2m, 3700 for 8m"},
        {"4m": [], "5m": [never_heard()], "20m": [], "1h": [], "1h1m45s": [], "1h3m": []},
    ),
    Scenario(
        "8, 10 and 12 of 20 records in 15 s are rejected, then none",
        "EventsRejected",
        {
            REJECTED % "not_json": "0 for 1m, +4 for 10m, +5 for 10m, +6 for 10m, +0 for 20m",
            REJECTED % "future": "0 for 1m, +4 for 10m, +5 for 10m, +6 for 10m, +0 for 20m",
            APPLIED: "0 for 1m, +11 for 10m, +9 for 10m, +7 for 10m, +19 for 20m",
            DUPLICATE: "0 for 1m, +1 for 50m",
        },
        {
            "10m": [],
            "20m45s": [],
            "28m": [rejected("60%")],
            "42m": [],
        },
    ),
    Scenario(
        "all of 150 records are rejected: too few; then of 250",
        "EventsRejected",
        {
            REJECTED % "not_json": "0 for 1m, +15 for 2m30s, +0 for 3m30s, +20 for 1m15s, +0 for 2m",
            APPLIED: "0 for 10m",
            DUPLICATE: "0 for 10m",
        },
        {"5m": [], "9m": [rejected("100%")]},
    ),
    Scenario(
        "a slow topic: a quarter of the last hour's records, then nearly all",
        "EventsRejected",
        {
            REJECTED % "not_json": "0 for 1h, +1 for 2h, +3 for 2h",
            APPLIED: "0 for 1h, +3 for 2h, +1 for 2h",
            DUPLICATE: "0 for 5h",
        },
        {"2h30m": [], "5h": [rejected("75%")]},
        step="1m",
    ),
    Scenario(
        "nothing lost, one record, then three; the worker's successor says so again; told for a day",
        "RecordsLost",
        {
            'care_records_lost_total{topic="dispatch",partition="3",instance="w1:6066"}': "0 for 1h, 1 for 1h, 3 for 2h",
            'care_records_lost_total{topic="dispatch",partition="3",instance="w2:6066"}': "gone for 4h, 3 for 30h",
            'care_records_last_lost_timestamp_seconds{topic="dispatch",partition="3",instance="w1:6066"}': "gone for 1h, "
            "3600 for 1h, 7200 for 2h",
            'care_records_last_lost_timestamp_seconds{topic="dispatch",partition="3",instance="w2:6066"}': "gone for 4h, "
            "7200 for 30h",
        },
        {"50m": [], "1h10m": [lost(1)], "2h10m": [lost(3)], "5h": [lost(3)], "25h50m": [lost(3)], "26h30m": []},
        step="10m",
    ),
    Scenario(
        "a program whose state cannot be read, until it was made anew",
        "StateDamaged",
        {
            'care_state_damaged{program="chicago"}': "0 for 1m, 1 for 5m, 0 for 5m",
            'care_state_damaged{program="seattle"}': "0 for 11m",
        },
        {"45s": [], "1m15s": [DAMAGED], "5m": [DAMAGED], "7m30s": []},
    ),
    Scenario(
        "a clock below, at and above 5 s, behind, and right again",
        "ClockSkew",
        {'care_clock_skew_seconds{instance="w1:6066"}': "5 for 10m, 5.1 for 10m, -7200 for 10m, 0.001 for 20m"},
        {
            "9m": [],
            "11m": [],
            "13m": [skewed("5.1s")],
            "25m": [skewed("2h 0m 0s")],
            "34m": [skewed("2h 0m 0s")],
            "37m": [],
        },
        step="1m",
    ),
    Scenario(
        "no code, one and three unknown codes, then an hour without",
        "UnmappedCodes",
        {'care_unmapped_values_total{program="chicago",field="outcome"}': "7 for 10m, 8 for 10m, 10 for 2h"},
        {
            "9m": [],
            "10m": [unknown(1)],
            "20m": [unknown(3)],
            "1h15m": [unknown(2)],  # the first is more than an hour ago
            # none since 1h20m, or 1h19m in Prometheus 3, whose ranges leave out the moment they begin at; goes on for 5m
            "1h23m": [unknown(2)],
            "1h26m": [],
        },
        step="1m",
    ),
    Scenario(
        "no record, one and three on a wrong partition, then none",
        "PartitionConflict",
        {'care_partition_conflicts_total{program="chicago"}': "0 for 10m, 1 for 10m, 3 for 1h"},
        {"9m": [], "12m": [conflict(1)], "22m": [conflict(3)], "45m": []},
        step="1m",
    ),
    Scenario(
        "a wrong topic for less than, just and more than 2 minutes, then mended; another problem is none",
        "BrokerProblem",
        {
            'care_broker_problems{problem="cleanup",instance="w1:6066"}': "0 for 1m, 1 for 4m, 0 for 5m",
            'care_broker_problems{problem="cleanup",instance="w2:6066"}': "0 for 10m",
            'care_broker_problems{problem="away",instance="w1:6066"}': "0 for 10m",
        },
        {
            "45s": [],
            "2m45s": [],
            "3m": [BROKER_PROBLEM],
            "4m45s": [BROKER_PROBLEM],
            "5m45s": [BROKER_PROBLEM],
            "6m": [],
        },
    ),
    Scenario(
        "fewer, half and nearly all of the open calls that a program may have, then fewer",
        "RecordsNeverEnd",
        {
            'care_program_records{program="chicago",kind="open_calls"}': "24999 for 30m, 25000 for 1h, 49000 for 1h, 9 for 1h",
            'care_program_records_limit{program="chicago",kind="open_calls"}': "50000 for 4h",
        },
        {
            "29m": [],
            "39m": [],
            "42m": [never_end("50%")],
            "1h45m": [never_end("98%")],
            "2h35m": [never_end("98%")],
            "2h45m": [],
        },
        step="1m",
    ),
    Scenario(
        "not ready for less than, just and more than 3 minutes, then ready",
        "WorkerNotReady",
        {'care_worker_ready{instance="w1:6066"}': "1 for 1m, 0 for 5m, 1 for 5m"},
        {"45s": [], "3m45s": [], "4m": [NOT_READY], "5m": [NOT_READY], "6m45s": [NOT_READY], "7m": []},
    ),
    Scenario(
        "down for less than, just and more than half a minute, then up; another one is up all the time",
        "WorkerDown",
        {
            'up{job="carewatch",instance="w1:6066"}': "1 for 1m, 0 for 2m, 1 for 5m",
            'up{job="carewatch",instance="w2:6066"}': "1 for 8m",
            'up{job="node",instance="w1:9100"}': "0 for 8m",
        },
        {"1m15s": [], "1m30s": [DOWN], "2m": [DOWN], "3m45s": [DOWN], "4m": []},
    ),
    Scenario(
        "Prometheus knows no worker",
        "WorkerDown",
        {'up{job="carewatch",instance="w1:6066"}': "1 for 1m, gone for 4m"},
        {"1m15s": [], "2m": [NONE_KNOWN]},
    ),
    Scenario(
        "fires always",
        "Watchdog",
        {},
        {
            "15s": [
                Fires(
                    {},
                    "Alerts can be sent",
                    "Fires always, so that something outside can notice when it stops: then no alert would arrive.",
                )
            ]
        },
    ),
]

SCENARIOS = [*LIVE, *STAFFING, *FOLLOWUP, *PIPELINE]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_fires_when_it_should(scenario: Scenario, tmp_path: Path) -> None:
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump(_test_file(scenario)))
    run(require_prometheus().promtool, "test", "rules", file)


def test_every_alert_is_tested_with_and_without() -> None:
    checks = [(scenario.alert, bool(found)) for scenario in SCENARIOS for found in scenario.fires.values()]
    assert {name for name, fires in checks if fires} == {alert.name for alert in ALERTS}
    assert {name for name, fires in checks if not fires} == {alert.name for alert in ALERTS} - {"Watchdog"}


def test_nobody_is_told_a_case() -> None:
    texts = [
        text for s in SCENARIOS for fires in s.fires.values() for f in fires for text in (f.summary, f.description)
    ]
    assert texts
    labels = {label for alert in ALERTS for signal in alert.signals for label in signal.labels}
    assert not labels & {"case", "call", "unit", "person", "id"}


def _test_file(scenario: Scenario) -> dict[str, Any]:
    alert = next(alert for alert in ALERTS if alert.name == scenario.alert)
    links = thresholds.load().links

    def expected(fires: Fires) -> dict[str, Any]:
        program = fires.labels.get("program", "")
        words = {"summary": fires.summary, "description": fires.description}
        made = alert.annotations(links) | words
        made["dashboard_url"] = made["dashboard_url"].replace("{{ $labels.program }}", program)
        return {"exp_labels": fires.labels | alert.labels(), "exp_annotations": made}

    return {
        "rule_files": [str(RULES)],
        "group_eval_order": ["carewatch-recorded", f"carewatch-{alert.group}"],
        "evaluation_interval": scenario.step,
        "tests": [
            {
                "interval": scenario.step,
                "input_series": [
                    {"series": name, "values": samples(story, scenario.step)} for name, story in scenario.series.items()
                ],
                "alert_rule_test": [
                    {"eval_time": at, "alertname": scenario.alert, "exp_alerts": [expected(f) for f in fires]}
                    for at, fires in scenario.fires.items()
                ],
            }
        ],
    }
