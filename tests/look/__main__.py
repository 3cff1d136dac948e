"""`python3 dev.py look`."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from carewatch import __version__
from carewatch.pushing import DASHBOARDS, load, secret
from carewatch.settings import default
from dashboards.gateway import Grafana, GrafanaError
from tests.look.camera import camera
from tests.look.plan import THEMES, WIDTHS, Choice, Seen, Shot, checked, chosen, findings, shots, write


def main(argv: list[str] | None = None) -> int:
    """Take the pictures. 0: all drawn, 1: a panel has an error or is not drawn, 2: could not run."""
    args = _parser().parse_args(argv)
    try:
        return look(args)
    except (GrafanaError, OSError) as error:
        print(f"look: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def look(args: argparse.Namespace) -> int:
    """Take the pictures and write the page; the exit status. Raises GrafanaError, OSError."""
    choice = Choice(checked(args.url), args.since, args.until, args.program, args.kiosk)
    boards = chosen(load(DASHBOARDS), args.boards)
    token = secret(args.token_file) if args.token_file else default("GRAFANA_TOKEN", "").strip()
    if token:
        with Grafana(choice.url, token) as grafana:
            grafana.version()  # says what is wrong with an address more plainly than a browser
    args.out.mkdir(parents=True, exist_ok=True)
    seen: dict[Shot, Seen] = {}
    with camera(choice, token, args.timeout) as taking:
        for board in boards:
            for shot in shots([board], args.width, args.theme):
                began = time.monotonic()
                file = args.out / shot.file
                one = seen[shot] = taking.take(shot, board, file)
                print(f"{file}  {one.panels} panels, {time.monotonic() - began:.1f} s", flush=True)
            for line in findings(one for shot, one in seen.items() if shot.uid == board["uid"]):
                print(f"  {line}", flush=True)
    versions = {one.version for one in seen.values() if one.version}
    heading = f"carewatch {__version__} in Grafana {', '.join(versions)}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    print(f"{write(args.out, heading, boards, seen)}  {len(seen)} pictures")
    return 0 if all(one.good for one in seen.values()) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 dev.py look",
        description="Pictures of the dashboards in a running Grafana, for a release's check list: each in the dark and the "
        "light theme and in two widths, once all its panels are drawn, and a page that shows them side by side. Says which "
        "panels have an error or no data. Needs Chromium. A login is the token of a service account, in "
        "CAREWATCH_GRAFANA_TOKEN or a file; without one Grafana must let anonymous viewers in.",
        epilog="example: python3 dev.py look --url http://localhost:3000 --token-file token --from now-2d --program chicago",
    )
    parser.add_argument(
        "--url", default=default("GRAFANA_URL", ""), help="address of Grafana (default CAREWATCH_GRAFANA_URL)"
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="file with the token (default CAREWATCH_GRAFANA_TOKEN)"
    )
    parser.add_argument(
        "--from", dest="since", default="", metavar="TIME", help="start, such as now-7d (default: its own)"
    )
    parser.add_argument("--to", dest="until", default="", metavar="TIME", help="end, such as now (default: its own)")
    parser.add_argument("--program", action="append", default=[], metavar="ID", help="this one; repeat (default: all)")
    parser.add_argument(
        "--boards",
        nargs="+",
        default=[],
        metavar="UID",
        help="only these, such as care-live or live (default: all but the runbooks)",
    )
    parser.add_argument("--width", nargs="+", type=_width, default=WIDTHS, metavar="PX", help="default 1280 1920")
    parser.add_argument("--theme", nargs="+", choices=THEMES, default=THEMES, help="default dark light")
    parser.add_argument("--kiosk", action="store_true", help="without Grafana's bars, as on a wall screen")
    parser.add_argument("--out", type=Path, default=Path("look"), metavar="DIR", help="where to write (default ./look)")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds that a dashboard may take (default 60)")
    return parser


def _width(text: str) -> int:
    if not text.isdecimal() or not 320 <= int(text) <= 7680:
        raise argparse.ArgumentTypeError(f"{text}: give pixels from 320 to 7680")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
