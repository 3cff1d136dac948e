"""Contenders as real processes: started, watched, ended; how much memory they took."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from carewatch.native.process import Child

ROOT = Path(__file__).resolve().parent.parent
#: Seconds between two looks at a process's memory.
LOOK = 0.25


def environment(**settings: str) -> dict[str, str]:
    """The environment of a child: ours, with these settings of carewatch and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAREWATCH_")}
    return kept | {"PYTHONPATH": str(ROOT)} | {f"CAREWATCH_{name}": value for name, value in settings.items()}


class Watched:
    """A child process and the most memory (RSS, megabytes) that it and its children were seen to have."""

    def __init__(self, name: str, argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        """Start it."""
        self.child = Child(name, argv, folder, env)
        self.peak_mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def rss_mb(self) -> float:
        """Its memory now, 0 if it has ended."""
        with suppress(psutil.Error):
            return float(psutil.Process(self.child.pid).memory_info().rss) / 1e6
        return 0.0

    def _look(self) -> None:
        while not self._over.wait(LOOK) and self.child.alive:
            self.peak_mb = max(self.peak_mb, self.rss_mb())

    def end(self, *, kill: bool = False) -> None:
        """End it. Can be repeated."""
        self._over.set()
        self._thread.join()
        if kill:
            self.child.kill()
        else:
            self.child.stop()

    def last_line(self) -> dict[str, float]:
        """What it told last, see `bench.peers.meter`; empty if it has told nothing."""
        with suppress(OSError):
            for line in reversed(self.child.log.read_text(errors="replace").splitlines()):
                if line.startswith('{"events"'):
                    with suppress(ValueError):
                        told: dict[str, float] = json.loads(line)
                        return told
        return {}
