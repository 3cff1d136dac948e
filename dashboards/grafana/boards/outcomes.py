"""Outcomes: what became of the calls, by neighbourhood and date, for managers and those they report to."""

from grafana_foundation_sdk.models.dashboard import GridPos

from dashboards.catalogue import outcomes
from dashboards.grafana.frame import Board
from dashboards.grafana.panels import bars, columns, pivot
from dashboards.grafana.shown import Limit, Shown, Texts
from dashboards.grafana.style import INVOLVEMENTS, OUTCOMES
from dashboards.thresholds import Thresholds


def board(thresholds: Thresholds) -> Board:
    """The dashboard."""
    unrecorded = thresholds.alerts["OutcomeNotRecorded"].limits["share"].value
    return Board(
        uid="care-outcomes",
        audience="For program managers and those they report to: what became of the calls over the chosen dates and areas, in "
        "whole numbers. What cities are asked first, how many calls went without police, is at the top left.",
        since="now-7d",
        refresh="5m",
        panels=[
            bars(
                GridPos(x=0, y=0, w=6, h=5),
                Texts(title="Share of calls without police", empty="no calls closed"),
                Shown(signal=outcomes.WITHOUT_POLICE_SHARE),
                large=True,
            ),
            bars(
                GridPos(x=6, y=0, w=6, h=5),
                Texts(title="Calls closed"),
                Shown(signal=outcomes.CLOSED, by="program"),
                large=True,
            ),
            bars(
                GridPos(x=12, y=0, w=6, h=5),
                Texts(title="Police time freed"),
                Shown(signal=outcomes.POLICE_FREED),
                large=True,
            ),
            bars(
                GridPos(x=18, y=0, w=6, h=5),
                Texts(
                    title=f"No outcome (red: {unrecorded:.0%}+)",
                    empty="no calls closed",
                    alerts=["OutcomeNotRecorded"],
                ),
                Shown(signal=outcomes.UNRECORDED_SHARE),
                limit=Limit(unrecorded, f"{unrecorded:.0%}"),
                large=True,
            ),
            pivot(
                GridPos(x=0, y=5, w=24, h=13),
                Texts(title="Calls closed by area and outcome"),
                Shown(signal=outcomes.CLOSED_BY_AREA),
                "outcome",
                OUTCOMES,
            ),
            bars(
                GridPos(x=0, y=18, w=12, h=9),
                Texts(title="Calls closed by outcome"),
                Shown(signal=outcomes.CLOSED, by="outcome"),
                "outcome",
                OUTCOMES,
                above=True,
            ),
            bars(
                GridPos(x=12, y=18, w=12, h=9),
                Texts(title="Police involvement"),
                Shown(signal=outcomes.POLICE, by="involvement"),
                "involvement",
                INVOLVEMENTS,
                above=True,
            ),
            bars(
                GridPos(x=0, y=27, w=8, h=8),
                Texts(title="Transports by destination"),
                Shown(signal=outcomes.TRANSPORTS, by="program destination", said="destination", merged=True),
                above=True,
            ),
            bars(
                GridPos(x=8, y=27, w=8, h=8),
                Texts(title="Referrals by service"),
                Shown(signal=outcomes.REFERRALS, by="program service", said="service", merged=True),
                above=True,
            ),
            columns(
                GridPos(x=16, y=27, w=8, h=8),
                Texts(title="Needles collected by area", empty="none was collected"),
                [Shown(signal=outcomes.NEEDLES, name="Needles", positive=True)],
            ),
            pivot(
                GridPos(x=0, y=35, w=12, h=8),
                Texts(title="Police involvement by area"),
                Shown(signal=outcomes.POLICE),
                "involvement",
                INVOLVEMENTS,
            ),
            columns(
                GridPos(x=12, y=35, w=6, h=8),
                Texts(title="Uses of force by level"),
                [Shown(signal=outcomes.USE_OF_FORCE, name="Uses of force")],
            ),
            bars(
                GridPos(x=18, y=35, w=6, h=8), Texts(title="People served"), Shown(signal=outcomes.PEOPLE), large=True
            ),
        ],
    )
