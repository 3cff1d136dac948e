"""Set up a fresh checkout and run it: `python3 dev.py demo` or `python3 dev.py test`. Needs Python 3.11 and pip.

Makes `.venv` from requirements.lock (hashes checked) when it is missing or the lock has changed, and then runs the
command in it. Everything after `test` goes to pytest, everything after `demo` to `carewatch demo`. `bench` runs the
benchmark, with its peers in an environment of their own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
PEERS_VENV = ROOT / "bench" / ".venv"
PEERS_LOCK = ROOT / "bench" / "requirements.lock"

#: The tests, in the order in which they fail fastest. Each is a command in the virtual environment.
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
    ("streams.schema", "--check"),
    ("carewatch", "dashboards", "check"),
    ("pytest",),
)

#: Commands that are no tests and no part of carewatch: modules, each with its own --help.
TOOLS = {"bare": "tests.bare", "bench": "bench", "chaos": "tests.chaos", "fuzz": "tests.fuzz"}


def main(argv: list[str]) -> int:
    """Run `test`, `setup` or a tool such as `bench`, or a command of carewatch such as `demo`."""
    if not argv or argv[0] in ("-h", "--help"):
        print(f"{__doc__}\nexamples: python3 dev.py demo\n          python3 dev.py test -k replay", file=sys.stderr)
        return 2
    if sys.version_info < (3, 11):  # noqa: UP036  # the project's minimum, but whoever runs this may have another
        print(f"carewatch needs Python 3.11 or newer, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    if (
        not python(VENV).exists() and importlib.util.find_spec("ensurepip") is None
    ):  # Debian's has it in a package of its own
        print("this Python cannot make virtual environments: apt-get install python3-venv", file=sys.stderr)
        return 2
    command, *rest = argv
    if command == "bare":  # it shows what machines without our environment do, and needs none itself
        os.chdir(ROOT)
        return os.execv(sys.executable, [sys.executable, "-m", TOOLS[command], *rest])
    set_up()
    if command == "setup":
        return 0
    if command == "test":
        return test(rest)
    if command == "bench":
        environment(PEERS_VENV, PEERS_LOCK)
    program = [str(python(VENV)), "-m", TOOLS[command]] if command in TOOLS else [*script("carewatch"), command]
    # not a child: Ctrl-C and SIGTERM must reach the command itself, which ends what it started
    os.chdir(ROOT)
    return os.execv(program[0], [*program, *rest])


def set_up() -> None:
    """Make the virtual environment, or bring it up to the lock."""
    environment(VENV, LOCK, project=True)


def environment(folder: Path, lock: Path, *, project: bool = False) -> None:
    """Make a virtual environment with what a lock names, and the project if asked, or bring it up to the lock."""
    stamp = folder / "carewatch.stamp"
    wanted = lock.read_bytes() + ((ROOT / "pyproject.toml").read_bytes() if project else b"")
    digest = hashlib.sha256(wanted).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    print(f"setting up {folder.relative_to(ROOT)} (once; a minute or two)", file=sys.stderr, flush=True)
    if not python(folder).exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(python(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
    if project:
        subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], check=True)
    stamp.write_text(digest)


def python(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def test(options: list[str]) -> int:
    """All checks; with options, only pytest with these."""
    for module, *arguments in [("pytest", *options)] if options else CHECKS:
        print(f"--- {module} {' '.join(arguments)}", flush=True)
        status = run(module, *arguments)
        if status:
            return status
    return 0


def run(module: str, *arguments: str) -> int:
    """Run a module of the virtual environment; its exit status."""
    try:
        return subprocess.run([*script(module), *arguments], cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 130


def script(module: str) -> list[str]:
    """How a module is started: by its script, or else by name."""
    own = python(VENV).with_name(module)
    return [str(own)] if own.exists() else [str(python(VENV)), "-m", module]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
