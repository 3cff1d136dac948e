"""`carewatch demo`, as a user starts it: live numbers, and nothing left when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from carewatch.scrape import scrape

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.full]


@pytest.fixture
def demo(broker: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    env = dict(os.environ)
    if broker == "kafka":
        request.getfixturevalue("native_kafka")
    else:
        request.getfixturevalue("tansu")
        env |= {
            "PATH": str(tmp_path),
            "CAREWATCH_CACHE": str(tmp_path / "cache"),
            "KAFKA_HOME": "",
        }  # no Java, no Maven
        env.pop("JAVA_HOME", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "carewatch", "demo", "--days", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


@pytest.mark.parametrize(("broker", "end"), [("kafka", signal.SIGINT), ("tansu", signal.SIGTERM)])
def test_live_and_then_gone(demo: subprocess.Popen[str], end: signal.Signals) -> None:
    assert demo.stdout
    said: list[str] = []
    url = ""
    for line in demo.stdout:  # ends with the process, so a demo that fails ends the test
        said.append(line)
        if line.startswith("metrics"):
            url = line.split()[1].removesuffix("/metrics")
        if line.startswith("seattle"):
            break
    assert any(line.startswith("live after") for line in said), said
    assert f"board       {url}/\n" in said
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert b"<title>carewatch: live board</title>" in answer.read()
    programs = {value for (name, labels) in scrape(url).numbers for label, value in labels if label == "program"}
    assert programs == {"cambridge", "chicago", "seattle"}
    children = psutil.Process(demo.pid).children(recursive=True)
    assert len(children) >= 3
    demo.send_signal(end)
    assert demo.wait(timeout=40) == 0
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
