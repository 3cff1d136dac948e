"""What the peers share: their arguments, and counting.

A peer is started as `python -m bench.peers.NAME BROKER GROUP TOTAL SECONDS FOLDER TOPIC...`. It reads the topics from the
start and writes a line of JSON a second to standard output, `{"events": 1200, "seconds": 1.0}`. It ends when it has
handled the total, or the time is up. The clock starts with the first record: starting up is not measured.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import NoReturn

BROKER, GROUP, TOTAL, SECONDS, FOLDER, *TOPICS = sys.argv[1:]


class Meter:
    """Counts events. `add` does not return when the total or the time is reached."""

    def __init__(self) -> None:
        """A meter whose clock does not run yet."""
        self._total, self._limit = int(TOTAL), float(SECONDS)
        self._events = 0
        self._began = self._told = 0.0

    def start(self) -> None:
        """The first record is there."""
        self._began = self._began or time.perf_counter()

    def add(self, events: int = 1) -> None:
        """So many more were handled."""
        self._began = self._began or time.perf_counter()
        self._events += events
        seconds = time.perf_counter() - self._began
        if self._events >= self._total or seconds >= self._limit:
            self._tell(seconds)
            self._end()
        if seconds >= self._told + 1:
            self._told = seconds
            self._tell(seconds)

    def _tell(self, seconds: float) -> None:
        line = json.dumps({"events": self._events, "seconds": seconds})
        os.write(1, f"{line}\n".encode())  # not print(): Faust makes log lines of it

    def _end(self) -> NoReturn:
        os._exit(0)  # at once: some of the libraries take long to stop, and nothing of it is measured
