"""`carewatch broker`, as a user starts it: an Apache Kafka that keeps its data, and one plain line where it cannot."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer

from carewatch.native.process import free_port, port_open
from feeds.brokers import CONNECT_MS
from feeds.topics import ensure_topics
from tests.integration.harness import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow]
native = pytest.mark.usefixtures("native_kafka")
COMMAND = [sys.executable, "-m", "carewatch"]


@contextmanager
def broker(data: Path, port: int, **env: str) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, "broker", "--data", str(data), "--port", str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env}
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=40)


def said_when_ready(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line.rstrip())
        if line.startswith("Ctrl-C"):
            return said
    pytest.fail(f"{said} {process.stderr.read() if process.stderr else ''}")


def refused(data: Path, port: int, **env: str) -> str:
    """The one plain line with which a broker cannot start."""
    with broker(data, port, **env) as process:
        out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert error.count("\n") == 1
    assert error.startswith("carewatch: ")
    return error


def kafka_of(process: subprocess.Popen[str]) -> psutil.Process:
    """Its Java, as soon as there is one. Not any child: modules of others run some while they are imported."""

    def java() -> psutil.Process | None:
        for child in psutil.Process(process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it may end while it is asked
                if child.name() == "java":
                    return child
        return None

    return eventually(java, "Java")


@native
def test_data_is_kept_between_starts_on_loopback_only(tmp_path: Path) -> None:
    data, port = tmp_path / "deep" / "data", free_port()
    for start, end in enumerate((signal.SIGINT, signal.SIGTERM)):
        with broker(data, port) as process:
            assert said_when_ready(process) == [
                f"broker  kafka://127.0.0.1:{port}",
                f"data    {data}",
                "Ctrl-C ends it; the data stays",
            ]
            kafka = kafka_of(process)
            folders = {Path(argument).parent for argument in kafka.cmdline() if argument.endswith("server.properties")}
            listening = {c.laddr.ip for c in kafka.net_connections() if c.status == "LISTEN"}
            assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
            report = ensure_topics(f"127.0.0.1:{port}", "kept.", 2)
            assert all(("created" if start == 0 else "ok") in line for line in report)
            producer = KafkaProducer(bootstrap_servers=f"127.0.0.1:{port}")
            producer.send("kept.dispatch", b"%d" % start, partition=0).get(timeout=10)
            producer.close()
            process.send_signal(end)
            assert process.wait(timeout=40) == 0
            assert not kafka.is_running()
            assert folders
            assert not any(folder.exists() for folder in folders)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    with broker(data, port) as process:
        said_when_ready(process)
        consumer = KafkaConsumer(
            "kept.dispatch", bootstrap_servers=f"127.0.0.1:{port}", auto_offset_reset="earliest", group_id=None
        )
        assert [next(consumer).value for _ in range(2)] == [b"0", b"1"]
        consumer.close()
        # a second one: neither on the same data nor on the same port
        assert "another broker has this data; end it" in refused(data, free_port())
        line = refused(tmp_path / "other", port)
        assert f"port {port} cannot be had" in line
        assert "--port" in line
        kafka_of(process).kill()
        assert process.wait(timeout=20) == 2
        assert process.stderr
        line = process.stderr.read()
        assert line.startswith("carewatch: Kafka ended by itself: start it again, the data is in ")
        assert line.count("\n") == 1


@native
def test_commands_wait_for_a_broker_that_was_started_right_before(tmp_path: Path) -> None:
    port = free_port()
    address = f"kafka://127.0.0.1:{port}"
    argv = [*COMMAND, "topics", "create", "--broker", address, "--wait", "60"]
    with (
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as topics,
        broker(tmp_path / "data", port) as process,
    ):
        said_when_ready(process)
        out, error = topics.communicate(timeout=60)
    assert (topics.returncode, error) == (0, "")
    assert "care.dispatch: 8 partitions, created" in out
    assert CONNECT_MS >= 15_000


def test_what_is_missing_is_said_plainly(tmp_path: Path) -> None:
    line = refused(tmp_path / "data", free_port(), PATH="", JAVA_HOME="", KAFKA_HOME="")
    assert "Java was not found" in line
    assert "apt-get install" in line
    assert "JAVA_HOME" in line


@native
def test_a_folder_or_port_that_cannot_be_had_is_said_plainly(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert f"{file}: cannot be written" in refused(file, free_port())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert port_open(port)
        assert f"port {port} cannot be had" in refused(tmp_path / "data", port)


@native
def test_a_broker_that_is_ended_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    with broker(tmp_path / "data", free_port()) as process:
        kafka = kafka_of(process)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=40) == 0
        kafka.wait(timeout=5)
