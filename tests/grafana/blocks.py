"""Writes a block of Prometheus's database: every series of a week, a sample in seconds, in a few seconds.

promtool makes blocks of text, a line for each sample: a week would be gigabytes of it, so only some samples could be there.
Nor can it write the mark of a series that has ended. A series here is a list of its changes, and equal ones share their
chunks, of which most are a run of one value. The format is the one that Prometheus reads since 2.0, and that 3 writes too.
"""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aiokafka.record.util import calc_crc32c

#: Pairs sorted by name; the series' own name is `__name__`.
Labels = tuple[tuple[str, str], ...]
#: What a series is from a second on; None: it is not there.
Change = tuple[int, float | None]
Series = Mapping[Labels, Sequence[Change]]

#: A NaN that says: the series ended before this time.
_ENDED = 0x7FF0000000000002
#: The name of the only block: any that is well formed.
_NAME = "01CAREWATCH000000000000000"
#: Samples of a chunk at most, as Prometheus has it: it reads a chunk from its start.
_MOST = 120


class Span(NamedTuple):
    """Samples at `start`, and each `step` after it up to `end` (seconds)."""

    start: int
    end: int
    step: int


class _Chunk(NamedTuple):
    """Samples each `step`: runs of a value (its bits) and a count."""

    start: int
    step: int
    runs: tuple[tuple[int, int], ...]

    @property
    def length(self) -> int:
        return sum(count for _, count in self.runs)


def write_block(data: Path, parts: Iterable[tuple[Series, Sequence[Span]]]) -> int:
    """Write series, with samples at the times of their spans, as the one block of a data folder; the number of samples."""
    block = data / _NAME
    (block / "chunks").mkdir(parents=True)
    chunks = _Chunks()
    found: dict[Labels, bytes] = {}
    samples = 0
    for series, spans in parts:
        known: dict[tuple[Change, ...], tuple[bytes, int]] = {}
        for labels, changes in series.items():
            key = tuple(changes)
            if key not in known:
                known[key] = chunks.references(_cut(key, spans))
            references, count = known[key]
            if count:
                assert labels not in found, f"{labels} twice"
                found[labels] = references
                samples += count
    (block / "chunks" / "000001").write_bytes(chunks.file())
    (block / "index").write_bytes(_index(found))
    meta = {
        "ulid": _NAME,
        "minTime": chunks.first * 1000,
        "maxTime": chunks.last * 1000 + 1,
        "stats": {"numSamples": samples, "numSeries": len(found)},
        "compaction": {"level": 1, "sources": [_NAME]},
        "version": 1,
    }
    (block / "meta.json").write_text(json.dumps(meta))
    return samples


