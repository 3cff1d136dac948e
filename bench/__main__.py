"""The benchmark's command line: one run, one broker, the same events for all."""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil

from bench import contenders, report, site
from bench.contenders import PEERS_PYTHON, Run
from bench.events import PARTITIONS, Feed, write
from bench.processes import ROOT, Watched, environment
from bench.results import BATCH, PLAIN, Cost, Machine, Results, Site
from carewatch.native.kafka import KafkaBroker, kafka_version
from carewatch.native.process import Say, StackError, wait_for
from feeds.topics import ensure_topics

PROGRAMS = 64
BATCH_WORK = "all families of metrics, every event by its id once, changelog: the product"
PLAIN_WORK = "the same, one record at a time as stock Faust hands them out (`CAREWATCH_PATH=plain`)"


class Scale(msgspec.Struct, frozen=True):
    """How large a run is. Times in seconds."""

    calls: int
    box: float  # for contenders that would take long
    fill: float  # that the worker may take for all events
    load: float  # how long each load lasts
    flood: int  # events of one program at once
    largest: float  # events of the cost
    cost: float  # that the cost may take


FULL = Scale(calls=100_000, box=15.0, fill=180.0, load=30.0, flood=500_000, largest=1e7, cost=330.0)
QUICK = Scale(calls=8_000, box=4.0, fill=60.0, load=5.0, flood=50_000, largest=1e5, cost=60.0)


def main() -> int:
    """Run the benchmark; the exit status is 1 if a number of carewatch could not be measured."""
    args = _parser().parse_args()
    scale = QUICK if args.quick else FULL
    results = Results(machine=_machine(), quick=args.quick)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _run(results, scale, args.largest or scale.largest, say)
    except KeyboardInterrupt:
        results.unfinished = "interrupted"
    except StackError as error:
        results.unfinished = str(error)
    results.seconds = time.monotonic() - began
    print(f"\n{report.render(results)}\n")
    whole_run = not args.quick and not results.unfinished
    _store(results, args.out or ROOT / ("docs" if whole_run else "build/bench"), say)
    whole = not results.unfinished and all(not each.failed for each in results.sites) and bool(results.costs)
    return 0 if whole else 1


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 dev.py bench",
        description="The benchmark: carewatch beside its peers. Takes about 12 minutes on two cores that nothing else uses. "
        "Writes performance.md, performance.json and images/bench.svg.",
        epilog="example: python3 dev.py bench --quick",
    )
    parser.add_argument("--quick", action="store_true", help="a small run of about 3 minutes, written to build/bench")
    parser.add_argument("--largest", type=float, metavar="N", help="events of the cost measurement (default 1e7)")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where to write (default docs; build/bench if quick or not finished)"
    )
    return parser


def _run(results: Results, scale: Scale, largest: float, say: Say) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carewatch-bench-")))
        say(f"simulating {PROGRAMS} programs with {scale.calls:,} calls")
        feeds = write(folder, ROOT / "programs", PROGRAMS, scale.calls)
        say(f"starting Apache Kafka {kafka_version()}")
        broker = KafkaBroker(say=say, properties={"log.retention.check.interval.ms": "3600000"})
        stack.enter_context(broker)
        run = Run(folder, broker.bootstrap, say, scale.box)
        for feed in feeds:
            say(f"writing {feed.events:,} events of {feed.programs} programs to the topics")
            _produce(run, feed)
        many, few = feeds
        for peer in contenders.peers():
            say(peer.name)
            results.rates.append(contenders.run_peer(run, peer, f"{many.name}.", many.events))
            _told(results, say)
        say(PLAIN)
        results.rates.append(site.time_box(run, PLAIN, PLAIN_WORK, many, "plain"))
        _told(results, say)
        for feed in (many, few):
            say(f"{BATCH}, {feed.programs} programs")
            place = Site(programs=feed.programs, calls=feed.calls, events=feed.events)
            results.sites.append(place)
            rate = site.measure(run, feed, place, BATCH, BATCH_WORK, scale.fill, scale.load, scale.flood)
            if feed is many:
                results.rates.append(rate)
        broker.stop()
        say(f"cost of an event, up to {largest:,.0f} events (at most {scale.cost:.0f} s)")
        _cost(results, run, few, largest, scale.cost)


def _produce(run: Run, feed: Feed) -> None:
    ensure_topics(run.broker, f"{feed.name}.", PARTITIONS)
    command = [str(PEERS_PYTHON), "-m", "bench.producer", run.broker, f"{feed.name}.", str(feed.file)]
    producer = Watched(f"producer-{feed.name}", command, run.folder, environment())
    if producer.child.wait(timeout=300) != 0:
        raise StackError(f"the events could not be written: {producer.child.log_tail()}")
    producer.end()


def _told(results: Results, say: Say) -> None:
    last = results.rates[-1]
    rate = last.per_second
    say(f"  {last.failed}" if rate is None else f"  {rate:,.0f} events/s ({last.events:,} in {last.seconds:.1f} s)")


def _cost(results: Results, run: Run, feed: Feed, largest: float, within: float) -> None:
    arguments = [str(feed.file), str(feed.profiles), str(largest), str(within)]
    watched = Watched("cost", [sys.executable, "-m", "bench.cost", *arguments], run.folder, environment())
    decoder = msgspec.json.Decoder(Cost)

    def ended() -> bool:
        lines = watched.child.log.read_text().splitlines()
        for line in lines[len(results.costs) :]:
            if line.startswith("{") and line.endswith("}"):
                cost = decoder.decode(line)
                results.costs.append(cost)
                run.say(f"  {cost.micros:.1f} us an event at {cost.events:,} events, {cost.calls:,} kept calls")
        return not watched.child.alive

    try:
        wait_for(ended, within + 60, "the cost of an event", interval=0.5)
        ended()
        if watched.child.returncode != 0:
            raise StackError(f"the cost of an event could not be measured: {watched.child.log_tail(3)}")
    finally:
        watched.end(kill=True)


def _store(results: Results, out: Path, say: Say) -> None:
    (out / "images").mkdir(parents=True, exist_ok=True)
    data, page, picture = out / "performance.json", out / "performance.md", out / "images" / "bench.svg"
    data.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    if not page.exists():
        shutil.copy(ROOT / "docs" / "performance.md", page)
    report.insert(page, report.render(results))
    command = [str(PEERS_PYTHON), "-m", "bench.plot", str(data), str(picture)]
    drawn = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=120)
    if drawn.returncode:
        print(f"the picture could not be drawn: {drawn.stderr.strip().splitlines()[-1]}", file=sys.stderr)
    say(f"written: {page}, {data}, {picture}")


def _machine() -> Machine:
    describe = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    git = subprocess.run(describe, capture_output=True, text=True, check=False)
    return Machine(
        when=datetime.now(UTC).strftime("%Y-%m-%d"),
        commit=git.stdout.strip() or "unknown",
        cores=os.cpu_count() or 0,
        cpu=_cpu(),
        memory_gb=psutil.virtual_memory().total / 1e9,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        kafka=kafka_version(),
    )


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
