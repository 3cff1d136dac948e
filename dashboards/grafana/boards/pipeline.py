"""Pipeline: whether the other dashboards can be trusted, for those who run carewatch."""

from grafana_foundation_sdk.models.dashboard import GridPos

from dashboards.catalogue import pipeline
from dashboards.grafana.frame import Board
from dashboards.grafana.panels import ALERT_OF_ROW, bars, columns, lines, pivot, states
from dashboards.grafana.shown import Limit, Shown, Texts
from dashboards.grafana.style import (
    BLUE,
    FIELDS,
    INTERVALS,
    NEVER_ENDING,
    ORANGE,
    REASONS,
    RED,
    SEVERITIES,
    TOPICS,
    words,
)
from dashboards.thresholds import Thresholds

_FEW = f"under {pipeline.RECORDS}"


def board(thresholds: Thresholds) -> Board:
    """The dashboard."""
    silence = thresholds.alerts["FeedSilent"].limits["silence"].value
    rejected = thresholds.alerts["EventsRejected"].limits["share"].value
    never_ending = thresholds.alerts["RecordsNeverEnd"].limits["share"].value
    conflicts = thresholds.alerts["PartitionConflict"].limits["records"].value
    return Board(
        uid="care-pipeline",
        audience="For those who run carewatch: whether events arrive, are understood and are shown in time. Workers that are "
        "ready are at the top left, then feeds that are silent.",
        since="now-6h",
        refresh="10s",
        panels=[
            bars(
                GridPos(x=0, y=0, w=4, h=6),
                Texts(title="Workers"),
                Shown(signal=pipeline.WORKERS_READY),
                special={0: ("not ready", ORANGE), 1: ("ready", BLUE)},
                large=True,
            ),
            bars(
                GridPos(x=4, y=0, w=4, h=6),
                Texts(title="Scrapes"),
                Shown(signal=pipeline.WORKERS_UP),
                special={0: ("down", RED), 1: ("up", BLUE)},
                large=True,
            ),
            pivot(
                GridPos(x=8, y=0, w=8, h=6),
                Texts(title=f"Feeds' last event (red: {words(silence)}+ ago)"),
                Shown(signal=pipeline.FEED_AGE),
                "topic",
                TOPICS,
                limits=dict.fromkeys(TOPICS.values(), Limit(silence, words(silence))),
            ),
            columns(
                GridPos(x=16, y=0, w=8, h=6),
                Texts(title="Alerts firing", alerts=[ALERT_OF_ROW]),
                [
                    Shown(
                        signal=pipeline.ALERTS_FIRING,
                        by="severity alertname program topic instance",
                        place=True,
                    )
                ],
                values={"severity": SEVERITIES},
                labels_only=True,
            ),
            lines(
                GridPos(x=0, y=6, w=12, h=8),
                Texts(title="Delay from event to applied"),
                [
                    Shown(signal=pipeline.DELAY_P50, name="Median", color=BLUE),
                    Shown(signal=pipeline.DELAY_P90, name="90th percentile", color=ORANGE, dashed=True),
                ],
                values=TOPICS,
            ),
            lines(
                GridPos(x=12, y=6, w=12, h=8),
                Texts(title="Events applied a second"),
                [Shown(signal=pipeline.EVENT_RATE, by="topic")],
                values=TOPICS,
            ),
            states(
                GridPos(x=0, y=14, w=12, h=6),
                Texts(title="When workers were ready", note="Not ready while it starts, takes over or recovers."),
                Shown(signal=pipeline.WORKERS_READY),
                {0: ("not ready", ORANGE), 1: ("ready", BLUE)},
            ),
            columns(
                GridPos(x=12, y=14, w=7, h=6),
                Texts(title="Recovery"),
                [
                    Shown(signal=pipeline.RECOVERY_REMAINING, name="Left to read"),
                    Shown(signal=pipeline.RECOVERIES, name="Completed"),
                    Shown(signal=pipeline.RECOVERY_TOOK, name="Last took"),
                ],
                missing={"Last took": "none yet"},
            ),
            lines(
                GridPos(x=19, y=14, w=5, h=6),
                Texts(title="Recovery speed"),
                [Shown(signal=pipeline.RECOVERY_SPEED)],
            ),
            columns(
                GridPos(x=0, y=20, w=12, h=6),
                Texts(title=f"Records by feed (red: {rejected:.0%}+ rejected)"),
                [
                    Shown(signal=pipeline.REJECTED, by="topic", name="Rejected"),
                    Shown(signal=pipeline.REJECTED_SHARE, name="Share rejected lately"),
                    Shown(signal=pipeline.DUPLICATES, name="Duplicate"),
                    Shown(signal=pipeline.LATE, name="Late"),
                    Shown(signal=pipeline.ARCHIVED, name="Archived"),
                ],
                values={"topic": TOPICS},
                limits={"Share rejected lately": Limit(rejected, f"{rejected:.0%}")},
                missing={"Share rejected lately": _FEW},
            ),
            columns(
                GridPos(x=0, y=26, w=8, h=8),
                Texts(title="Records rejected by reason", empty="none was rejected"),
                [Shown(signal=pipeline.REJECTED, name="Rejected", positive=True)],
                values={"topic": TOPICS, "reason": REASONS},
            ),
            columns(
                GridPos(x=8, y=26, w=8, h=8),
                Texts(
                    title="Codes that the profile does not know", empty="every code is known", alerts=["UnmappedCodes"]
                ),
                [Shown(signal=pipeline.UNMAPPED, name="Values", positive=True)],
                values={"field": FIELDS},
            ),
            columns(
                GridPos(x=16, y=26, w=8, h=8),
                Texts(title="Intervals that end before they begin", empty="none does"),
                [Shown(signal=pipeline.DISORDER, name="Intervals", positive=True)],
                values={"interval": INTERVALS},
            ),
            columns(
                GridPos(x=12, y=20, w=8, h=6),
                Texts(title="On a wrong partition, last 15 min"),
                [Shown(signal=pipeline.CONFLICTS, name="Records")],
                limits={"Records": Limit(conflicts, f"{conflicts:g}")},
            ),
            columns(
                GridPos(x=20, y=20, w=4, h=6),
                Texts(title="Versions"),
                [Shown(signal=pipeline.VERSIONS, name="Workers")],
            ),
            columns(
                GridPos(x=0, y=34, w=24, h=8),
                Texts(title=f"Calls, cases and units that never end (red: {never_ending:.0%}+ of the limit)"),
                [
                    Shown(signal=pipeline.NEVER_ENDING, name="Of the limit"),
                    Shown(signal=pipeline.ARCHIVED_EARLY, name="Archived early"),
                ],
                values={"kind": NEVER_ENDING},
                limits={"Of the limit": Limit(never_ending, f"{never_ending:.0%}")},
            ),
        ],
    )
