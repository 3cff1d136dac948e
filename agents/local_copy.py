"""A copy of the changelog's records on this machine's disk (RocksDB), so that a restart need not read them all again.

Never the truth: it is written after the changelog, and holds the offset up to which it goes with the same write. So it
is some records behind at the worst, and a recovery reads on from there. Needs the extra `rocksdb`.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import structlog

from agents.settings import WorkerError
from streams.clock import SECOND, Micros, wall

log = structlog.get_logger()

#: A copy that was not written for longer is not used. Compaction removes a record's end (its tombstone) from the
#: changelog after 24 hours (Kafka's `delete.retention.ms`), and a copy that missed it would keep the record for ever.
OLDEST: Micros = 12 * 3600 * SECOND
#: Key of the entry that says how far the copy goes: a record's key has a `|` in it.
PLACE = b"place"
_place = struct.Struct(">qq")  # offset, and when that was written (microseconds)
#: RocksDB's memory for each partition; its own defaults are for servers that hold nothing else.
CACHE_BYTES = 8 * 1024 * 1024
WRITE_BUFFER_BYTES = 16 * 1024 * 1024


class LocalCopy:
    """One database a partition, in a folder that is this worker's alone."""

    def __init__(self, folder: Path) -> None:
        """Raises WorkerError if the extra is missing or the folder cannot be used."""
        try:
            import rocksdict  # an extra
        except ImportError as error:
            raise WorkerError(
                "CAREWATCH_DATA needs RocksDB: pip install 'carewatch[rocksdb]', or unset it to recover from Kafka alone"
            ) from error
        self._rocks: Any = rocksdict
        self._folder = folder
        self._open: dict[int, Any] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkerError(f"CAREWATCH_DATA={folder}: {error.strerror}; give a folder to write to") from error

    def load(self, partition: int, now: Micros | None = None) -> tuple[int, dict[bytes, bytes]] | None:
        """The offset up to which the copy of a partition goes, and its records; None if there is none to be used."""
        database = self._database(partition)
        place = database.get(PLACE)
        if place is None:
            return None
        offset, written = _place.unpack(place)
        if (wall() if now is None else now) - written > OLDEST:
            log.info("the copy of the changelog is too old; reading it anew", partition=partition)
            self.drop(partition)
            return None
        records = dict(self._items(database))
        del records[PLACE]
        return offset, records

    def save(
        self, partition: int, records: Iterable[tuple[bytes, bytes | None]], offset: int, now: Micros | None = None
    ) -> None:
        """Write what the changelog has up to this offset, in one step."""
        batch = self._rocks.WriteBatch(raw_mode=True)
        for key, value in records:
            if value is None:
                batch.delete(key)
            else:
                batch[key] = value
        batch[PLACE] = _place.pack(offset, wall() if now is None else now)
        self._database(partition).write(batch)

    def close(self, partition: int) -> None:
        """The partition went elsewhere; its copy stays, and is read on from if it comes back in time."""
        if database := self._open.pop(partition, None):
            database.close()

    def drop(self, partition: int) -> None:
        """Forget the copy of a partition."""
        self.close(partition)
        shutil.rmtree(self._path(partition), ignore_errors=True)

    def _path(self, partition: int) -> Path:
        return self._folder / str(partition)

    def _database(self, partition: int) -> Any:
        database = self._open.get(partition)
        if database is None:
            path = self._path(partition)
            try:
                database = self._open[partition] = self._rocks.Rdict(str(path), self._options())
            except Exception as error:  # rocksdict raises plain Exceptions
                raise WorkerError(
                    f"CAREWATCH_DATA: {path} cannot be opened ({error}); each worker needs a folder of its own; "
                    "if no other has it, remove it: nothing is lost"
                ) from error
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