def _cut(changes: Sequence[Change], spans: Sequence[Span]) -> Iterator[_Chunk]:
    """The chunks of a series."""
    there = False
    for start, end, step in spans:
        begin, runs, count = start, list[tuple[int, int]](), 0
        place = 0
        at = start
        while at <= end:
            while place + 1 < len(changes) and changes[place + 1][0] <= at:
                place += 1
            until = changes[place + 1][0] if place + 1 < len(changes) else end + 1
            value = changes[place][1] if changes[place][0] <= at else None
            if changes[place][0] > at:
                until = changes[place][0]
            ticks = -(-(min(until, end + 1) - at) // step)
            if value is not None:
                there, bits = True, _bits(value)
                left = ticks
                while left:
                    took = min(left, _MOST - count)
                    runs.append((bits, took))
                    count, left = count + took, left - took
                    if count == _MOST:
                        yield _Chunk(begin, step, tuple(runs))
                        begin, runs, count = begin + count * step, [], 0
            else:
                if there:
                    there = False
                    runs.append((_ENDED, 1))
                if runs:
                    yield _Chunk(begin, step, tuple(runs))
                begin, runs, count = at + ticks * step, [], 0
            at += ticks * step
        if runs:
            yield _Chunk(begin, step, tuple(runs))


def _bits(value: float) -> int:
    return int.from_bytes(struct.pack(">d", value), "big")


class _Chunks:
    """The file of chunks, each of which is there once."""

    def __init__(self) -> None:
        self._parts = [struct.pack(">IB3x", 0x85BD40DD, 1)]
        self._length = 8
        self._places: dict[_Chunk, int] = {}
        self.first, self.last = 2**40, 0

    def file(self) -> bytes:
        return b"".join(self._parts)

    def references(self, chunks: Iterable[_Chunk]) -> tuple[bytes, int]:
        """What the index says of a series with these chunks, and how many samples it has."""
        parts: list[bytes] = []
        before, end, samples = 0, 0, 0
        for number, chunk in enumerate(chunks):
            place = self._place(chunk)
            last = chunk.start + (chunk.length - 1) * chunk.step
            start = _signed(chunk.start * 1000) if number == 0 else _unsigned((chunk.start - end) * 1000)
            where = _unsigned(place) if number == 0 else _signed(place - before)
            parts.append(start + _unsigned((last - chunk.start) * 1000) + where)
            before, end, samples = place, last, samples + chunk.length
            self.first, self.last = min(self.first, chunk.start), max(self.last, last)
        return _unsigned(len(parts)) + b"".join(parts), samples

    def _place(self, chunk: _Chunk) -> int:
        place = self._places.get(chunk)
        if place is None:
            place = self._places[chunk] = self._length
            data = _encoded(chunk)
            part = _unsigned(len(data)) + _checked(b"\x01" + data)
            self._parts.append(part)
            self._length += len(part)
        return place


def _encoded(chunk: _Chunk) -> bytes:
    """Each time as the change of the step, which is none; each value as what differs from the one before."""
    (value, count), *others = chunk.runs
    bits = [format(value, "064b")]
    first = True

    def add(differs: int) -> None:
        nonlocal first
        if first:  # the second sample has the step itself
            bits.append("".join(format(byte, "08b") for byte in _unsigned(chunk.step * 1000)))
            first = False
        else:
            bits.append("0")
        if not differs:
            bits.append("0")
            return
        leading = min(31, 64 - differs.bit_length())
        trailing = (differs & -differs).bit_length() - 1
        length = 64 - leading - trailing
        bits.append(f"11{leading:05b}{length % 64:06b}{differs >> trailing:0{length}b}")

    def again(times: int) -> None:
        if times and first:
            add(0)
            times -= 1
        bits.append("00" * times)

    again(count - 1)
    for other, times in others:
        add(value ^ other)
        again(times - 1)
        value = other
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return struct.pack(">H", chunk.length) + _signed(chunk.start * 1000) + int(text, 2).to_bytes(len(text) // 8, "big")


def _index(series: Mapping[Labels, bytes]) -> bytes:
    """Symbols, series, and which series have a label: all sorted, as Prometheus looks for them."""
    out = bytearray(struct.pack(">IB", 0xBAAAD700, 2))
    symbols = sorted({text for labels in series for pair in labels for text in pair})
    numbers = {text: _unsigned(number) for number, text in enumerate(symbols)}
    symbols_at = len(out)
    out += _sized(struct.pack(">I", len(symbols)) + b"".join(_text(symbol) for symbol in symbols))
    having: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    series_at = len(out)
    for labels in sorted(series):
        out += bytes(-len(out) % 16)
        for pair in (("", ""), *labels):
            having[pair].append(len(out) // 16)
        names = b"".join(numbers[name] + numbers[value] for name, value in labels)
        content = _unsigned(len(labels)) + names + series[labels]
        out += _unsigned(len(content)) + _checked(content)
    names_at = len(out)
    out += bytes(-len(out) % 4)
    postings_at = len(out)
    table = bytearray(struct.pack(">I", len(having)))
    for (name, value), places in sorted(having.items()):
        table += b"\x02" + _text(name) + _text(value) + _unsigned(len(out))
        out += _sized(struct.pack(f">I{len(places)}I", len(places), *places))
    table_at = len(out)
    out += _sized(bytes(table))
    # Nobody reads the two tables of label names any more; they are said to be where nothing is.
    out += _checked(struct.pack(">6Q", symbols_at, series_at, names_at, 0, postings_at, table_at))
    return bytes(out)


def _unsigned(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _signed(number: int) -> bytes:
    return _unsigned(number << 1 if number >= 0 else (-number << 1) - 1)


def _text(text: str) -> bytes:
    code = text.encode()
    return _unsigned(len(code)) + code


def _checked(content: bytes) -> bytes:
    return content + struct.pack(">I", calc_crc32c(content))


def _sized(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + _checked(content)
