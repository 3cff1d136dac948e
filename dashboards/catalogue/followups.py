"""Follow-ups: who is to be seen again, and by when. Dashboard `care-followups`."""

from __future__ import annotations

from dashboards.catalogue.promql import counted, latest, ratio, total
from dashboards.catalogue.signal import Definer, Signal
from streams import metrics as m

_signal = Definer(__name__)

FOLLOWUPS = _signal(
    "followups_by_state",
    "Follow-ups by state",
    "count",
    "program team followup state",
    total("program team followup state", latest(m.FOLLOWUPS)),
    "Unresolved follow-ups: scheduled until they open, open until they are due, overdue until they lapse, then missed "
    "until completed late or the case is closed, for 30 days at most. Resolved ones are left out.",
)


def _in_state(state: str, since: str, until: str) -> Signal:
    return _signal(
        f"followups_{state}",
        f"Follow-ups {state}",
        "count",
        "program team followup",
        total("program team followup", latest(m.FOLLOWUPS, f'state="{state}"')),
        f"Follow-ups that are not completed, declined or closed, from {since} until {until}.",
    )


OPEN = _in_state("open", "the time that they open", "they are due")
OVERDUE = _in_state("overdue", "the time that they are due", "they lapse")
MISSED = _in_state(
    "missed", "the time that they lapse", "they are completed late or the case is closed, 30 days at most"
)
BY_AREA = _signal(
    "followups_by_area",
    "Follow-ups open, overdue and missed by area",
    "count",
    "program team area state",
    total("program team area state", latest(m.FOLLOWUPS, 'state=~"open|overdue|missed"')),
    "Unresolved follow-ups that are open, overdue or missed, by the team and area of the case.",
)
NEXT_LAPSE = _signal(
    "followup_next_lapse",
    "Next follow-up lapses at",
    "timestamp",
    "program team",
    f"min by (program, team) ({latest(m.NEXT_LAPSE)})",
    "When the next open or overdue follow-up lapses. No value when none is open or overdue.",
)
TIME_TO_LAPSE = _signal(
    "followup_time_to_lapse",
    "Time until the next follow-up lapses",
    "seconds",
    "program team",
    f"{NEXT_LAPSE.expr} - time()",
    "Time from now until the next open or overdue follow-up lapses. No value when none is open or overdue.",
)
DUE = _signal(
    "followups_due_by_result",
    "Follow-ups due by result",
    "count",
    "program team followup window result",
    latest(m.FOLLOWUPS_DUE),
    "Follow-ups whose due time fell in the last 7 or 30 days, by what is known now: completed before the due time, "
    "completed late, declined, closed with the case, missed, or pending.",
)
COMPLIANCE = _signal(
    "followup_compliance",
    "Follow-up compliance",
    "ratio",
    "program team followup window",
    ratio(
        total("program team followup window", latest(m.FOLLOWUPS_DUE, 'result=~"completed|declined"')),
        total("program team followup window", latest(m.FOLLOWUPS_DUE, 'result!~"closed|pending"')),
    ),
    "Follow-ups completed before their due time or declined, out of those whose due time fell in the last 7 or 30 days. "
    "Those closed with their case and those still pending are left out. No value when none was due.",
)
ATTEMPTS = _signal(
    "followup_attempts",
    "Follow-up attempts by result",
    "count",
    "program team followup result",
    total("program team followup result", counted(m.ATTEMPTS)),
    "Attempts recorded in the chosen time, by result; a follow-up may have several.",
)
OUTREACH = _signal(
    "outreach_attempts",
    "Post-overdose outreach attempts",
    "count",
    "program area",
    total("program area", counted(m.OUTREACH)),
    "Attempts to find people after an overdose, recorded in the chosen time.",
)
LOCATED = _signal(
    "individuals_located",
    "Individuals located",
    "count",
    "program area",
    total("program area", counted(m.LOCATED)),
    "Outreach attempts in the chosen time that found the individual; a relative or friend does not count.",
)
LOCATED_SHARE = _signal(
    "individuals_located_share",
    "Share of outreach attempts that located the individual",
    "ratio",
    "program",
    ratio(total("program", counted(m.LOCATED)), total("program", counted(m.OUTREACH))),
    "Outreach attempts in the chosen time that found the individual, out of all. No value without attempts.",
)
CASES = _signal(
    "cases_active",
    "Active cases",
    "count",
    "program kind",
    latest(m.CASES_ACTIVE),
    "Cases opened and not closed, by kind. Case management counts until it is closed, the others until 30 days after their "
    "last follow-up lapsed at most.",
)
