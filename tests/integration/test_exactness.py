"""The numbers of a program are those of its events, whatever happens to the workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feeds.wire import topic_of
from tests.integration.harness import QUICK, Broker, Site, Worker, check, eventually, history, once_shown, shares

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def trio(kafka: Broker, tmp_path: Path) -> Iterator[Site]:
    """A site with as many partitions as it takes for each of three workers to get a program."""
    with Site(kafka.bootstrap, tmp_path, QUICK, partitions=16) as site:
        yield site


def test_three_workers_two_killed(trio: Site) -> None:
    events = history(days=10, disorder=0.05, duplicates=0.05)
    assert len({event.id for event in events}) < 0.97 * len(events)
    first, second, third = shares(events, 3)
    workers = [trio.worker().ready() for _ in range(3)]
    once_shown(workers, by_all=True)
    trio.send(first)
    _kill(workers, "seattle")  # in the middle of the first share
    workers.append(trio.worker())
    trio.send(second)  # to nobody, as far as seattle is concerned
    once_shown(workers)
    _kill(workers, "seattle")  # in the middle of catching up
    workers.append(trio.worker())
    trio.send(third)
    once_shown(workers)
    trio.verify(workers)
    check(events, workers)


def _kill(workers: list[Worker], program: str) -> None:
    owner = next(worker for worker in workers if program in worker.programs())
    owner.kill()
    workers.remove(owner)


def test_a_program_on_two_partition_numbers(site: Site) -> None:
    events = history(days=7)
    workers = [site.worker().ready() for _ in range(2)]
    once_shown(workers)
    owner = next(worker for worker in workers if "chicago" in worker.programs())
    site.send(event for event in events if topic_of(event) == "status")
    strays = 0
    for topic in ("dispatch", "followup"):
        for event in events:
            if topic_of(event) == topic:
                # as of a second producer with another partitioner: some calls and cases are wholly on another number
                subject = str(getattr(event, "call", "") or getattr(event, "case", ""))
                stray = event.program == "chicago" and subject.endswith(("1", "4", "7"))
                strays += stray
                site.post_event(event, partition=1 if stray else None)
        site.flush()
        # all are on their own partition before the first case asks for its call
        eventually(lambda: owner.total("care_partition_conflicts_total") == strays, "strays to be sent home")  # noqa: B023
    assert strays > 20
    site.verify(workers)
    check(events, workers)
    assert owner.total("care_partition_conflicts_total", program="chicago") == strays
    assert owner.total("care_partition_conflicts_total") == strays
    assert site.deadletters() == []


@pytest.mark.full
def test_a_backlog_that_waits_for_the_first_worker_ever(kafka: Broker, tmp_path: Path) -> None:
    """Nobody may take a partition over without its changelog, whose topic was made a moment ago."""
    events = history(days=2)
    for name in ("1st", "2nd", "3rd", "4th"):  # it took a moment that not every start has
        folder = tmp_path / name
        folder.mkdir()
        with Site(kafka.bootstrap, folder) as site:
            site.send(events)
            worker = site.worker().ready()
            site.verify([worker])
            assert "Ignoring missing topic" not in worker.log
