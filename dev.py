"""Set up a fresh checkout and run it: `python3 dev.py demo` or `python3 dev.py test`. Needs Python 3.11 and pip.

Makes `.venv` from requirements.lock (hashes checked) when it is missing or the lock has changed, and then runs the
command in it. Everything after `test` goes to pytest, everything after `demo` to `carewatch demo`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "carewatch.stamp"

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


def main(argv: list[str]) -> int:
    """Run `test` or `setup`, or a command of carewatch such as `demo`."""
    if not argv or argv[0] in ("-h", "--help"):
        print(f"{__doc__}\nexamples: python3 dev.py demo\n          python3 dev.py test -k replay", file=sys.stderr)
        return 2
    if sys.version_info < (3, 11):  # noqa: UP036  # the project's minimum, but whoever runs this may have another
        print(f"carewatch needs Python 3.11 or newer, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    set_up()
    command, *rest = argv
    if command == "setup":
        return 0
    if command == "test":
        return test(rest)
    # not a child: Ctrl-C and SIGTERM must reach the command itself, which ends what it started
    os.chdir(ROOT)
    return os.execv(script("carewatch")[0], [*script("carewatch"), command, *rest])


def set_up() -> None:
    """Make the virtual environment, or bring it up to the lock."""
    wanted = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    print("setting up .venv (once; a minute or two)", file=sys.stderr, flush=True)
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], check=True)
    STAMP.write_text(wanted)


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
    own = PYTHON.with_name(module)
    return [str(own)] if own.exists() else [str(PYTHON), "-m", module]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
