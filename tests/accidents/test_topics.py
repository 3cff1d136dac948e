"""What operators do to topics while a worker runs: each is seen within seconds, and said in one plain line."""

from __future__ import annotations

from pathlib import Path

from carewatch.native.kafka import KafkaBroker
from feeds.topics import ensure_topics
from streams.events import TOPICS
from tests.accidents.operating import admin, configure
from tests.accidents.waiting import once_equal
from tests.integration.harness import Site, Worker, check, eventually, history, shares

#: Seconds in which a worker has to say what happened to its topics.
SEEN = 15.0


def inputs(site: Site) -> list[str]:
    return [site.prefix + topic for topic in TOPICS]


def last_line(worker: Worker) -> str:
    """What it said when it ended with status 2, which it has to do in time."""
    assert worker.child.wait(timeout=SEEN) == 2
    assert "Traceback" not in worker.log
    return worker.log.splitlines()[-1]


def served(worker: Worker) -> float:
    return worker.total("care_calls_received_total")


def test_looking_makes_no_topic(native_kafka: None, tmp_path: Path) -> None:
    """On a Kafka as it comes: whoever names a topic makes it."""
    with (
        KafkaBroker(properties={"auto.create.topics.enable": "true"}) as broker,
        Site(broker.bootstrap, tmp_path) as site,
    ):
        for argv in (("worker", "--web-port", "0"), ("verify", "--timeout", "0"), ("topics", "create", "--check")):
            done = site.command(*argv, PREFIX="nowhere.")
            assert "topics create" in done.stderr, done.stderr
        with admin(broker.bootstrap) as client:
            assert not [name for name in client.list_topics() if name.startswith("nowhere.")]
            worker = site.worker().ready()
            client.delete_topics([site.deadletter])
            eventually(lambda: "a topic is gone" in worker.log, "the worker to miss the topic", SEEN)
            site.send_raw("status", b"no event", b"chicago")
            eventually(lambda: worker.total("care_events_rejected_total") == 1, "the record to be rejected")
            assert site.deadletter not in client.list_topics(), "no client of the worker makes it"


def test_a_deadletter_topic_that_goes_is_waited_for(site: Site) -> None:
    before, after = shares(history(days=1), 2)
    worker = site.worker().ready()
    site.send(before)
    site.send_raw("status", b"no event", b"chicago")
    site.deadletters(at_least=1)
    with admin(site.bootstrap) as client:
        client.delete_topics([site.deadletter])
    site.send_raw("status", b"none either", b"chicago")
    site.send(after)
    eventually(lambda: worker.total("care_broker_problems", problem="topic_missing") == 1, "the worker to see it", SEEN)
    eventually(lambda: "carewatch topics create" in worker.log, "a line that says what to do")

    assert site.command("topics", "create").returncode == 0
    assert [record.value for record in site.deadletters(at_least=1)] == [b"none either"]
    eventually(lambda: worker.total("care_broker_problems") == 0, "the problem to be over")
    site.verify([worker.ready()])
    check([*before, *after], [worker])


def test_inputs_that_are_deleted_and_made_again(site: Site) -> None:
    before, after, rest = shares(history(days=1), 3)
    worker = site.worker().ready()
    site.send(before)
    eventually(lambda: served(worker), "the first events")
    site.verify([worker])
    with admin(site.bootstrap) as client:
        client.delete_topics(inputs(site))
    ensure_topics(site.bootstrap, site.prefix, site.partitions)
    line = last_line(worker)
    assert "was deleted" in line
    assert "start the worker again" in line

    heir = site.worker().ready()
    site.send(after)
    site.send(before[-20:])  # what its feed sends again counts once
    once_equal(heir, [*before, *after])

    # while no worker runs, and filled again beyond what was read of the old ones
    assert heir.end() == 0
    with admin(site.bootstrap) as client:
        client.delete_topics(inputs(site))
    ensure_topics(site.bootstrap, site.prefix, site.partitions)
    site.send([*before, *after, *rest])
    heir = site.worker().ready()
    once_equal(heir, [*before, *after, *rest])
    assert "the input was deleted and made anew" in heir.log


def test_partitions_that_are_raised(site: Site, tmp_path: Path) -> None:
    """By docs/deploy.md: stop the workers, raise the topics, start with the new number in a new group."""
    before, during, after = shares(history(days=1), 3)
    worker = site.worker().ready()
    site.send(before)
    eventually(lambda: served(worker), "the first events")
    assert site.command("topics", "create", "--raise-partitions", PARTITIONS="16").returncode == 0
    done = site.command("verify", "--worker", worker.url, "--timeout", "0")
    assert done.returncode == 2, done.stdout
    assert "has 16 partitions, not 8" in done.stderr
    assert "has 16 partitions, not 8" in last_line(worker)
    site.send(during)

    assert "has 16 partitions, not 8" in last_line(site.worker()), "and again at each start"
    group = f"{site.changelog}-16"
    workers = [site.worker(PARTITIONS="16", GROUP=group) for _ in range(2)]
    site.send(after)

    def equal() -> bool:
        try:
            check([*before, *during, *after], workers)
        except AssertionError:
            return False
        return True

    eventually(equal, "every event, once", 60)
    addresses = [part for each in workers for part in ("--worker", each.url)]
    done = site.command("verify", *addresses, PARTITIONS="16", GROUP=group)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_changelog_with_other_partitions_than_the_inputs(site: Site) -> None:
    site.worker().ready().end()
    site.command("topics", "create", "--raise-partitions", PARTITIONS="16")
    line = last_line(site.worker(PARTITIONS="16"))
    assert site.changelog in line
    assert "CAREWATCH_GROUP" in line


def test_a_changelog_that_forgets(site: Site) -> None:
    worker = site.worker().ready()
    assert worker.total("care_broker_problems") == 0
    worker.end()
    configure(site, site.changelog, cleanup_policy="delete")
    line = last_line(site.worker())
    assert site.changelog in line
    assert "--add-config cleanup.policy=compact" in line


def test_settings_that_lose_data_are_told(site: Site) -> None:
    configure(site, site.prefix + "status", retention_ms="86400000", message_timestamp_type="CreateTime")
    worker = site.worker().ready()
    eventually(lambda: worker.total("care_broker_problems", problem="retention") == 1, "the short retention", SEEN)
    assert worker.total("care_broker_problems", problem="timestamps") == 1
    assert "--add-config message.timestamp.type=LogAppendTime" in worker.log


def test_two_sites_with_one_group(site: Site, tmp_path: Path) -> None:
    worker = site.worker().ready()
    (folder := tmp_path / "other").mkdir()
    with Site(site.bootstrap, folder) as other:
        line = last_line(other.worker(GROUP=site.changelog.removesuffix("-state-changelog")))
        assert site.prefix in line
        assert "CAREWATCH_GROUP" in line
    assert worker.is_ready
