"""`python3 dev.py fuzz`."""

from __future__ import annotations

import argparse
import secrets
import sys

from tests.fuzz.run import FuzzError, run


def main() -> int:
    """Fuzz as the command line says; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 dev.py fuzz",
        description="Send hostile records through the door and into the state: no crash, nothing lost by a restart, "
        "memory bounded.",
        epilog="example: python3 dev.py fuzz --seed 7 --records 100000",
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="the same seed, the same records")
    parser.add_argument("--records", type=int, default=1_000_000, help="how many (default 1000000)")
    parser.add_argument("--first", type=int, default=0, help="round to begin with, as a failure names it (default 0)")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    try:
        report = run(args.records, args.seed, lambda line: print(line, flush=True), args.first)
    except FuzzError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    rejected = ", ".join(f"{reason} {count}" for reason, count in report.rejected.most_common())
    print(
        f"{report.records} records in {report.seconds:.0f} s, {report.records / report.seconds:.0f}/s: "
        f"{report.applied} applied, rejected: {rejected}\n"
        f"memory {report.memory[0]:.0f} MiB after the first round, {max(report.memory):.0f} MiB at most, "
        f"{report.memory[-1]:.0f} MiB at the end; no crash"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
