"""`python3 dev.py chaos`."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from carewatch.native.kafka import kafka_available
from tests.chaos import storm
from tests.chaos.run import run

#: Faults of a short run.
SHORT = 5


def main() -> int:
    """Run as the command line says; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 dev.py chaos",
        description="Kill, freeze and restart workers and broker on a Kafka of its own while events flow, and compare "
        "every number with the fold of the events in the end. Takes about ten seconds a fault.",
        epilog="example: python3 dev.py chaos --seed 7 --faults 20",
    )
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10**6), help="the same seed, the same faults in the same order"
    )
    parser.add_argument("--faults", type=int, default=20, help="how many (default 20)")
    parser.add_argument("--short", action="store_true", help=f"{SHORT} faults, the worst ones: what CI runs")
    parser.add_argument(
        "--storm",
        type=float,
        metavar="SECONDS",
        help="no faults but a storm of rebalances of so many seconds; says how long each program was shown by nobody",
    )
    args = parser.parse_args()
    faults = SHORT if args.short else args.faults
    if reason := kafka_available():
        print(f"chaos: {reason}", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="carewatch-chaos-"))
    try:
        if args.storm:
            storm.run(args.storm, folder, print)
            shutil.rmtree(folder)
            return 0
        print(f"seed {args.seed}", flush=True)
        run(args.seed, faults, folder, lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        return 130
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # whatever it is, how to see it again is said
        again = f"--storm {args.storm:g}" if args.storm else f"--seed {args.seed} --faults {faults}"
        again = f"python3 dev.py chaos {again}"
        print(f"FAILED: {str(error) or repr(error)}\nagain: {again}\nlogs {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(f"equal after {faults} faults, 0 lost, none shown twice (seed {args.seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
