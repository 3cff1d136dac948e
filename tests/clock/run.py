"""The tests that need no broker, with the clock set to another time by libfaketime."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.clock.moments import MOMENTS, Moment

ROOT = Path(__file__).parents[2]
#: The second ones give promtool a time of their own, or look at files: the first moment is enough for them.
TIERS, TIMELESS = ("tests/unit", "tests/contract"), ("tests/rules", "tests/golden")
#: Where packages put the library; the one for programs with threads.
PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime")
NAME = "libfaketimeMT.so.1"
#: What each Python process loads at its start.
SITE = Path(__file__).with_name("site")
#: What a property is tried with in each run, of its examples: they do not come from the clock, and the runs are many.
EXAMPLES = "0.1"


class Done(NamedTuple):
    """How the tests of a moment ended."""

    status: int
    last: str
    log: Path


def faketime() -> Path | None:
    """The library, if it is here."""
    found = (file for place in PLACES for file in Path("/").glob(f"{place[1:]}/{NAME}"))
    return next(found, None)


def moved(offset: timedelta, library: Path) -> dict[str, str]:
    """What a process needs in its environment to have a clock that is so far ahead."""
    return {
        "LD_PRELOAD": " ".join(filter(None, (str(library), os.environ.get("LD_PRELOAD")))),
        "FAKETIME": f"{offset.total_seconds():+.0f}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # what waits must not wait for longer
        "NO_FAKE_STAT": "1",  # or Python would compile every module again
    }


def environment(moment: Moment, library: Path) -> dict[str, str]:
    """The environment in which it is this moment now.

    An offset, and no fixed time: the clock runs on, and all processes agree.
    """
    paths = os.pathsep.join(filter(None, (str(SITE), os.environ.get("PYTHONPATH"))))
    return {
        **os.environ,
        **moved(moment.at.astimezone(UTC) - datetime.now(UTC), library),
        "PYTHONPATH": paths,
        "TZ": moment.zone,
        "CAREWATCH_TEST_EXAMPLES": EXAMPLES,
    }


def run(moment: Moment, library: Path, folder: Path, options: Sequence[str]) -> Done:
    """Run the tests at this moment; what they say is in a log in the folder."""
    log = folder / f"{moment.name}.log"
    tiers = (*TIERS, *TIMELESS) if moment is MOMENTS[0] else TIERS
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not integration and not full", *tiers]
    # a folder of its own: by this clock, those of runs that go on are old enough to be removed
    command += ["-p", "no:cacheprovider", f"--basetemp={folder / moment.name}", *options]
    with log.open("w") as out:
        status = subprocess.run(
            command, cwd=ROOT, env=environment(moment, library), stdout=out, stderr=subprocess.STDOUT, check=False
        ).returncode
    lines = log.read_text().splitlines() or ["nothing was said"]
    return Done(status, lines[-1], log)
