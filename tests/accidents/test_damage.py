"""Records of the changelog that cannot be read, whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping

from agents.owner import home
from tests.accidents.waiting import once_equal
from tests.integration.harness import (
    PROFILES,
    Site,
    differences,
    evening,
    eventually,
    fold,
    numbers_of,
    of_state,
    shares,
)


def write(site: Site, program: str, records: Mapping[bytes, bytes]) -> None:
    """Write records to a program's partition of the changelog, as an accident would."""
    for key, value in records.items():
        site.producer.send(site.changelog, value, key, partition=home(program, site.partitions)).get(timeout=30)


def test_damage_costs_its_own_program_only_and_can_be_cured(site: Site) -> None:
    """Was: the worker ended at each start (`Expected array, got int`), or recovered for ever, and named no record."""
    first, second = shares(evening(0.5), 2)
    site.send(first)
    worker = site.worker().ready()
    once_equal(worker, first)
    assert worker.end() == 0
    partition = home("chicago", site.partitions)
    calls = [
        record.key
        for record in site.records(site.changelog)
        if record.key and record.value and record.key.startswith(b"chicago|c/")
    ]
    hurt = {
        calls[0]: b"\x01\x07",  # an int where a list should be
        calls[1]: b"\x01\x9f\xa3",  # cut off
        calls[2]: b"\x09later",  # of a version that is not there yet
        b"chicago|x/1": b"\x01\x90",  # of a kind that is not there yet
    }
    write(site, "chicago", hurt | {b"\xff\xfe\x00": b"?", b"something else": b"?"})
    site.send(second)
    worker = site.worker().ready()
    assert worker.programs() == PROFILES.keys() - {"chicago"}
    assert worker.total("care_state_damaged", program="chicago") == 1
    assert worker.total("care_state_damaged") == 1

    def others_are_equal() -> bool:
        now, numbers = worker.scrape()
        states = [state for state in fold([*first, *second]) if state.profile.program != "chicago"]
        return not differences(numbers_of(states, now), of_state(numbers))

    eventually(others_are_equal, "the other programs to be served", every=0.3)
    eventually(lambda: worker.log.count("damage in the changelog: ") >= len(hurt) + 2, "every record to be named")
    for key in hurt:
        assert f"key {key.decode()}: " in worker.log
    assert f"damage in the changelog: partition {partition}, offset " in worker.log
    assert "(3 bytes, digest " in worker.log

    done = site.command("state", "check")
    assert done.returncode == 1
    assert done.stdout.count(f"partition {partition}, offset ") == len(hurt) + 3
    assert "key chicago|rebuild: events were passed over" in done.stdout
    assert "of version 9, which this carewatch does not know" in done.stdout
    assert "not served: chicago" in done.stdout

    done = site.command("state", "rebuild", "chicago")
    assert done.returncode == 2, "a worker runs"
    assert "stop them all first" in done.stderr
    assert worker.end() == 0
    # what cannot be read is gone, and what was passed over is still missing: it is not served all the same
    for key in hurt:
        site.producer.send(site.changelog, None, key, partition=partition).get(timeout=30)
    worker = site.worker().ready()
    assert "chicago" not in worker.programs()
    assert worker.end() == 0
    done = site.command("state", "rebuild", "chicago")
    assert done.returncode == 0, done.stderr
    worker = site.worker().ready()
    once_equal(worker, [*first, *second])
    assert worker.total("care_state_damaged") == 0
    site.verify([worker])
    assert site.command("state", "check").returncode == 0
