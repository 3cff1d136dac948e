"""The pipeline itself: whether the other numbers can be trusted. Dashboard `care-pipeline`."""

from __future__ import annotations

from dashboards.catalogue import recorded
from dashboards.catalogue.promql import counted, grown, latest, select, total
from dashboards.catalogue.signal import Definer
from streams import metrics as m
from streams.metrics import Metric

_signal = Definer(__name__)

#: Prometheus's own: whether a worker answered the last scrape.
UP = Metric("up", "gauge", ("job", "instance"), "1 if the last scrape of a target succeeded, else 0.")
#: Prometheus's own: 1 for each alert that waits or fires. An alert has some of these labels.
ALERTS = Metric(
    "ALERTS",
    "gauge",
    ("alertname", "alertstate", "severity", "audience", "layer", "program", "team", "area", "topic", "instance"),
    "1 while an alert is pending or firing.",
)
#: The job name of the workers in the shipped Prometheus configuration.
JOB = 'job="carewatch"'

#: How long a feed's last event is remembered after no worker shows it any more.
MEMORY = "1d"
#: Rejects are judged over so many records (contract section 2)...
RECORDS = 200
#: ...looked for in the shortest of these times that has as many. Prometheus sees counts over times, not single records.
WINDOWS = ("5m", "15m", "1h", "6h", "1d")

FEED_AGE = _signal(
    "feed_age",
    "Time since the last event of a feed",
    "seconds",
    "program topic",
    f"time() - (max by (program, topic) (last_over_time({select(m.FEED)}[{MEMORY}])) > 0)",
    "Time from the newest event of a feed (its `at`, heartbeats included) until now. It goes on growing while no worker "
    f"shows the program, for {MEMORY}. No value before the first event.",
)
FEED_NEVER_HEARD = _signal(
    "feed_never_heard",
    "Feed that no event ever came on",
    "timestamp",
    "program topic",
    f"{latest(m.FEED)} == 0",
    "0 for a feed that the program has (`feeds` in its file) and that no event and no heartbeat ever came on, else no value.",
)
OLDEST_FEED_AGE = _signal(
    "feed_age_longest",
    "Longest time since the last event of a feed",
    "seconds",
    "program",
    f"max by (program) ({FEED_AGE.expr})",
    "Of a program's feeds, the one that has been silent longest: time from its newest event (its `at`, heartbeats "
    f"included) until now. It goes on growing while no worker shows the program, for {MEMORY}.",
)
EVENT_RATE = _signal(
    "events_per_second",
    "Events applied a second",
    "per_second",
    "program topic",
    f"sum by (program, topic) (rate({select(m.EVENTS)}[$__rate_interval]))",
    "Events applied, by topic. Rejected ones and duplicates are left out.",
)
DELAY_P50 = _signal(
    "event_delay_p50",
    "Median delay from event to applied",
    "seconds",
    "topic",
    f"histogram_quantile(0.5, sum by (topic, le) (rate({select(m.DELAY, part='_bucket')}[$__rate_interval])))",
    "Half of the events were applied sooner after their `at`. Events of a replay carry the time of long ago.",
)
DELAY_P90 = _signal(
    "event_delay_p90",
    "90th percentile of the delay from event to applied",
    "seconds",
    "topic",
    f"histogram_quantile(0.9, sum by (topic, le) (rate({select(m.DELAY, part='_bucket')}[$__rate_interval])))",
    "Nine of ten events were applied sooner after their `at`. Events of a replay carry the time of long ago.",
)
REJECTED = _signal(
    "events_rejected",
    "Records rejected by reason",
    "count",
    "topic reason",
    f"round({total('topic reason', grown(m.REJECTED, over='$__range'))})",
    "Records sent to the dead-letter topic in the chosen time, by reason. Of all programs: a record may not say which. "
    "Estimated by Prometheus; what a worker rejected just before it ended may be missing.",
)


def _rejected_share() -> str:
    """The share in the shortest window that has enough records.

    The delay histogram counts the events applied, by topic alone and from a worker's start; `care_events_total` begins
    when a program is shown, too late for what was read while catching up.
    """
    found = []
    for window in WINDOWS:
        rejected = total("topic", grown(m.REJECTED, over=window))
        applied = total("topic", grown(m.DELAY, over=window, part="_count"))
        duplicate = total("topic", grown(m.DUPLICATE, over=window))
        records = f"({rejected} + {applied} + {duplicate})"
        found.append(f"({rejected} / ({records} >= {RECORDS}))")
    return " or ".join(found)


