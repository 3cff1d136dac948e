"""The peers, and one way to run them: each a process of its own that reads the same topics from the start."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.processes import ROOT, Watched, environment
from bench.results import AIOKAFKA, CONFLUENT, FAUST, QUIX_RECORDS, QUIX_STATEFUL, QUIX_STATELESS, STREAMS, Rate
from carewatch.native.kafka import kafka_version
from carewatch.native.process import Child, Say, StackError, cache_dir, locked
from streams.events import TOPICS

#: The peers' own Python, made by `python3 dev.py bench`.
PEERS_PYTHON = ROOT / "bench" / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
#: Seconds that a peer may take to start before its first record.
START_WITHIN = 60.0


@dataclass(frozen=True)
class Run:
    """What the parts of a run share. `say` shows a line of progress."""

    folder: Path
    broker: str
    say: Say
    seconds: float  # the most that a slow contender is measured


@dataclass(frozen=True)
class Peer:
    """A peer and what it does of the work; `command` gives the command up to the arguments of `bench.peers.meter`."""

    name: str
    work: str
    command: Callable[[Run], Sequence[str]]


def peers() -> tuple[Peer, ...]:
    """All peers, the slowest first."""
    return (
        Peer(FAUST, "typed record, a counter in a table with a changelog", _ours("faust_table")),
        Peer(
            QUIX_RECORDS,
            "JSON, a record a call, case and unit in its RocksDB store with a changelog",
            _theirs("quix_keep"),
        ),
        Peer(QUIX_STATEFUL, "JSON, a counter in its RocksDB store with a changelog", _theirs("quix_count")),
        Peer(QUIX_STATELESS, "JSON only, no state", _theirs("quix_look")),
        Peer(STREAMS, "JSON, a counter in its RocksDB store with a changelog", _java),
        Peer(CONFLUENT, "typed decoding only (C client with threads of its own)", _theirs("raw_confluent")),
        Peer(AIOKAFKA, "typed decoding only: the limit of this client", _ours("raw_aiokafka")),
    )


def run_peer(run: Run, peer: Peer, prefix: str, total: int) -> Rate:
    """Run a peer until it has read everything or the time is up."""
    found = Rate(name=peer.name, work=peer.work)
    try:
        command = list(peer.command(run))
    except StackError as error:
        found.failed = str(error)
        return found
    name = "peer-" + "".join(letter for letter in peer.name if letter.isalnum())
    folder = run.folder / f"{name}-state"
    folder.mkdir()
    topics = [prefix + topic for topic in TOPICS]
    arguments = [run.broker, name, str(total), str(run.seconds), str(folder), *topics]
    watched = Watched(name, [*command, *arguments], run.folder, environment())
    give_up = time.monotonic() + START_WITHIN + run.seconds
    try:
        while watched.child.alive and time.monotonic() < give_up:
            time.sleep(0.2)
        ended = not watched.child.alive and watched.child.returncode == 0
    finally:
        watched.end(kill=True)
        shutil.rmtree(folder, ignore_errors=True)
    told = watched.last_line()
    if told and ended:
        found.events, found.seconds, found.peak_rss_mb = int(told["events"]), told["seconds"], watched.peak_mb
    else:
        found.failed = watched.child.log_tail() or "it handled nothing in time"
    return found


def _ours(module: str) -> Callable[[Run], Sequence[str]]:
    return lambda run: [sys.executable, "-m", f"bench.peers.{module}"]


def _theirs(module: str) -> Callable[[Run], Sequence[str]]:
    return lambda run: [str(PEERS_PYTHON), "-m", f"bench.peers.{module}"]


def _java(run: Run) -> Sequence[str]:
    home = os.environ.get("JAVA_HOME")
    java, mvn = shutil.which("java", path=f"{home}/bin" if home else None), shutil.which("mvn")
    if java is None or not (Path(java).resolve().parent / "javac").exists():
        raise StackError("not run: it needs a JDK (javac) of version 17 or newer")
    target = cache_dir() / f"kafka-streams-{kafka_version()}"
    with locked(target.with_name(target.name + ".lock")):
        if not target.is_dir():
            if mvn is None:
                raise StackError("not run: it needs Maven to download Kafka Streams")
            run.say(f"downloading Kafka Streams {kafka_version()} (about 95 MB, once)")
            _download(mvn, target)
    source = ROOT / "bench" / "peers" / "streams" / "Peer.java"
    return [java, "-Xmx1g", "-cp", f"{target}/*", str(source)]


def _download(mvn: str, target: Path) -> None:
    pom = ROOT / "bench" / "peers" / "streams" / "pom.xml"
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temp:
        jars = Path(temp) / "jars"
        options = [f"-Dkafka.version={kafka_version()}", "-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
        command = [mvn, "-q", "-B", f"--file={pom}", "dependency:copy-dependencies", *options]
        maven = Child("maven", command, Path(temp))
        if maven.wait(timeout=600) != 0:
            raise StackError(f"not run: Maven could not download it: {maven.log_tail()[:200]}")
        with suppress(FileExistsError):
            jars.rename(target)
