"""`python3 dev.py pythons`: the unit tests on the other versions of Python."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dev

#: 3.11 is what everything else runs on.
VERSIONS = ("3.12", "3.13")
#: What a property is tried with, of its examples: they find what is wrong in our code, not in another Python.
EXAMPLES = "0.1"


def find(version: str) -> str | None:
    """An interpreter of this version that runs: on PATH, pyenv's or uv's. Downloads none."""
    on_path = [found] if (found := shutil.which(f"python{version}")) else []
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    of_pyenv = [str(file) for file in sorted(root.glob(f"versions/{version}.*/bin/python{version}"))]
    for candidate in [*on_path, *of_pyenv, *of_uv(version)]:
        done = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.startswith(f"Python {version}."):  # a shim may have nothing behind it
            return candidate
    return None


def of_uv(version: str) -> list[str]:
    """What uv has, or finds."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        return []
    done = subprocess.run(
        [uv, "python", "find", "--offline", version], cwd="/", capture_output=True, text=True, check=False
    )
    return [done.stdout.strip()] if done.returncode == 0 else []


def main() -> int:
    """Run as the command line says; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 dev.py pythons",
        description="Run the unit tests on the other versions of Python that carewatch is for, each in an environment "
        "of its own (.venv-3.12, ...) from the same lock. A version that is not installed is skipped.",
        epilog="example: python3 dev.py pythons --only 3.13 -k replay (the rest goes to pytest)",
    )
    parser.add_argument("--only", choices=VERSIONS, action="append", help="only this version")
    args, options = parser.parse_known_args()
    os.environ.setdefault("CAREWATCH_TEST_EXAMPLES", EXAMPLES)
    wanted = args.only or VERSIONS
    status = ran = 0
    for version in wanted:
        interpreter = find(version)
        if interpreter is None:
            print(f"Python {version} skipped: not installed; install it (apt, pyenv or uv python install {version})")
            continue
        folder = dev.ROOT / f".venv-{version}"
        print(f"--- Python {version}: {interpreter}", flush=True)
        try:
            dev.environment(folder, dev.LOCK, project=True, interpreter=interpreter)
        except subprocess.CalledProcessError as error:
            print(f"Python {version}: no environment could be made: {error}", file=sys.stderr)
            return 1
        command = [str(dev.python(folder)), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit"]
        status |= dev.call([*command, *dev.parallel(options), *options])
        ran += 1
        if status == dev.INTERRUPTED:
            return status
    if not ran:
        print("no other Python here: nothing was run")
        return 1 if os.environ.get("CAREWATCH_REQUIRE_PYTHONS") == "1" else 0
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
