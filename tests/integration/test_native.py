from __future__ import annotations

import dataclasses
import itertools
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import kafka as kafka_python
import psutil
import pytest
from kafka.admin import NewTopic

from carewatch.native.kafka import KafkaBroker, kafka_available, kafka_libs
from carewatch.native.process import Child, StackError, free_port, port_open, wait_for
from carewatch.native.prometheus import Alertmanager, Prometheus, _look_in_working_folder
from carewatch.native.tansu import LACKS, TansuBroker, tansu_available
from tests.integration.harness import Broker, require_prometheus

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SLEEP = shutil.which("sleep") or "/bin/sleep"


def produce(bootstrap: str, topic: str, value: bytes, *, create: bool = True) -> None:
    if create:
        admin = kafka_python.KafkaAdminClient(bootstrap_servers=bootstrap)
        admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
        admin.close()
    producer = kafka_python.KafkaProducer(bootstrap_servers=bootstrap)
    producer.send(topic, value).get(timeout=10)
    producer.close()


def consume(bootstrap: str, topic: str, count: int, group: str | None = None) -> list[bytes]:
    consumer = kafka_python.KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        consumer_timeout_ms=10_000,
    )
    values = [record.value for record in itertools.islice(consumer, count)]
    consumer.close()
    return values


def gone(pid: int) -> bool:
    # A killed process whose parent died may wait, dead, for some init to collect it.
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def only(folder: Path, *programs: str) -> str:
    """A PATH with only these programs, and those that a shell script needs."""
    folder.mkdir()
    for program in (*programs, "sh", "mkdir", "touch", "dirname"):
        found = shutil.which(program)
        assert found, program
        (folder / program).symlink_to(found)
    return str(folder)


def fake_maven(folder: Path, *, body: str) -> None:
    """An ``mvn`` that notes its call in ``calls`` and runs `body` with the output folder in ``$out``."""
    script = folder / "mvn"
    script.write_text(
        f'#!/bin/sh\necho called >> "{folder}/calls"\n'
        f'for a; do case "$a" in -DoutputDirectory=*) out="${{a#*=}}";; esac; done\n{body}\n'
    )
    script.chmod(0o755)


def test_kafka_carries_a_record(kafka: Broker) -> None:
    topic = f"native-{uuid.uuid4()}"
    produce(kafka.bootstrap, topic, b"hello")
    assert consume(kafka.bootstrap, topic, 1, group=topic) == [b"hello"]


@pytest.mark.full
@pytest.mark.usefixtures("native_kafka")
def test_kafka_keeps_data_and_port_over_a_halt_and_a_crash_and_leaves_nothing() -> None:
    with KafkaBroker() as broker:
        bootstrap, folder, first = broker.bootstrap, broker.folder, broker.pid
        assert folder is not None
        assert first is not None
        assert (folder / "data").is_dir()
        produce(bootstrap, "kept", b"one")

        broker.halt()
        assert not broker.alive
        assert not port_open(broker.port)
        broker.resume()
        assert broker.bootstrap == bootstrap
        assert broker.pid != first
        produce(bootstrap, "kept", b"two", create=False)

        broker.halt(kill=True)
        assert not port_open(broker.port)
        broker.resume()
        assert consume(bootstrap, "kept", 2) == [b"one", b"two"]
        last = broker.pid
        assert last is not None
    assert gone(first)
    assert gone(last)
    assert not folder.exists()
    assert broker.folder is None
    with pytest.raises(StackError, match="call start"):
        broker.resume()


@pytest.mark.full
@pytest.mark.usefixtures("native_kafka")
def test_kafka_keeps_a_given_data_folder_for_another_broker(tmp_path: Path) -> None:
    with KafkaBroker(data_dir=tmp_path / "data") as broker:
        produce(broker.bootstrap, "kept", b"one")
    with KafkaBroker(data_dir=tmp_path / "data") as other:
        assert other.port != broker.port
        assert consume(other.bootstrap, "kept", 1) == [b"one"]


@pytest.mark.usefixtures("native_kafka")
def test_kafka_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    broker = KafkaBroker(properties={"log.retention.ms": "soon"})
    with pytest.raises(StackError, match=r"soon") as error:
        broker.start()
    assert "\n" not in str(error.value)
    assert broker.folder is None
    assert not broker.alive


def test_no_java_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert kafka_available() == "Java was not found: install Java 17 or newer, or set JAVA_HOME to it"
    with pytest.raises(StackError, match="install Java 17"):
        KafkaBroker().start()


def test_an_old_java_is_said_plainly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_412\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert (kafka_available() or "").startswith(f"{java} is Java 8, too old for Kafka 4: install Java 17")


@pytest.mark.usefixtures("native_kafka")
def test_no_kafka_is_said_plainly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAREWATCH_CACHE", str(tmp_path))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    monkeypatch.setenv("PATH", only(tmp_path / "bin", "java"))
    assert (kafka_available() or "").startswith("Kafka was not found: set KAFKA_HOME")
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    assert (kafka_available() or "").endswith("has no Kafka jars in libs: point it to an unpacked Kafka 4")


