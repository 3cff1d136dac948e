"""The copy of the changelog on disk is a prefix of it, and is used only while nothing can be missing in it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.tables import recovery as faust_recovery
from faust.types import TP
from structlog.testing import capture_logs

from agents.app import Worker
from agents.local_copy import OLDEST, LocalCopy
from agents.settings import Settings, WorkerError
from agents.transport import TableManager
from carewatch.settings import PROGRAMS
from streams.clock import DAY, wall
from streams.programs import load_all

NOW = 1_800_000_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = os.umask(0o022)
    yield tmp_path / "new" / "data"
    os.umask(before)


def modes(folder: Path) -> set[str]:
    return {oct(path.stat().st_mode & 0o777) for path in (folder, *folder.rglob("*"))}


def reopened(copy: LocalCopy, folder: Path) -> LocalCopy:
    copy.close(3)
    return LocalCopy(folder)


def test_holds_what_was_saved_and_how_far_it_goes(folder: Path) -> None:
    copy = LocalCopy(folder)
    assert copy.load(3, NOW) is None
    copy.save(3, [(b"p|a", b"1"), (b"p|b", b""), (b"p|c", b"3")], 7, NOW)
    copy.save(3, [(b"p|a", b"2"), (b"p|c", None), (b"p|never", None)], 9, NOW)
    copy = reopened(copy, folder)
    assert copy.load(3, NOW) == (9, {b"p|a": b"2", b"p|b": b""})
    assert copy.load(4, NOW) is None, "another partition has a copy of its own"


def test_too_old_a_copy_is_not_used_and_goes(folder: Path) -> None:
    copy = LocalCopy(folder)
    copy.save(3, [(b"p|a", b"1")], 7, NOW)
    assert copy.load(3, NOW + OLDEST) is not None
    assert copy.load(3, NOW + OLDEST + 1) is None
    assert copy.load(3, NOW) is None


def test_a_dropped_copy_is_gone(folder: Path) -> None:
    copy = LocalCopy(folder)
    copy.save(3, [(b"p|a", b"1")], 7, NOW)
    copy.drop(3)
    assert copy.load(3, NOW) is None


def test_a_folder_that_another_worker_has_is_a_plain_error(folder: Path) -> None:
    copy = LocalCopy(folder)
    copy.save(3, [], 7, NOW)
    with pytest.raises(WorkerError, match="each worker needs a folder of its own") as raised:
        LocalCopy(folder).load(3, NOW)
    assert "\n" not in str(raised.value)


def test_a_folder_that_cannot_be_is_a_plain_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkerError, match="give a folder to write to"):
        LocalCopy(tmp_path / "file" / "data")


def test_nobody_else_may_read_it(folder: Path) -> None:
    """Was: 0755 and 0644, with the ids of calls and cases in it."""
    LocalCopy(folder).save(3, [(b"p|a", b"1")], 7, NOW)
    assert modes(folder) == {"0o700", "0o600"}


def test_what_others_could_read_is_closed_to_them_at_the_start(folder: Path) -> None:
    copy = LocalCopy(folder)
    copy.save(3, [(b"p|a", b"1")], 7, NOW)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (folder / "4").symlink_to("/etc")
    copy = reopened(copy, folder)
    (folder / "4").unlink()
    assert modes(folder) == {"0o700", "0o600"}
    assert Path("/etc").stat().st_mode & 0o777 == 0o755
    assert copy.load(3, NOW) is not None


def test_a_folder_with_other_things_in_it_is_not_changed(tmp_path: Path) -> None:
    """It may be somebody's home, or /tmp."""
    (tmp_path / "letters").mkdir()
    tmp_path.chmod(0o755)
    with pytest.raises(WorkerError, match="give a folder of the worker's own, or chmod 700 it"):
        LocalCopy(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    tmp_path.chmod(0o700)
    LocalCopy(tmp_path)


def test_a_folder_of_somebody_else_is_a_plain_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    folder.mkdir(parents=True)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(WorkerError, match="give a folder that belongs to the worker's user"):
        LocalCopy(folder)


def test_a_copy_that_cannot_be_opened_is_told_once_and_done_without(folder: Path) -> None:
    """Was: the worker ended, as with a disk that can only be read."""
    copy = LocalCopy(folder)
    (folder / "3").write_text("no database")
    with capture_logs() as lines:
        assert copy.load(3, NOW) is None
        copy.save(3, [(b"p|a", b"1")], 7, NOW)
        copy.save(4, [(b"p|a", b"1")], 7, NOW)
        copy.drop(3)
        copy.close(4)
        assert copy.load(4, NOW) is None, "it is one disk"
    assert [line["event"][:45] for line in lines] == ["the worker goes on without its copy of the ch"]


FULL = """
import os, resource, sys
from pathlib import Path
from agents.local_copy import LocalCopy
copy = LocalCopy(Path(sys.argv[1]))
copy.save(3, [(b"p|0", b"0")], 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for n in range(1, 200):
    copy.save(3, [(b"p|%d" % n, os.urandom(10_000))], n)
print("went on")
"""


def test_a_full_disk_costs_the_copy_and_not_the_worker(folder: Path) -> None:
    """Was: the worker ended. What was written before stays a beginning of the changelog without a gap."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "went on" in done.stdout, done.stderr
    assert (done.stdout + done.stderr).count("the worker goes on without its copy of the changelog") == 1
    found = LocalCopy(folder).load(3)
    assert found is not None
    offset, records = found
    assert records.keys() == {b"p|%d" % n for n in range(offset + 1)}
    assert 0 < offset < 199


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(("old", "used"), [(0, True), (DAY, False)])
def test_a_recovery_that_is_cut_short_leaves_no_copy_that_lacks_tombstones(
    folder: Path, batched: bool, old: int, used: bool
) -> None:
    """Was: its copy counted as written now, though what follows in the changelog may be about to be compacted away."""
    store = Worker(Settings(programs=PROGRAMS, data=folder), load_all(PROGRAMS)).table.store
    stamp = (wall() - old) // 1000
    record = SimpleNamespace(key=b"p|a", value=b"1", timestamp=stamp if batched else stamp / 1000)
    message = SimpleNamespace(partition=3, offset=7, value=[record]) if batched else record
    message.partition, message.offset = 3, 7
    store.apply_changelog_batch([SimpleNamespace(message=message)], bytes, bytes)
    assert store.local
    store.local.close(3)
    assert (LocalCopy(folder).load(3) is not None) == used


@pytest.mark.parametrize(("old", "used"), [(0, True), (DAY, False)])
def test_what_a_frozen_worker_remembers_is_not_read_on_from(folder: Path, old: int, used: bool) -> None:
    """Was: read on from, whatever others had written and deleted meanwhile; and its copy was stamped when it woke."""
    worker = Worker(Settings(programs=PROGRAMS, data=folder), load_all(PROGRAMS))
    store = worker.table.store
    store.put(3, [(b"p|a", b"1")])
    asyncio.run(store.written(3, {b"p|a": b"1"}, 7, wall() - old))
    tp, table = TP("changelog", 3), worker.table
    tables = cast(TableManager, worker.app.tables)
    recovery = tables.recovery
    recovery.tp_to_table[tp] = table
    recovery.active_offsets[tp] = 7

    async def nothing(*_: Any) -> None:
        """The broker's part."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faust_recovery.Recovery, "_build_highwaters", nothing)
        tables.before_recovery = nothing
        asyncio.run(recovery._build_highwaters(None, {tp}, {tp: 9}, "active"))
    assert recovery.active_offsets[tp] == (7 if used else None)
    assert ("p" in store.partitions[3]) == used


def test_a_copy_of_a_topic_that_was_made_anew_is_not_used(folder: Path) -> None:
    """Its offsets are those of the old topic: what the new one has below them would never be read."""
    copy = LocalCopy(folder, lambda: "a" * 32)
    copy.save(3, [(b"p|a", b"1")], 7, NOW)
    copy.close(3)
    copy = LocalCopy(folder, lambda: "a" * 32)
    assert copy.load(3, NOW) == (7, {b"p|a": b"1"})
    copy.close(3)
    assert LocalCopy(folder, lambda: "b" * 32).load(3, NOW) is None
