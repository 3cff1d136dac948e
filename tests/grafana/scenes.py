"""Scenes: real Prometheus servers with known data, asked as Grafana asks for every panel of the dashboards.

No Kafka and no worker runs. Events are folded by the project's own functions, what a worker would show of them goes into
Prometheus's blocks with a sample each minute, and each 5 s (as it is shipped) in the last hours; the shipped rules say what
was recorded and which alerts there were. *Now* is one moment for ever, in the planned hours of all programs.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self

import tomlkit
from msgspec.structs import replace

from carewatch.native.prometheus import Binaries, Prometheus
from feeds.simulate import Simulation, builtin, load_simulation, simulate
from streams import events as e
from streams import programs
from streams.programs import UNRECORDED, Profile
from tests.grafana.blocks import Change, Labels, Series, Span, write_block
from tests.grafana.filling import Chosen, Json, Question, View, answer, beginning, questions
from tests.grafana.judged import added, alerts, looked_at, recorded
from tests.grafana.told import DAY, HOUR, INSTANCE, MINUTE, Told, named, readings, times
from tests.integration.harness import PROFILES, PROGRAMS
from tests.integration.seldom import what_seldom_happens

#: A Wednesday, 15:00 in Chicago.
MOMENT = datetime(2026, 3, 4, 21, tzinfo=UTC)
NOW = int(MOMENT.timestamp())
#: The worker has read so much of history, and Prometheus has scraped it so long.
HISTORY, SCRAPED = 8 * DAY, 7 * DAY + 2 * HOUR
#: Whether the worker answered.
UP = named("up", *INSTANCE)
#: What Prometheus scraped before these hours is thinned out to a sample a minute.
RECENT = 6 * HOUR + HOUR // 2
SCRAPE = 5
#: How long the calls of `waiting` have waited, and how long the worker is down.
WAITED, DOWN = 55 * MINUTE, 40
#: When Prometheus did not run, in two scenes.
GAP_AT_START = (NOW - 7 * DAY - 10 * MINUTE, NOW - 7 * DAY + 10 * MINUTE)
GAP_IN_MIDDLE = (NOW - 4 * DAY, NOW - 4 * DAY + 2 * HOUR)
NAMES = ("week", "start", "nothing", "down", "silent", "gap-start", "gap-middle", "many", "one")
#: The program that no worker shows any more in `silent`, and for how long; the others go on.
GONE, GONE_FOR = "seattle", 10 * MINUTE
#: Programs and the length of names in `many`; how much history.
MANY, LENGTH, HOURS = 20, 40, 24


class Truth:
    """What the numbers must be, counted from the events and not by the states that the worker shows."""

    def __init__(self, profiles: Iterable[Profile], events: Iterable[e.Event]) -> None:
        self.profiles = {profile.program: profile for profile in profiles}
        told = (x for x in events if not isinstance(x, e.Heartbeat) and x.program in self.profiles)
        self._events = sorted(told, key=lambda event: event.at)

    def closed(self, since: float, until: float) -> Counter[tuple[str, str]]:
        """Calls closed after *since*, up to *until*, by program and outcome."""
        return Counter(
            (program, self.profiles[program].label_of("outcome", outcome) if outcome else UNRECORDED)
            for at, program, outcome in self._closings
            if since < at <= until
        )

    def received(self, since: float, until: float) -> Counter[str]:
        """Calls received, by program."""
        return Counter(program for at, program in self._received if since < at <= until)

    def waiting(self, until: float) -> dict[str, float]:
        """When each call was received that waits for a unit and is not known to be ineligible."""
        waiting: dict[str, float] = {}
        for event in self._events:
            if event.at.timestamp() > until:
                break
            if isinstance(event, e.CallReceived):
                waiting[event.call] = event.at.timestamp()
            elif isinstance(event, (e.UnitEvent, e.CallClosed)) or (
                isinstance(event, e.CallTriaged) and not event.eligible
            ):
                waiting.pop(event.call, None)
        return waiting

    @cached_property
    def _closings(self) -> list[tuple[float, str, str | None]]:
        first: dict[tuple[str, str], tuple[float, str, str | None]] = {}
        for event in self._events:
            if isinstance(event, e.CallClosed):
                closing = (event.at.timestamp(), event.program, event.outcome)
                first.setdefault((event.program, event.call), closing)
        return list(first.values())

    @cached_property
    def _received(self) -> list[tuple[float, str]]:
        return [(event.at.timestamp(), event.program) for event in self._events if isinstance(event, e.CallReceived)]


@dataclass(frozen=True)
class Scene:
    """A Prometheus server, and what is true.

    Attributes:
        name: One of NAMES.
        prometheus: Its address, `host:port`.
        now: The time to ask for, in seconds.
        truth: What really happened in the programs that it knows.
        seen: From when to when Prometheus has samples (seconds), gaps left out.
        firing: Alerts that fire now: name and severity.
    """

    name: str
    prometheus: str
    now: int
    truth: Truth
    seen: tuple[tuple[int, int], ...]
    firing: frozenset[tuple[str, str]]

    def known(self, since: float) -> tuple[float, float]:
        """The times nearest to *since* that have a sample: the last up to it (else the first of all), the first from it on.

        A number of what happened since then lies between those that are counted from one and from the other.
        """
        before = [min(end, since) for start, end in self.seen if start <= since]
        after = [max(start, since) for start, end in self.seen if end >= since]
        return (before[-1] if before else after[0], after[0])


class Asked(NamedTuple):
    """A panel, and what was asked for it and answered, by refId."""

    panel: Json
    answers: dict[str, tuple[Question, Any]]


def ask(
    scene: Scene,
    dashboard: Json,
    *,
    variables: Chosen | None = None,
    since: float | None = None,
    width: float = 1920,
) -> list[Asked]:
    """Ask for every panel as Grafana would.

    Args:
        scene: Whom.
        dashboard: Its JSON.
        variables: What is chosen; else what the dashboard begins with.
        since: Where the time begins that is shown, in seconds; else as the dashboard begins with.
        width: Of the dashboard's grid, in pixels.
    """
    begin = beginning(dashboard, scene.now) if since is None else since
    view = View(begin, scene.now, width, variables or {})
    asked = [list(questions(dashboard, panel, view)) for panel in dashboard["panels"]]
    with ThreadPoolExecutor(2) as pool:  # a browser asks for several at once too
        data = pool.map(lambda one: answer(scene.prometheus, one.path, one.parameters), chain.from_iterable(asked))
        return [
            Asked(panel, {one.ref: (one, next(data)) for one in those})
            for panel, those in zip(dashboard["panels"], asked, strict=True)
        ]


def waiting() -> Iterator[e.Event]:
    """Three calls that wait."""
    for number, area in enumerate(("loop", "near_south", "uptown")):
        at, call = MOMENT - timedelta(seconds=WAITED - number), f"waits-{number}"
        common: Json = {"program": "chicago", "call": call}
        yield e.CallReceived(id=f"{call}-1", at=at, call_type="mental_health", area=area, **common)
        yield e.CallTriaged(id=f"{call}-2", at=at + timedelta(minutes=1), eligible=True, **common)


class Stage:
    """Makes scenes, each once. A context manager: leaving it ends the servers."""

    def __init__(self, folder: Path, binaries: Binaries) -> None:
        self._folder = folder
        self._binaries = binaries
        self._stack = ExitStack()
        self._made: dict[str, Scene] = {}
        self._config = folder / "prometheus.yml"
        self._config.write_text("scrape_configs: []\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def scene(self, name: str) -> Scene:
        """The scene of this name."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Scene:
        match name:
            case "week":
                return self._serve(name, self._week, self._judged_week)
            case "gap-start":
                return self._serve(name, self._week, self._judged_week, gap=GAP_AT_START)
            case "gap-middle":
                return self._serve(name, self._week, self._judged_week, gap=GAP_IN_MIDDLE)
            case "down":
                series, judged = ended(self._week, NOW - DOWN), ended(self._judged_week, NOW - DOWN)
                series[UP] = [*self._week[UP], (NOW - DOWN, 0.0)]
                asked = looked_at({**series, **judged})
                with self._server("down-judged", [(asked, thin(NOW - SCRAPED))]) as server:
                    lately = alerts(server, readings(NOW - HOUR, NOW))
                before = {labels: changes for labels, changes in self._judged_week.items() if labels[0][1] == "ALERTS"}
                return self._serve(name, series, judged | spliced(before, lately))
            case "silent":
                raw, judged = (without_program(each, GONE, NOW - GONE_FOR) for each in (self._week, self._judged_week))
                return self._serve(name, raw, judged)
            case "one":
                one = "seattle"
                profiles = [PROFILES[one]]
                return self._serve(name, of_program(self._week, one), of_program(self._judged_week, one), profiles)
            case "start":
                begin = NOW - 3 * MINUTE
                return self._serve(name, self._week, self._judged(name, self._week, begin), begin=begin)
            case "many":
                begin = NOW - RECENT
                profiles, events = many(self._folder / "programs")
                told = Told(profiles)
                told.tell(events, times(readings(begin, NOW)), often(begin))
                return self._serve(name, told.series, self._judged(name, told.series, begin), profiles, events, begin)
        assert name == "nothing"
        return self._serve(name, {}, {})

    @cached_property
    def _events(self) -> list[e.Event]:
        events = [*what_seldom_happens(MOMENT), *waiting()]
        for name, profile in PROFILES.items():
            start = MOMENT - timedelta(seconds=HISTORY)
            events += simulate(profile, load_simulation(builtin(name)), start, MOMENT, 1)
        return events

    @cached_property
    def _week(self) -> dict[Labels, list[Change]]:
        told = Told(list(PROFILES.values()))
        told.tell(self._events, {*times(readings(NOW - SCRAPED, NOW)), *GAP_AT_START, *GAP_IN_MIDDLE}, often())
        return told.series

    @cached_property
    def _judged_week(self) -> dict[Labels, list[Change]]:
        return self._judged("week", self._week, NOW - SCRAPED)

    def _judged(self, name: str, series: Series, begin: int) -> dict[Labels, list[Change]]:
        """What the rules make of the series."""
        found = added(series)
        looked = readings(begin, NOW)
        seldom = [span._replace(step=3 * HOUR) if span.step == HOUR else span for span in looked]
        with self._server(f"{name}-judged", [(looked_at({**series, **found}), thin(begin))]) as server:
            return found | recorded(server, looked) | alerts(server, seldom)

    def _serve(
        self,
        name: str,
        series: Series,
        judged: Series,
        profiles: Iterable[Profile] = PROFILES.values(),
        events: list[e.Event] | None = None,
        begin: int = NOW - SCRAPED,
        gap: tuple[int, int] | None = None,
    ) -> Scene:
        spans = sampled(begin, gap)
        address = self._stack.enter_context(self._server(name, [(series, spans), (judged, spans)]))
        seen = ((begin, NOW),) if gap is None else ((begin, gap[0]), (gap[1], NOW))
        firing = {
            (has["alertname"], has["severity"])
            for has, changes in ((dict(labels), changes) for labels, changes in judged.items())
            if has.get("alertstate") == "firing" and changes[-1][1] is not None
        }
        truth = Truth(profiles, self._events if events is None else events)
        return Scene(name, address, NOW, truth, seen if series else (), frozenset(firing))

    @contextmanager
    def _server(self, name: str, parts: Sequence[tuple[Series, Sequence[Span]]]) -> Iterator[str]:
        data = self._folder / name
        data.mkdir()
        if any(series for series, _ in parts):
            write_block(data, parts)
        with Prometheus(self._config, binaries=self._binaries, data=data) as server:
            yield server.address