REJECTED_SHARE = _signal(
    "rejected_share",
    "Share of records rejected",
    "ratio",
    "topic",
    _rejected_share(),
    f"Records sent to the dead-letter topic out of all that were read (applied, duplicate, rejected), in the shortest of "
    f"the last {', '.join(WINDOWS)} that has {RECORDS} records. No value if none has.",
)
RECORDS_LOST = _signal(
    "records_lost",
    "Records that were removed before they were read",
    "count",
    "topic partition",
    f"max by (topic, partition) ({select(m.LOST)})",
    "Records of an input that Kafka removed before a worker read them: what they said is missing from all numbers of the "
    "programs of that partition. Kept with the state, so it never falls.",
)
RECORDS_LOST_AGE = _signal(
    "records_lost_age",
    "Time since records were last found to be lost",
    "seconds",
    "topic partition",
    f"time() - max by (topic, partition) ({select(m.LAST_LOST)})",
    "Time since a worker last found records of an input removed before they were read. No value where none ever were.",
)
STATE_DAMAGED = _signal(
    "state_damaged",
    "Program whose state cannot be read",
    "count",
    "program",
    f"max by (program) ({select(m.DAMAGED)})",
    "1 while a worker should serve the program and cannot read its state in the changelog; nothing else is shown of it.",
)
CLOCK_SKEW = _signal(
    "clock_skew",
    "Clock of a worker's machine ahead of the broker's",
    "seconds",
    "instance",
    f"max by (instance) ({select(m.SKEW)})",
    "The worker's clock minus the broker's, at the least; negative: behind. 0 while they agree as far as can be told.",
)
DUPLICATES = _signal(
    "events_duplicate",
    "Duplicate events",
    "count",
    "topic",
    f"round({total('topic', grown(m.DUPLICATE, over='$__range'))})",
    "Events read in the chosen time that had been applied before; they changed nothing. Estimated by Prometheus.",
)
LATE = _signal(
    "events_late",
    "Late events",
    "count",
    "topic",
    f"round({total('topic', grown(m.LATE, over='$__range'))})",
    "Events of a closed call read in the chosen time; they completed its record and moved no counter. Estimated by "
    "Prometheus.",
)
ARCHIVED = _signal(
    "events_archived",
    "Events of what was archived early",
    "count",
    "topic",
    f"round({total('topic', grown(m.ARCHIVED, over='$__range'))})",
    "Events read in the chosen time about a call, case or time of a unit that was archived because there were too many; they "
    "changed nothing. Estimated by Prometheus.",
)
UNMAPPED = _signal(
    "unmapped_codes",
    "Codes that the profile does not know",
    "count",
    "program field",
    total("program field", counted(m.UNMAPPED)),
    "Values counted under other in the chosen time, because the program's profile does not know the code, by field.",
)
UNMAPPED_LAST_HOUR = _signal(
    "unmapped_codes_last_hour",
    "Codes that the profile does not know, in the last hour",
    "count",
    "program field",
    # A counter of facts never falls, so its lowest value of the hour is its first.
    f"max by (program, field) ({select(m.UNMAPPED)}) - min by (program, field) (min_over_time({select(m.UNMAPPED)}[1h]))",
    "Values counted under other in the last hour, because the program's profile does not know the code, by field.",
)
NEVER_ENDING = _signal(
    "never_ending_records",
    "Open calls, cases without an end and units, of what a program may have",
    "ratio",
    "program kind",
    f"{latest(m.RECORDS)} / {latest(m.RECORDS_LIMIT)}",
    "Records that do not end by themselves, out of how many the program may have: open calls, cases under case management "
    "that nobody closed, units. At the limit the stalest are archived: their counts stay, and they leave the gauges.",
)
ARCHIVED_EARLY = _signal(
    "archived_early",
    "Records archived because there were too many",
    "count",
    "program kind",
    total("program kind", counted(m.ARCHIVED_EARLY)),
    "Open calls, cases without an end and units that were archived in the chosen time because the program had as many as it "
    "may: the stalest first. Their counts stay; what came about them later changed nothing.",
)
CONFLICTS = _signal(
    "partition_conflicts",
    "Records on another partition than the program's own, in the last 15 minutes",
    "count",
    "program",
    f"round({total('program', grown(m.CONFLICTS, over='15m'))})",
    "Records found on another partition than the program's own in the last 15 minutes; they were sent on to it, and "
    "nothing was lost. Estimated by Prometheus.",
)
DISORDER = _signal(
    "interval_disorder",
    "Intervals that ended before they began",
    "count",
    "program interval",
    total("program interval", counted(m.DISORDER)),
    "Intervals found in the chosen time whose second point came before their first; they are in no response time.",
)
WORKERS_UP = _signal(
    "worker_up",
    "Worker answers Prometheus",
    "count",
    "instance",
    f"max by (instance) ({select(UP, JOB)})",
    "1 if the worker answered the last scrape, else 0.",
)
NO_WORKERS = _signal(
    "workers_missing",
    "No worker is known to Prometheus",
    "count",
    "job",
    f"absent({select(UP, JOB)})",
    "1 if Prometheus has no worker to scrape at all, else no value.",
)
WORKERS_READY = _signal(
    "worker_ready",
    "Worker is ready",
    "count",
    "instance",
    f"max by (instance) ({select(m.READY)})",
    "1 once the worker is assigned its partitions and has recovered its programs, else 0; it shows no program before. "
    "No value while it does not answer.",
)
BROKER_PROBLEMS = _signal(
    "broker_problems",
    "Topics that are not set as they have to be",
    "count",
    "problem",
    f"max by (problem) ({select(m.BROKER_PROBLEMS)})",
    "Kafka topics that a worker found not set as they have to be, by what is wrong; for `away`, 1 while the broker does not "
    "answer a worker.",
)
RECOVERY_REMAINING = _signal(
    "recovery_remaining",
    "Records left to read in a recovery",
    "count",
    "instance",
    f"max by (instance) ({select(m.RECOVERY_REMAINING)})",
    "Changelog records that the worker's recovery still has to read; 0 when it is not recovering.",
)
RECOVERY_SPEED = _signal(
    "recovery_records_per_second",
    "Records read in recoveries a second",
    "per_second",
    "instance",
    f"sum by (instance) (rate({select(m.RECOVERY_RECORDS)}[$__rate_interval]))",
    "Changelog records read to rebuild the state of programs, a second; 0 when no worker is recovering.",
)
RECOVERIES = _signal(
    "recoveries",
    "Recoveries completed",
    "count",
    "instance",
    f"round({total('instance', grown(m.RECOVERY_COMPLETED, over='$__range'))})",
    "Recoveries completed in the chosen time: one each time a worker is given programs. Estimated by Prometheus; the one at "
    "a worker's start may be missing.",
)
RECOVERY_TOOK = _signal(
    "recovery_duration",
    "Duration of the last recovery",
    "seconds",
    "instance",
    f"max by (instance) ({select(m.RECOVERY_SECONDS)})",
    "Time from the assignment of programs to a worker until their numbers were there again, of its last recovery.",
)
VERSIONS = _signal(
    "worker_version",
    "Workers by version",
    "count",
    "version",
    total("version", select(m.BUILD)),
    "Workers that answer, by the version of carewatch that runs.",
)

