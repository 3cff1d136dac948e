"""The init of a bare machine: runs the commands as their user would, and looks at what they leave behind.

Started by `corners.py` in namespaces of its own; the standard library only. It writes result.json; what it prints is
progress.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: Seconds. The first start makes the virtual environment and downloads Kafka.
LIVE_WITHIN = 900.0
END_WITHIN = 40.0
TEST_WITHIN = 2400.0
#: What a command may write besides its home's cache and the checkout, and why.
_MAY_CHANGE = (
    "/proc",  # no files
    "/dev",  # shared memory, terminals: gone with the machine
    "/tmp",  # for everybody; that the demo's own folders are gone is looked at apart
)
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def enter(config_file: str) -> None:
    """Go into the machine, with the host's Python, and start again there, with the machine's own."""
    _enter(json.loads(Path(config_file).read_text()))
    os.execv("/usr/bin/python3", ["python3", "-B", "/tmp/inside.py"])


def main() -> None:
    """Be the machine."""
    config = json.loads(Path("/tmp/inside.json").read_text())
    machine = Machine(config["user"], config["environment"])
    problems: list[str] = []
    before = machine.look()
    packages = _packages()
    for name in config["commands"]:
        try:
            if name == "demo":
                machine.demo(config["end"])
            else:
                machine.test()
        except Problem as problem:
            problems.append(f"{name}: {problem}")
        problems += [f"{name}: left process {process}" for process in machine.processes()]
        after = machine.look()
        changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        if changed:
            problems.append(f"{name}: wrote outside of its places: {', '.join(changed[:10])}")
        if _packages() != packages:
            problems.append(f"{name}: installed packages behind the user's back")
        before, packages = after, _packages()
    Path("/tmp/result.json").write_text(
        json.dumps({"seconds": machine.seconds, "problems": problems, "tests": machine.tests})
    )


class Problem(Exception):  # noqa: N818  # told, not raised further
    """Something is not as the README promises."""


class Machine:
    """The user, the checkout and what was measured."""

    def __init__(self, user: str, environment: dict[str, str]) -> None:
        entry = pwd.getpwnam(user)
        self.home = Path(entry.pw_dir)
        self.project = self.home / "carewatch"
        self._ids: dict[str, Any] = {
            "user": entry.pw_uid,
            "group": entry.pw_gid,
            "extra_groups": [] if entry.pw_uid else None,
        }
        self._env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": entry.pw_dir,
            "USER": user,
            "LOGNAME": user,
            "TERM": "dumb",
            "PYTHONFAULTHANDLER": "1",  # for what does not end, see `demo`
            **environment,
        }
        self.seconds: dict[str, float] = {}
        self.tests = ""

    def demo(self, end: str) -> None:
        """Start the demo, look at its board, end it."""
        folders = set(_demo_folders())
        began = time.monotonic()
        process = self._start("demo")
        log = Path("/tmp/demo.log")

        def live() -> str | None:
            if process.poll() is not None:
                raise Problem(f"ended with {process.returncode}: {_tail(log)}")
            said = log.read_text(errors="replace")
            return said if "\nlive after" in said else None

        try:
            said = _await(live, LIVE_WITHIN, "the line 'live after'")
            self.seconds["live"] = time.monotonic() - began
            print(f"demo live after {self.seconds['live']:.0f} s", flush=True)
            board = re.search(r"^board +(http://\S+)/$", said, re.MULTILINE)
            if not board:
                raise Problem("no address of the board was printed")
            if "<title>" not in _get(board[1] + "/"):
                raise Problem("the board has no title")
            _await(lambda: _answers(board[1] + "/readyz"), 120, "/readyz to say 200")
            if "\ncare_units{" not in _get(board[1] + "/metrics"):
                raise Problem("/metrics has no care_units")
            process.send_signal(getattr(signal, end))
            ended = time.monotonic()
            try:
                status = process.wait(END_WITHIN)
            except subprocess.TimeoutExpired:
                still = ", ".join(self.processes())
                process.send_signal(signal.SIGABRT)  # Python says where it was
                process.wait()
                raise Problem(
                    f"did not end within {END_WITHIN:.0f} s of {end}: {_tail(log, 12)}; ran: {still}"
                ) from None
            if status != 0:
                raise Problem(f"ended with {status} after {end}: {_tail(log)}")
            if left := set(_demo_folders()) - folders:
                raise Problem(f"left {', '.join(sorted(left))}")
            print(f"demo ended {time.monotonic() - ended:.0f} s after {end}", flush=True)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            self.seconds["demo"] = time.monotonic() - began

    def test(self) -> None:
        """Run the tests to their end."""
        began = time.monotonic()
        process = self._start("test")
        log = Path("/tmp/test.log")
        try:
            status = process.wait(TEST_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Problem(f"did not end within {TEST_WITHIN:.0f} s: {_tail(log)}") from None
        finally:
            self.seconds["test"] = time.monotonic() - began
        said = log.read_text(errors="replace")
        closing = [line for line in said.splitlines() if re.search(r"\d+ (passed|failed|errors?)\b.* in ", line)]
        self.tests = closing[-1].strip("= ") if closing else ""
        print(f"tests: {self.tests}", flush=True)
        if status != 0:
            failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
            raise Problem(f"ended with {status}: {'; '.join(failed[:5]) or _tail(log)}")
        if "passed" not in self.tests or "failed" in self.tests:
            raise Problem(f"closed with '{self.tests}'")

    def processes(self) -> list[str]:
        """What still runs besides us, when it has had a moment to end; what has ended is collected, as an init does."""

        def others() -> list[str]:
            while True:
                try:
                    if os.waitpid(-1, os.WNOHANG)[0] == 0:
                        break
                except ChildProcessError:
                    break
            found = []
            for entry in Path("/proc").iterdir():
                if entry.name.isdecimal() and int(entry.name) != os.getpid():
                    try:
                        found.append(
                            (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:120]
                        )
                    except OSError:
                        continue
            return found

        try:
            _await(lambda: not others(), 5, "processes to end")
        except Problem:
            return others()
        return []

    def look(self) -> dict[str, tuple[int, int, int, int]]:
        """All files outside of the places that may change: kind and mode, owner, size, time."""
        # pip and Maven keep downloads there; so do we, in `.cache/carewatch`
        spared = {*_MAY_CHANGE, str(self.project), str(self.home / ".cache"), str(self.home / ".m2")}
        return dict(_listing("/", spared))

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        with open(f"/tmp/{command}.log", "wb") as log:  # noqa: PTH123
            return subprocess.Popen(
                ["python3", "dev.py", command],
                cwd=self.project,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._ids,
            )


def _enter(config: dict[str, Any]) -> None:
    """Mount what a kernel gives every machine, and make the folder the root."""
    root = config["root"]
    home = "/root" if config["user"] == "root" else f"/home/{config['user']}"

    def mount(*arguments: str) -> None:
        subprocess.run(["mount", *arguments], check=True)

    mount("--bind", root, root)
    mount("-t", "proc", "proc", f"{root}/proc")
    mount("-t", "tmpfs", "-o", "mode=755", "dev", f"{root}/dev")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        Path(f"{root}/dev/{name}").touch()
        mount("--bind", f"/dev/{name}", f"{root}/dev/{name}")
    for name, options in (("pts", "newinstance,ptmxmode=666"), ("shm", "mode=1777")):
        Path(f"{root}/dev/{name}").mkdir()
        mount("-t", "devpts" if name == "pts" else "tmpfs", "-o", options, name, f"{root}/dev/{name}")
    for name, to in (
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ):
        Path(f"{root}/dev/{name}").symlink_to(to)
    for name, folder in config["shared"].items():
        target = Path(f"{root}{home}/{name}")
        target.mkdir(parents=True, exist_ok=True)
        mount("--bind", folder, str(target))
    os.chroot(root)
    os.chdir("/")
    for name in (".cache", *config["shared"]):
        entry = pwd.getpwnam(config["user"])
        if Path(home, name).exists():
            os.chown(f"{home}/{name}", entry.pw_uid, entry.pw_gid)


def _listing(folder: str, spared: set[str]) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.path in spared:
                continue
            found = entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                yield entry.path, (found.st_mode, found.st_uid, 0, 0)
                yield from _listing(entry.path, spared)
            else:
                size = found.st_size if stat.S_ISREG(found.st_mode) else 0
                yield entry.path, (found.st_mode, found.st_uid, size, found.st_mtime_ns)


def _demo_folders() -> list[str]:
    return [str(path) for path in Path("/tmp").glob("carewatch-*")]


def _packages() -> bytes:
    return subprocess.run(["dpkg", "--get-selections"], capture_output=True, check=True).stdout


def _get(url: str) -> str:
    try:
        with _NO_PROXY(url, timeout=30) as answer:
            text: str = answer.read().decode()
            return text
    except OSError as error:
        raise Problem(f"{url}: {error}") from None


def _answers(url: str) -> bool:
    try:
        with _NO_PROXY(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def _await(probe: Callable[[], Any], within: float, what: str) -> Any:
    give_up = time.monotonic() + within
    while not (found := probe()):
        if time.monotonic() > give_up:
            raise Problem(f"waited {within:.0f} s for {what}")
        time.sleep(0.2)
    return found


def _tail(log: Path, lines: int = 3) -> str:
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-lines:])


if __name__ == "__main__":
    enter(sys.argv[1]) if len(sys.argv) > 1 else main()
