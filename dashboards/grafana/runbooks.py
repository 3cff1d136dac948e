"""The runbooks as pages of Grafana, one an alert: there is no other place that everybody who sees an alert can open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as make
from grafana_foundation_sdk.builders import text
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import GridPos
from grafana_foundation_sdk.models.text import TextMode

from dashboards.alerts import ALERTS
from dashboards.grafana.frame import TITLES
from dashboards.thresholds import RUNBOOK

_PAGES = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def pages() -> Iterator[tuple[str, str]]:
    """Uid and JSON of each. Raises OSError."""
    for alert in ALERTS:
        title, _, content = (_PAGES / f"{alert.name}.md").read_text(encoding="utf-8").partition("\n")
        panel = text.Panel().mode(TextMode.MARKDOWN).content(_LINK.sub(_link, content.strip()))
        page = (
            make.Dashboard(f"carewatch runbook: {title.removeprefix('# ')}")
            .uid(f"{RUNBOOK}{alert.name}")
            .description(f"What to do when {alert.name} fires.")
            .tags(["carewatch-runbook"])
            .readonly()
            .link(make.DashboardLink(TITLES[alert.dashboard]).url(f"/d/{alert.dashboard}").keep_time(False))
            .with_panel(panel.title("What to do").grid_pos(GridPos(x=0, y=0, w=24, h=26)))
        )
        yield f"{RUNBOOK}{alert.name}", json.dumps(page.build(), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def _link(found: re.Match[str]) -> str:
    """A link to another runbook leads to its page; what is elsewhere in docs/ is named only."""
    words, target = found.groups()
    name = target.removesuffix(".md")
    if any(alert.name == name for alert in ALERTS):
        return f"[{words}](/d/{RUNBOOK}{name})"
    return str(found[0]) if target.startswith("http") else str(words)
