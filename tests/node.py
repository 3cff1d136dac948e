"""What Node.js runs in tests: scripts in a folder beside the test, with the packages that npm installs for them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

PACKAGES = ("package.json", "package-lock.json", ".npmrc")
SECONDS = 600


class UnavailableError(Exception):
    """There is no Node.js here, or npm could not install what is asked for; says what to do."""


def give_up(reason: str) -> NoReturn:
    """Skip, or fail where Node.js is promised to be there."""
    if os.environ.get("CAREWATCH_REQUIRE_NODE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def installed(here: Path, script: str) -> Path:
    """Install a folder's packages, once for each state of their lock; a copy of the script that finds them.

    Not in the checkout: it stays as it was, and a fresh one uses what another has installed.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise UnavailableError("no Node.js with npm here; on Debian: apt-get install nodejs npm")
    state = digest(*(here / name for name in PACKAGES))
    cache = Path(os.environ.get("CAREWATCH_CACHE") or Path.home() / ".cache" / "carewatch")
    folder = cache / here.name / state
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
            install(npm, here, Path(beside))
            if not folder.exists():  # or another test was quicker
                shutil.move(beside, folder)
                Path(beside).mkdir()
    # a folder for each state of the script too: another checkout may be running its own one
    copy = folder / digest(here / script) / script
    if not copy.exists():
        copy.parent.mkdir(exist_ok=True)
        unready = copy.with_name(f"{script}.{os.getpid()}")
        shutil.copyfile(here / script, unready)
        unready.replace(copy)
    return copy


def install(npm: str, here: Path, folder: Path) -> None:
    for name in PACKAGES:
        shutil.copyfile(here / name, folder / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS)
    if done.returncode != 0:
        raise UnavailableError(
            f"npm could not install {here.name}'s packages, connect to the network once: {done.stderr[-300:]}"
        )


def digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
