"""What a worker reads when it comes back, and what it says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.harness import QUICK, Broker, Site, differences, history, of_events, shares, total

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_a_killed_worker_with_a_copy_reads_only_what_the_copy_lacks(kafka: Broker, tmp_path: Path) -> None:
    data = tmp_path / "data"
    first, second, third = shares(history(days=3), 3)
    with Site(kafka.bootstrap, tmp_path, QUICK) as site:
        kept = site.worker(DATA=str(data)).ready()
        site.send(first)
        site.verify([kept])
        kept.kill()

        # goes on without the copy, which falls behind
        without = site.worker().ready()
        site.send(second)
        site.verify([without])
        assert without.end() == 0
        whole = sum(1 for _ in site.records(site.changelog))

        kept = site.worker(DATA=str(data)).ready()
        read = kept.total("care_recovery_records_total")
        assert 0 < read < whole / 2 + 100
        assert kept.total("care_recovery_completed_total") >= 1
        assert kept.total("care_recovery_remaining_records") == 0
        assert kept.total("care_recovery_duration_seconds") > 0
        site.send(third)
        site.verify([kept])
        want = of_events(kept.scrape().numbers)
        kept.kill()

        kept = site.worker(DATA=str(data)).ready()
        assert kept.total("care_recovery_records_total") < 100
        assert differences(want, of_events(kept.scrape().numbers)) == []
        site.verify([kept])
        assert "Traceback" not in kept.log


@pytest.mark.full
def test_a_partition_that_stays_is_not_read_again(kafka: Broker, tmp_path: Path) -> None:
    with Site(kafka.bootstrap, tmp_path, QUICK) as site:
        first = site.worker().ready()
        site.send(history(days=3))
        site.verify([first])
        changelog = sum(1 for _ in site.records(site.changelog))
        before = first.total("care_recovery_records_total")
        second = site.worker().ready()
        first.ready()
        assert total(first.scrape().numbers, "care_recovery_completed_total") >= 2
        assert first.total("care_recovery_records_total") - before < min(100, changelog / 2)
        site.verify([first, second])
