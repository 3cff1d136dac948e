"""What Grafana asks Prometheus for: a panel's queries with the variables filled in, as Grafana 9 to 12 do it.

The interval: the time that is shown by the points there is room for, rounded by Grafana's table, and not below the panel's
own or the time between scrapes. Compared with a real Grafana's in `test_scenes`.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

import yaml

from dashboards.build import ROOT

Json = dict[str, Any]
#: What is chosen: one value, or several. A variable that is not named is at what the dashboard begins with.
Chosen = Mapping[str, str | Sequence[str]]

#: No query has more points.
_SAFE = 11_000
#: Up to so many milliseconds the interval is the second.
_ROUNDED = (
    (10, 1),
    (15, 10),
    (35, 20),
    (75, 50),
    (150, 100),
    (350, 200),
    (750, 500),
    (1_500, 1_000),
    (3_500, 2_000),
    (7_500, 5_000),
    (12_500, 10_000),
    (17_500, 15_000),
    (25_000, 20_000),
    (45_000, 30_000),
    (90_000, 60_000),
    (210_000, 120_000),
    (450_000, 300_000),
    (750_000, 600_000),
    (1_050_000, 900_000),
    (1_500_000, 1_200_000),
    (2_700_000, 1_800_000),
    (5_400_000, 3_600_000),
    (9_000_000, 7_200_000),
    (16_200_000, 10_800_000),
    (32_400_000, 21_600_000),
    (86_400_000, 43_200_000),
    (604_800_000, 86_400_000),
    (1_814_400_000, 604_800_000),
    (3_628_800_000, 2_592_000_000),
)
_YEAR = 31_536_000_000
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": _YEAR}
#: Pixels between two panels, and the columns of the grid.
_MARGIN, _COLUMNS = 8, 24
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?::([^}]+))?\}")


class Question(NamedTuple):
    """A query as it is sent. Times are seconds; an instant query asks at `end`."""

    ref: str
    kind: Literal["instant", "range"]
    expr: str
    start: float
    end: float
    step: float

    @property
    def path(self) -> str:
        """Where it is asked."""
        return "/api/v1/query" if self.kind == "instant" else "/api/v1/query_range"

    @property
    def parameters(self) -> dict[str, str]:
        """How it is asked."""
        if self.kind == "instant":
            return {"query": self.expr, "time": f"{self.end}"}
        return {"query": self.expr, "start": f"{self.start}", "end": f"{self.end}", "step": f"{self.step}"}


@dataclass(frozen=True)
class View:
    """What a person looks at: times in seconds, the width of the dashboard's grid in pixels, what is chosen."""

    since: float
    until: float
    width: float = 1920
    chosen: Chosen = field(default_factory=dict)
    scrape: str = ""  # how often Prometheus scrapes, by the data source; none: as it is provisioned


