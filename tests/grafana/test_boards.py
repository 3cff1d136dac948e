"""The dashboards as Grafana draws them, in every scene: what is seen is right, and nothing that should not be seen is."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

import pytest

from dashboards.catalogue import SIGNALS
from dashboards.grafana.shown import NONE
from tests.grafana.conftest import COUNTED, Look
from tests.grafana.looked import BOARDS, UNKNOWN, Seen, faults
from tests.grafana.scenes import DOWN, GONE, NAMES, Stage
from tests.grafana.told import DAY

pytestmark = [pytest.mark.grafana, pytest.mark.slow, pytest.mark.full]


def panel(seen: list[Seen], board: str, title: str) -> Seen:
    return next(one for one in seen if one.board == board and one.title.partition(" (red")[0] == title)


def number(text: str) -> int:
    assert re.fullmatch(r"[\d,]+", text), f"'{text}' is no whole number"
    return int(text.replace(",", ""))


# --- in every scene


@pytest.mark.parametrize("name", NAMES)
def test_nobody_sees_what_is_wrong(looked: Look, name: str) -> None:
    found = [f"{seen}: {fault}" for seen in looked(name) for fault in faults(seen)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", NAMES)
def test_all_panels_are_drawn(looked: Look, name: str) -> None:
    seen = looked(name)
    there = Counter((one.board, one.window) for one in seen)
    assert all(count == len(BOARDS[board]["panels"]) for (board, _), count in there.items())
    assert len({one.board for one in seen}) >= len(COUNTED)


def test_a_panel_without_numbers_says_that_it_is_unknown(looked: Look) -> None:
    for seen in looked("nothing"):
        if seen.panel["type"] in ("stat", "bargauge"):
            assert seen.bars == {"": "unknown"}, str(seen)
        else:
            assert not seen.rows, str(seen)
            assert seen.drawn.no_data in (*UNKNOWN, "No data") or not seen.texts, str(seen)


# --- what is known of the data


def test_what_was_closed_in_the_week(looked: Look, stage: Stage) -> None:
    scene, seen = stage.scene("week"), looked("week")
    closed = scene.truth.closed(scene.now - 7 * DAY, scene.now)
    by_program = Counter[str]()
    for (program, _), count in closed.items():
        by_program[program] += count
    assert {
        name: number(text) for name, text in panel(seen, "care-outcomes", "Calls closed").bars.items()
    } == by_program
    rows = panel(seen, "care-outcomes", "Calls closed by area and outcome").rows
    assert len(rows) == sum(len(profile.areas) + 1 for profile in scene.truth.profiles.values())
    in_rows = Counter[str]()
    for row in rows:
        in_rows[row["Program"]] += sum(number(text) for head, text in row.items() if head not in ("Program", "Area"))
    assert in_rows == by_program
    received = panel(seen, "care-staffing", "Calls received").bars
    assert {name: number(text) for name, text in received.items()} == scene.truth.received(
        scene.now - 7 * DAY, scene.now
    )


@pytest.mark.parametrize("name", ["gap-start", "gap-middle", "start", "one"])
def test_a_gap_never_counts_what_was_before(looked: Look, stage: Stage, name: str) -> None:
    """Where a range begins without a sample, the next ones count: at most half an hour later, by the board's steps."""
    scene = stage.scene(name)
    first, last = scene.known(scene.now - 7 * DAY)
    most, least = (scene.truth.closed(since, scene.now) for since in (first, last + DAY / 48))
    shown = panel(looked(name), "care-outcomes", "Calls closed").bars  # one alone has no name
    shown = shown if len(shown) > 1 else dict.fromkeys(scene.truth.profiles, shown[""])
    for program, text in shown.items():
        low, high = (sum(n for (p, _), n in counts.items() if p == program) for counts in (least, most))
        assert low <= number(text) <= high, program


def test_units_and_waiting_calls(looked: Look, stage: Stage) -> None:
    scene, seen = stage.scene("week"), looked("week")
    waiting = scene.truth.waiting(scene.now)
    assert panel(seen, "care-live", "Waiting").bars == {"": str(len(waiting))}
    longest = max(scene.now - at for at in waiting.values()) / 60
    assert f"{longest:.1f} mins" in panel(seen, "care-live", "Wait").bars.values()
    rows = panel(seen, "care-live", "Areas with calls waiting or late").rows
    assert sum(number(row["Waiting"]) for row in rows) == len(waiting)
    teams = panel(seen, "care-live", "Units by status and team").rows
    assert [row["Where"] for row in teams] == sorted(row["Where"] for row in teams)
    assert "chicago Multidisciplinary Response" in [row["Where"] for row in teams]
    assert all(number(text) >= 0 for row in teams for head, text in row.items() if head != "Where")


