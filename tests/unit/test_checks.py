"""What is wrong with the broker's topics, and what is said of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agents.broker import Group, Topic
from agents.checks import PROBLEMS, Checks, check_inputs, wrong
from agents.settings import Settings, WorkerError

SETTINGS = Settings(programs=Path(), partitions=2)
CHANGELOG = "carewatch-state-changelog"
NAMES = [*SETTINGS.inputs, CHANGELOG]
GOOD = {
    **{
        name: {"cleanup.policy": "delete", "retention.ms": "5184000000", "message.timestamp.type": "LogAppendTime"}
        for name in SETTINGS.inputs
    },
    CHANGELOG: {"cleanup.policy": "compact", "max.message.bytes": "8388608", "retention.ms": "604800000"},
}


def topics(replicas: int = 1, **partitions: int) -> dict[str, Topic]:
    return {name: Topic(name.encode(), partitions.get(name.partition(".")[2], 2), replicas) for name in NAMES}


def problems(replicas: int = 1, settings: Settings = SETTINGS, **changes: dict[str, str]) -> list[tuple[str, str]]:
    named = {name: GOOD[name] | changes.get(name.rpartition(".")[2].replace("-", "_"), {}) for name in NAMES}
    found = list(wrong(settings, CHANGELOG, topics(replicas), named))
    assert {each.problem for each in found} <= set(PROBLEMS)
    return [(each.problem, each.topic) for each in found]


def test_topics_as_they_are_made_are_right() -> None:
    assert problems() == []
    assert list(wrong(SETTINGS, CHANGELOG, topics(), {})) == [], "nothing is said of what the broker does not tell"


@pytest.mark.parametrize("policy", ["delete", "compact,delete"])
def test_a_changelog_that_forgets(policy: str) -> None:
    assert problems(carewatch_state_changelog={"cleanup.policy": policy}) == [("cleanup", CHANGELOG)]


def test_a_changelog_for_small_records() -> None:
    assert problems(carewatch_state_changelog={"max.message.bytes": "1048588"}) == [("record_size", CHANGELOG)]


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"cleanup.policy": "compact"}, "cleanup"),
        ({"retention.ms": "604800000"}, "retention"),
        ({"message.timestamp.type": "CreateTime"}, "timestamps"),
    ],
)
def test_an_input_that_loses(setting: dict[str, str], problem: str) -> None:
    assert problems(status=setting) == [(problem, "care.status")]
    assert problems(status={"retention.ms": "-1"}) == [], "kept for ever"


def test_copies() -> None:
    three = Settings(programs=Path(), partitions=2, replication=3)
    assert problems(replicas=2, settings=three) == [("replication", name) for name in NAMES]
    assert problems(replicas=3, settings=three) == []
    assert problems(replicas=3, settings=three, status={"min.insync.replicas": "1"}) == [("replication", "care.status")]


def test_a_line_says_how_to_mend_it() -> None:
    settled = GOOD | {CHANGELOG: {"cleanup.policy": "delete"}}
    (found,) = wrong(SETTINGS, CHANGELOG, topics(), settled)
    assert found.line("b:9092") == (
        f"topic {CHANGELOG} has cleanup.policy=delete: it would forget the state; mend it: kafka-configs.sh "
        f"--bootstrap-server b:9092 --alter --topic {CHANGELOG} --add-config cleanup.policy=compact"
    )


def test_partitions() -> None:
    check_inputs(SETTINGS, topics())
    with pytest.raises(
        WorkerError, match=r"care.status has 3 partitions, not 2; give all input topics the same number"
    ):
        check_inputs(SETTINGS, topics(status=3))
    every = {topic.removeprefix("care."): 4 for topic in SETTINGS.inputs}
    with pytest.raises(WorkerError, match="set CAREWATCH_PARTITIONS=4 and a new CAREWATCH_GROUP"):
        check_inputs(SETTINGS, topics(**every))
    with pytest.raises(WorkerError, match=r"care.status is not there; run: carewatch topics create"):
        check_inputs(SETTINGS, {name: topic for name, topic in topics().items() if name != "care.status"})


class Fake:
    """A broker whose topics are given."""

    def __init__(self, *answers: dict[str, Topic]) -> None:
        self.answers = list(answers)

    async def topics(self, names: object) -> dict[str, Topic]:
        return self.answers.pop(0)

    async def settings(self, names: object, keys: object) -> dict[str, dict[str, str]]:
        return {}

    async def group(self, name: str) -> Group:
        return Group(set(), set(), settled=True)

    async def committed(self, group: str) -> set[str]:
        return set()


def looked(*answers: dict[str, Topic], began: dict[str, Topic] | None = None) -> Checks:
    outputs = {name: Topic(b"o", 1, 1) for name in (SETTINGS.deadletter, SETTINGS.notices)}
    checks = Checks(SETTINGS, lambda: CHANGELOG, "")
    checks._began = topics() if began is None else began
    checks._broker = Fake(*({**outputs, **answer} for answer in answers))  # type: ignore[assignment]  # a fake

    async def look() -> None:
        for _ in answers:
            await checks.look()

    asyncio.run(look())
    return checks


def test_a_topic_that_is_missing_once_is_not_gone() -> None:
    """A broker that has just started may not know of it yet."""
    without = {name: topic for name, topic in topics().items() if name != "care.status"}
    looked(without, topics(), without, topics())
    with pytest.raises(WorkerError, match=r"care.status was deleted while this worker ran"):
        looked(without, without)


def test_a_topic_with_another_id_was_made_anew() -> None:
    other = topics() | {"care.status": Topic(b"another", 2, 1)}
    with pytest.raises(WorkerError, match=r"care.status was deleted and made again"):
        looked(other)
    other = topics() | {CHANGELOG: Topic(b"another", 2, 1)}
    with pytest.raises(
        WorkerError,
        match=r"changelog .* was deleted and made again .* start it again: it makes its counts from the inputs anew",
    ):
        looked(other)
