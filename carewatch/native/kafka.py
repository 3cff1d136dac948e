"""Apache Kafka on this machine: one broker that is its own controller (KRaft), for the demo and the tests."""

from __future__ import annotations

import functools
import importlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from carewatch.native.process import (
    Child,
    Say,
    StackError,
    cache_dir,
    free_port,
    locked,
    port_open,
    silent,
    wait_for,
)

_POM = Path(__file__).with_name("kafka-pom.xml")
_MIN_JAVA = 17
_NODE_ID = "1"
_CLUSTER = "Y2FyZXdhdGNoLWthZmthLQ"  # 16 bytes in base64; always the same, for a `data_dir` belongs to one cluster
_NO_KAFKA = "Kafka was not found: set KAFKA_HOME to an unpacked Kafka 4, or install Maven to download it once"

# A short-lived server gains more from a fast start than from the best code: the second compiler is off.
_JVM = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")

# A broker that stays up for weeks gets the code of both compilers, and the collector with short pauses.
_LASTING_JVM = ("-Xms512m", "-Xmx1g", "-XX:+UseG1GC", "-Djava.awt.headless=true")

_LOG4J = """\
status = error
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
"""

# One node has one replica of everything; few partitions of the internal topics make the first group fast.
_SINGLE_NODE = {
    "process.roles": "broker,controller",
    "node.id": _NODE_ID,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # After a crash the node waits for the session of its own former life to end; 9 s by default.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
}


def kafka_version() -> str:
    """The Kafka version that is downloaded, from ``kafka-pom.xml``, its only place."""
    found = re.search(r"<kafka\.version>(.+?)</", _POM.read_text())
    if found is None:
        raise StackError(f"{_POM} names no kafka.version: reinstall carewatch")
    return found[1]


def kafka_available() -> str | None:
    """None if `KafkaBroker` can run here, else the reason in one line. Downloads nothing."""
    if os.name != "posix":
        return "Kafka is started natively on Linux and macOS only"
    try:
        _java()
        if _libs_at_hand() is None and shutil.which("mvn") is None:
            return _NO_KAFKA
    except StackError as error:
        return str(error)
    return None


def kafka_libs(say: Say = silent) -> Path:
    """The folder of Kafka's jars: ``$KAFKA_HOME/libs``, else the cache, which Maven fills the first time.

    Safe when several processes call it at once: one downloads, the others wait for it.

    Args:
        say: Gets one line if there is something to download.

    Raises:
        StackError: KAFKA_HOME has no jars, Maven is missing or failed, or the cache cannot be written.
    """
    if libs := _libs_at_hand():
        return libs
    mvn = shutil.which("mvn")
    if mvn is None:
        raise StackError(_NO_KAFKA)
    target = _cached().parent
    with locked(target.with_name(target.name + ".lock")):
        if libs := _libs_at_hand():  # another process filled the cache while we waited
            return libs
        say(f"downloading Kafka {kafka_version()} (about 45 MB, once) to {target}")
        # In the cache folder itself: a rename is atomic only within one file system.
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temp:
            new = Path(temp) / target.name
            maven = Child(
                "maven",
                [
                    mvn,
                    "-q",
                    "-B",
                    f"--file={_POM}",
                    "dependency:copy-dependencies",
                    "-DincludeScope=runtime",
                    f"-DoutputDirectory={new / 'libs'}",
                ],
                Path(temp),
            )
            if maven.wait(timeout=600) != 0 or not _has_kafka(new / "libs"):
                errors = [x for x in maven.log_tail(100).splitlines() if x.startswith("[ERROR]")]
                said = (errors or [maven.log_tail() or "nothing"])[0]
                raise StackError(
                    f"Maven could not download Kafka: check the network, or set KAFKA_HOME to an unpacked "
                    f"Kafka 4; Maven said: {said[:300]}"
                )
            shutil.rmtree(target, ignore_errors=True)  # without jars, or we would not be here
            new.rename(target)
    return _cached()


