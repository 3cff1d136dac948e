"""The arithmetic of the benchmark and its report; the measuring itself needs no test, it is run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bench import report
from bench.events import PARTITIONS, partition, write
from bench.ids import renamed
from bench.results import AIOKAFKA, BATCH, FAUST, QUIX_STATEFUL, Cost, Machine, Rate, Results, Site, Spread, spread
from bench.visible import Look, age_of_newest, events_shown, until_shown
from streams.clock import wall
from streams.door import Rejected, decode
from streams.events import TOPIC_OF_TYPE, CallReceived
from streams.programs import load_all

PROGRAMS = Path(__file__).parents[2] / "programs"
KEY = ("dispatch", "chicago")
MACHINE = Machine(
    when="2026-01-01", commit="abc", cores=2, cpu="a cpu", memory_gb=8, system="Linux", python="3.11", kafka="4"
)


def look(at: float, shown: int, took: float = 0.01) -> Look:
    return Look(asked=at, now=at, answered=at + took, counts={KEY: shown}, size=1)


def results() -> Results:
    rates = [(BATCH, 60_000), (QUIX_STATEFUL, 20_000), (FAUST, 1_500), (AIOKAFKA, 300_000)]
    site = Site(programs=3, calls=100_000, events=1_000_000, ready_after_kill=13.5, rss_empty_mb=100, rss_full_mb=250)
    site.quiet_visible = Spread(p50=20, p99=60, most=80, n=2000)
    site.load_scrape = Spread(p50=60, p99=100, most=100, n=50)
    site.flood_events = 500_000
    site.flood_visible = Spread(p50=100, p99=900, most=1200, n=800)
    return Results(
        machine=MACHINE,
        quick=False,
        rates=[Rate(name=name, work="", events=rate, seconds=1.0) for name, rate in rates],
        sites=[site],
        costs=[Cost(events=10**4, micros=20, calls=1, rss_mb=1), Cost(events=10**7, micros=23, calls=1, rss_mb=1)],
    )


def test_percentiles_are_values_that_were_measured() -> None:
    found = spread([each / 1000 for each in range(1, 201)])
    assert found == Spread(p50=100, p99=198, most=200, n=200)
    assert spread([0.5]) == Spread(p50=500, p99=500, most=500, n=1)
    assert spread([]) is None


def test_events_are_counted_in_the_text_of_metrics() -> None:
    text = (
        b"# TYPE care_events_total counter\n"
        b'care_events_total{program="chicago",topic="dispatch",type="call_received"} 2\n'
        b'care_events_total{program="chicago",topic="dispatch",type="call_closed"} 3.0\n'
        b'care_events_total{program="seattle",topic="status",type="unit_status"} 7\n'
        b"# TYPE care_events_rejected_total counter\n"
        b'care_events_rejected_total{topic="dispatch",reason="future"} 9\n'
    )
    assert events_shown(text) == {("dispatch", "chicago"): 5, ("status", "seattle"): 7}
    assert events_shown(b"# nothing\n") == {}


def test_an_event_is_visible_at_the_end_of_the_first_answer_that_shows_it() -> None:
    looks = [look(1.0, 10), look(1.1, 11), look(1.2, 13)]
    assert until_shown({KEY: [0.99, 1.05, 1.06, 1.19]}, {KEY: 10}, looks) == pytest.approx([0.12, 0.16, 0.15])


def test_age_of_the_newest_event_shown_while_others_wait() -> None:
    sent = [1.0 + each / 100 for each in range(100)]
    # 10 of 51 shown at 1.5, all 100 at 2.1, when nothing more is sent
    assert list(age_of_newest({KEY: sent}, {}, [look(1.5, 10), look(2.1, 100)], 50, 2.0)) == pytest.approx([0.42])
    assert not list(age_of_newest({KEY: sent}, {}, [look(1.5, 10)], 1000, 2.0)), "a slow feed says too little"


def test_renamed_events_are_of_other_calls() -> None:
    assert renamed(b'{"type":"x","id":"a","call":"b","followup":"7d"}', "1-") == (
        b'{"type":"x","id":"1-a","call":"1-b","followup":"7d"}'
    )


def test_both_feeds_are_the_same_valid_events(tmp_path: Path) -> None:
    many, few = write(tmp_path, PROGRAMS, 16, 60)
    seen = []
    for feed in (many, few):
        profiles = load_all(feed.profiles)
        assert len(profiles) == feed.programs
        events = []
        for line in feed.file.read_bytes().splitlines():
            head = json.loads(line)
            event = decode(TOPIC_OF_TYPE[head["type"]], head["program"].encode(), line, profiles, wall())
            assert not isinstance(event, Rejected), event
            events.append(event)
        assert len({event.id for event in events}) == len(events) == feed.events
        assert sum(isinstance(event, CallReceived) for event in events) == feed.calls >= 60
        seen.append(events)
    assert [event.id for event in seen[0]] == [event.id for event in seen[1]]
    homes = Counter(partition(program) for program in load_all(many.profiles))
    assert homes == dict.fromkeys(range(PARTITIONS), 2), "the programs spread evenly"


def test_what_must_hold_is_said_with_met_or_missed() -> None:
    rows = {figure: (measured, must, aim) for figure, measured, must, aim in report.goals(results())}
    where = "3 programs, 100,000 kept calls"
    assert rows["events/s, 64 programs, 8 partitions"] == ("60,000", "at least 50,000: met", "100,000: **missed**")
    assert rows[f"times the events/s of: {QUIX_STATEFUL}"] == ("3.0", "at least 3: met", "-")
    assert rows[f"times the events/s of: {FAUST}"] == ("40.0", "at least 25: met", "-")
    assert rows[f"share of the events/s of: {AIOKAFKA}"] == ("20%", "-", "25%: **missed**")
    visible = rows[f"event to visible in `/metrics`, 100 events/s, p99; {where}"]
    assert visible == ("60 ms", "below 250 ms: met", "50 ms: **missed**")
    assert rows[f"scrape at full load, p99; {where}"][1] == "below 100 ms: **missed**", "the bound itself is not below"
    flood = rows[f"another program's event to visible while 500,000 of one come at once, most; {where}"]
    assert flood == ("1.2 s", "below 1 s: **missed**", "-")
    assert rows[f"ready after kill -9, beyond the session timeout; {where}"] == (
        "3.5 s",
        "below 5 s: met",
        "2 s: **missed**",
    )
    assert rows[f"memory a kept call; {where}"][:2] == ("1,500 bytes", "below 2 kB: met")
    assert rows["cost of an event, 10^4 to 10^7"] == ("15% apart", "flat within 20%: met", "-")


def test_a_missing_peer_is_a_plain_line_and_never_a_number() -> None:
    run = results()
    run.rates[1] = Rate(name=QUIX_STATEFUL, work="", failed="not run: it is away")
    run.costs = run.costs[:1]
    text = report.render(run)
    assert f"| times the events/s of: {QUIX_STATEFUL} | - | at least 3: not measured | - |" in text
    assert "not measured: not run: it is away" in text
    assert "(only to 10,000 events)" in text


def test_the_generated_part_of_the_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.insert(page, "new")
    report.insert(page, "newer")
    assert page.read_text() == f"# before\n{report.BEGIN}\nnewer\n{report.END}\nafter\n"
