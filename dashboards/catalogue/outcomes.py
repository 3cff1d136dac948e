"""Outcomes: what became of the calls over the chosen dates. Dashboard `care-outcomes`."""

from __future__ import annotations

from dashboards.catalogue import recorded
from dashboards.catalogue.promql import counted, latest, ratio, since, total
from dashboards.catalogue.signal import Definer
from streams import metrics as m

_signal = Definer(__name__)

_UNRECORDED = 'outcome="unrecorded"'

CLOSED = _signal(
    "calls_closed_by_outcome",
    "Calls closed by outcome",
    "count",
    "program outcome",
    total("program outcome", counted(recorded.CLOSED)),
    "Calls closed in the chosen time, by the outcome given at the close; unrecorded if none was given, other if the "
    "program's profile does not know the code.",
)
CLOSED_BY_AREA = _signal(
    "calls_closed_by_area",
    "Calls closed by area and outcome",
    "count",
    "program area outcome",
    total("program area outcome", counted(recorded.CLOSED)),
    "Calls closed in the chosen time, by area and by the outcome given at the close.",
)
UNRECORDED_SHARE = _signal(
    "outcome_unrecorded_share",
    "Share of closed calls without an outcome",
    "ratio",
    "program",
    ratio(total("program", counted(recorded.CLOSED, _UNRECORDED)), total("program", counted(recorded.CLOSED))),
    "Calls closed in the chosen time with no outcome, out of all closed. Outcomes that the profile does not know are "
    "recorded ones. No value without calls.",
)
UNRECORDED_TODAY = _signal(
    "outcome_unrecorded_share_today",
    "Share of today's closed calls without an outcome",
    "ratio",
    "program",
    ratio(total("program", latest(m.TODAY, _UNRECORDED)), total("program", latest(m.TODAY))),
    "Calls closed since local midnight with no outcome so far, out of all closed since then.",
)
CLOSED_TODAY = _signal(
    "calls_closed_today_all",
    "Calls closed today",
    "count",
    "program",
    total("program", latest(m.TODAY)),
    "Calls closed since local midnight of the program, whatever their outcome.",
)
UNRECORDED_WEEK = _signal(
    "outcome_unrecorded_share_week",
    "Share of closed calls without an outcome, last 7 days",
    "ratio",
    "program",
    ratio(
        total("program", since(recorded.CLOSED, "7d", _UNRECORDED)),
        total("program", since(recorded.CLOSED, "7d")),
    ),
    "Calls closed in the last 7 days with no outcome at the close, out of all closed. No value before Prometheus has seen "
    "7 days.",
)
CLOSED_WEEK = _signal(
    "calls_closed_week",
    "Calls closed, last 7 days",
    "count",
    "program",
    total("program", since(recorded.CLOSED, "7d")),
    "Calls closed in the last 7 days, whatever their outcome. No value before Prometheus has seen 7 days.",
)
TRANSPORTS = _signal(
    "transports",
    "Transports by destination",
    "count",
    "program team destination",
    total("program team destination", counted(m.TRANSPORTS)),
    "Transports begun by CARE units in the chosen time, by destination. Transports by fire, EMS or police are left out.",
)
POLICE = _signal(
    "police_involvement",
    "Calls closed by police involvement",
    "count",
    "program area involvement",
    total("program area involvement", counted(m.POLICE)),
    "Calls closed in the chosen time: no police unit dispatched (none), dispatched and never on scene (cancelled), "
    "cleared before the last CARE unit cleared (released), or stayed.",
)
WITHOUT_POLICE_SHARE = _signal(
    "share_without_police",
    "Share of calls without police",
    "ratio",
    "program",
    ratio(total("program", counted(m.POLICE, 'involvement="none"')), total("program", counted(m.POLICE))),
    "Calls closed in the chosen time to which no police unit was dispatched, out of all closed. No value without calls.",
)
POLICE_FREED = _signal(
    "police_time_freed",
    "Police time freed",
    "seconds",
    "program",
    total("program", counted(m.FREED)),
    "Time from the last police unit cleared to the last CARE unit cleared, added up over the calls closed in the chosen "
    "time on which CARE stayed and police left earlier.",
)
REFERRALS = _signal(
    "referrals",
    "Referrals by service",
    "count",
    "program service",
    total("program service", counted(m.REFERRALS)),
    "Referrals made in the chosen time, by service.",
)
NEEDLES = _signal(
    "needles_collected",
    "Needles collected",
    "count",
    "program area",
    total("program area", counted(m.NEEDLES)),
    "Needles collected in the chosen time.",
)
USE_OF_FORCE = _signal(
    "use_of_force",
    "Uses of force by level",
    "count",
    "program level",
    total("program level", counted(m.FORCE)),
    "Uses of force recorded in the chosen time, by level (1 to 3). Internal: publish small numbers only suppressed.",
)
PEOPLE = _signal(
    "people_served",
    "People served",
    "count",
    "program",
    latest(m.PEOPLE),
    "Distinct people over the calls and cases that are kept (calls: 45 days after the close), counted by the hash of an "
    "opaque token. Calls and cases without a token are left out.",
)
