"""The five topics: create them, or check that they are as the workers need them."""

from __future__ import annotations

from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from feeds.brokers import CONNECT_MS, connection, reachable, topic_names
from feeds.errors import FeedError, TopicsDifferError

#: Closed calls are kept 45 days; what makes them must outlive that, so that a state can be rebuilt from the topics.
RETENTION_DAYS = 60
#: A rejected record may be larger than an event (64 KiB): it is kept whole, with its headers.
DEADLETTER_MAX_BYTES = 2 * 1024 * 1024


def settings(prefix: str) -> dict[str, dict[str, str]]:
    """The settings of each topic that differ from the broker's own."""
    retention = {"retention.ms": str(RETENTION_DAYS * 86_400_000)}
    # The time of arrival, not of the event: replayed history would be deleted at once by its old times.
    arrival = {"message.timestamp.type": "LogAppendTime"}
    return {
        **dict.fromkeys(topic_names(prefix).values(), retention | arrival),
        f"{prefix}notices": retention,
        f"{prefix}deadletter": retention | {"max.message.bytes": str(DEADLETTER_MAX_BYTES)},
    }


def ensure_topics(
    broker: str,
    prefix: str,
    partitions: int,
    *,
    check_only: bool = False,
    raise_partitions: bool = False,
    replication: int = 1,
    connect_ms: int = CONNECT_MS,
) -> list[str]:
    """Create the topics that are missing and check the others; returns one line a topic.

    Nothing that exists is changed: a setting that differs is reported, another number of partitions is an error
    (it decides which worker owns a program), unless fewer are to be raised to `partitions` with `raise_partitions`.
    Raises FeedError: broker not there, wrong partitions, or, with `check_only`, topics missing.
    """
    if partitions < 1:
        raise FeedError(f"partitions: {partitions}; give 1 or more")
    wanted = settings(prefix)
    with reachable(broker, "cannot create or check the topics"):
        admin = KafkaAdminClient(**connection(broker, connect_ms))
        try:
            existing = partitions_of(admin, list(wanted))
            missing = [name for name in wanted if name not in existing]
            if raise_partitions:
                few = [name for name, count in existing.items() if count < partitions]
                if few:
                    admin.create_partitions(dict.fromkeys(few, partitions))
                    existing |= dict.fromkeys(few, partitions)
            _check_partitions(existing, partitions)
            if missing and check_only:
                names = ", ".join(missing)
                raise TopicsDifferError(
                    f"{broker}: missing topics: {names}; run: carewatch topics create --broker {broker}"
                )
            report = _differences(admin, {name: wanted[name] for name in existing})
            if missing:
                options = {"num_partitions": partitions, "replication_factor": replication}
                admin.create_topics({name: options | {"configs": wanted[name]} for name in missing})
                admin.wait_for_topics(missing)
        finally:
            admin.close()
    report |= dict.fromkeys(missing, "created")
    return [f"{name}: {partitions} partitions, {report[name]}" for name in wanted]


def partitions_of(admin: KafkaAdminClient, names: list[str]) -> dict[str, int]:
    """The number of partitions of those topics that exist."""
    existing = set(admin.list_topics()).intersection(names)
    if not existing:
        return {}
    return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(sorted(existing))}


def _check_partitions(existing: dict[str, int], partitions: int) -> None:
    for name, count in existing.items():
        if count != partitions:
            raise TopicsDifferError(
                f"{name}: has {count} partitions, wanted {partitions}; set CAREWATCH_PARTITIONS={count} if all topics "
                f"have {count}, else stop the workers and raise the others with --raise-partitions (docs/deploy.md)"
            )


def _differences(admin: KafkaAdminClient, wanted: dict[str, dict[str, str]]) -> dict[str, str]:
    """What to say of each existing topic: 'ok', or the settings that somebody changed."""
    if not wanted:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted]
    described: dict[str, dict[str, Any]] = admin.describe_configs(resources, config_filter="all")["topic"]
    report: dict[str, str] = {}
    for name, options in wanted.items():
        found = {key: str(described[name][key]["value"]) for key in options}
        other = [
            f"{key} is {found[key]} (default here: {value})" for key, value in options.items() if found[key] != value
        ]
        report[name] = "exists; left as it is: " + ", ".join(other) if other else "ok"
    return report
