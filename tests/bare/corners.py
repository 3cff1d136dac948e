"""A corner: one kind of bare machine. A copy of a kept system, the checkout in it, and `tests/bare/inside.py` as its init."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.bare import host

SUITES = {"12": "bookworm", "13": "trixie"}
#: How the demo of a corner is ended; SIGTERM where nothing is said.
ENDS = {"13-root-plain": "SIGINT", "12-user-plain": "SIGHUP"}
#: Seconds for both commands. They have limits of their own; this one is for what hangs all the same.
WITHIN = 3600


_running: set[subprocess.Popen[str]] = set()


def end_all() -> None:
    """End the machines that run; those who wait for them then remove them."""
    for process in list(_running):
        process.kill()


class Corner(NamedTuple):
    """A kind of machine."""

    debian: str
    user: str
    java: bool

    @property
    def name(self) -> str:
        """Such as 12-root-plain."""
        return f"{self.debian}-{self.user}-{'java' if self.java else 'plain'}"

    @property
    def suite(self) -> str:
        """Debian's name of the release."""
        return SUITES[self.debian]


ALL = [Corner(debian, user, java) for debian in SUITES for user in ("root", "user") for java in (False, True)]


class Result(NamedTuple):
    """What came of a corner."""

    corner: Corner
    seconds: dict[str, float]
    problems: list[str]
    tests: str

    @property
    def outcome(self) -> str:
        """In a word."""
        return "failed" if self.problems else "passed"


def run_corner(corner: Corner, logs: Path, only: str | None, say: Callable[[str], None]) -> Result:
    """Make the machine, run the commands in it, remove it. The logs stay if it fails."""
    logs.mkdir(parents=True)
    with _machine(corner, logs) as root:
        config = {
            "root": str(root),
            "user": "root" if corner.user == "root" else "care",
            "end": ENDS.get(corner.name, "SIGTERM"),
            "commands": [only] if only else ["demo", "test"],
            "environment": dict(host.environment()),
            "shared": {".cache/pip": str(_shared("pip", corner)), ".m2": str(_shared("m2", corner))},
        }
        (root / "tmp/inside.py").write_text((Path(__file__).with_name("inside.py")).read_text())
        (root / "tmp/inside.json").write_text(json.dumps(config))
        # the namespace of processes ends with its init, and so with everything in it
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        command += ["python3", str(root / "tmp/inside.py"), str(root / "tmp/inside.json")]
        with (
            (logs / "inside.log").open("w") as errors,
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
            ) as process,
        ):
            _running.add(process)
            assert process.stdout
            for line in process.stdout:
                say(line.rstrip())
        _running.discard(process)
        for name in ("demo.log", "test.log"):
            if (root / "tmp" / name).exists():
                shutil.copy(root / "tmp" / name, logs / name)
        found = root / "tmp/result.json"
        if process.returncode != 0 or not found.exists():
            tail = ((logs / "inside.log").read_text().strip().splitlines() or ["nothing"])[-1]
            return Result(corner, {}, [f"the machine ended with {process.returncode}; it said: {tail}"], "")
        result = json.loads(found.read_text())
    return Result(corner, result["seconds"], result["problems"], result["tests"])


@contextmanager
def _machine(corner: Corner, logs: Path) -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix=f".{corner.name}-", dir=host.cache()))
    try:
        host.copy(host.base(corner.suite, corner.java, log=logs / "systems.log"), root)
        user, home = ("root", "root") if corner.user == "root" else ("care", "home/care")
        project = root / home / "carewatch"
        project.mkdir()
        host.checkout(project)
        ids = ["chroot", str(root), "chown", "-R", f"{user}:", f"/{home}/carewatch"]
        subprocess.run(ids, check=True)
        yield root
    finally:
        if os.path.ismount(root / "proc"):
            raise host.HostError(f"{root} is still mounted")
        shutil.rmtree(root)


def _shared(name: str, corner: Corner) -> Path:
    """What a kind of user has downloaded before, for any machine: pip takes no cache of another user."""
    folder = host.cache() / f"{name}-{corner.user}"
    folder.mkdir(exist_ok=True)
    return folder
