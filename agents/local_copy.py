"""A copy of the changelog's records on this machine's disk (RocksDB), so that a restart need not read them all again.

Never the truth: it is written after the changelog, and holds the offset up to which it goes with the same write. So it
is some records behind at the worst, and a recovery reads on from there. Needs the extra `rocksdb`.

It holds ids of calls and cases, so nobody else may read it. And no trouble with it ends a worker: a disk that is full or
read-only is told once, and the worker goes on without its copy.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import structlog

from agents.settings import WorkerError
from streams.clock import SECOND, Micros, wall

log = structlog.get_logger()

T = TypeVar("T")

#: Nobody but the worker's user.
PRIVATE = 0o077
#: What RocksDB says when another process, or another part of this one, has a database open.
_TAKEN = ("Resource temporarily unavailable", "lock hold")
#: A copy that was not written for longer is not used. Compaction removes a record's end (its tombstone) from the
#: changelog after 24 hours (Kafka's `delete.retention.ms`), and a copy that missed it would keep the record for ever.
OLDEST: Micros = 12 * 3600 * SECOND
#: Key of the entry that says how far the copy goes: a record's key has a `|` in it.
PLACE = b"place"
_place = struct.Struct(">qq32s")  # offset, when that was written (microseconds), and id of the changelog's topic
#: RocksDB's memory for each partition; its own defaults are for servers that hold nothing else.
CACHE_BYTES = 8 * 1024 * 1024
WRITE_BUFFER_BYTES = 16 * 1024 * 1024


class LocalCopy:
    """One database a partition, in a folder that is this worker's alone."""

    def __init__(self, folder: Path, id_of: Callable[[], str] = str) -> None:
        """`id_of`: the id of the changelog's topic, 32 characters; "": the broker tells none. A copy of a topic that was
        made anew since is not used: its offsets are others.

        Raises WorkerError if the extra is missing or the folder cannot be used.
        """
        try:
            import rocksdict  # an extra
        except ImportError as error:
            raise WorkerError(
                "CAREWATCH_DATA needs RocksDB: pip install 'carewatch[rocksdb]', or unset it to recover from Kafka alone"
            ) from error
        self._rocks: Any = rocksdict
        self._folder = folder
        self._id_of = id_of
        self._open: dict[int, Any] = {}
        self._off = False
        # for the whole process: RocksDB's own threads make files at any time, and the worker makes no others
        os.umask(os.umask(PRIVATE) | PRIVATE)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _keep_private(folder)
        except OSError as error:
            raise WorkerError(f"CAREWATCH_DATA={folder}: {error.strerror}; give a folder to write to") from error

    def load(self, partition: int, now: Micros | None = None) -> tuple[int, dict[bytes, bytes]] | None:
        """The offset up to which the copy of a partition goes, and its records; None if there is none to be used.

        Raises WorkerError if another worker has the copy.
        """
        return self._tried(lambda: self._load(partition, now))

    def _load(self, partition: int, now: Micros | None) -> tuple[int, dict[bytes, bytes]] | None:
        database = self._database(partition)
        place = database.get(PLACE)
        if place is None:
            return None
        if len(place) != _place.size:  # of an older version
            self.drop(partition)
            return None
        offset, written, id = _place.unpack(place)
        if id != self._id or (wall() if now is None else now) - written > OLDEST:
            why = "too old" if id == self._id else "of a topic that was made anew"
            log.info(f"the copy of the changelog is {why}; reading it anew", partition=partition)
            self.drop(partition)
            return None
        records = dict(self._items(database))
        del records[PLACE]
        return offset, records

    def save(
        self, partition: int, records: Iterable[tuple[bytes, bytes | None]], offset: int, now: Micros | None = None
    ) -> None:
        """Write what the changelog has up to this offset, in one step."""
        self._tried(lambda: self._save(partition, records, offset, now))

    def _save(
        self, partition: int, records: Iterable[tuple[bytes, bytes | None]], offset: int, now: Micros | None
    ) -> None:
        batch = self._rocks.WriteBatch(raw_mode=True)
        for key, value in records:
            if value is None:
                batch.delete(key)
            else:
                batch[key] = value
        batch[PLACE] = _place.pack(offset, wall() if now is None else now, self._id)
        self._database(partition).write(batch)

    @property
    def _id(self) -> bytes:
        return self._id_of().encode().ljust(32)

    def close(self, partition: int) -> None:
        """The partition went elsewhere; its copy stays, and is read on from if it comes back in time."""
        if database := self._open.pop(partition, None):
            self._tried(database.close)

    def drop(self, partition: int) -> None:
        """Forget the copy of a partition."""
        self.close(partition)
        shutil.rmtree(self._path(partition), ignore_errors=True)

    def _tried(self, do: Callable[[], T]) -> T | None:
        """What it gives. None if it fails: there is no copy from then on, for one with a gap would be wrong."""
        if self._off:
            return None
        try:
            return do()
        except WorkerError:
            raise
        except Exception as error:  # noqa: BLE001  # rocksdict raises plain Exceptions
            self._off = True
            log.error(
                "the worker goes on without its copy of the changelog; a restart reads all of it from Kafka: "
                "make room in CAREWATCH_DATA, or see that it can be written to",
                folder=str(self._folder),
                why=str(error),
            )
            return None

    def _path(self, partition: int) -> Path:
        return self._folder / str(partition)

    def _database(self, partition: int) -> Any:
        database = self._open.get(partition)
        if database is None:
            path = self._path(partition)
            try:
                database = self._open[partition] = self._rocks.Rdict(str(path), self._options())
            except Exception as error:
                if any(said in str(error) for said in _TAKEN):
                    raise WorkerError(
                        f"CAREWATCH_DATA: {path} is in use; each worker needs a folder of its own"
                    ) from error
                raise
        return database

    def _options(self) -> Any:
        options = self._rocks.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(WRITE_BUFFER_BYTES)
        options.set_max_write_buffer_number(2)
        blocks = self._rocks.BlockBasedOptions()
        blocks.set_block_cache(self._rocks.Cache(CACHE_BYTES))
        options.set_block_based_table_factory(blocks)
        return options

    @staticmethod
    def _items(database: Any) -> Iterator[tuple[bytes, bytes]]:
        return ((bytes(key), bytes(value)) for key, value in database.items())


def _keep_private(folder: Path) -> None:
    """Take what others may do with a folder of copies from them. Raises WorkerError if it is not ours to change."""
    copies = [path for path in folder.iterdir() if path.name.isdecimal()]
    others = {path.name for path in folder.iterdir()} - {path.name for path in copies} - {"lost+found"}
    if folder.stat().st_mode & PRIVATE and others:
        raise WorkerError(
            f"CAREWATCH_DATA={folder}: others may look into it, and it has other files ({len(others)}); "
            "give a folder of the worker's own, or chmod 700 it"
        )
    within = [path for copy in copies if not copy.is_symlink() for path in (copy, *copy.rglob("*"))]
    wide = [path for path in (folder, *within) if not path.is_symlink() and path.stat().st_mode & PRIVATE]
    try:
        for path in wide:
            path.chmod(0o700 if path.is_dir() else 0o600)
    except OSError as error:
        raise WorkerError(
            f"CAREWATCH_DATA={folder}: others may look into it and that cannot be changed ({error.strerror}); "
            "give a folder that belongs to the worker's user"
        ) from error
