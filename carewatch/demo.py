"""`carewatch demo`: all of it on this machine, without Docker.

A broker, the topics, a worker, days of simulated history and then three programs live, and Prometheus with the
rules and Alertmanager where they can be had. Every child ends with the demo, however it ends.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from carewatch.native.kafka import KafkaBroker, kafka_available
from carewatch.native.process import Child, StackError, free_port, wait_for
from carewatch.native.prometheus import Alertmanager, Prometheus, configure, find_binaries
from carewatch.native.tansu import TansuBroker, tansu_available
from carewatch.scrape import Numbers, scrape
from carewatch.settings import PROGRAMS, whole
from dashboards.build import ROOT
from feeds.topics import ensure_topics
from streams import metrics as m
from streams.programs import load_all

PROMETHEUS_CONFIG = ROOT / "dashboards" / "prometheus" / "prometheus.yml"
ALERTMANAGER_CONFIG = ROOT / "dashboards" / "alertmanager" / "alertmanager.yml"
#: Seconds between the lines that show the live numbers.
EVERY = 10.0
#: Tansu forms a group within seconds only with these (Kafka's clients allow for slower brokers), and knows no
#: transactional ids.
TANSU_ENV = {
    "CAREWATCH_FENCING": "off",
    "CAREWATCH_SESSION_TIMEOUT": "10",
    "CAREWATCH_REBALANCE_TIMEOUT": "3",
    "CAREWATCH_HEARTBEAT_INTERVAL": "1",
}


class _Stop(Exception):  # noqa: N818  # no error: the user's wish
    """A signal asked us to end."""


def run(args: argparse.Namespace) -> int:
    """The command `demo`."""
    began = time.monotonic()
    with ExitStack() as stack, _signals():
        try:
            demo = _Demo(args, stack)
            demo.start()
            _say(f"live after {time.monotonic() - began:.0f} s; Ctrl-C ends all of it")
            demo.watch()
        except _Stop:
            _say("ending")
    return 0


class _Demo:
    """The parts of a demo; `stack` ends them in the order opposite to their start."""

    def __init__(self, args: argparse.Namespace, stack: ExitStack) -> None:
        self._args = args
        self._stack = stack
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carewatch-demo-")))
        self._env = dict(os.environ)
        self._token = self._env.get("CAREWATCH_API_TOKEN") or secrets.token_urlsafe(9)
        self._env["CAREWATCH_API_TOKEN"] = self._token
        self._programs = load_all(PROGRAMS)
        self._children: list[Child] = []
        self._url = ""

    def start(self) -> None:
        """Start everything; returns when the worker shows numbers. The history goes on loading for some seconds."""
        broker = f"kafka://{self._broker()}"
        ensure_topics(broker, self._env.get("CAREWATCH_PREFIX") or "care.", whole("PARTITIONS", 8, 1))
        port = self._args.web_port or free_port()
        self._url = f"http://127.0.0.1:{port}"
        worker = self._child("worker", "worker", "--broker", broker, "--web-port", str(port))
        options = ["--live", "--days", str(self._args.days), "--seed", str(self._args.seed), "--broker", broker]
        self._child("simulator", "simulate", *self._programs, *options)
        wait_for(lambda: bool(self._numbers()), 120, "the worker to show the first numbers", worker)
        _say(f"board       {self._url}/")
        _say(f"follow-ups  {self._url}/followups  token {self._token}")
        _say(f"metrics     {self._url}/metrics")
        _say(f"broker      {broker}")
        _say(f"logs        {self._folder}")
        self._prometheus(port)

    def watch(self) -> None:
        """Show the live numbers until a signal comes. Raises StackError if a child ends."""
        while True:
            for child in self._children:
                if not child.alive:
                    raise StackError(f"the {child.name} ended: {child.log_tail()}")
            for line in summary(self._numbers()):
                _say(line)
            time.sleep(EVERY)

    def _broker(self) -> str:
        if self._args.broker:
            return str(self._args.broker).removeprefix("kafka://")
        reason = kafka_available()
        if reason is None:
            _say("starting Apache Kafka")
            return self._stack.enter_context(KafkaBroker(say=_say)).bootstrap
        other = tansu_available()
        if other is not None:
            raise StackError(f"no broker can be started: {reason}; {other}; or give a broker with --broker")
        _say(f"starting Tansu instead of Apache Kafka: {reason}")
        self._env |= {name: value for name, value in TANSU_ENV.items() if name not in os.environ}
        return self._stack.enter_context(TansuBroker(say=_say)).bootstrap

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

    def _prometheus(self, port: int) -> None:
        binaries = find_binaries(_say, fetch=True)
        if binaries.prometheus is None:
            _say("prometheus  not started: it is not installed")
            return
        alertmanager = None
        if binaries.alertmanager is None:
            _say("alertmanager  not started: it is not installed")
        else:
            alertmanager = self._stack.enter_context(Alertmanager(ALERTMANAGER_CONFIG, binaries=binaries))
        config = self._folder / "prometheus.yml"
        address = alertmanager.address if alertmanager else None
        configure(PROMETHEUS_CONFIG, config, worker=f"127.0.0.1:{port}", alertmanager=address)
        server = self._stack.enter_context(Prometheus(config, binaries=binaries))
        _say(f"prometheus  {server.url}")
        if alertmanager:
            _say(f"alerts      {alertmanager.url}")


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


@contextmanager
def _signals() -> Iterator[None]:
    """SIGINT and SIGTERM end the demo in order; a second one while it ends is not heard."""

    def stop(number: int, frame: object) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise _Stop

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(line: str) -> None:
    print(line, flush=True)
