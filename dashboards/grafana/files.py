"""The generated files of Grafana: a dashboard each, and the guide for people."""

from __future__ import annotations

import json
from typing import Any

from dashboards.grafana import runbooks
from dashboards.grafana.boards import boards
from dashboards.grafana.frame import framed
from dashboards.grafana.panels import ALERT_OF_ROW
from dashboards.thresholds import Thresholds

_KINDS = {
    "stat": "numbers",
    "table": "table",
    "bargauge": "bars",
    "timeseries": "lines over time",
    "heatmap": "heatmap",
    "state-timeline": "bands over time",
}


def files(thresholds: Thresholds) -> dict[str, str]:
    """The text of each file by its path below the root."""
    made = {board.uid: framed(board, thresholds.links) for board in boards(thresholds)}
    return {
        **{f"dashboards/grafana/dashboards/{uid}.json": text for uid, text in made.items()},
        **{f"dashboards/grafana/dashboards/runbooks/{uid}.json": text for uid, text in runbooks.pages()},
        "docs/dashboards.md": guide([json.loads(text) for text in made.values()]),
    }


def guide(dashboards: list[dict[str, Any]]) -> str:
    """What each dashboard is for and what its panels show, as Markdown, read from the dashboards themselves."""
    parts = [_HEAD, *(_dashboard(dashboard) for dashboard in dashboards)]
    return "\n\n".join(parts) + "\n"


def _dashboard(dashboard: dict[str, Any]) -> str:
    name = dashboard["title"].removeprefix("carewatch: ")
    lines = [f"## {name}", f"`/d/{dashboard['uid']}`. {dashboard['description']}"]
    lines.append(f"![{name}, with made-up events](images/{dashboard['uid']}.png)")
    for panel in dashboard["panels"]:
        defaults = panel["fieldConfig"]["defaults"]
        names = [link["title"].removeprefix("What to do: ") for link in defaults.get("links", ())]
        pages = ", ".join("that of the alert" if name == ALERT_OF_ROW else name for name in names)
        facts = [_KINDS[panel["type"]]]
        facts += [f'where there are none: "{defaults["noValue"]}"'] if "noValue" in defaults else []
        facts += [f"runbooks: {pages}"] if pages else []
        lines += [f"### {panel['title']}", f"*{'; '.join(facts)}*", panel["description"]]
    return "\n\n".join(lines)


_HEAD = """# Dashboards

Made by `carewatch dashboards build` from `dashboards/grafana/`; do not edit. Every number is a
[signal](reference/signals.md); every definition here is also behind the *i* of its panel.

Six dashboards, which Grafana loads from files and nobody edits in it (`dashboards/grafana/provisioning/`). They link to one
another and keep what was chosen:

- **Data source**, **Program**, **Team**, **Area**: of what; several or all. *Response times* also asks **Time from**: which
  interval its panels by team, by area and over time look at.
- The time at the top right: numbers \"in the chosen time\" count what was recorded in it. Counts are differences of exact
  counters, so they are whole. Where Prometheus has no number at its beginning, they count from the first one after it, by steps
  of a three-hundredth of the chosen time: half an hour for a week.
- A line on a graph marks when an alert began to fire. A click on a number leads to its runbook, a page of Grafana.

No number is not none: a panel says that no call waits only while every chosen program is shown by a worker. Else it is grey
and says since when that is unknown; what Prometheus cannot say at all is \"unknown\". Names are those of the program files; a code
that is gone from its file is its own name.

Red is never alone: beside it is a word, or the limit in the title. The colours are those of Okabe and Ito, which people with
any colour vision can tell apart. For a wall screen open `/d/care-live?var-program=chicago&kiosk`; it fits 1920x1080. Numbers of
programs and teams are bars, which scroll if there are many; of 20 programs choose one, or some.

Grafana 12.4 or newer: the oldest that was tried. Before 12.2 heads and names of columns are cut. A test draws each panel with the
libraries of the Grafana in `docker-compose.yml`, with a week of numbers, a new Prometheus, a worker that is down, gaps, one program
and 20 with long names. The pictures below are of made-up events, drawn by a Grafana 9.4, the only one that could be had: what it
lacks was replaced (colours of numbers and cells, wrapped heads, names above bars). No Grafana 12 was looked at.

## Before a release

A Grafana draws them, so look at what it draws, with data, once in the oldest Grafana that is supported and once in the newest:

<!-- runs: grafana -->
```sh
python3 dev.py look --url http://localhost:3000 --token-file token --from now-2d
```

takes a picture of each in the dark and the light theme, 1280 and 1920 pixels wide, when all its panels are drawn, and shows them side
by side in `look/index.html`. It says which panels have an error or no data, and ends with 1 if one has an error or is not drawn. On
each picture:

1. every panel is there, and none says \"No data\" where there is some;
2. no word is cut off, no number lies on another, tables need no scrolling sideways;
3. red is where its word is, and can be told from the rest in both themes;
4. the variables at the top name the data source and what was chosen.

The token is of a service account with the role Viewer (or in `CAREWATCH_GRAFANA_TOKEN`); without one Grafana must let anonymous
viewers in."""
