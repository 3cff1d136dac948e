"""The six dashboards, one a module."""

from dashboards.grafana.boards import followups, live, outcomes, pipeline, staffing, times
from dashboards.grafana.frame import Board
from dashboards.thresholds import Thresholds


def boards(thresholds: Thresholds) -> list[Board]:
    """All of them, in the order of their links."""
    return [module.board(thresholds) for module in (live, staffing, times, outcomes, followups, pipeline)]