SILENT_SINCE = _signal(
    "program_unknown_since",
    "Numbers of a program are unknown since",
    "timestamp",
    "program",
    f"max by (program) (last_over_time({select(recorded.SEEN)}[1d]) or last_over_time({select(recorded.SEEN)}[30d:1h])) "
    f"unless on (program) group by (program) ({select(m.PEOPLE)})",
    "When Prometheus last had a number of a program, if no worker shows it now and one did in the last 30 days; to the hour "
    "after a day. No value while one does. Counts of the chosen time stay for five minutes longer.",
)


def firing(*matchers: str) -> str:
    """Alerts of the chosen programs, and those that are of no program. The Watchdog fires always and is for machines."""
    inside = ",".join(('alertstate="firing"', 'severity!="none"', 'program=~"$program|"', *matchers))
    return f"{ALERTS.name}{{{inside}}}"


def _or_watchdog(selector: str) -> str:
    """What fires; the Watchdog alone if nothing else does: it proves that the rules are looked at."""
    by = "alertname, severity, audience, program, team, area, topic, instance"
    return f'max by ({by}) ({selector} or on () {ALERTS.name}{{alertname="Watchdog",alertstate="firing"}})'


ALERTS_FIRING = _signal(
    "alerts_firing",
    "Alerts firing",
    "count",
    "alertname severity audience program team area topic instance",
    _or_watchdog(firing()),
    "Alerts that fire now, of the chosen programs and of the pipeline. While none does, the Watchdog, which "
    "fires always: it proves that Prometheus looks at the rules.",
)
ALERTS_FIRING_LIVE = _signal(
    "alerts_firing_live",
    "Alerts firing for supervisors and operators",
    "count",
    "alertname severity audience program team area topic instance",
    _or_watchdog(firing('audience!="program_managers"')),
    "Alerts for supervisors that fire now, and those of the pipeline that say that the numbers here cannot be trusted. "
    "Those for program managers are left out. While none fires, the Watchdog, which fires always: it proves that Prometheus "
    "looks at the rules.",
)
