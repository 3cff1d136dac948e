"""Follow-ups: who is to be seen again and by when, for the people who do it and their managers. Numbers only, no cases."""

from grafana_foundation_sdk.models.dashboard import GridPos

from dashboards.catalogue import followups
from dashboards.grafana.frame import Board
from dashboards.grafana.panels import bars, columns, number, pivot
from dashboards.grafana.shown import Limit, Shown, Texts
from dashboards.grafana.style import ATTEMPT_RESULTS, CASE_KINDS, DUE_RESULTS, FOLLOWUP_STATES
from dashboards.thresholds import Thresholds

_TO_DO = {state: text for state, text in FOLLOWUP_STATES.items() if state != "scheduled"}
_WINDOWS = {"7d": "7 days", "30d": "30 days"}


def board(thresholds: Thresholds) -> Board:
    """The dashboard."""
    overdue = thresholds.alerts["FollowupOverdue"].limits["followups"].value
    missed = thresholds.alerts["FollowupMissed"].limits["followups"].value
    left = thresholds.alerts["FollowupLapsingSoon"].limits["left"].value
    return Board(
        uid="care-followups",
        audience="For those who follow up and their managers: whom the program promised to see again. What is overdue and can "
        "still be done is at the top left. The work list of the worker names the cases.",
        since="now-7d",
        refresh="1m",
        panels=[
            number(
                GridPos(x=0, y=0, w=5, h=5),
                Texts(title=f"Overdue (red: {overdue:g}+)", note="These can still be done."),
                Shown(signal=followups.OVERDUE, by=""),
                limit=Limit(overdue, f"{overdue:g}"),
            ),
            number(
                GridPos(x=5, y=0, w=5, h=5),
                Texts(title=f"Missed (red: {missed:g}+)"),
                Shown(signal=followups.MISSED, by=""),
                limit=Limit(missed, f"{missed:g}"),
            ),
            number(
                GridPos(x=10, y=0, w=5, h=5),
                Texts(title="Open, not yet due"),
                Shown(signal=followups.OPEN, by=""),
            ),
            columns(
                GridPos(x=15, y=0, w=9, h=5),
                Texts(title=f"Next lapse (red: under {left / 3600:g} h)", empty="none is open or overdue"),
                [
                    Shown(signal=followups.TIME_TO_LAPSE, name="In", place=True),
                    Shown(signal=followups.NEXT_LAPSE, name="At", scale=1000, place=True),
                ],
                limits={"In": Limit(left, f"{left / 3600:g} h", below=True)},
            ),
            pivot(
                GridPos(x=0, y=5, w=12, h=9),
                Texts(title="By team and checkpoint"),
                Shown(signal=followups.FOLLOWUPS, place=True),
                "state",
                FOLLOWUP_STATES,
                limits={"Overdue": Limit(overdue, f"{overdue:g}"), "Missed": Limit(missed, f"{missed:g}")},
            ),
            pivot(
                GridPos(x=12, y=5, w=12, h=9),
                Texts(title="By team and area"),
                Shown(signal=followups.BY_AREA),
                "state",
                _TO_DO,
                limits={"Overdue": Limit(overdue, f"{overdue:g}"), "Missed": Limit(missed, f"{missed:g}")},
            ),
            columns(
                GridPos(x=0, y=23, w=12, h=9),
                Texts(title="Compliance over 7 and 30 days", empty="none was due"),
                [Shown(signal=followups.COMPLIANCE, name="Compliance", place=True)],
                values={"window": _WINDOWS},
            ),
            pivot(
                GridPos(x=0, y=14, w=24, h=9),
                Texts(title="Follow-ups due over 7 and 30 days, by result"),
                Shown(signal=followups.DUE),
                "result",
                DUE_RESULTS,
                values={"window": _WINDOWS},
            ),
            bars(
                GridPos(x=12, y=23, w=6, h=9),
                Texts(title="Attempts by result"),
                Shown(signal=followups.ATTEMPTS, by="result"),
                "result",
                ATTEMPT_RESULTS,
                above=True,
            ),
            columns(
                GridPos(x=0, y=32, w=12, h=8),
                Texts(title="Outreach by area", empty="no attempts"),
                [
                    Shown(signal=followups.OUTREACH, name="Attempts", positive=True),
                    Shown(signal=followups.LOCATED, name="Individuals located", positive=True),
                ],
            ),
            bars(
                GridPos(x=12, y=32, w=12, h=8),
                Texts(title="Individual located", empty="no attempts"),
                Shown(signal=followups.LOCATED_SHARE),
                large=True,
            ),
            bars(
                GridPos(x=18, y=23, w=6, h=9),
                Texts(title="Active cases"),
                Shown(signal=followups.CASES, by="kind"),
                "kind",
                CASE_KINDS,
                above=True,
            ),
        ],
    )
