"""One worker with a hundred thousand kept calls: how fast it fills, answers, comes back, and how large it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from bench.contenders import PEERS_PYTHON, Run
from bench.events import PARTITIONS, Feed
from bench.processes import Watched, environment
from bench.results import Rate, Site, Spread, spread
from bench.visible import Key, Look, age_of_newest, until_shown
from bench.worker import FAILURES, Worker
from carewatch.native.process import StackError
from feeds.topics import ensure_topics

#: The load of a large installation: events a second.
QUIET_RATE = 100.0
#: Full load: this share of what the same worker did at most, so that it is busy and does not fall behind.
LOAD_SHARE = 0.75
#: Feeds with fewer events a second than this say too little about the age of the newest one.
BUSY = 50.0
#: Seconds that events sent may take to be shown.
SHOWN_WITHIN = 60.0
#: Seconds that a flood may take to be shown after the quiet load beside it has ended.
FLOOD_WITHIN = 180.0


def time_box(run: Run, name: str, work: str, feed: Feed, path: str) -> Rate:
    """A worker that is measured for a while and ended."""
    worker = Worker(run.folder, run.broker, f"{feed.name}.", f"box-{path}", feed.profiles, PARTITIONS, path)
    try:
        worker.ready()
        worker.catch_up(feed.events, run.seconds, lambda done: None)
        return _rate(worker, name, work, feed.events)
    except FAILURES as error:
        return Rate(name=name, work=work, failed=worker.why(error))
    finally:
        worker.process.end(kill=True)


def measure(run: Run, feed: Feed, site: Site, name: str, work: str, within: float, seconds: float, flood: int) -> Rate:
    """Fill `site`, and say how fast the worker took the events.

    Args:
        run: What the parts share.
        feed: Events that are in the topics already.
        site: Gets the numbers as they are measured.
        name: Name of the contender.
        work: What it does.
        within: Seconds that the worker may take for the events.
        seconds: How long a load lasts.
        flood: Events of one program that come at once.
    """
    found = Rate(name=name, work=work)
    prefix, group = f"{feed.name}.", f"site-{feed.name}"
    site.rss_empty_mb = _empty(run, feed)
    worker = Worker(run.folder, run.broker, prefix, group, feed.profiles, PARTITIONS)
    try:
        worker.ready()
        worker.catch_up(feed.events, within, _Progress(run, feed.events))
        found = _rate(worker, name, work, feed.events)
        if found.events < feed.events:
            raise StackError(f"the worker applied {found.events:,} of {feed.events:,} events in {within:g} s")
        site.fill_per_second = found.per_second
        site.rss_full_mb = worker.process.rss_mb()
        run.say(f"  {found.per_second or 0:,.0f} events/s; {site.bytes_a_call or 0:,.0f} bytes a kept call")

        quiet = _load(run, worker, feed, QUIET_RATE, seconds, "q", busy=False)
        site.quiet_rate, site.quiet_seconds = QUIET_RATE, seconds
        site.quiet_visible = spread(until_shown(quiet.sent, quiet.base, quiet.looks))
        site.quiet_scrape = spread([look.took for look in quiet.during])
        site.scrape_mb = quiet.looks[-1].size / 1e6
        _say(run, f"visible at {QUIET_RATE:g} events/s", site.quiet_visible)

        before, peak = worker.received(), worker.process.peak_mb
        worker.process.end(kill=True)
        killed = time.monotonic()
        worker = Worker(run.folder, run.broker, prefix, group, feed.profiles, PARTITIONS)
        worker.ready()
        site.ready_after_kill = time.monotonic() - killed
        if (after := worker.received()) != before:
            raise StackError(f"{before} calls received before kill -9, {after} after it")
        site.peak_rss_mb = max(peak, worker.process.peak_mb)
        run.say(f"  ready {site.ready_after_kill:.1f} s after kill -9 (session timeout {site.session_timeout:g} s)")

        rate = LOAD_SHARE * (found.per_second or 0)
        load = _load(run, worker, feed, rate, seconds, "l", busy=True)
        until = max(times[-1] for times in load.sent.values())
        site.load_rate, site.load_seconds = load.rate, seconds
        site.load_visible = spread(list(age_of_newest(load.sent, load.base, load.looks, BUSY, until)))
        site.load_scrape = spread([look.took for look in load.during])
        site.load_kept_up = load.behind < rate
        _say(run, f"visible at {rate:,.0f} events/s", site.load_visible)
        _say(run, f"scrapes at {rate:,.0f} events/s", site.load_scrape)

        site.flood_events = flood
        site.flood_seconds, beside = _flood(run, worker, feed, flood, flood / (found.per_second or 1))
        site.flood_visible = spread(beside)
        _say(run, f"another's event visible while {flood:,} of one program come", site.flood_visible)
    except FAILURES as error:
        site.failed = worker.why(error)
        found.failed = "" if found.events else site.failed
        run.say(f"  failed: {site.failed}")
    finally:
        worker.process.end(kill=True)
    return found


class Load(NamedTuple):
    """What was sent, and the scrapes meanwhile. `during`: those while events were being sent."""

    sent: Mapping[Key, Sequence[float]]
    base: Mapping[Key, int]
    looks: Sequence[Look]
    during: Sequence[Look]
    rate: float
    behind: int  # events not shown when the last one was sent


def _flood(run: Run, worker: Worker, feed: Feed, count: int, seconds: float) -> tuple[float, list[float]]:
    """Send so many events of the busiest program at once, and a quiet load of the others for about as long (`seconds`).

    Seconds from the first of the many being shown to the last, and how long each event of the others that was sent meanwhile took.
    """
    counts = _settled(worker)
    busiest = max(counts, key=lambda key: counts[key])[1]

    def many(look: Look) -> int:
        return sum(shown - counts.get(key, 0) for key, shown in look.counts.items() if key[1] == busiest)

    producer = _producer(run, feed, "f", "--events", str(count), "--only", busiest)
    try:
        load = _load(run, worker, feed, QUIET_RATE, seconds, "o", True, "--skip", busiest, base=counts)
        looks = list(load.looks)
        give_up = time.monotonic() + FLOOD_WITHIN
        while many(looks[-1]) < count and time.monotonic() < give_up:
            _look(worker, looks, busy=True)
    finally:
        producer.end()
    if many(looks[-1]) < count:
        raise StackError(
            f"{count:,} events of {busiest} were not shown in {FLOOD_WITHIN:g} s: {producer.child.log_tail()}"
        )
    begun = next(look.now for look in looks if many(look))
    ended = next(look.now for look in looks if many(look) >= count)
    meanwhile = {key: [at for at in times if begun <= at <= ended] for key, times in load.sent.items()}
    before = {key: load.base.get(key, 0) + sum(at < begun for at in times) for key, times in load.sent.items()}
    return ended - begun, until_shown(meanwhile, before, looks)


def _producer(run: Run, feed: Feed, mark: str, *options: str) -> Watched:
    command = [str(PEERS_PYTHON), "-m", "bench.producer", run.broker, f"{feed.name}.", str(feed.file)]
    return Watched(f"producer-{feed.name}-{mark}", [*command, "--mark", mark, *options], run.folder, environment())


def _load(
    run: Run,
    worker: Worker,
    feed: Feed,
    rate: float,
    seconds: float,
    mark: str,
    busy: bool,
    *options: str,
    base: Mapping[Key, int] | None = None,
) -> Load:
    """Send events at a rate and scrape: after each answer a pause, if busy at least twice as long as the scrape.

    `options` say which of the feed; `base` are the counts before, if something else is sent already.
    """
    base = base or _settled(worker)
    log = run.folder / f"sent-{feed.name}-{mark}"
    producer = _producer(run, feed, mark, "--rate", str(rate), "--seconds", str(seconds), "--log", str(log), *options)
    looks: list[Look] = []
    try:
        while producer.child.alive:
            _look(worker, looks, busy)
    finally:
        producer.end()
    if producer.child.returncode != 0:
        raise StackError(f"the load generator failed: {producer.child.log_tail()}")
    logged = msgspec.msgpack.decode(log.read_bytes(), type=dict[str, dict[str, list[int]]])
    sent = {
        (topic.rpartition(".")[2], program): [at / 1e6 for at in times]
        for topic, programs in logged.items()
        for program, times in programs.items()
    }

    def shown(look: Look) -> int:
        return sum(look.counts.get(key, 0) - base.get(key, 0) for key in sent)

    first, last = min(times[0] for times in sent.values()), max(times[-1] for times in sent.values())
    wanted = sum(len(times) for times in sent.values())
    give_up = time.monotonic() + SHOWN_WITHIN
    while shown(looks[-1]) < wanted and time.monotonic() < give_up:
        _look(worker, looks, busy)
    if (left := wanted - shown(looks[-1])) > 0:
        raise StackError(f"{left:,} of {wanted:,} events at {rate:,.0f}/s were not shown in {SHOWN_WITHIN:g} s")
    during = [look for look in looks if first <= look.asked <= last]
    final = (during or looks)[-1]
    sent_by_then = sum(sum(at <= final.now for at in times) for times in sent.values())
    return Load(sent, base, looks, during, wanted / max(last - first, 1e-9), sent_by_then - shown(final))


def _look(worker: Worker, looks: list[Look], busy: bool) -> None:
    looks.append(worker.look())
    time.sleep(max(0.05, 2 * looks[-1].took) if busy else 0.01)


def _say(run: Run, what: str, found: Spread | None) -> None:
    numbers = (
        "nothing to measure" if found is None else f"p50 {found.p50:,.0f} ms, p99 {found.p99:,.0f} ms (n = {found.n:,})"
    )
    run.say(f"  {what}: {numbers}")


def _settled(worker: Worker) -> Mapping[Key, int]:
    """The events shown, when nothing moves any more: after a restart some are read again."""
    counts = worker.look().counts
    for _ in range(50):
        time.sleep(0.5)
        before, counts = counts, worker.look().counts
        if counts == before:
            break
    return counts


def _empty(run: Run, feed: Feed) -> float | None:
    """Memory of a worker with these programs and no event, after a scrape; None if there is none."""
    ensure_topics(run.broker, "empty.", PARTITIONS)
    worker = Worker(run.folder, run.broker, "empty.", f"empty-{feed.name}", feed.profiles, PARTITIONS)
    try:
        worker.ready()
        worker.look()
        return worker.process.rss_mb()
    except FAILURES as error:
        run.say(f"  failed: {worker.why(error)}")
        return None
    finally:
        worker.process.end(kill=True)


def _rate(worker: Worker, name: str, work: str, total: int) -> Rate:
    """Events applied from the first to the last record of the changelog, or to now if it has not caught up."""
    look = worker.look()
    shown = sum(look.counts.values())
    first, last = worker.written()
    seconds = (last if shown >= total else look.now) - first
    return Rate(name=name, work=work, events=shown, seconds=seconds, peak_rss_mb=worker.process.peak_mb)


class _Progress:
    """A line every few seconds."""

    def __init__(self, run: Run, total: int) -> None:
        self._run, self._total, self._told = run, total, time.monotonic()

    def __call__(self, done: int) -> None:
        if time.monotonic() - self._told > 5:
            self._told = time.monotonic()
            self._run.say(f"  {done:,} of {self._total:,} events")
