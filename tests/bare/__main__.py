"""`python3 dev.py bare`: the two commands of the README on machines that have nothing but Python and pip.

Needs no virtual environment: this is what is to be shown of others.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bare import host
from tests.bare.corners import ALL, Corner, Result, end_all, run_corner

#: Of the log of a command that failed.
LINES = 200


def main(argv: Sequence[str] | None = None) -> int:
    """Run as the command line says; the exit status."""
    args = _options(argv)
    if args.list:
        print("\n".join(corner.name for corner in ALL))
        return 0
    if reason := host.unfit():
        print(f"bare: skipped: {reason}")
        return 1 if os.environ.get("CAREWATCH_REQUIRE_BARE") == "1" else 0
    chosen = [corner for corner in ALL if not args.corner or corner.name in args.corner]
    logs = Path(tempfile.mkdtemp(prefix="carewatch-bare-"))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _break_off)
    try:
        _make_systems(chosen, args.fresh, logs / "systems.log")
        with ThreadPoolExecutor(args.jobs) as pool:
            tasks = [pool.submit(_run, corner, logs / corner.name, args.only) for corner in chosen]
            try:
                results = [task.result() for task in tasks]
            finally:
                pool.shutdown(cancel_futures=True)  # when broken off: those that wait do not begin
    except host.HostError as error:
        print(f"bare: {error}; logs {logs}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"bare: broken off; logs {logs}", file=sys.stderr)
        return 130
    _table(results)
    failed = [result for result in results if result.problems]
    print(f"{len(results) - len(failed)} corners passed, {len(failed)} failed{f'; logs {logs}' if failed else ''}")
    if not failed:
        shutil.rmtree(logs)
    return 1 if failed else 0


def _make_systems(chosen: Sequence[Corner], fresh: bool, log: Path) -> None:
    """Make what is not kept yet: each release at the same time, as that is mostly waiting for mirrors and disks."""

    def make(suite: str) -> None:
        kinds = {corner.java for corner in chosen if corner.suite == suite}
        if fresh:
            host.forget(suite)
        for java in sorted(kinds):
            host.base(suite, java, log=log)

    with ThreadPoolExecutor() as pool:
        list(pool.map(make, {corner.suite for corner in chosen}))


def _break_off(number: int, frame: object) -> None:
    end_all()
    raise KeyboardInterrupt


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 dev.py bare",
        description="Run `python3 dev.py demo` and `python3 dev.py test` on minimal Debian systems with Python, pip and venv, "
        "and look at what they leave behind. Needs root and debootstrap. The systems are made once and kept in "
        "$CAREWATCH_CACHE/bare (default ~/.cache/carewatch/bare).",
        epilog="example: python3 dev.py bare --corner 12-root-plain --corner 13-user-java",
    )
    names = [corner.name for corner in ALL]
    parser.add_argument(
        "--corner",
        action="append",
        choices=names,
        metavar="NAME",
        help=f"Debian 12 or 13, as root or an ordinary user, without Java or with it; repeat for more: "
        f"{', '.join(names)} (default all)",
    )
    parser.add_argument("--only", choices=("demo", "test"), help="only this command (default both)")
    parser.add_argument(
        "--jobs", type=int, choices=range(1, 9), default=1, metavar="N", help="corners at once (default 1)"
    )
    parser.add_argument("--fresh", action="store_true", help="make the systems anew, with the packages of today")
    parser.add_argument("--list", action="store_true", help="only print the names of the corners")
    return parser.parse_args(argv)


def _run(corner: Corner, logs: Path, only: str | None) -> Result:
    began = time.monotonic()
    print(f"{corner.name}: began", flush=True)
    result = run_corner(corner, logs, only, lambda line: print(f"{corner.name}: {line}", flush=True))
    for problem in result.problems:
        print(f"{corner.name}: FAILED: {problem}", flush=True)
        log = logs / f"{problem.partition(':')[0]}.log"
        if log.is_file():  # where this ran, it may be all that is left
            print("\n".join(log.read_text(errors="replace").splitlines()[-LINES:]), flush=True)
    print(f"{corner.name}: {result.outcome} after {time.monotonic() - began:.0f} s", flush=True)
    return result


def _table(results: Sequence[Result]) -> None:
    rows = [("corner", "live", "demo", "test", "outcome", "tests")]
    for result in results:
        times = [
            f"{result.seconds[name]:.0f} s" if name in result.seconds else "-" for name in ("live", "demo", "test")
        ]
        rows.append((result.corner.name, times[0], times[1], times[2], result.outcome, result.tests))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
