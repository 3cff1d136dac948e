"""The alerts: each a condition on signals, with words for the person who is woken by it.

The limits are in `thresholds.toml`; what a signal means is in the catalogue. Texts name the program, the team and counts,
never a case. They are templates of Prometheus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dashboards.catalogue import Signal, followups, live, outcomes, pipeline, staffing
from dashboards.thresholds import Links, ThresholdError, Thresholds, Timing

Severity = Literal["critical", "warning", "none"]
#: Who is told; each is a receiver of Alertmanager.
Audience = Literal["supervisors", "program_managers", "operators"]
#: Group of rules, by what they are about.
Group = Literal["live", "staffing", "outcomes", "followups", "pipeline"]

_PROGRAM = "{{ $labels.program }}"
_TEAM = "{{ $labels.team }}"
_AREA = "{{ $labels.area }}"
_FOLLOWUP = "{{ $labels.followup }}"
_TOPIC = "{{ $labels.topic }}"
_FIELD = "{{ $labels.field }}"
_KIND = '{{ reReplaceAll "_" " " $labels.kind }}'
_WHOLE = '{{ printf "%.0f" $value }}'
_TIME = "{{ humanizeDuration $value }}"
_SHARE = "{{ humanizePercentage $value }}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """One alert.

    Attributes:
        name: Also the name of its page in docs/runbooks.
        group: Group of rules.
        signals: What it looks at, in the order of the condition's `{0}`, `{1}`, ...
        condition: PromQL; names in braces are limits of the threshold file.
        severity: critical: now, at any hour. warning: within the shift. none: not for people.
        audience: Who is told.
        feeds: Feeds that it depends on: while one is silent the alert is not sent.
        dashboard: Uid of the dashboard that shows it.
        summary, description: For people.
    """

    name: str
    group: Group
    signals: tuple[Signal, ...]
    condition: str
    severity: Severity
    audience: Audience
    feeds: tuple[str, ...] = ()
    dashboard: str
    summary: str
    description: str

    @property
    def layer(self) -> str:
        """`pipeline` if it says whether the numbers can be trusted, else `domain`."""
        return "pipeline" if self.group == "pipeline" else "domain"

    def expr(self, timing: Timing) -> str:
        """The PromQL with these limits. Raises KeyError if one is missing."""
        limits = {name: f"{limit.value:g}" for name, limit in timing.limits.items()}
        return self.condition.format(*(signal.rule_expr for signal in self.signals), **limits)

    def labels(self) -> dict[str, str]:
        """Labels of the alert beside those of its series: what Alertmanager sorts by."""
        labels = {"severity": self.severity, "audience": self.audience, "layer": self.layer}
        return labels | ({"feeds": ",".join(self.feeds)} if self.feeds else {})

    def annotations(self, links: Links) -> dict[str, str]:
        """Texts and links."""
        query = "?var-program={{ $labels.program }}" if any("program" in s.labels for s in self.signals) else ""
        return {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": links.runbook(self.name),
            "dashboard_url": f"{links.grafana}/d/{self.dashboard}{query}",
        }


def check(thresholds: Thresholds) -> None:
    """Whether the file has what the alerts ask for, and nothing else. Raises ThresholdError."""
    names = {alert.name for alert in ALERTS}
    for name in thresholds.alerts.keys() - names:
        raise ThresholdError(f"{name}: no such alert; the alerts are {', '.join(sorted(names))}")
    for alert in ALERTS:
        timing = thresholds.alerts.get(alert.name)
        if timing is None:
            raise ThresholdError(f"{alert.name}: missing; copy it from the threshold file that comes with carewatch")
        try:
            alert.expr(timing)
        except KeyError as error:
            raise ThresholdError(f"{alert.name}.limits: {error.args[0]} is missing; add its value") from error
        for limit in timing.limits:
            if f"{{{limit}}}" not in alert.condition:
                raise ThresholdError(f"{alert.name}.limits.{limit}: the alert has no such limit; remove it")


ALERTS = (
    # --- live load
    Alert(
        name="NoUnitAvailable",
        group="live",
        signals=(live.NO_UNIT_CALLS,),
        condition="{0} >= {calls}",
        severity="critical",
        audience="supervisors",
        feeds=("dispatch", "status"),
        dashboard="care-live",
        summary=f"{_PROGRAM}: no {_TEAM} unit is available, calls waiting: {_WHOLE}",
        description=f"Every {_TEAM} unit of {_PROGRAM} is busy, unavailable or off duty in planned hours. Calls waiting in "
        f"its areas with no unit sent: {_WHOLE}. Ask which unit can clear next, or send another agency.",
    ),
    Alert(
        name="CallWaitingTooLong",
        group="live",
        signals=(live.OLDEST_WAITING,),
        condition="{0} > {wait}",
        severity="critical",
        audience="supervisors",
        feeds=("dispatch",),
        dashboard="care-live",
        summary=f"{_PROGRAM}: a call in {_AREA} has waited {_TIME} with no unit sent",
        description=f"The longest-waiting call of {_PROGRAM} in {_AREA} was received {_TIME} ago and no CARE "
        "unit is on the way. Send one, or hand the call to another agency and close it.",
    ),
    Alert(
        name="ResponseTargetMissed",
        group="live",
        signals=(live.CALLS_NOT_ON_SCENE,),
        condition="{0} >= {calls}",
        severity="warning",
        audience="supervisors",
        feeds=("dispatch",),
        dashboard="care-live",
        summary=f"{_PROGRAM}: open calls in {_AREA} past the target from received to on scene: {_WHOLE}",
        description=f"Open calls of {_PROGRAM} in {_AREA} that were received longer ago than the target and "
        f"have no CARE unit on scene: {_WHOLE}. Check where their units are.",
    ),
    # --- staffing, demand and outcomes
    Alert(
        name="StaffingGap",
        group="staffing",
        signals=(staffing.STAFFING_GAP,),
        condition="{0} >= {units}",
        severity="warning",
        audience="program_managers",
        feeds=("status",),
        dashboard="care-staffing",
        summary=f"{_PROGRAM}: {_TEAM} units missing against the staffing plan: {_WHOLE}",
        description=f"The plan of {_PROGRAM} wants more {_TEAM} units on duty now than there are. Missing: {_WHOLE}. "
        "Call in a crew, or tell dispatch that the team is short.",
    ),
    Alert(
        name="UnmetDemandHigh",
        group="outcomes",
        signals=(staffing.UNMET_DAY, staffing.ELIGIBLE_DAY, staffing.UNMET_WEEK, staffing.ELIGIBLE_WEEK),
        condition="(({0} and on (program) {1} >= {calls}) or ({2} and on (program) {3} >= {calls})) > {share}",
        severity="warning",
        audience="program_managers",
        feeds=("dispatch",),
        dashboard="care-staffing",
        summary=f"{_PROGRAM}: {_SHARE} of eligible calls were not reached by a CARE unit",
        description=f"Of the eligible calls of {_PROGRAM} closed lately within its hours, {_SHARE} had no CARE unit on "
        "scene (last 24 hours, or 7 days where calls are few). The dashboard shows the reasons: no unit on duty, all busy, "
        "not triaged, handled by others.",
    ),
    Alert(
        name="OutcomeNotRecorded",
        group="outcomes",
        signals=(outcomes.UNRECORDED_TODAY, outcomes.CLOSED_TODAY, outcomes.UNRECORDED_WEEK, outcomes.CLOSED_WEEK),
        condition="(({0} and on (program) {1} >= {calls}) or ({2} and on (program) {3} >= {calls})) > {share}",
        severity="warning",
        audience="program_managers",
        feeds=("dispatch",),
        dashboard="care-outcomes",
        summary=f"{_PROGRAM}: {_SHARE} of closed calls have no outcome",
        description=f"Of the calls of {_PROGRAM} closed today (or in 7 days, where calls are few), {_SHARE} came without "
        "an outcome. Rates over outcomes mislead until this is mended. Ask the crews first, then the dispatch system.",
    ),
    # --- follow-ups
    Alert(
        name="FollowupOverdue",
        group="followups",
        signals=(followups.OVERDUE,),
        condition="{0} >= {followups}",
        severity="warning",
        audience="program_managers",
        feeds=("followup",),
        dashboard="care-followups",
        summary=f"{_PROGRAM}: {_TEAM} follow-ups ({_FOLLOWUP}) overdue: {_WHOLE}",
        description=f"Follow-ups {_FOLLOWUP} of team {_TEAM} of {_PROGRAM} that are past their due time and "
        f"not done: {_WHOLE}. They can still be done before they lapse; the work list says which come first.",
    ),
    Alert(
        name="FollowupMissed",
        group="followups",
        signals=(followups.MISSED,),
        condition="{0} >= {followups}",
        severity="critical",
        audience="program_managers",
        feeds=("followup",),
        dashboard="care-followups",
        summary=f"{_PROGRAM}: {_TEAM} follow-ups ({_FOLLOWUP}) missed: {_WHOLE}",
        description=f"Follow-ups {_FOLLOWUP} of team {_TEAM} of {_PROGRAM} that lapsed and were not done: "
        f"{_WHOLE}. Nobody has seen these people as promised. Do them late or close the cases; the work list names them.",
    ),
    Alert(
        name="FollowupLapsingSoon",
        group="followups",
        signals=(followups.TIME_TO_LAPSE,),
        condition="{0} < {left}",
        severity="warning",
        audience="program_managers",
        feeds=("followup",),
        dashboard="care-followups",
        summary=f"{_PROGRAM}: the next follow-up of {_TEAM} lapses in {_TIME}",
        description=f"The next open or overdue follow-up of team {_TEAM} of {_PROGRAM} lapses in {_TIME}, and others may "
        "come soon after. The work list is sorted by lapse time; start at its top.",
    ),
    # --- pipeline
    Alert(
        name="FeedSilent",
        group="pipeline",
        signals=(pipeline.FEED_AGE, pipeline.FEED_NEVER_HEARD),
        # never heard of, now and as long ago as a feed may be silent: it may have had no time to send yet
        condition="{0} > {silence} or ({1} and last_over_time(({1})[{silence}s:1m] offset {silence}s))",
        severity="critical",
        audience="operators",
        dashboard="care-pipeline",
        summary=f"{_PROGRAM}: {{{{ if $value }}}}nothing on the {_TOPIC} feed for {_TIME}"
        f"{{{{ else }}}}nothing ever came on the {_TOPIC} feed{{{{ end }}}}",
        description=f"{{{{ if $value }}}}The {_TOPIC} feed of {_PROGRAM} has sent no event and no heartbeat for {_TIME}, or no "
        f"worker reads it. What the boards show of it is old{{{{ else }}}}No event and no heartbeat ever came on the {_TOPIC} "
        f"feed of {_PROGRAM}. If it has no such feed, say so with feeds in its file. The boards show nothing of it"
        "{{ end }}, and alerts that depend on it are held back: tell the supervisors.",
    ),
    Alert(
        name="EventsRejected",
        group="pipeline",
        signals=(pipeline.REJECTED_SHARE,),
        condition="({0}) > {share}",
        severity="critical",
        audience="operators",
        dashboard="care-pipeline",
        summary=f"{_TOPIC}: {_SHARE} of the last records were rejected",
        description=f"Of the last records of the {_TOPIC} topic (200 or more), {_SHARE} were rejected. They "
        "are in the dead-letter topic, unchanged, with the reason; the numbers lack them until the producer is mended and "
        "they are sent again.",
    ),
    Alert(
        name="RecordsLost",
        group="pipeline",
        signals=(pipeline.RECORDS_LOST, pipeline.RECORDS_LOST_AGE),
        condition="({0} and on (topic, partition) {1} < {told}) >= {records}",
        severity="critical",
        audience="operators",
        dashboard="care-pipeline",
        summary=f"{_TOPIC}, partition {{{{ $labels.partition }}}}: records lost unread: {_WHOLE}",
        description=f"Kafka removed records of the {_TOPIC} topic, partition {{{{ $labels.partition }}}}, before a worker read "
        f"them: {_WHOLE} in all. The numbers of its programs lack what they said; the worker's log names the programs. Send "
        "these events again from their source: what is known already changes nothing.",
    ),
    Alert(
        name="StateDamaged",
        group="pipeline",
        signals=(pipeline.STATE_DAMAGED,),
        condition="{0} == 1",
        severity="critical",
        audience="operators",
        dashboard="care-pipeline",
        summary=f"{_PROGRAM}: its state cannot be read, it is not served",
        description=f"A record of {_PROGRAM} in the changelog cannot be read, so nothing is shown of it; the other programs "
        "go on. carewatch state check names the record, carewatch state rebuild makes the state anew.",
    ),
    Alert(
        name="ClockSkew",
        group="pipeline",
        signals=(pipeline.CLOCK_SKEW,),
        condition="abs({0}) > {skew}",
        severity="warning",
        audience="operators",
        dashboard="care-pipeline",
        summary=f"The clock of {{{{ $labels.instance }}}} differs from the broker's by {_TIME}",
        description=f"The clock of the worker {{{{ $labels.instance }}}} and the broker's differ by {_TIME}. Events are taken "
        "by the broker's clock, so none is lost; waits, today and follow-ups that are due are shown by the worker's. Set the "
        "clock that is wrong, with NTP.",
    ),
    Alert(
        name="UnmappedCodes",
        group="pipeline",
        signals=(pipeline.UNMAPPED_LAST_HOUR,),
        condition="{0} >= {values}",
        severity="warning",
        audience="operators",
        dashboard="care-pipeline",
        summary=f"{_PROGRAM}: unknown {_FIELD} codes in the last hour: {_WHOLE}",
        description=f"Events of {_PROGRAM} carry {_FIELD} codes that its profile does not know: {_WHOLE} in "
        "the last hour. They count under other. The worker's log has the codes; add them to the program file.",
    ),
    Alert(
        name="PartitionConflict",
        group="pipeline",
        signals=(pipeline.CONFLICTS,),
        condition="{0} >= {records}",
        severity="warning",
        audience="operators",
        dashboard="care-pipeline",
        summary=f"{_PROGRAM}: records on a wrong partition in 15 minutes: {_WHOLE}",
        description=f"A producer writes events of {_PROGRAM} to another partition than the program's own: {_WHOLE} in the "
        "last 15 minutes. Nothing is lost, they are sent on. Set its partitioner to murmur2 (murmur2_random for librdkafka).",
    ),
    Alert(
        name="BrokerProblem",
        group="pipeline",
        signals=(pipeline.BROKER_PROBLEMS,),
        condition="{0} >= {topics}",
        severity="warning",
        audience="operators",
        dashboard="care-pipeline",
        summary=f"Kafka is not set as it has to be: {{{{ $labels.problem }}}}, topics: {_WHOLE}",
        description="A worker found Kafka away, a topic gone, or a setting with which data can be lost "
        "({{ $labels.problem }}). Its log says which topic and how to mend it; the alert ends a minute after that.",
    ),
    Alert(
        name="RecordsNeverEnd",
        group="pipeline",
        signals=(pipeline.NEVER_ENDING,),
        condition="{0} >= {share}",
        severity="warning",
        audience="operators",
        dashboard="care-pipeline",
        summary=f"{_PROGRAM}: {_KIND} are at {_SHARE} of what a program may have",
        description=f"{_PROGRAM} has so many {_KIND} that never end: {_SHARE} of the limit. At the limit the stalest are "
        "archived: their counts stay, they leave the board, and what comes about them later changes nothing. Find out why the "
        "feed does not end them.",
    ),
    Alert(
        name="WorkerNotReady",
        group="pipeline",
        signals=(pipeline.WORKERS_READY,),
        condition="{0} == 0",
        severity="critical",
        audience="operators",
        dashboard="care-pipeline",
        summary="The worker {{ $labels.instance }} runs and is not ready",
        description="The worker {{ $labels.instance }} answers and shows no program: it has no partitions, or has not "
        "recovered them. Its programs are blind until it is ready.",
    ),
    Alert(
        name="WorkerDown",
        group="pipeline",
        signals=(pipeline.WORKERS_UP, pipeline.NO_WORKERS),
        condition="{0} == 0 or {1} == 1",
        severity="critical",
        audience="operators",
        dashboard="care-pipeline",
        summary="{{ if $labels.instance }}The worker {{ $labels.instance }} is down{{ else }}No worker is known{{ end }}",
        description="{{ if $labels.instance }}The worker {{ $labels.instance }} does not answer. Other workers take over its "
        "programs; if there is none, they are blind.{{ else }}Prometheus has no worker to read from: every program is blind."
        "{{ end }}",
    ),
    Alert(
        name="Watchdog",
        group="pipeline",
        signals=(),
        condition="vector(1)",
        severity="none",
        audience="operators",
        dashboard="care-pipeline",
        summary="Alerts can be sent",
        description="Fires always, so that something outside can notice when it stops: then no alert would arrive.",
    ),
)
