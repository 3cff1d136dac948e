"""`python3 dev.py clock`."""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.clock.moments import MOMENTS
from tests.clock.run import faketime, run

#: Lines of a failed run that are shown.
SHOWN = 60


def main() -> int:
    """Run as the command line says; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 dev.py clock",
        description="Run the unit, contract, rules and golden tests that need no broker while the clock shows another "
        "time: at night, on 29 February, as the clocks change, on a holiday, as a year ends; each in another time zone. "
        "As many at once as there are cores, with a tenth of the examples of each property; rules and golden tests at the first.",
        epilog="examples: python3 dev.py clock; python3 dev.py clock --at spring -k followups (the rest goes to pytest)",
    )
    parser.add_argument("--at", action="append", choices=[moment.name for moment in MOMENTS], help="only this moment")
    args, options = parser.parse_known_args()
    library = faketime()
    if library is None:
        print("clock tests skipped: no libfaketime here; apt-get install libfaketime")
        return 1 if os.environ.get("CAREWATCH_REQUIRE_FAKETIME") == "1" else 0
    moments = [moment for moment in MOMENTS if not args.at or moment.name in args.at]
    folder = Path(tempfile.mkdtemp(prefix="carewatch-clock-"))
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        at_moment = functools.partial(run, library=library, folder=folder, options=options)
        try:
            for moment, done in zip(moments, pool.map(at_moment, moments), strict=True):
                print(f"{moment.at:%Y-%m-%d %H:%M %Z}, {moment.zone} ({moment.why}): {done.last}", flush=True)
                if done.status:
                    failed.append(moment.name)
                    print("\n".join(done.log.read_text().splitlines()[-SHOWN:]), file=sys.stderr, flush=True)
        except KeyboardInterrupt:  # the tests got it too
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(folder, ignore_errors=True)
            return 130
    if failed:
        again = " ".join(f"--at {name}" for name in failed)
        print(f"FAILED at {', '.join(failed)}: python3 dev.py clock {again}\nlogs {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(f"{len(moments)} moments, all passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
