"""What goes wrong at the start ends in one plain line and exit status 2."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from carewatch.native.process import free_port
from tests.integration.harness import PROGRAMS, Broker, Site

pytestmark = [pytest.mark.integration, pytest.mark.slow]

COMMANDS = [
    ("demo",),
    ("broker",),
    ("worker",),
    ("topics",),
    ("topics", "create"),
    ("simulate",),
    ("replay",),
    ("verify",),
    ("dashboards", "push"),
]


@pytest.fixture(scope="module")
def site(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(kafka.bootstrap, tmp_path_factory.mktemp("errors"), {"LOG": "json"}) as site:
        yield site


def plain(done: subprocess.CompletedProcess[str], status: int = 2) -> str:
    """The one plain line on standard error; log lines are JSON here and information only."""
    assert done.returncode == status, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if not ('"level": "info"' in line and line.startswith("{"))]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("carewatch: ")
    assert done.stdout == ""
    return lines[0]


def test_a_corrupt_program_file(site: Site, tmp_path: Path) -> None:
    for file in PROGRAMS.glob("*.toml"):
        shutil.copy(file, tmp_path)
    (tmp_path / "seattle.toml").write_text('program = "seattle\n')
    assert "seattle.toml" in plain(site.command("worker", "--web-port", "0", "--programs", str(tmp_path)))


def test_no_programs(site: Site, tmp_path: Path) -> None:
    assert str(tmp_path) in plain(site.command("worker", "--web-port", "0", "--programs", str(tmp_path)))


def test_a_port_in_use(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = plain(site.command("worker", "--web-port", port))
    assert port in line
    assert "--web-port" in line


def test_missing_topics(site: Site) -> None:
    line = plain(site.command("worker", "--web-port", "0", PREFIX="nowhere."))
    assert "nowhere.dispatch" in line
    assert "carewatch topics create" in line
    assert "carewatch topics create" in plain(
        site.command("simulate", "seattle", "--broker", site.bootstrap, PREFIX="no.")
    )
    assert "carewatch topics create" in plain(site.command("topics", "create", "--check", PREFIX="nowhere."), status=1)


def test_another_number_of_partitions(site: Site) -> None:
    for argv in (("worker", "--web-port", "0"), ("topics", "create")):
        line = plain(site.command(*argv, PARTITIONS="5"))
        assert "CAREWATCH_PARTITIONS=8" in line


def test_settings_that_are_none(site: Site) -> None:
    assert "CAREWATCH_PARTITIONS" in plain(site.command("worker", PARTITIONS="many"))
    assert "broker" in plain(site.command("topics", "create", "--broker", "kafka://"))


def test_a_broker_that_is_not_there(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(
        '{"id":"1","type":"heartbeat","topic":"dispatch","program":"seattle","at":"2026-01-01T00:00:00Z"}\n'
    )
    nowhere = f"127.0.0.1:{free_port()}"
    commands = [("topics", "create"), ("replay", str(file)), ("verify",)]
    with ThreadPoolExecutor() as pool:  # each of them tries for some seconds
        for done in pool.map(lambda argv: site.command(*argv, "--broker", f"kafka://{nowhere}"), commands):
            assert nowhere in plain(done)


def test_verify_without_a_worker(site: Site) -> None:
    address = f"127.0.0.1:{free_port()}"
    assert address in plain(site.command("verify", "--worker", address, "--timeout", "0"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(command: tuple[str, ...]) -> None:
    argv = [sys.executable, "-m", "carewatch", *command, "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"example: carewatch {command[0]}" in done.stdout
