"""Workers of one group with different program files: an old folder on one machine, or a new file that is rolled out."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.accidents.waiting import once_equal
from tests.integration.harness import PROGRAMS, Site, evening, eventually, shares


def folder(site: Site, name: str, *programs: str) -> str:
    """A folder with these program files only."""
    made = site.folder / name
    made.mkdir()
    for program in programs:
        shutil.copy(PROGRAMS / f"{program}.toml", made)
    return str(made)


def test_a_worker_with_other_program_files_stays_outside(site: Site) -> None:
    """Was: it took half of the partitions, and 2,129 valid events of the missing program went to the dead letters."""
    first, second = shares(evening(0.5), 2)
    site.send(first)
    worker = site.worker().ready()
    old = site.worker("--programs", folder(site, "old", "seattle", "cambridge"))
    eventually(lambda: "workers with other program files are in the group" in old.log, "it to say so")
    status, text = old.get("/readyz")
    assert status == 503
    assert "other program files" in text
    site.send(second)
    once_equal(worker, [*first, *second])
    assert not old.programs()
    assert not site.records(site.deadletter)
    # it stays outside when programs are shared out anew, and the same files are welcome, with comments or without
    same = Path(folder(site, "same", "seattle", "cambridge", "chicago"))
    with (same / "chicago.toml").open("a") as file:
        file.write("\n# looked at\n")
    other = site.worker("--programs", str(same)).ready()
    eventually(
        lambda: worker.programs() | other.programs() == {"seattle", "cambridge", "chicago"}, "both to share them"
    )
    site.verify([worker, other])
    assert not old.programs()


def test_a_new_program_file_is_rolled_out_by_starting_new_workers_and_stopping_the_old_ones(site: Site) -> None:
    events = evening(0.5)
    known = [event for event in events if event.program != "chicago"]
    old = site.worker("--programs", folder(site, "old", "seattle", "cambridge")).ready()
    site.send(events)
    eventually(
        lambda: old.total("care_events_total") == len({event.id for event in known}),
        "the old one to apply what it knows",
    )
    new = site.worker()
    eventually(lambda: "workers with other program files are in the group" in new.log, "it to wait")
    assert old.end() == 0
    new.ready()
    assert site.command("deadletter", "resend", "--reason", "unknown_program").returncode == 0
    once_equal(new, events)


def test_of_two_that_start_in_the_same_moment_one_takes_the_programs(site: Site) -> None:
    workers = [site.worker(), site.worker("--programs", folder(site, "old", "seattle", "cambridge"))]

    refused = "with other program files"
    other = eventually(
        lambda: next((worker for worker in workers if refused in worker.log), None), "one to be refused", 60
    )
    winner = next(worker for worker in workers if worker is not other)
    winner.ready()
    events = evening(0.2)
    site.send([event for event in events if event.program == "seattle"])
    eventually(lambda: winner.is_ready and winner.total("care_events_total") > 0, "events")
    assert not other.child.alive or not other.programs()
