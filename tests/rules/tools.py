"""Prometheus's tools on the shipped files."""

from __future__ import annotations

import subprocess
from pathlib import Path


def run(*command: str | Path | None) -> str:
    """What a tool answers; the test fails if its status is not 0.

    Its standard error is no part of the answer: newer tools warn there of what they will drop one day.
    """
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