class KafkaBroker:
    """One Kafka broker on 127.0.0.1. A context manager: entering starts it, leaving stops it.

    Topics are not created by themselves. Its ports stay the same over `halt` and `resume`.

    Args:
        data_dir: Keeps the data after `stop`, for a later broker; a temporary folder, removed by `stop`, if
            None.
        port: For clients; a free one if None.
        lasting: It will run for days: slower to start, and faster then.
        say: Gets a line before a download.
        start_timeout: Seconds that a start or `resume` may take.
        stop_timeout: Seconds that it may take to end in order.
        properties: Server properties that override this module's.
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        port: int | None = None,
        lasting: bool = False,
        say: Say = silent,
        start_timeout: float = 60.0,
        stop_timeout: float = 10.0,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port or free_port()
        self._controller_port = free_port()
        self._jvm = _LASTING_JVM if lasting else _JVM
        self._stop_timeout = stop_timeout
        self._data_dir = data_dir
        self._say = say
        self._start_timeout = start_timeout
        self._properties = dict(properties or {})
        self._temp: tempfile.TemporaryDirectory[str] | None = None
        self._command: list[str] = []
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, ``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether the broker's process runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The process id of the broker, of its last run if it is halted; None before start and after stop."""
        return None if self._child is None else self._child.pid

    @property
    def folder(self) -> Path | None:
        """The temporary folder with configuration, log and, without `data_dir`, data; None if not started."""
        return None if self._temp is None else Path(self._temp.name)

    def start(self) -> None:
        """Start the broker and return when it answers. Does nothing if it was started.

        Raises:
            StackError: Java or Kafka is missing, or the broker did not come up; nothing is left behind.
        """
        if self._temp is not None:
            return
        java, libs = _java(), kafka_libs(self._say)
        self._temp = tempfile.TemporaryDirectory(prefix="carewatch-kafka-", ignore_cleanup_errors=True)
        try:
            folder = Path(self._temp.name)
            config = self._write_config(folder)
            log4j = f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"
            run = [java, *self._jvm, log4j, "-cp", f"{libs}/*"]
            # "--ignore-formatted" keeps the data of a `data_dir`.
            tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={_CLUSTER}", "--ignore-formatted"]
            format_ = Child("kafka-format", [*run, *tool, "--config", str(config)], folder)
            if format_.wait(timeout=self._start_timeout) != 0:
                raise StackError(
                    f"Kafka could not prepare its data folder: use an empty one; it said: {format_.log_tail()}"
                )
            self._command = [*run, "kafka.Kafka", str(config)]
            self.resume()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the broker (killed if it takes over `stop_timeout`); remove its temporary folder. Can be repeated."""
        try:
            self.halt()
        finally:
            self._child = None
            if self._temp is not None:
                self._temp.cleanup()
                self._temp = None

    def halt(self, kill: bool = False) -> None:
        """End the process and keep data and ports for `resume`. Does nothing if it is not running.

        Args:
            kill: End it at once (SIGKILL), as a crash would; the next `resume` then takes some 3 s longer.
        """
        if self._child is not None:
            if kill:
                self._child.kill()
            else:
                self._child.stop(timeout=self._stop_timeout)

    def resume(self) -> None:
        """Start again after `halt`, with the same data and ports; returns when the broker answers.

        Does nothing if it is running.

        Raises:
            StackError: it was never started, was stopped, or did not come up.
        """
        if self._temp is None:
            raise StackError("this Kafka broker was not started: call start() first")
        if not self.alive:
            self._child = Child("kafka", self._command, Path(self._temp.name))
            wait_for(self._answers, self._start_timeout, "Kafka to answer", self._child)

    def wait(self) -> str:
        """Wait until the process ends, however long that takes; how it ended, and what it said last if it was not killed.

        Raises:
            StackError: it was never started or was stopped.
        """
        if self._child is None:
            raise StackError("this Kafka broker was not started: call start() first")
        status = self._child.join()
        how = self._child.how_it_ended
        return how if status < 0 else f"{how}, it last said: {self._child.log_tail()}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        # The bare connection first: a client logs every refused one.
        return port_open(self.port) and has_brokers(self.bootstrap)

    def _write_config(self, folder: Path) -> Path:
        client, controller = self.bootstrap, f"127.0.0.1:{self._controller_port}"
        properties = {
            **_SINGLE_NODE,
            "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{client}",
            "controller.quorum.voters": f"{_NODE_ID}@{controller}",
            "log.dirs": str(folder / "data" if self._data_dir is None else self._data_dir.absolute()),
            **self._properties,
        }
        (folder / "log4j2.properties").write_text(_LOG4J)
        config = folder / "server.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        return config


def has_brokers(bootstrap: str) -> bool:
    """Whether a server of the Kafka protocol at `bootstrap` answers a metadata request with a broker."""
    kafka = importlib.import_module("kafka")  # loaded late, and untyped
    try:
        admin = kafka.KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    except kafka.errors.KafkaError:
        return False
    try:
        return bool(admin.describe_cluster()["brokers"])
    except kafka.errors.KafkaError:
        return False
    finally:
        admin.close()


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    what = f"install Java {_MIN_JAVA} or newer, or set JAVA_HOME to it"
    if java is None:
        raise StackError(f"Java was not found{f' in JAVA_HOME={home}' if home else ''}: {what}")
    version = _java_version(java)
    if version < _MIN_JAVA:
        raise StackError(f"{java} is Java {version or 'of an unknown version'}, too old for Kafka 4: {what}")
    return java


@functools.cache
def _java_version(java: str) -> int:
    try:
        done = subprocess.run(  # noqa: S603 the user's own Java
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)  # "1.8.0" is Java 8
    return int(found[1]) if found else 0


def _libs_at_hand() -> Path | None:
    if home := os.environ.get("KAFKA_HOME"):
        libs = Path(home).absolute() / "libs"
        if not _has_kafka(libs):
            raise StackError(f"KAFKA_HOME={home} has no Kafka jars in libs: point it to an unpacked Kafka 4")
        return libs
    libs = _cached()
    return libs if _has_kafka(libs) else None


def _cached() -> Path:
    return cache_dir() / f"kafka-{kafka_version()}" / "libs"


def _has_kafka(libs: Path) -> bool:
    return any(libs.glob("kafka_2.*.jar"))