def questions(dashboard: Json, panel: Json, view: View) -> Iterator[Question]:
    """What a panel asks for."""
    scrape = view.scrape or provisioned()
    points = panel.get("maxDataPoints") or pixels(panel["gridPos"]["w"], view.width)
    shown = (view.until - view.since) * 1000
    in_browser = interval(shown, points, milliseconds(panel.get("interval") or scrape))
    for target in panel.get("targets", ()):
        least = milliseconds(target["interval"]) if target.get("interval") else in_browser
        step = max(interval(shown, points, least), rounded(shown / _SAFE))
        expr = filled(target["expr"], dashboard, view, step)
        if target.get("instant"):
            yield Question(target["refId"], "instant", expr, view.since, view.until, step / 1000)
        else:
            start, end = (at * 1000 // step * step / 1000 for at in (view.since, view.until))
            yield Question(target["refId"], "range", expr, start, end, step / 1000)


@cache
def provisioned() -> str:
    """How often Prometheus scrapes, as the shipped data source says."""
    (file,) = (ROOT / "dashboards" / "grafana" / "provisioning" / "datasources").glob("*.y*ml")
    return str(yaml.safe_load(file.read_text())["datasources"][0]["jsonData"]["timeInterval"])


def beginning(dashboard: Json, now: float) -> float:
    """Where the time begins that the dashboard shows first."""
    return now - milliseconds(dashboard["time"]["from"].removeprefix("now-")) / 1000


def pixels(columns: int, width: float) -> int:
    """The width of a panel."""
    column = (width - _MARGIN * (_COLUMNS - 1)) / _COLUMNS
    return int(columns * column + _MARGIN * (columns - 1) + 0.5)


def milliseconds(duration: str) -> int:
    """Of '15s' or '1h'."""
    match = re.fullmatch(r">?(\d+)(ms|[smhdwy])", duration)
    assert match, duration
    return int(match[1]) * _UNITS[match[2]]


def rounded(length: float) -> int:
    """An interval by Grafana's table (milliseconds)."""
    return next((to for below, to in _ROUNDED if length < below), _YEAR)


def interval(shown: float, points: float, least: int) -> int:
    """The interval of so many points over the time that is shown (milliseconds)."""
    length = shown / points
    return least if length < least else max(least, rounded(length))


def filled(text: str, dashboard: Json, view: View, step: int) -> str:
    """A query as Grafana sends it, at this interval (milliseconds)."""
    scrape = milliseconds(view.scrape or provisioned())
    shown = round((view.until - view.since) * 1000)
    ours = {
        "__interval": short(step),
        "__interval_ms": f"{step}",
        "__range": f"{round(shown / 1000)}s",
        "__range_s": f"{round(shown / 1000)}",
        "__range_ms": f"{shown}",
        "__rate_interval": long(max(step + scrape, 4 * scrape)),
        "__from": f"{round(view.since * 1000)}",
        "__to": f"{round(view.until * 1000)}",
    }
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}

    def value(match: re.Match[str]) -> str:
        name, form = match[1] or match[2], match[3]
        if form == "date:seconds":
            return ours[name][:-3]
        assert form is None, f"{match[0]}: this form is not known here yet"
        if name in ours:
            return ours[name]
        return chosen(variables[name], view.chosen.get(name)) if name in variables else match[0]

    return _VARIABLE.sub(value, text)


def chosen(variable: Json, values: str | Sequence[str] | None) -> str:
    """A variable as a regular expression in a string of PromQL."""
    if values is None:
        values = variable["current"]["value"]
    if not (variable.get("multi") or variable.get("includeAll")):
        assert isinstance(values, str)
        return values.replace("\\", "\\\\").replace("'", "\\\\'")
    several = [values] if isinstance(values, str) else list(values)
    if several == ["$__all"]:
        return str(variable["allValue"])
    escaped = [re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", one.replace("\\", r"\\\\")) for one in several]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def short(length: int) -> str:
    """Whole units, the rest left out: 90 s are `1m` (milliseconds)."""
    unit = next(unit for unit in ("y", "d", "h", "m", "s", "ms") if length >= _UNITS[unit])
    return f"{length // _UNITS[unit]}{unit}"


def long(length: int) -> str:
    """All units from the first: `1h0m5s` (milliseconds)."""
    hours, rest = divmod(length, _UNITS["h"])
    minutes, rest = divmod(rest, _UNITS["m"])
    text = f"{rest / 1000:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def answer(address: str, path: str, parameters: Mapping[str, str]) -> Any:
    """The data of Prometheus's answer; raises AssertionError with its words."""
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        method = "GET" if path.endswith("/values") else "POST"  # as Grafana: queries are long
        header = {"Content-Type": "application/x-www-form-urlencoded"}
        if method == "GET":
            connection.request(method, f"{path}?{urlencode(parameters)}")
        else:
            connection.request(method, path, urlencode(parameters), header)
        said = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    assert said["status"] == "success", said.get("error", said)
    return said["data"]