def sampled(begin: int, gap: tuple[int, int] | None = None) -> list[Span]:
    """When Prometheus scraped; in a gap it did not run."""
    recent = NOW - RECENT
    if begin > recent:
        return [Span(begin, NOW, SCRAPE)]
    long_ago = [(begin, recent - 1)] if gap is None else [(begin, gap[0]), (gap[1], recent - 1)]
    return [*(Span(start, end, MINUTE) for start, end in long_ago), Span(recent, NOW, SCRAPE)]


def often(begin: int = NOW - SCRAPED) -> list[int]:
    """When the counts of the pipeline are read."""
    recent = max(begin, NOW - RECENT)
    return [*range(begin, recent, 10 * MINUTE), *range(recent, NOW + 1, MINUTE)]


def thin(begin: int) -> list[Span]:
    """Enough for the rules to look at."""
    recent = max(begin, NOW - 5 * MINUTE)
    return [*([Span(begin, recent - 1, MINUTE)] if begin < recent else ()), Span(recent, NOW, SCRAPE)]


def ended(series: Series, at: int) -> dict[Labels, list[Change]]:
    """The series of a worker that does not answer from then on."""
    return {labels: [*_before(changes, at), (at, None)] for labels, changes in series.items() if changes[0][0] < at}


def spliced(earlier: Series, later: Series) -> dict[Labels, list[Change]]:
    """Alerts as they were until half an hour ago, and then as others were, which know of no `for` before they begin."""
    at = NOW - HOUR // 2
    earlier = {labels: changes for labels, changes in earlier.items() if "alertname" in dict(labels)}
    found = dict(ended(earlier, at))
    for labels, changes in later.items():
        then = [value for moment, value in changes if moment <= at]
        now = [*([(at, then[-1])] if then else []), *(change for change in changes if change[0] > at)]
        found[labels] = [*_before(earlier.get(labels, []), at), *now]
    return found


