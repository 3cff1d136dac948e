"""Staffing and demand: whether the plan fits what is asked of the program, for its manager."""

from grafana_foundation_sdk.models.dashboard import GridPos

from dashboards.catalogue import live, staffing
from dashboards.grafana.frame import Board
from dashboards.grafana.panels import bars, columns, lines, pivot
from dashboards.grafana.shown import Limit, Shown, Texts
from dashboards.grafana.style import BLUE, DAYS, ORANGE, PURPLE, RESULTS
from dashboards.thresholds import Thresholds

_UNMET = {code: text for code, text in RESULTS.items() if code not in ("served", "ineligible", "outside_hours")}
_LOCAL = "Of all chosen programs together; each by its own local time."


def board(thresholds: Thresholds) -> Board:
    """The dashboard."""
    gap = thresholds.alerts["StaffingGap"].limits["units"].value
    unmet = thresholds.alerts["UnmetDemandHigh"].limits["share"].value
    return Board(
        uid="care-staffing",
        audience="For program managers: whether enough units are on duty when people call, and which calls went unserved and "
        "why. Planned against actual staffing is at the top left.",
        since="now-7d",
        refresh="1m",
        panels=[
            columns(
                GridPos(x=0, y=0, w=12, h=8),
                Texts(title="Staffing now"),
                [
                    Shown(signal=staffing.UNITS_PLANNED, name="Planned"),
                    Shown(signal=staffing.UNITS_ON_DUTY, name="On duty"),
                    Shown(signal=live.UNITS_AVAILABLE, name="Available"),
                    Shown(signal=staffing.STAFFING_GAP, name="Missing"),
                ],
                limits={"Missing": Limit(gap, f"{gap:g}")},
            ),
            bars(
                GridPos(x=12, y=0, w=6, h=4),
                Texts(
                    title=f"Share unmet (red: {unmet:.0%}+)",
                    empty="no calls closed",
                    alerts=["UnmetDemandHigh"],
                ),
                Shown(signal=staffing.UNMET_SHARE),
                limit=Limit(unmet, f"{unmet:.0%}"),
                large=True,
            ),
            bars(
                GridPos(x=12, y=4, w=6, h=4),
                Texts(title="Calls received"),
                Shown(signal=staffing.RECEIVED, by="program"),
                large=True,
            ),
            columns(
                GridPos(x=18, y=0, w=6, h=8),
                Texts(title="Planned, none available"),
                [Shown(signal=staffing.MINUTES_WITHOUT_UNIT, name="Time", place=True)],
            ),
            lines(
                GridPos(x=0, y=8, w=14, h=9),
                Texts(title="Units planned, on duty and available"),
                [
                    Shown(signal=staffing.UNITS_PLANNED, by="", name="Planned", color=PURPLE, dashed=True),
                    Shown(signal=staffing.ON_DUTY_OVER_TIME, by="", name="On duty", color=ORANGE),
                    Shown(signal=staffing.AVAILABLE_OVER_TIME, by="", name="Available", color=BLUE),
                ],
                steps=True,
            ),
            bars(
                GridPos(x=14, y=8, w=10, h=9),
                Texts(title="Utilisation: committed time out of on-duty time", empty="no unit was on duty"),
                Shown(signal=staffing.UTILISATION),
                top=1,
                above=True,
            ),
            bars(
                GridPos(x=0, y=17, w=8, h=9),
                Texts(title="Unmet calls by reason"),
                Shown(signal=staffing.UNMET_BY_REASON, by="result"),
                "result",
                _UNMET,
                above=True,
            ),
            bars(
                GridPos(x=8, y=17, w=8, h=9),
                Texts(title="Calls closed by result"),
                Shown(signal=staffing.DEMAND_BY_RESULT, by="result"),
                "result",
                RESULTS,
                above=True,
            ),
            bars(
                GridPos(x=16, y=17, w=8, h=9),
                Texts(title="Calls closed today by result"),
                Shown(signal=staffing.DEMAND_TODAY, by="result"),
                "result",
                RESULTS,
                above=True,
            ),
            pivot(
                GridPos(x=0, y=26, w=12, h=25),
                Texts(title="Demand by hour of week", note=_LOCAL),
                Shown(signal=staffing.DEMAND_HOUR_OF_WEEK, by="day hour"),
                "day",
                DAYS,
                shaded=True,
            ),
            pivot(
                GridPos(x=12, y=26, w=12, h=25),
                Texts(title="Unmet demand by hour of week", note=_LOCAL),
                Shown(signal=staffing.UNMET_HOUR_OF_WEEK, by="day hour"),
                "day",
                DAYS,
                shaded=True,
            ),
        ],
    )
