"""Response times: from which point to which, how many were measured, and whether targets were met.

Rows are in the order of their names, never of their speed: a crew that takes its time on scene may be the better one.
"""

from grafana_foundation_sdk.models.dashboard import GridPos

from dashboards.catalogue import times
from dashboards.grafana.frame import Board
from dashboards.grafana.panels import buckets, columns, lines
from dashboards.grafana.shown import Shown, Texts
from dashboards.grafana.style import INTERVALS
from dashboards.thresholds import Thresholds

_FEW = f"under {times.ENOUGH}"
_MISSING = {"Median": _FEW, "90th percentile": _FEW}
_CHOSEN = "Of the interval chosen above."


def board(thresholds: Thresholds) -> Board:
    """The dashboard."""
    del thresholds  # targets are the program's own
    return Board(
        uid="care-times",
        audience="For program managers and the 911 centre: how long each step took, from a named point to a named point, with "
        "the number of times measured beside it. Whether targets were met is at the top left. Crews are not ranked.",
        since="now-7d",
        refresh="5m",
        choose_interval=True,
        panels=[
            columns(
                GridPos(x=0, y=0, w=12, h=9),
                Texts(title="By team: target and times, over all areas", note=_CHOSEN),
                [
                    Shown(signal=times.TEAM_COUNT, said="program team", place=True, name="Measured"),
                    Shown(signal=times.TARGET, said="program team", place=True, name="Target"),
                    Shown(signal=times.WITHIN_TARGET, said="program team", place=True, name="Within target"),
                    Shown(signal=times.TEAM_P50, said="program team", place=True, name="Median"),
                    Shown(signal=times.TEAM_P90, said="program team", place=True, name="90th percentile"),
                ],
                missing={**_MISSING, "Target": "no target", "Within target": "no target"},
            ),
            columns(
                GridPos(x=12, y=0, w=12, h=9),
                Texts(title="By interval, over all areas"),
                [
                    Shown(signal=times.COUNT, name="Measured"),
                    Shown(signal=times.P50, name="Median"),
                    Shown(signal=times.P90, name="90th percentile"),
                ],
                values={"interval": INTERVALS},
                missing=_MISSING,
            ),
            buckets(
                GridPos(x=0, y=9, w=12, h=10),
                Texts(title="Distribution of times", note=_CHOSEN, why="no time ended in a step of this graph"),
                Shown(signal=times.DISTRIBUTION),
                every="10m",
            ),
            lines(
                GridPos(x=12, y=9, w=12, h=10),
                Texts(
                    title="90th percentile over the last 7 days",
                    note=_CHOSEN,
                    why=f"fewer than {times.ENOUGH} in any 7 days that end in this range",
                ),
                [Shown(signal=times.P90_OVER_TIME, said="program", scale=1 / 60, unit="minutes")],
                every="1h",
            ),
            columns(
                GridPos(x=0, y=19, w=24, h=14),
                Texts(title="By area", note=_CHOSEN, empty="none was measured"),
                [
                    Shown(signal=times.AREA_COUNT, said="program area", name="Measured", positive=True),
                    Shown(signal=times.AREA_P50, said="program area", name="Median"),
                    Shown(signal=times.AREA_P90, said="program area", name="90th percentile"),
                ],
                missing=_MISSING,
            ),
        ],
    )