def _before(changes: Sequence[Change], at: int) -> list[Change]:
    return [change for change in changes if change[0] < at]


def without_program(series: Series, program: str, at: int) -> dict[Labels, list[Change]]:
    """The series of a worker that does not show a program from then on."""
    others = {labels: [*changes] for labels, changes in series.items() if dict(labels).get("program") != program}
    gone = {labels: changes for labels, changes in series.items() if labels not in others}
    return {**others, **ended(gone, at)}


def of_program(series: Series, program: str) -> Series:
    """The series of a worker that has one program."""
    return {labels: changes for labels, changes in series.items() if dict(labels).get("program", program) == program}


def many(folder: Path) -> tuple[list[Profile], list[e.Event]]:
    """Programs whose codes and names, and those of their teams and areas, are as long as they come, and their events."""
    folder.mkdir()
    profiles: list[Profile] = []
    events: list[e.Event] = []
    for number in range(MANY):
        like = list(PROFILES)[number % len(PROFILES)]
        file = folder / f"{number}.toml"
        file.write_text(tomlkit.dumps(renamed(tomllib.loads((PROGRAMS / f"{like}.toml").read_text()), number)))
        profile = programs.load(file)
        profiles.append(profile)
        start = MOMENT - timedelta(hours=HOURS)
        events += simulate(profile, played(like, profile), start, MOMENT, number)
    return profiles, events