def test_jars_are_resolved_once_even_by_two_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A stand-in for Maven: the real one fills the cache of the session's Kafka.
    path = only(tmp_path / "bin", "sleep")
    fake_maven(Path(path), body='sleep 0.3; mkdir -p "$out"; touch "$out/kafka_2.13-test.jar"')
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("CAREWATCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    code = "from carewatch.native.kafka import kafka_libs; print(kafka_libs(print))"
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    outputs = [process.communicate(timeout=30)[0].splitlines() for process in both]
    libs = kafka_libs(pytest.fail)  # no third download
    assert {lines[-1] for lines in outputs} == {str(libs)}
    assert sum(line.startswith("downloading Kafka") for lines in outputs for line in lines) == 1
    assert (Path(path) / "calls").read_text().splitlines() == ["called"]
    assert [child.name for child in libs.iterdir()] == ["kafka_2.13-test.jar"]


def test_a_failed_download_is_said_plainly_and_fills_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = only(tmp_path / "bin")
    fake_maven(Path(path), body="echo '[ERROR] no route'; echo '[ERROR] more'; exit 1")
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("CAREWATCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    with pytest.raises(StackError, match=r"check the network.*Maven said: \[ERROR\] no route$"):
        kafka_libs()
    assert [child.suffix for child in (tmp_path / "cache").iterdir()] == [".lock"]


def test_tansu_carries_a_record(tansu: Broker) -> None:
    topic = f"native-{uuid.uuid4()}"
    produce(tansu.bootstrap, topic, b"hello")
    assert consume(tansu.bootstrap, topic, 1) == [b"hello"]


def test_tansu_says_what_it_lacks_and_leaves_nothing() -> None:
    if reason := tansu_available():
        pytest.skip(reason)
    said: list[str] = []
    with TansuBroker(say=said.append) as broker:
        pid, folder = broker.pid, broker.folder
        assert pid is not None
        assert folder is not None
        assert {c.laddr.ip for c in psutil.Process(pid).net_connections() if c.status == "LISTEN"} == {"127.0.0.1"}
    assert said == [LACKS]
    assert gone(pid)
    assert not folder.exists()


def test_prometheus_starts_on_loopback_and_leaves_nothing(tmp_path: Path) -> None:
    binaries = require_prometheus()
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s}\n")
    with Prometheus(config, binaries=binaries) as server:
        pid = server.pid
        assert pid is not None
        assert {c.laddr.ip for c in psutil.Process(pid).net_connections() if c.status == "LISTEN"} == {"127.0.0.1"}
    assert gone(pid)
    config.write_text("nonsense: 1\n")
    with pytest.raises(StackError, match="field nonsense not found"):
        Prometheus(config, binaries=binaries).start()


def test_an_alertmanager_that_is_only_unpacked_reads_templates_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's has the folder of its templates compiled in; unpacked into the cache it must find those that came with it."""
    binaries = require_prometheus()
    assert binaries.alertmanager
    assert binaries.promtool
    monkeypatch.setenv("CAREWATCH_CACHE", str(tmp_path))
    there = tmp_path / "prometheus-unpacked" / "usr" / "bin" / "prometheus-alertmanager"
    there.parent.mkdir(parents=True)
    shutil.copy(binaries.alertmanager, there)
    _look_in_working_folder(there)
    if there.read_bytes() == binaries.alertmanager.read_bytes():
        pytest.skip("this Alertmanager has its templates inside: install Debian's prometheus-alertmanager to try this")
    templates = tmp_path / "prometheus-unpacked" / "usr" / "share" / "prometheus" / "alertmanager"
    templates.mkdir(parents=True)
    for name in ("default.tmpl", "email.tmpl"):
        (templates / name).write_text('{{ define "ours" }}{{ end }}')
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    unpacked = dataclasses.replace(binaries, alertmanager=there)
    with Alertmanager(config, binaries=unpacked) as server:
        assert server.alive
    (templates / "default.tmpl").write_text("{{ broken")
    with pytest.raises(StackError, match="broken"):
        Alertmanager(config, binaries=unpacked).start()


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_child_dies_with_a_killed_parent() -> None:
    code = (
        "import sys, pathlib, tempfile; from carewatch.native.process import Child\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        f"    print(Child('sleep', [{SLEEP!r}, '60'], pathlib.Path(folder)).pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_for(lambda: psutil.Process(pid).name() == "sleep", 10, "the program")
        parent.kill()
    wait_for(lambda: gone(pid), 10, "the child's end")


def test_a_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    children: list[Child] = []
    thread = threading.Thread(target=lambda: children.append(Child("sleep", [SLEEP, "60"], tmp_path)))
    thread.start()
    thread.join()
    child = children[0]
    wait_for(lambda: psutil.Process(child.pid).name() == "sleep", 10, "the program", child)
    assert child.alive
    child.stop()
    assert child.returncode == -signal.SIGTERM
    child.kill()  # again: nothing


def test_a_child_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    child = Child("deaf", [sys.executable, "-c", deaf], tmp_path)
    wait_for(lambda: child.log_tail() == "deaf", 10, "the child to be deaf", child)
    child.stop(timeout=0.2)
    assert child.returncode == -signal.SIGKILL


def test_waiting_ends_with_one_plain_line(tmp_path: Path) -> None:
    child = Child("false", [sys.executable, "-c", "print('no luck'); raise SystemExit(3)"], tmp_path)
    with pytest.raises(StackError) as ended:
        wait_for(lambda: False, 10, "luck", child)
    said = "waited for luck, but false ended (status 3): fix the cause and run it again; it last said: no luck"
    assert str(ended.value) == said
    with pytest.raises(StackError, match=r"^waited 0.1 s for luck without success"):
        wait_for(lambda: False, 0.1, "luck")
    with pytest.raises(StackError, match="is not a program"):
        Child("none", [str(tmp_path / "none")], tmp_path)


def test_a_free_port_is_given_once_and_is_no_port_of_outgoing_connections() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert max(ports) < 32_768
