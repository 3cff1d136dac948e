"""`carewatch demo`, as a user starts it: live at any hour, whatever else is missing, and nothing left when it ends."""

from __future__ import annotations

import os
import pty
import queue
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil
import pytest

from agents.logins import checked
from carewatch.scrape import Numbers, scrape
from streams import metrics as m
from tests.integration.harness import PROGRAMS, eventually, require_prometheus

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.full]

SIMULATED = "simulated data: no call, unit or person here is real"


class Demo:
    """A demo that runs, and what it has said."""

    def __init__(
        self, *options: str, env: Mapping[str, str], stdout: int = subprocess.PIPE, cwd: Path | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "carewatch", "demo", "--days", "1", *options],
            stdout=stdout,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), **env},
            cwd=cwd,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self.said: list[str] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.children: list[psutil.Process] = []

    def read(self, text: IO[str]) -> None:
        """Take what it says from here, from now on."""

        def lines() -> None:
            with text, suppress(OSError):  # a terminal whose other end is gone
                for line in text:
                    self._lines.put(line.rstrip())

        threading.Thread(target=lines, daemon=True).start()

    def until(self, start: str, timeout: float = 90.0) -> str:
        """The next line that begins so."""
        while True:
            try:
                line = self._lines.get(timeout=timeout)
            except queue.Empty:
                pytest.fail(f"no line {start!r}; said: {self.said}", pytrace=False)
            self.said.append(line)
            if line.startswith(start):
                return line

    def live(self) -> str:
        """Wait until it is live, and remember its processes; its address."""
        self.until("live after")
        self.children = psutil.Process(self.process.pid).children(recursive=True)
        assert len(self.children) >= 3
        listening = {
            found.laddr.ip
            for child in self.children
            for found in child.net_connections("inet")
            if found.status == psutil.CONN_LISTEN
        }
        assert {"127.0.0.1"} <= listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, "of nobody else's business"
        token = next(line.split()[-1] for line in self.said if line.startswith("follow-ups"))
        assert checked(token) == token
        assert not [child for child in self.children if token in " ".join(child.cmdline())]
        return next(line.split()[1].rstrip("/") for line in self.said if line.startswith("board"))

    def gone(self) -> None:
        """It ends well, and all that it started, with a second signal while it does so."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=40) == 0
        _, alive = psutil.wait_procs(self.children, timeout=5)
        assert not alive
        folders = [line.split()[1] for line in self.said if line.startswith("logs")]
        assert folders
        assert not Path(folders[0]).exists()


Start = Callable[..., Demo]


@pytest.fixture
def start() -> Iterator[Start]:
    demos: list[Demo] = []

    def start(*options: str, **more: Mapping[str, str] | Path | None) -> Demo:
        demo = Demo(*options, **more)  # type: ignore[arg-type]  # Demo's own
        demos.append(demo)
        assert demo.process.stdout
        demo.read(demo.process.stdout)
        return demo

    yield start
    for demo in demos:
        if demo.process.poll() is None:
            demo.process.kill()
        demo.process.wait()


@pytest.fixture
def without_java(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """No Java, no Maven, no Prometheus, nothing to get them with: what a machine has that has Python only."""
    request.getfixturevalue("tansu")
    return {"PATH": str(tmp_path), "CAREWATCH_CACHE": str(tmp_path / "cache"), "KAFKA_HOME": "", "JAVA_HOME": ""}


def numbers(url: str) -> Numbers:
    return scrape(url).numbers


def by_program(found: Numbers, metric: m.Metric, **wanted: str) -> dict[str, float]:
    sums: dict[str, float] = {}
    for (name, labels), value in found.items():
        its = dict(labels)
        if name == metric.name and wanted.items() <= its.items():
            sums[its["program"]] = sums.get(its["program"], 0.0) + value
    return sums


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


@pytest.mark.usefixtures("native_kafka")
def test_live_with_parts_that_fail_and_then_gone(start: Start, tmp_path: Path) -> None:
    """On Kafka; Alertmanager does not start, Prometheus dies later. Within a minute each program closes a call."""
    require_prometheus()
    for name in ("prometheus-alertmanager", "alertmanager"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'no templates here' >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    demo = start(env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"})
    assert demo.until("") == SIMULATED
    url = demo.live()
    lines = [line for line in demo.said if line.startswith("alerts")]
    assert len(lines) == 1
    assert "none: " in lines[0]
    assert "no templates here" in lines[0]
    assert "install Debian's package prometheus-alertmanager" in lines[0]
    assert "<title>carewatch: live board</title>" in page(url)
    assert "Simulated data: no call, unit or person here is real" in page(url)
    before = numbers(url)
    assert set(by_program(before, m.UNITS)) == {"cambridge", "chicago", "seattle"}
    assert all(by_program(before, m.UNITS_PLANNED).values()), "crews are planned at any hour"

    def an_outcome_each() -> bool:
        now = by_program(numbers(url), m.CLOSED)
        return all(now[program] > count for program, count in by_program(before, m.CLOSED).items())

    eventually(an_outcome_each, "a call of each program to be closed", timeout=60)
    prometheus = next(child for child in demo.children if child.name() == "prometheus")
    prometheus.kill()
    assert "(killed by SIGKILL)" in demo.until("prometheus ended")
    demo.until("seattle")
    demo.process.send_signal(signal.SIGINT)
    demo.until("ending")
    demo.gone()


def test_a_city_of_ones_own_without_java(start: Start, without_java: dict[str, str], tmp_path: Path) -> None:
    """On Tansu; a program file that nothing else is known of, in a folder beside, at twenty minutes a minute."""
    folder = tmp_path / "mine"
    folder.mkdir()
    text = (PROGRAMS / "cambridge.toml").read_text().replace('program = "cambridge"', 'program = "springfield"')
    (folder / "springfield.toml").write_text(text)
    demo = start("--speed", "20", env=without_java | {"CAREWATCH_PROGRAMS": "mine"}, cwd=tmp_path)
    assert demo.until("") == f"{SIMULATED}, 20 simulated minutes a minute"
    url = demo.live()
    for part, package in (("prometheus", "prometheus"), ("alerts", "prometheus-alertmanager")):
        line = next(line for line in demo.said if line.startswith(f"{part} "))
        assert "none: " in line
        assert f"install Debian's package {package} " in line
    found = numbers(url)
    assert set(by_program(found, m.UNITS)) == {"springfield"}
    assert by_program(found, m.TARGET, interval="received_to_on_scene") == {"springfield": 60.0}, (
        "20 min, so much sooner"
    )
    assert "20 simulated minutes a minute" in page(url)
    demo.process.send_signal(signal.SIGTERM)
    demo.until("ending")
    demo.gone()


@pytest.mark.usefixtures("native_kafka")
def test_a_closed_terminal_ends_it() -> None:
    """In the true opening hours, in a terminal that is closed: the demo is told by SIGHUP and can write nothing more."""
    here, there = pty.openpty()
    demo = Demo("--hours", "real", env={}, stdout=there)
    try:
        os.close(there)
        demo.read(os.fdopen(os.dup(here), errors="replace"))
        demo.live()
        planned = by_program(numbers(next(x.split()[1] for x in demo.said if x.startswith("board"))), m.UNITS_PLANNED)
        told = {line.split()[0] for line in demo.said if "no team works now" in line}
        assert told <= {program for program, units in planned.items() if not units}
        os.close(here)
        demo.process.send_signal(signal.SIGHUP)  # as the kernel does for the leader of the terminal's session
        demo.gone()
    finally:
        if demo.process.poll() is None:
            demo.process.kill()
        demo.process.wait()
