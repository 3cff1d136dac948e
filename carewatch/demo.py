"""`carewatch demo`: all of it on this machine, without Docker.

A broker, the topics, a worker, days of simulated history and then the programs live, and Prometheus with the rules and
Alertmanager where they can be had: the demo goes on without them. Every child ends with the demo, however it ends.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from agents import logins
from carewatch.ending import Ended, ends_by_signal, pause, say
from carewatch.native.kafka import KafkaBroker, kafka_available
from carewatch.native.process import Child, StackError, free_port, wait_for
from carewatch.native.prometheus import Alertmanager, Binaries, Prometheus, configure, find_binaries
from carewatch.native.tansu import TansuBroker, tansu_available
from carewatch.scrape import Numbers, scrape
from carewatch.settings import whole
from dashboards.build import ROOT
from feeds.lively import lively_file
from feeds.topics import ensure_topics
from streams import metrics as m
from streams import size
from streams.programs import load_all

PROMETHEUS_CONFIG = ROOT / "dashboards" / "prometheus" / "prometheus.yml"
ALERTMANAGER_CONFIG = ROOT / "dashboards" / "alertmanager" / "alertmanager.yml"
#: Seconds between the lines that show the live numbers.
EVERY = 10.0
#: The simulator sends a heartbeat so often, seconds.
MINUTE = 60.0
#: Told first, and over every page of the board.
SIMULATED = "simulated data: no call, unit or person here is real"
#: Tansu forms a group within seconds only with these (Kafka's clients allow for slower brokers), and knows no
#: transactional ids.
TANSU_ENV = {
    "CAREWATCH_FENCING": "off",
    "CAREWATCH_SESSION_TIMEOUT": "10",
    "CAREWATCH_REBALANCE_TIMEOUT": "3",
    "CAREWATCH_HEARTBEAT_INTERVAL": "1",
}


Server = Prometheus | Alertmanager


def run(args: argparse.Namespace) -> int:
    """The command `demo`."""
    began = time.monotonic()
    with ends_by_signal(), ExitStack() as stack:  # in this order: a second signal does nothing while all of it ends
        try:
            demo = _Demo(args, stack)
            demo.start()
            say(f"live after {time.monotonic() - began:.0f} s; Ctrl-C ends all of it")
            demo.watch()
        except Ended:
            with suppress(Ended):
                say("ending")
    return 0


class _Demo:
    """The parts of a demo; `stack` ends them in the order opposite to their start."""

    def __init__(self, args: argparse.Namespace, stack: ExitStack) -> None:
        self._args = args
        self._stack = stack
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carewatch-demo-")))
        self._env = dict(os.environ)
        self._token = logins.checked(self._env.get("CAREWATCH_API_TOKEN", "").strip()) or secrets.token_urlsafe(16)
        self._env["CAREWATCH_API_TOKEN"] = self._token
        self._profiles = load_all(args.programs)
        for line in size.check(self._profiles, str(args.programs)):
            say(line)
        self._programs = self._folder / "programs"
        self._children: list[Child] = []
        self._servers: list[Server] = []
        self._url = ""
        self._since = time.time() - MINUTE

    def start(self) -> None:
        """Start everything; returns when the worker has applied the history and shows the numbers of now."""
        args = self._args
        pace = f", {args.speed:g} simulated minutes a minute" if args.speed != 1 else ""
        say(f"{SIMULATED}{pace}")
        self._env["CAREWATCH_BANNER"] = f"{SIMULATED[0].upper()}{SIMULATED[1:]}{pace}"
        self._write_programs()
        binaries = _binaries()
        broker = f"kafka://{self._broker()}"
        ensure_topics(broker, self._env.get("CAREWATCH_PREFIX") or "care.", whole("PARTITIONS", 8, 1))
        port = args.web_port or free_port()
        self._url = f"http://127.0.0.1:{port}"
        here = ["--broker", broker, "--programs", str(self._programs)]
        worker = self._child("worker", "worker", "--web-port", str(port), *here)
        options = ["--live", f"--speed={args.speed}", f"--days={args.days / args.speed}", f"--seed={args.seed}"]
        busy = ["--busy"] if args.hours == "always" else []
        self._child("simulator", "simulate", *self._profiles, *options, *busy, *here)
        wait_for(self._caught_up, 120, "the worker to apply the history", worker, interval=0.25)
        alerts = self._prometheus(port, binaries)  # not before: half of a history has alerts that nobody should see
        say(f"board       {self._url}/")
        say(f"follow-ups  {self._url}/followups  token {self._token}")
        say(f"metrics     {self._url}/metrics")
        say(f"broker      {broker}")
        say(f"programs    {self._programs}")
        say(f"logs        {self._folder}")
        for line in alerts:
            say(line)

    def watch(self) -> None:
        """Show the live numbers until a signal comes. Raises StackError if a child ends that nothing works without."""
        while True:
            self._check_children()
            for server in [server for server in self._servers if not server.alive]:
                self._servers.remove(server)
                said = f", it last said: {tail}" if (tail := server.log_tail()) else ""
                say(
                    f"{server.name} ended ({server.how_it_ended}), the demo goes on: start it again to have it back{said}"
                )
            for line in summary(self._numbers()):
                say(line)
            pause(EVERY)

    def _check_children(self) -> None:
        for child in self._children:
            if not child.alive:
                raise StackError(f"the {child.name} ended ({child.how_it_ended}): {child.log_tail()}")

    def _write_programs(self) -> None:
        """The program files as they are in the demo: whoever checks its numbers finds the ones that hold."""
        self._programs.mkdir()
        always = self._args.hours == "always"
        for file in sorted(self._args.programs.glob("*.toml")):
            lively_file(file, self._programs / file.name, around_the_clock=always, speed=self._args.speed)
        now = datetime.now(UTC)
        for profile in load_all(self._programs).values():
            local = now.astimezone(profile.zone)
            if not any(team.works(local) for team in profile.teams):
                say(f"{profile.program:<10}  no team works now; without --hours real they work around the clock")

    def _broker(self) -> str:
        if self._args.broker:
            return str(self._args.broker).removeprefix("kafka://")
        reason = kafka_available()
        if reason is None:
            say("starting Apache Kafka")
            try:
                return self._stack.enter_context(KafkaBroker(say=say)).bootstrap
            except StackError as error:  # its download failed, say: the demo can do without
                reason = " ".join(str(error).split())
        other = tansu_available()
        if other is not None:
            raise StackError(f"no broker can be started: {reason}; {other}; or give a broker with --broker")
        say(f"starting Tansu instead of Apache Kafka: {reason}")
        self._env |= {name: value for name, value in TANSU_ENV.items() if name not in os.environ}
        return self._stack.enter_context(TansuBroker(say=say)).bootstrap

    def _child(self, name: str, *argv: str) -> Child:
        command = [sys.executable, "-m", "carewatch", *argv]
        # the children run in the temporary folder; give them what we import
        self._env["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        child = Child(name, command, self._folder, self._env)
        self._stack.callback(child.stop)
        self._children.append(child)
        return child

    def _numbers(self) -> Numbers:
        try:
            numbers = scrape(self._url, timeout=10).numbers
        except (OSError, ValueError):
            return {}
        return numbers if any(name == m.UNITS.name for name, _ in numbers) else {}

    def _caught_up(self) -> bool:
        """Whether the newest event of each feed is as new as the demo: the last heartbeats end the history."""
        self._check_children()
        numbers = self._numbers()
        newest = {
            (at["program"], at["topic"]): value
            for (name, labels), value in numbers.items()
            if name == m.FEED.name and (at := dict(labels))
        }
        wanted = {(program, topic) for program, profile in self._profiles.items() for topic in profile.feeds}
        return all(newest.get(feed, 0.0) > self._since for feed in wanted)

    def _prometheus(self, port: int, binaries: Binaries) -> list[str]:
        """Start what there is of Prometheus and Alertmanager; lines that say where they are, or why they are not."""
        alertmanager = Alertmanager(ALERTMANAGER_CONFIG, binaries=binaries)
        lines = [self._optional(alertmanager, "alerts", binaries.alertmanager, "prometheus-alertmanager")]
        config = self._folder / "prometheus.yml"
        told = alertmanager.address if alertmanager.alive else None
        configure(PROMETHEUS_CONFIG, config, worker=f"127.0.0.1:{port}", alertmanager=told)
        prometheus = Prometheus(config, binaries=binaries)
        return [self._optional(prometheus, "prometheus", binaries.prometheus, "prometheus"), *lines]

    def _optional(self, server: Server, what: str, program: Path | None, package: str) -> str:
        """Start a server that the demo can do without; the line that says where it is, or why it is not."""
        cure = f"to have it, install Debian's package {package} or put {server.name} on PATH"
        if program is None:
            return f"{what:<10}  none: {server.name} is not here; {cure}"
        try:
            self._stack.enter_context(server)
        except StackError as error:
            return f"{what:<10}  none: {' '.join(str(error).split())}; {cure}"
        self._servers.append(server)
        return f"{what:<10}  {server.url}"


def _binaries() -> Binaries:
    """Prometheus and Alertmanager, downloaded where that can be done."""
    try:
        return find_binaries(say, fetch=True)
    except StackError as error:
        say(f"prometheus cannot be downloaded: {error}")
        return find_binaries()


class _Row(NamedTuple):
    """What a line of the summary shows."""

    text: str
    metric: m.Metric
    wanted: Callable[[dict[str, str]], bool] = lambda labels: True


_ROWS = (
    _Row("units available", m.UNITS, lambda labels: labels["status"] == "available"),
    _Row("on duty", m.UNITS, lambda labels: labels["status"] != "off_duty"),
    _Row("planned", m.UNITS_PLANNED),
    _Row("calls open", m.CALLS_OPEN),
    _Row("waiting", m.CALLS_OPEN, lambda labels: labels["stage"] == "waiting"),
    _Row("past target", m.OVER_TARGET),
    _Row("closed today", m.TODAY),
    _Row("follow-ups overdue", m.FOLLOWUPS, lambda labels: labels["state"] == "overdue"),
    _Row("missed", m.FOLLOWUPS, lambda labels: labels["state"] == "missed"),
)


def summary(numbers: Numbers) -> Iterator[str]:
    """One line a program: the numbers a supervisor asks for first."""
    named = [(name, dict(labels), value) for (name, labels), value in numbers.items()]
    for program in sorted({labels["program"] for _, labels, _ in named if "program" in labels}):
        mine = [(name, labels, value) for name, labels, value in named if labels.get("program") == program]
        parts = [
            f"{row.text} {sum(v for name, labels, v in mine if name == row.metric.name and row.wanted(labels)):.0f}"
            for row in _ROWS
        ]
        yield f"{program:<10}  {' · '.join(parts)}"
