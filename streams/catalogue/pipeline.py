"""What a worker shows of itself and of the way of the events. Told by the worker: nothing of it is in a program's state."""

from __future__ import annotations

from collections.abc import Iterator

from streams.catalogue.catalogue import Catalogue
from streams.catalogue.metric import Block, each, some
from streams.door import REASONS
from streams.events import KINDS, TOPICS, tag_of
from streams.programs import Profile

PIPELINE = Catalogue()


def _event_types(_: Profile) -> Iterator[Block]:
    for topic, kinds in KINDS.items():
        yield (topic,), tuple(tag_of(kind) for kind in kinds)


EVENTS = PIPELINE.counter("care_events_total", some("topic type", _event_types), "Events applied.")
REJECTED = PIPELINE.counter(
    "care_events_rejected_total",
    each(topic=TOPICS, reason=REASONS),
    "Records sent to the dead-letter topic.",
    of_program=False,
)
DUPLICATE = PIPELINE.counter(
    "care_events_duplicate_total",
    each(topic=TOPICS),
    "Events that say what was said before; they changed nothing.",
    of_program=False,
)
EVENTS_CORRECTED = PIPELINE.counter(
    "care_events_corrected_total",
    each(topic=TOPICS),
    "Events that correct one of the same id: other content took its place.",
    of_program=False,
)
EVENTS_WITHDRAWN = PIPELINE.counter(
    "care_events_withdrawn_total",
    each(topic=TOPICS),
    "Withdrawals: events that take back what another one says.",
    of_program=False,
)
LATE = PIPELINE.counter(
    "care_events_late_total",
    each(topic=TOPICS),
    "Events that are older than the newest statement of their record. They are applied as any other.",
    of_program=False,
)
ARCHIVED = PIPELINE.counter(
    "care_events_archived_total",
    each(topic=TOPICS),
    "Events about a call, a case or a time of a unit that was archived; they changed nothing.",
    of_program=False,
)
CONFLICTS = PIPELINE.counter(
    "care_partition_conflicts_total",
    each(),
    "Records found on another partition than the program's own; they were sent on to it.",
)
LOST = PIPELINE.counter(
    "care_records_lost_total",
    some("topic partition", lambda _: ()),
    "Records of an input that were removed before they were read: what they said is missing. Kept with the state.",
    of_program=False,
)
LAST_LOST = PIPELINE.gauge(
    "care_records_last_lost_timestamp_seconds",
    some("topic partition", lambda _: ()).when_found(),
    "When such records were last found to be gone; no sample where none ever were.",
    of_program=False,
)
DELAY = PIPELINE.histogram(
    "care_event_delay_seconds", each(topic=TOPICS), "Time from an event's `at` to its being applied.", of_program=False
)
RECOVERY_REMAINING = PIPELINE.gauge(
    "care_recovery_remaining_records",
    each(),
    "Changelog records that the recovery under way still has to read; 0 when none is.",
    of_program=False,
)
RECOVERY_RECORDS = PIPELINE.counter(
    "care_recovery_records_total", each(), "Changelog records read in recoveries.", of_program=False
)
RECOVERY_COMPLETED = PIPELINE.counter(
    "care_recovery_completed_total", each(), "Recoveries completed.", of_program=False
)
RECOVERY_SECONDS = PIPELINE.gauge(
    "care_recovery_duration_seconds",
    each().when_found(),
    "Time from the assignment of programs to their numbers being there again, of the last recovery; no sample before it.",
    of_program=False,
)
DAMAGED = PIPELINE.gauge(
    "care_state_damaged",
    each(),
    "1 if this worker should serve the program and cannot read its state; nothing else is shown of it then.",
)
SKEW = PIPELINE.gauge(
    "care_clock_skew_seconds",
    each(),
    "This machine's clock minus the broker's, at the least; 0 while they agree as far as can be told.",
    of_program=False,
)
BROKER_PROBLEMS = PIPELINE.gauge(
    "care_broker_problems",
    some("problem", lambda _: ()),
    "Topics that are not set as they have to be, by what is wrong; of away: 1 while the broker does not answer. The log says "
    "which topic, and how to mend it.",
    of_program=False,
)
READY = PIPELINE.gauge("care_worker_ready", each(), "1 once the worker is assigned and recovered.", of_program=False)
BUILD = PIPELINE.gauge(
    "care_build_info", some("version", lambda _: ()), "The version that runs; always 1.", of_program=False
)
