"""The copy of the changelog on disk is a prefix of it, and is used only while nothing can be missing in it."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.tables import recovery as faust_recovery
from faust.types import TP

from agents.app import Worker
from agents.local_copy import OLDEST, LocalCopy
from agents.settings import Settings, WorkerError
from agents.transport import TableManager
from carewatch.settings import PROGRAMS
from streams.clock import DAY, wall
from streams.programs import load_all

NOW = 1_800_000_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "new" / "data"


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
