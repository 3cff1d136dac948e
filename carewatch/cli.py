"""`carewatch`: the commands. Exit status 0: done, 1: checked and found wrong, 2: could not run."""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from agents import worker
from agents.settings import WorkerError
from carewatch import __version__, broker, deadletters, demo, feeding, logs, provision, pushing, verify
from carewatch import state as state_of
from carewatch.native.process import StackError
from carewatch.settings import PROGRAMS, default, worker_settings
from dashboards.build import ROOT
from dashboards.gateway import GrafanaError
from dashboards.thresholds import SHIPPED, ThresholdError
from feeds.brokers import CONNECT_MS
from feeds.errors import FeedError, TopicsDifferError
from feeds.lively import FASTEST
from feeds.topics import ensure_topics
from streams import size
from streams.door import REASONS
from streams.programs import ProfileError, load_all

#: Days that a simulation may last: ten years.
MOST_DAYS = 3660
#: Seconds that a command may be told to wait for the broker: an hour.
MOST_WAIT = 3600

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    args = argparse.Namespace()
    try:
        args = _parser().parse_args(argv)
        logs.set_up()
        command: Command = args.command
        return command(args)
    except (WorkerError, FeedError, StackError, ProfileError, ThresholdError, GrafanaError) as error:
        print(f"carewatch: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if getattr(args, "live", False):
            return 0  # it goes on until then
        print("carewatch: broken off before the end; run it again", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="carewatch",
        description="Live operations monitor for crisis-response programs.",
        epilog="example: carewatch demo",
    )
    parser.add_argument("--version", action="version", version=f"carewatch {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add = _Adder(commands)

    run = add(
        "demo",
        demo.run,
        "everything on this machine: broker, worker, simulated programs",
        "carewatch demo --speed 10 --programs my_city",
    )
    _programs(run)
    _speed(run)
    run.add_argument(
        "--hours",
        choices=("always", "real"),
        default="always",
        help="always: teams work around the clock, so that there is something to see (default); real: as in the program files",
    )
    run.add_argument("--broker", help="use this broker (kafka://HOST:PORT) instead of starting one")
    run.add_argument("--web-port", type=_port, help="port of the worker's web (default: a free one)")
    run.add_argument("--days", type=_days, default=14.0, help="simulated days of history to load (default 14)")
    run.add_argument("--seed", type=int, default=1, help="seed of the simulation (default 1)")

    run = add(
        "broker",
        broker.run,
        "an Apache Kafka on this machine that keeps its data in a folder, for a pilot without Docker",
        "carewatch broker --data ./kafka-data",
    )
    run.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data; made if missing")
    run.add_argument(
        "--port", type=_port, default=9092, help="port on 127.0.0.1 to listen on (default 9092, 0: a free one)"
    )

    run = add("worker", _worker, "run one worker", "carewatch worker --broker kafka://broker1:9092")
    _broker(run)
    _programs(run)
    run.add_argument(
        "--web-host", default=default("WEB_HOST", "127.0.0.1"), help="address to listen on (default loopback)"
    )
    run.add_argument(
        "--web-port",
        type=_port,
        default=default("WEB_PORT", "6066"),
        help="port to listen on (default 6066, 0: a free one)",
    )

    topics = add("topics", None, "the Kafka topics", "carewatch topics create")
    topic_commands = _Adder(topics.add_subparsers(title="commands", required=True, metavar="COMMAND"))
    run = topic_commands(
        "create", _topics, "create the topics, or check those that are there", "carewatch topics create"
    )
    _broker(run)
    doing = run.add_mutually_exclusive_group()
    doing.add_argument("--check", action="store_true", help="only check, create nothing")
    doing.add_argument(
        "--raise-partitions",
        action="store_true",
        help="give topics that have fewer partitions CAREWATCH_PARTITIONS; stop the workers first (docs/deploy.md)",
    )
    run.add_argument(
        "--wait", type=_seconds, default=CONNECT_MS / 1000, help="seconds to wait for the broker (default %(default)g)"
    )

    run = add(
        "simulate",
        feeding.simulate,
        "made-up events of a program, to a file or to Kafka",
        "carewatch simulate chicago --days 7 --seed 1 --out events.jsonl",
    )
    run.add_argument("program", nargs="+", help="program ids, such as chicago")
    _programs(run)
    target = run.add_mutually_exclusive_group(required=True)
    target.add_argument("--out", metavar="FILE", help="event file to write (- for standard output)")
    target.add_argument("--broker", help="send to this broker")
    run.add_argument("--start", help="first moment, RFC 3339 with offset (default: --days before now)")
    run.add_argument("--days", type=_days, default=1.0, help="how many days (default 1)")
    run.add_argument("--live", action="store_true", help="go on from now, each event when it happens, until Ctrl-C")
    run.add_argument(
        "--busy",
        action="store_true",
        help="calls at every hour, as many as the planned crews can take; with --live something of everything at once",
    )
    _speed(run)
    run.add_argument("--seed", type=int, default=1, help="the same seed and start give the same events (default 1)")
    run.add_argument("--disorder", type=float, default=0.0, help="share of events that come late (default 0)")
    run.add_argument("--duplicates", type=float, default=0.0, help="share of events that come twice (default 0)")

    run = add(
        "replay",
        feeding.replay,
        "send an event file, or a CAD export with a mapping, to Kafka",
        "carewatch replay calls.csv --mapping sf_fire --speed max",
    )
    run.add_argument(
        "file", type=Path, metavar="FILE", help="event file (.jsonl), or CAD export (.csv) with --mapping; .gz too"
    )
    run.add_argument("--mapping", help="mapping file (.toml), or the name of one that comes with carewatch")
    _broker(run)
    _programs(run)
    run.add_argument(
        "--speed", default="max", help="max, or a factor: 1 as it happened, 60 a minute in a second (default max)"
    )
    run.add_argument(
        "--bad-lines", choices=("stop", "pass"), default="stop", help="a line that is no event: stop, or pass it on"
    )
    run.add_argument("--out", metavar="FILE", help="write an event file instead of sending (- for standard output)")

    letters = add("deadletter", None, "records that were rejected", "carewatch deadletter list")
    letter_commands = _Adder(letters.add_subparsers(title="commands", required=True, metavar="COMMAND"))
    run = letter_commands(
        "list", deadletters.show, "how many, why, and where one of them is", "carewatch deadletter list"
    )
    _broker(run)
    run = letter_commands(
        "resend",
        deadletters.resend,
        "send those that are readable events again, once the cause is mended",
        "carewatch deadletter resend --reason future",
    )
    run.add_argument("--reason", choices=REASONS, required=True, help="only those that were rejected for this")
    _broker(run)

    state = add("state", None, "the workers' state in Kafka", "carewatch state check")
    state_commands = _Adder(state.add_subparsers(title="commands", required=True, metavar="COMMAND"))
    run = state_commands(
        "check",
        state_of.check,
        "read all of it; exit 1 and name partition, offset and key of what cannot be read",
        "carewatch state check --broker kafka://broker1:9092",
    )
    _broker(run)
    _programs(run)
    run = state_commands(
        "rebuild",
        state_of.rebuild,
        "make a program's state from the inputs anew, while no worker runs",
        "carewatch state rebuild chicago",
    )
    run.add_argument("program", metavar="PROGRAM", help="id of the program")
    run.add_argument(
        "--yes", action="store_true", help="go on though the oldest events are gone; the counters then begin later"
    )
    _broker(run)
    _programs(run)

    boards = add("dashboards", None, "rules, alerts and dashboards from the catalogue", "carewatch dashboards check")
    board_commands = _Adder(boards.add_subparsers(title="commands", required=True, metavar="COMMAND"))
    run = board_commands(
        "build",
        provision.build,
        "make the files for Prometheus, Alertmanager and Grafana, and the reference",
        "carewatch dashboards build --thresholds ours.toml --out /etc/carewatch",
    )
    _generated(run, "where to write")
    run = board_commands(
        "check",
        provision.check,
        "exit 1 and show the difference if the files are not what would be made",
        "carewatch dashboards check",
    )
    _generated(run, "where the files are")
    run = board_commands(
        "push",
        pushing.push,
        f"write the dashboards into a Grafana of your own, Grafana {pushing.OLDEST} or newer",
        "carewatch dashboards push --url https://grafana.city.example --datasource Prometheus --token-file token --dry-run",
    )
    pushing.add_options(run)

    run = add(
        "verify",
        verify.run,
        "fold the topics from the start and compare every number with the live workers",
        "carewatch verify --worker http://127.0.0.1:6066",
    )
    _broker(run)
    _programs(run)
    run.add_argument(
        "--worker",
        action="append",
        metavar="URL",
        help="a worker's address, repeat for each (default http://127.0.0.1:6066)",
    )
    run.add_argument(
        "--timeout", type=float, default=60.0, help="seconds to wait for the workers to catch up (default 60)"
    )
    return parser


class _Adder:
    """Adds commands that all look alike."""

    def __init__(self, commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        self._commands = commands

    def __call__(self, name: str, command: Command | None, help: str, example: str) -> argparse.ArgumentParser:
        parser = self._commands.add_parser(
            name, help=help, description=help[0].upper() + help[1:] + ".", epilog=f"example: {example}"
        )
        if command:
            parser.set_defaults(command=command)
        return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text}: give a port from 0 (a free one) to 65535")
    return int(text)


def _number(text: str) -> float:
    """A number; not-a-number, which is within no bounds, for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _seconds(text: str) -> float:
    seconds = _number(text)
    if not 0 <= seconds <= MOST_WAIT:
        raise argparse.ArgumentTypeError(f"{text}: give seconds from 0 to {MOST_WAIT}")
    return seconds


def _days(text: str) -> float:
    days = _number(text)
    if not 0 < days <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text}: give a number of days above 0, {MOST_DAYS} at most")
    return days


def _speed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speed",
        type=_factor,
        default=1.0,
        metavar="N",
        help=f"simulated minutes a minute, 1 to {FASTEST:g} (default 1): calls come N times as often, and take an Nth of the time",
    )


def _factor(text: str) -> float:
    speed = _number(text)
    if not 1 <= speed <= FASTEST:
        raise argparse.ArgumentTypeError(f"{text}: give simulated minutes a minute, from 1 to {FASTEST:g}")
    return speed


def _broker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--broker",
        default=default("BROKER", "kafka://localhost:9092"),
        help="the Kafka broker (default CAREWATCH_BROKER or kafka://localhost:9092)",
    )


def _programs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--programs",
        type=Path,
        default=Path(default("PROGRAMS", str(PROGRAMS))),
        metavar="DIR",
        help="folder of the program files",
    )


def _generated(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--thresholds", type=Path, default=SHIPPED, metavar="FILE", help="threshold file (default: the shipped one)"
    )
    parser.add_argument("--out", type=Path, default=ROOT, metavar="DIR", help=f"{what} (default: the checkout)")


def _worker(args: argparse.Namespace) -> int:
    settings = worker_settings(args.broker, args.programs, args.web_host, args.web_port)
    profiles = load_all(settings.programs)
    for line in size.check(profiles, str(settings.programs)):
        structlog.get_logger().warning(line)
    asyncio.run(worker.run(settings, profiles, __version__))
    return 0


def _topics(args: argparse.Namespace) -> int:
    settings = worker_settings(args.broker, PROGRAMS, "", 0)
    try:
        report = ensure_topics(
            settings.broker,
            settings.prefix,
            settings.partitions,
            check_only=args.check,
            raise_partitions=args.raise_partitions,
            replication=settings.replication,
            connect_ms=round(args.wait * 1000),
        )
    except TopicsDifferError as error:
        if not args.check:
            raise
        print(f"carewatch: {error}", file=sys.stderr)
        return 1
    print("\n".join(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
