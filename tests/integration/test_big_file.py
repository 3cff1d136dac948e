"""An event file of any size is replayed in the same memory.

`CAREWATCH_TEST_FILE_MB=30,1000` chooses the sizes; the largest must not need more than the smallest. A file of 1,000 MB
takes some minutes and, with the broker's log, 2 GB of disk: `make bigfile`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from feeds.wire import encode
from streams.events import TOPICS
from tests.integration.harness import Broker, Site, history

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.full]

SIZES = [int(size) for size in os.environ.get("CAREWATCH_TEST_FILE_MB", "30,60").split(",")]
#: MiB by which the peaks may differ: what the allocator keeps differs from run to run.
ALLOWANCE = 16
#: A CAD export's free text: it never gets into a topic, but a reader has to get past it.
NARRATIVE = "caller reports a person in distress near the station, " * 25


class Replayed(NamedTuple):
    """What a replay of a file took."""

    lines: int
    peak: float  # MiB of resident memory at most


def write(file: Path, size: int) -> int:
    """An event file of so many MB; the number of its lines. Events come again under new ids."""
    lines, written = 0, 0
    events = [json.loads(encode(event)) for event in history(days=10)]
    with file.open("w") as out:
        while True:
            for event in events:
                if written >= size * 1_000_000:
                    return lines
                event["id"] = f"e{lines}"
                # every other line has free text
                text = json.dumps(event | {"narrative": NARRATIVE} if lines % 2 else event)
                written += out.write(text + "\n")
                lines += 1


def replay(site: Site, file: Path) -> int:
    """`carewatch replay` of the file, to its end; its peak of resident memory in bytes."""
    command = [sys.executable, "-m", "carewatch", "replay", str(file), "--speed", "max"]
    process = subprocess.Popen(command, env=site.environment(), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)  # of this child alone, where getrusage has the largest of all
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    assert process.returncode == 0, said
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_memory_does_not_grow_with_the_file(kafka: Broker, tmp_path: Path) -> None:
    found: dict[int, Replayed] = {}
    for size in sorted(SIZES):
        file = tmp_path / f"{size}.jsonl"
        lines = write(file, size)
        with Site(kafka.bootstrap, tmp_path) as site:
            found[size] = Replayed(lines, replay(site, file) / 2**20)
            assert sum(site.length(site.prefix + topic) for topic in TOPICS) == lines
        file.unlink()
        print(f"\n{size} MB, {lines} events: {found[size].peak:.0f} MiB at most")  # noqa: T201  # for its reader
    peaks = [each.peak for each in found.values()]
    assert max(peaks) - peaks[0] < ALLOWANCE, found
