"""The system's Chromium. `CAREWATCH_CHROMIUM` is its path, else it is looked for."""

from __future__ import annotations

import os
import shutil

#: What a browser in a container needs, and what keeps it from talking to its maker.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = "no chromium here: set CAREWATCH_CHROMIUM, or on Debian: apt-get install chromium"


def chromium() -> str | None:
    """Path of the browser, if there is one."""
    return os.environ.get("CAREWATCH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
