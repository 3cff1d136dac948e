"""The generated files of Grafana: a dashboard each, and the guide for people."""

from __future__ import annotations

import json
from typing import Any

from dashboards.grafana import runbooks
from dashboards.grafana.boards import boards
from dashboards.grafana.frame import framed
from dashboards.grafana.panels import ALERT_OF_ROW
from dashboards.grafana.shown import UNKNOWN
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
        why = defaults.get("noValue", UNKNOWN)
        facts += [f'where there is nothing to draw: "{why}"'] if why != UNKNOWN else []
        facts += [f"runbooks: {pages}"] if pages else []
        lines += [f"### {panel['title']}", f"*{'; '.join(facts)}*", panel["description"]]
    return "\n\n".join(lines)


_HEAD = """# Dashboards

Made by `carewatch dashboards build` from `dashboards/grafana/`; do not edit. Every number is a
[signal](reference/signals.md). Point at the *i* of a panel to read its definition.

Six dashboards. Grafana loads them from files (`dashboards/grafana/provisioning/`), or `carewatch dashboards push` writes them
([deploy](deploy.md#start)); nobody edits them there. The demo has no Grafana. They link to one another and keep what was chosen:

- **Data source**, **Program**, **Team**, **Area**: what is shown: one, several or all. *Response times* also asks **Time from**:
  which interval its panels by team, by area and over time look at.
- The time at the top right: numbers \"in the chosen time\" count what was recorded in it. Counts are differences of exact
  counters, so they are whole. If Prometheus has no number at the start, the count starts at its first one. It looks at 300 points
  of the time: every half hour for a week.
- A line on a graph marks when an alert began to fire. Where a panel lists runbooks below, a click on a number opens them.

Teams, areas, follow-ups, destinations and services have the names of the program file: to change one, change its `label` and
restart the workers. A program is shown by its id. A code that is no longer in the file is shown as it is.

Red is never alone: beside it is a word, or the limit in the title. The colours are those of Okabe and Ito, which people with
any colour vision can tell apart. For a wall screen open `/d/care-live?var-program=chicago&kiosk`; it fits 1920x1080. What there is
for each program or team is bars, which scroll; with many programs choose a few.

## When it says unknown

No number does not mean zero. A panel says \"no call waits\" only while every chosen program is shown by a worker.

| it says | because | do |
|---|---|---|
| `unknown since 26 Nov 14:02`, a big number | since then no worker shows one of the chosen programs; \
what is beside it leaves that program out \
| look at *Pipeline*, Workers and Scrapes; [WorkerDown](runbooks/WorkerDown.md), [WorkerNotReady](runbooks/WorkerNotReady.md) |
| `unknown: no worker shows it`, a row; `unknown`, a bar \
| the same, of this program; the others are right | the same |
| `unknown` in the whole panel | Prometheus has no number \
| see that Grafana reaches Prometheus, and that Prometheus has `rules.yml` |
| `-` | the row has no such number | nothing |

Until a worker shows the program again, use the dispatch system. After 30 days without a number a program is forgotten. A program
that has none of the chosen teams is unknown too while no worker shows it.

## Versions

Grafana 12.4 or newer; `push` refuses an older one. A test draws each panel with Grafana's own libraries, of 12.4.10 (that of
`docker-compose.yml`) at each run, and of 12.4.0 once. A whole Grafana 12 in a browser, and 13, were not tried. The pictures here
are of made-up events in a Grafana 9.4, the only one that could be had, with what it lacks replaced: so heads and names are cut,
red is a gradient, an axis says \"unknown\" between its numbers, and tables of which only one column has numbers call it Value. 12.4
does none of that.

## Before a release

First the panels as Grafana's libraries draw them (needs Node.js with npm, and Prometheus; the first time npm gets 700 MB):

<!-- runs: rest -->
```sh
python3 dev.py test tests/grafana -n 2
```

Then look at the dashboards in a Grafana 12.4 and in the newest, with data (needs Chromium; compose's Grafana wants a token):

<!-- runs: grafana -->
```sh
python3 dev.py look --url http://localhost:3000 --token-file token --from now-2d
```

This takes a picture of each dashboard in both themes, 1280 and 1920 pixels wide, when all its panels are drawn, and shows them side
by side in `look/index.html`; runbooks only if they are named. It says which panels have an error or no data, and ends with 1 if one
has an error or is not drawn. On each picture:

1. every panel is there, and none says *unknown* or *No data* where there is data;
2. no word is cut off, no number lies on another, tables need no scrolling sideways;
3. red is where its word is, and can be told from the rest in both themes;
4. the variables at the top name the data source and what was chosen.

Make a token for a service account with the role Viewer. Give it in a file or in `CAREWATCH_GRAFANA_TOKEN`. Without one Grafana must
let anonymous viewers in. The pictures in this guide are put into `docs/images/` by hand."""
