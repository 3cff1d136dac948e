"""Live load: a wall screen of 1920x1080 in a 911 centre, read from across the room; all of it fits without scrolling."""

from grafana_foundation_sdk.models.dashboard import GridPos

from dashboards.catalogue import live, pipeline, staffing
from dashboards.grafana.frame import Board
from dashboards.grafana.panels import ALERT_OF_ROW, bars, columns, lines, number, pivot
from dashboards.grafana.shown import Limit, Shown, Texts
from dashboards.grafana.style import (
    BLUE,
    GREY,
    INTERVALS,
    ORANGE,
    OUTCOMES,
    RED,
    SEVERITIES,
    STAGES,
    STATUSES,
    words,
)
from dashboards.thresholds import Thresholds


def board(thresholds: Thresholds) -> Board:
    """The dashboard."""
    wait = thresholds.alerts["CallWaitingTooLong"].limits["wait"].value
    silence = thresholds.alerts["FeedSilent"].limits["silence"].value
    return Board(
        uid="care-live",
        audience="For supervisors, on a wall screen: who is free, which calls wait and how long, what went wrong. Units that "
        "are free are at the top left; none free is red and says so.",
        since="now-6h",
        refresh="10s",
        panels=[
            bars(
                GridPos(x=0, y=0, w=9, h=10),
                Texts(title="Units available", alerts=["NoUnitAvailable"]),
                Shown(signal=live.AVAILABILITY),
                special={0: ("none free", RED), live.NOT_PLANNED: ("not planned", GREY)},
                large=True,
            ),
            number(
                GridPos(x=9, y=0, w=5, h=4),
                Texts(title="Waiting (red: 1+)"),
                Shown(signal=live.CALLS_WAITING, by=""),
                limit=Limit(1, "1"),
            ),
            number(
                GridPos(x=14, y=0, w=5, h=4),
                Texts(title="Past target (red: 1+)", note="The target from received to on scene."),
                Shown(signal=live.CALLS_NOT_ON_SCENE, by=""),
                limit=Limit(1, "1"),
            ),
            bars(
                GridPos(x=19, y=0, w=5, h=4),
                Texts(
                    title=f"Wait (red: {words(wait)}+)",
                    note="One bar a program: its longest wait.",
                    empty="no call waits",
                    alerts=["CallWaitingTooLong"],
                ),
                Shown(signal=live.LONGEST_WAIT),
                limit=Limit(wait, words(wait)),
                large=True,
            ),
            bars(
                GridPos(x=19, y=4, w=5, h=6),
                Texts(title="Silence of a feed", note="One bar a program: its longest.", alerts=["FeedSilent"]),
                Shown(signal=pipeline.OLDEST_FEED_AGE),
                limit=Limit(silence, words(silence), f"silent over {words(silence)}"),
                large=True,
            ),
            columns(
                GridPos(x=9, y=4, w=10, h=6),
                Texts(title="Alerts firing", alerts=[ALERT_OF_ROW]),
                [
                    Shown(
                        signal=pipeline.ALERTS_FIRING_LIVE, by="severity alertname program team area topic", place=True
                    )
                ],
                values={"severity": SEVERITIES},
                labels_only=True,
            ),
            pivot(
                GridPos(x=0, y=10, w=15, h=8),
                Texts(title="Units by status and team", note="Units off duty are left out."),
                Shown(signal=live.UNITS_BY_STATUS, place=True),
                "status",
                {code: word for code, word in STATUSES.items() if code != "off_duty"},
                without=["off_duty"],
            ),
            bars(
                GridPos(x=0, y=18, w=6, h=8),
                Texts(title="Open calls by stage"),
                Shown(signal=live.CALLS_OPEN, by="stage"),
                "stage",
                STAGES,
                above=True,
            ),
            bars(
                GridPos(x=6, y=18, w=5, h=8),
                Texts(title="Calls past a target"),
                Shown(signal=live.CALLS_OVER_TARGET, by="interval"),
                "interval",
                INTERVALS,
                above=True,
            ),
            columns(
                GridPos(x=15, y=10, w=9, h=8),
                Texts(
                    title="Areas with calls waiting or late",
                    empty="No call waits, none is past a target",
                    note="Late: past the target from received to on scene.",
                ),
                [
                    Shown(signal=live.CALLS_WAITING, name="Waiting", positive=True, place=True),
                    Shown(signal=live.OLDEST_WAITING, name="Longest wait", place=True),
                    Shown(signal=live.CALLS_NOT_ON_SCENE, name="Past target", positive=True, place=True),
                ],
                limits={"Longest wait": Limit(wait, words(wait))},
            ),
            bars(
                GridPos(x=11, y=18, w=7, h=8),
                Texts(title="Closed today by outcome"),
                Shown(signal=live.CALLS_TODAY, by="outcome"),
                "outcome",
                OUTCOMES,
                above=True,
            ),
            lines(
                GridPos(x=18, y=18, w=6, h=8),
                Texts(title="Units available, calls waiting"),
                [
                    Shown(signal=staffing.AVAILABLE_OVER_TIME, by="", name="Units available", color=BLUE),
                    Shown(signal=live.WAITING_OVER_TIME, by="", name="Calls waiting", color=ORANGE, dashed=True),
                ],
                steps=True,
            ),
        ],
    )
