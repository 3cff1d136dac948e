"""What every dashboard has: the variables, the alerts as marks on the graphs, the links to the other dashboards."""

from __future__ import annotations

import json
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as make
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as d

from dashboards.catalogue import pipeline
from dashboards.grafana.panels import DATASOURCE
from dashboards.grafana.style import INTERVALS, RED
from dashboards.sources import OURS
from dashboards.thresholds import Links
from streams import metrics as m

#: Uid of the provisioned datasource, see provisioning/datasources.
DATASOURCE_UID = OURS
#: Every dashboard by its uid, in the order of the links. The uids are addresses that people keep: they never change.
TITLES = {
    "care-live": "Live load",
    "care-staffing": "Staffing and demand",
    "care-times": "Response times",
    "care-outcomes": "Outcomes",
    "care-followups": "Follow-ups",
    "care-pipeline": "Pipeline",
}
#: These look at chosen dates, and keep them when going from one to the other. The others look at now.
DATED = ("care-staffing", "care-times", "care-outcomes", "care-followups")


@dataclass(frozen=True, kw_only=True)
class Board:
    """A dashboard before it is framed.

    Attributes:
        uid: One of TITLES.
        audience: Who it is for and what they see first; a sentence.
        panels: In reading order.
        since: Start of the time that is shown first, such as `now-7d`.
        refresh: How often it is drawn anew.
        choose_interval: Whether one interval is chosen for some panels.
    """

    uid: str
    audience: str
    panels: list[d.Panel]
    since: str
    refresh: str
    choose_interval: bool = False


def framed(board: Board, links: Links) -> str:
    """The dashboard's JSON."""
    builder = (
        make.Dashboard(f"carewatch: {TITLES[board.uid]}")
        .uid(board.uid)
        .description(board.audience)
        .tags(["carewatch"])
        .readonly()
        .timezone("browser")
        .tooltip(d.DashboardCursorSync.CROSSHAIR)
        .time(board.since, "now")
        .refresh(board.refresh)
        .links([_link(board.uid, uid) for uid in TITLES if uid != board.uid])
        .annotations([_alerts()])
        .variables(_variables(board.choose_interval))
    )
    dashboard = builder.build()
    for number, panel in enumerate(board.panels, 1):
        panel.id_val = number
        for link in (panel.field_config and panel.field_config.defaults.links) or ():
            link.url = links.runbook(link.url or "", inside_grafana=True)
    dashboard.panels = list(board.panels)
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def _link(here: str, uid: str) -> Builder[d.DashboardLink]:
    link = make.DashboardLink(TITLES[uid]).type(d.DashboardLinkType.LINK).icon("dashboard").url(f"/d/{uid}")
    return link.include_vars(True).keep_time(here in DATED and uid in DATED)


def _alerts() -> Builder[d.AnnotationQuery]:
    """A line where an alert began to fire: an area as long as it fires would hide the graph.

    One that fired in the hour before did not begin: Prometheus may have been away.
    """
    firing = pipeline.firing()
    expr = f"{firing} unless last_over_time({firing}[1h] offset $__interval)"
    return (
        make.AnnotationQuery()
        .name("Alerts")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(RED)
        .target(prometheus.Dataquery().ref_id("Anno").datasource(DATASOURCE).expr(expr).interval("1m").range())
        .title_format("{{alertname}}")
        .text_format("{{severity}} {{program}} {{team}} {{area}} {{topic}}")
        .tag_keys("alertname,severity")
    )


def _variables(choose_interval: bool) -> list[Builder[d.VariableModel]]:
    found: list[Builder[d.VariableModel]] = [
        make.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(d.VariableOption(text="carewatch", value=DATASOURCE_UID)),
        # Each asks for less than its own filter, so that what was chosen before does not empty the list.
        _labels("program", "Program", m.UNITS_PLANNED.name),
        _labels("team", "Team", f'{m.UNITS_PLANNED.name}{{program=~"$program"}}'),
        _labels("area", "Area", f'{m.TODAY.name}{{program=~"$program",team=~"$team"}}'),
    ]
    if choose_interval:
        options = ", ".join(f"{words} : {code}" for code, words in INTERVALS.items())
        code, words = "received_to_on_scene", INTERVALS["received_to_on_scene"]
        found.append(
            make.CustomVariable("interval")
            .label("Time from")
            .values(options)
            .current(d.VariableOption(text=words, value=code, selected=True))
            .options([d.VariableOption(text=t, value=v, selected=v == code) for v, t in INTERVALS.items()])
        )
    return found


def _labels(label: str, title: str, series: str) -> Builder[d.VariableModel]:
    query = f"label_values({series}, {label})"
    return (
        make.QueryVariable(label)
        .label(title)
        .datasource(DATASOURCE)
        .query({"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
        .definition(query)
        .refresh(d.VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(d.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(d.VariableOption(text=["All"], value=["$__all"], selected=True))
    )
