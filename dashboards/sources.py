"""Which Prometheus the dashboards ask: chosen among Grafana's data sources, written into a dashboard, and looked for in one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dashboards.gateway import GrafanaError, Json, Source

#: The uid that the dashboards have in their files, as Grafana's own files name it (provisioning/datasources).
OURS = "carewatch"
_PROMETHEUS = "prometheus"
#: More than these are not listed in an error.
_MOST = 10
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)[^}]*\}|\[\[(\w+)[^\]]*\]\]")


def choose(sources: Sequence[Source], wanted: str) -> Source:
    """The Prometheus to ask. Raises GrafanaError where that is for people to say.

    Args:
        sources: What Grafana has.
        wanted: Uid or name of the one that was chosen, "" if none was. Then ours, else the default one, else the only one.
    """
    known = [source for source in sources if source.type == _PROMETHEUS]
    listed = ", ".join(map(str, known[:_MOST])) + (f" and {len(known) - _MOST} more" if len(known) > _MOST else "")
    if wanted:
        for source in (*(s for s in known if s.uid == wanted), *(s for s in known if s.name == wanted)):
            return source
        have = f"the Prometheus ones are {listed}" if known else "there is no Prometheus one that this login may ask"
        raise GrafanaError(f"no Prometheus data source '{wanted}' in Grafana; {have}; choose with --datasource")
    if not known:
        raise GrafanaError("no Prometheus data source in Grafana that this login may ask; add yours there first")
    first = [source for source in known if OURS in (source.uid, source.name)]
    first += [source for source in known if source.is_default]
    first += known if len(known) == 1 else []
    if not first:
        raise GrafanaError(f"several Prometheus data sources in Grafana; choose with --datasource: {listed}")
    return first[0]


def pointed(board: Json, source: Source) -> Json:
    """The dashboard with this data source chosen, for all who open it.

    Grafana takes the one whose name is the variable's text up to version 9, later the one whose uid is its value.
    """
    variables = [
        variable | {"current": {"text": source.name, "value": source.uid}} if _chooses(variable) else variable
        for variable in _list(board, "templating")
    ]
    return board | {"templating": board["templating"] | {"list": variables}} if variables else board


def strays(board: Json, source: Source) -> list[str]:
    """Where a dashboard asks another Prometheus than this one: what asks, and which."""
    variables = _list(board, "templating")
    chosen = {str(v.get("name")): _current(v) for v in variables if v.get("type") == "datasource"}
    found = [(f"variable '{v.get('name')}'", _current(v)) for v in variables if _chooses(v)]
    for where, reference in _references(board):
        name = reference
        if isinstance(reference, dict):
            if reference.get("type", _PROMETHEUS) != _PROMETHEUS:
                continue  # such as Grafana's own marks
            name = reference.get("uid")
        if not isinstance(name, str) or name.startswith("-- "):  # none: that of what is around it; or Grafana's own
            continue
        if variable := _VARIABLE.fullmatch(name):
            name = chosen.get(variable[1] or variable[2] or variable[3], name)
        found.append((where, name))
    return [f"{where} asks '{name}'" for where, name in found if name not in (source.uid, source.name)]


def _references(board: Json) -> Iterator[tuple[str, object]]:
    """Everything that names a data source, and what it names."""
    for panel in _panels(board):
        where = f"panel '{panel.get('title')}'"
        yield where, panel.get("datasource")
        for target in _dicts(panel.get("targets")):
            yield where, target.get("datasource")
    for marks in _list(board, "annotations"):
        for asking in (marks, *_dicts([marks.get("target")])):
            yield f"annotation '{marks.get('name')}'", asking.get("datasource")
    for variable in _list(board, "templating"):
        yield f"variable '{variable.get('name')}'", variable.get("datasource")


def _panels(board: Json) -> Iterator[Json]:
    """The panels; those of a row that is folded up are in the row."""
    for panel in _dicts(board.get("panels")):
        yield panel
        yield from _dicts(panel.get("panels"))


def _chooses(variable: Json) -> bool:
    return variable.get("type") == "datasource" and variable.get("query") == _PROMETHEUS


def _current(variable: Json) -> object:
    current = variable.get("current")
    return current.get("value") if isinstance(current, dict) else None


def _list(board: Json, part: str) -> list[Json]:
    inside = board.get(part)
    return _dicts(inside.get("list")) if isinstance(inside, dict) else []


def _dicts(items: object) -> list[Json]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