def renamed(raw: dict[str, Any], number: int) -> dict[str, Any]:
    """A program file with long names, and few areas for each team: there are many programs."""
    raw["program"] = f"{raw['program']}_{number}"
    raw["name"] = long_name(f"{raw['name']} {number}")
    for team in raw["teams"]:
        team["code"] = long_code(team["code"])
        team["label"] = long_name(team["label"])
        team["areas"] = [long_code(area) for area in team["areas"][:2]]
    covered = {area for team in raw["teams"] for area in team["areas"]}
    areas = {long_code(code): {**area, "label": long_name(area["label"])} for code, area in raw["areas"].items()}
    raw["areas"] = {code: area for code, area in areas.items() if code in covered}
    return raw


def played(like: str, profile: Profile) -> Simulation:
    """The simulation of a shipped program, for one that has other names."""
    shipped = load_simulation(builtin(like))

    def on_team(part: Any) -> Any:
        return part and replace(part, team=long_code(part.team))

    return replace(
        shipped,
        program=profile.program,
        areas={long_code(area): weight for area, weight in shipped.areas.items()},
        shifts=replace(shipped.shifts, no_calls=type(shipped.shifts.no_calls)(map(long_code, shipped.shifts.no_calls))),
        overdoses=on_team(shipped.overdoses),
        case_management=on_team(shipped.case_management),
    )


def long_code(code: str) -> str:
    """A code of 40 characters that begins with this one."""
    return f"{code}_{'of_the_county_beyond_the_northern_river'}"[:LENGTH]


def long_name(name: str) -> str:
    """A name of 40 characters that begins with this one."""
    return f"{name} {'of the County beyond the Northern River'}"[:LENGTH]