@pytest.mark.parametrize(
    ("board", "title", "head", "written"),
    [
        ("care-followups", "Compliance over 7 and 30 days", "Compliance", r"\d+%"),
        ("care-followups", "Next lapse", "In", r"-?[\d.]+ (s|min|mins|hour|hours|day|days)"),
        ("care-followups", "Next lapse", "At", r"\d+ [A-Z][a-z]{2} \d\d:\d\d"),
        ("care-times", "By interval, over all areas", "Measured", r"[\d,]+"),
        ("care-times", "By interval, over all areas", "Median", r"[\d.]+ (s|min|mins|hour|hours)|under 20"),
        ("care-times", "By team: target and times, over all areas", "Target", r"[\d.]+ mins?|no target"),
        ("care-times", "By team: target and times, over all areas", "Within target", r"\d+%|no target"),
        ("care-staffing", "Planned, none available", "Time", r"[\d.]+ (min|mins|hour|hours|day|days)"),
        ("care-pipeline", "Records by feed", "Share rejected lately", r"\d+%|under 200"),
        ("care-outcomes", "Calls closed by area and outcome", "Services and transport", r"[\d,]+"),
    ],
)
def test_numbers_are_written_with_their_units(looked: Look, board: str, title: str, head: str, written: str) -> None:
    rows = panel(looked("week"), board, title).rows
    assert rows
    assert not [row[head] for row in rows if not re.fullmatch(written, row[head])]


def test_alerts_that_fire(looked: Look, stage: Stage) -> None:
    scene = stage.scene("week")
    rows = panel(looked("week"), "care-pipeline", "Alerts firing").rows
    assert {row["Alert"] for row in rows} == {name for name, severity in scene.firing if severity != "none"}
    assert {row["Severity"] for row in rows} == {"Critical", "Warning"}


def test_links_lead_to_the_runbook_of_the_row(looked: Look) -> None:
    seen = panel(looked("week"), "care-live", "Alerts firing")
    (frame,) = seen.drawn.frames
    alerts = frame.column("Alert")
    for name, links in zip(alerts.texts, alerts.links, strict=True):
        assert [link.url for link in links] == [f"/d/care-runbook-{name}"]


# --- what is not known


def test_no_sentence_while_the_worker_is_down(looked: Look, stage: Stage) -> None:
    """It has been down for 40 s, and three calls have waited for 55 minutes."""
    scene, seen = stage.scene("down"), looked("down")
    said = sentences()
    assert {"no call waits", "No call waits, none is past a target", "none is open or overdue"} <= said
    assert not {str(one): found for one in seen if (found := said & set(one.texts))}
    since = scene.now - DOWN - 5  # the last scrape
    for board, title in [
        ("care-live", "Waiting"),
        ("care-live", "Past target"),
        ("care-followups", "Overdue"),
        ("care-followups", "Missed"),
        ("care-followups", "Open, not yet due"),
    ]:
        (reading,) = panel(seen, board, title).drawn.readings
        assert reading.text == f"unknown since {clock(since)}", title
        assert reading.color == "#7F7F7F", title
    for board, title in [("care-live", "Units available"), ("care-live", "Wait")]:
        assert panel(seen, board, title).bars == dict.fromkeys(scene.truth.profiles, "unknown"), title
    for board, title in [
        ("care-live", "Areas with calls waiting or late"),
        ("care-followups", "Next lapse"),
    ]:
        rows = panel(seen, board, title).rows
        assert [row["Where"] for row in rows] == [f"{p} unknown: no worker shows it" for p in scene.truth.profiles]
    assert "WorkerDown" in {row["Alert"] for row in panel(seen, "care-live", "Alerts firing").rows}


def test_a_program_that_is_silent_is_never_left_out(looked: Look) -> None:
    """One of three is not shown by a worker; what is said of all of them says so."""
    about = [one for one in looked("silent") if one.board != "care-pipeline" and not over_time(one)]
    assert len(about) > 40
    quiet = [str(one) for one in about if not any(GONE in text or "since" in text for text in one.texts)]
    # alerts are what they are, and the age of a feed is known
    assert not [title for title in quiet if not re.search("Alerts firing|Silence of a feed", title)]


def over_time(seen: Seen) -> bool:
    return seen.panel["type"] in ("timeseries", "heatmap")


def test_sentences_are_said_while_programs_report(looked: Look) -> None:
    """Where there is nothing to say, the scene `start` says so: it has seen three minutes."""
    said = sentences() & {text for seen in looked("start") for text in seen.texts}
    assert {"no calls closed", "none was measured", "none was collected", "no attempts"} <= said


def sentences() -> set[str]:
    """What is said where there are none: constants of queries, and texts in the place of their -1."""
    found = set[str]()
    for board in BOARDS.values():
        for one in board["panels"]:
            for target in one["targets"]:
                found |= set(re.findall(r'"([^"]+)", "", ""\)', target["expr"]))
            for mapping in one["fieldConfig"]["defaults"].get("mappings", ()):
                found |= {result["text"] for value, result in mapping["options"].items() if value == f"{NONE}"}
    names = {signal.title for signal in SIGNALS.values()}
    return found - names - {"all programs", "unknown", "not planned"}


def clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%-d %b %H:%M")
