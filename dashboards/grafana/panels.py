"""Panels, made from signals. Each kind says what it is good for.

A panel's text is the definition of what it shows, and its links lead to what to do about it: both come from the signals.
Links are pages of the runbooks; the frame knows where these are.
Counts are asked for as they are at one time, so that they stay whole; only what is drawn over time is asked for as a range.
No value is never taken for none: nobody may know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models import dashboard as d
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.alerts import ALERTS
from dashboards.catalogue.promql import VARIABLES, total
from dashboards.grafana import fields
from dashboards.grafana.fields import override
from dashboards.grafana.shown import (
    NONE,
    SILENT,
    UNKNOWN,
    UNKNOWN_SINCE,
    Limit,
    Shown,
    Texts,
    listed,
    or_none,
    row_label,
    silent,
    silent_row,
    with_rows,
)
from dashboards.grafana.style import BLUE, GREY, LABELS, ORANGE, SHORT, Look

DATASOURCE = c.DataSourceRef("prometheus", "$datasource")
#: In a table of alerts: the alert of the row that is clicked on.
ALERT_OF_ROW = "${__data.fields.Alert}"
#: The Grafana whose panels these are: it changes nothing in them on loading. schemaVersion 42 came with Grafana 12.
PLUGIN_VERSION = "12.0.0"
#: Points that `$__interval` divides the chosen time into, where no graph is drawn: how exactly a first value is looked for.
POINTS = 300
#: The order of rows, by the names that are read. A table that is sorted by heads has signs in them, which take room.
_BY_KEY = d.DataTransformerConfig("sortBy", options={"fields": {}, "sort": [{"field": "key"}]})
#: Pixels: names, values and heights of bars.
_SMALL, _LARGE = (13, 15, 48), (14, 22, 72)
#: The least that an axis of whole numbers shows: with less, its ticks are no whole numbers.
_STEPS = 4
_SINCE = f"time:[{UNKNOWN} since] D MMM HH:mm"


def number(at: d.GridPos, texts: Texts, shown: Shown, *, limit: Limit | None = None) -> d.Panel:
    """One big number: what is read from across the room. Grey, and since when, while a program is unknown."""
    panel = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(c.BigValueGraphMode.NONE)
        .color_mode(c.BigValueColorMode.BACKGROUND_SOLID)
        .text_mode(c.BigValueTextMode.VALUE)
        .orientation(c.VizOrientation.HORIZONTAL)
    )
    expr = f'{listed(shown.expr, shown)} or label_replace(min({UNKNOWN_SINCE}), "key", "{UNKNOWN}", "", "")'
    _in_order(panel, expr)
    built = _finish(panel, at, texts, [shown])
    defaults = _defaults(built)
    defaults.color = d.FieldColor(d.FieldColorModeId.THRESHOLDS)
    defaults.thresholds = fields.thresholds(limit)
    defaults.mappings = [fields.nothing(UNKNOWN)]
    unknown = [
        d.DynamicConfigValue("unit", _SINCE),
        d.DynamicConfigValue("color", d.FieldColor(d.FieldColorModeId.FIXED, GREY)),
    ]
    _config(built).overrides.append(override(UNKNOWN, *unknown))
    return built


def columns(
    at: d.GridPos,
    texts: Texts,
    shown: Sequence[Shown],
    *,
    values: Mapping[str, Mapping[str, str]] | None = None,
    limits: Mapping[str, Limit] | None = None,
    missing: Mapping[str, str] | None = None,
    labels_only: bool = False,
) -> d.Panel:
    """A table with a column for each signal, and a row for each combination of their labels.

    Args:
        at: Place.
        texts: What it says.
        shown: The signals; all of the same labels, the first decides.
        values: Words for codes, by the label.
        limits: By the name of a column.
        missing: What is said where a column has no value, by its name.
        labels_only: Whether the values say nothing: a list of what there is.
    """
    panel = table.Panel().cell_height(c.TableCellHeight.SM)
    first, words = shown[0], missing or {}
    keys = first.names
    # where a word stands for no value, a row that has none by its nature needs one
    said = [one is first or one.title in words for one in shown]
    exprs = [with_rows(one, shown, texts.empty) if rows else one.expr for one, rows in zip(shown, said, strict=True)]
    exprs = [listed(expr, first) for expr in exprs]
    for ref, expr in zip(ascii_uppercase, exprs, strict=False):
        panel.with_target(_query(ref, expr).format(PromQueryFormat.TABLE).instant())
    if len(exprs) > 1:
        panel.with_transformation(d.DataTransformerConfig("merge", options={}))
    names = {
        f"Value #{ref}" if len(shown) > 1 else "Value": one.title
        for ref, one in zip(ascii_uppercase, shown, strict=False)
    }
    heads = _heads(keys)
    hidden = [*first.codes, *(["Value"] if labels_only else [])]
    panel.with_transformation(_BY_KEY)
    panel.with_transformation(_organize({**heads, **names}, hidden))
    built = _finish(panel, at, texts, shown, limits or {})
    config = _config(built)
    config.overrides += _name_columns(keys, values or {})
    for one in () if labels_only else shown:
        none = words.get(one.title, "")
        properties = [*_unit(one.look), fields.width_of(one.title, one.signal.unit, none)]
        mappings: list[d.ValueMapping] = []
        if limits and one.title in limits:
            limit = limits[one.title]
            properties += fields.red_cell(limit)
            mappings += fields.limit_texts(limit)
        if one is first or one.title in words:
            mappings += fields.special({NONE: ("-", GREY), SILENT: ("-", GREY)})
        if none:
            mappings.append(fields.nothing(none))
        if mappings:
            properties.append(d.DynamicConfigValue("mappings", mappings))
        config.overrides.append(override(one.title, *properties))
    return built


def pivot(
    at: d.GridPos,
    texts: Texts,
    shown: Shown,
    label: str,
    codes: Mapping[str, str],
    *,
    values: Mapping[str, Mapping[str, str]] | None = None,
    limits: Mapping[str, Limit] | None = None,
    shaded: bool = False,
    without: Iterable[str] = (),
) -> d.Panel:
    """A table with a column for each value of one label, in the order of `codes`.

    `values`: words for the codes of the other labels, by the label. `shaded`: cells are the darker the higher the number
    in them. `without`: values of the label that have no column.
    """
    panel = table.Panel().cell_height(c.TableCellHeight.SM)
    keys = [key for key in shown.names if key != label]
    _spread(panel, shown, label, {**_heads(keys), **codes}, silent_row(shown, row_label(keys)), without)
    built = _finish(panel, at, texts, [shown], limits or {})
    config = _config(built)
    config.overrides += _name_columns(keys, values or {})
    if not shaded:
        config.overrides += [override(name, fields.width_of(name, shown.signal.unit)) for name in codes.values()]
    else:
        _defaults(built).color = d.FieldColor(d.FieldColorModeId.CONTINUOUS_BLUES)
        _defaults(built).min_val = 0
        # all of one width, as in a calendar
        config.overrides += [override(head, fields.width(head, SHORT["program"])) for head in _heads(keys).values()]
        for name in codes.values():
            config.overrides.append(override(name, fields.cell("color-background"), fields.NARROW))
    for name, limit in (limits or {}).items():
        config.overrides.append(override(name, *fields.red_cell(limit)))
    return built


def bars(
    at: d.GridPos,
    texts: Texts,
    shown: Shown,
    label: str | None = None,
    codes: Mapping[str, str] | None = None,
    *,
    limit: Limit | None = None,
    special: Mapping[float, tuple[str, str]] | None = None,
    top: float | None = None,
    above: bool = False,
    large: bool = False,
) -> d.Panel:
    """A bar with its number for each series by name, or for each value of a label with words in the order of `codes`.

    They are as many as there are, and as large whatever there are; big numbers would shrink until nobody can read them.

    Args:
        at: Place.
        texts: What it says.
        shown: The signal.
        label: The label with words.
        codes: Words for its codes.
        limit: From where on a bar is red.
        special: A text and a colour in the place of a value.
        top: The value of a full bar.
        above: Whether names are above their bars; beside them they have two fifths of the width.
        large: Whether it is read from across the room; names are above.
    """
    name_size, value_size, height = _LARGE if large else _SMALL
    panel = (
        bargauge.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .orientation(c.VizOrientation.HORIZONTAL)
        .display_mode(c.BarGaugeDisplayMode.BASIC)
        .value_mode(c.BarGaugeValueMode.COLOR if limit or special else c.BarGaugeValueMode.TEXT)
        .name_placement(c.BarGaugeNamePlacement.TOP if above or large else c.BarGaugeNamePlacement.LEFT)
        .show_unfilled(False)
        .max_viz_height(height)
        .text(common.VizTextDisplayOptions().title_size(name_size).value_size(value_size))
        .min(0)
    )
    if top is not None:
        panel.max(top)
    if label is not None and codes is not None:
        _spread(panel, shown, label, codes, total(label, silent(label)))
    else:
        expr = listed(or_none(shown.expr) if texts.empty else shown.expr, shown)
        programs = shown.of_programs and "program" in shown.labels
        _in_order(panel, f"{expr} or {silent('key')}" if programs else expr)
    built = _finish(panel, at, texts, [shown])
    defaults = _defaults(built)
    defaults.thresholds = fields.thresholds(limit)
    defaults.color = d.FieldColor(d.FieldColorModeId.THRESHOLDS)
    defaults.mappings = [
        *fields.limit_texts(limit),
        *fields.special({**(special or {}), SILENT: (UNKNOWN, GREY)}),
        *fields.none_is(texts.empty),
        fields.nothing(UNKNOWN),
    ]
    return built


def lines(
    at: d.GridPos,
    texts: Texts,
    shown: Sequence[Shown],
    *,
    steps: bool = False,
    every: str | None = None,
    values: Mapping[str, str] | None = None,
) -> d.Panel:
    """Lines over time. A signal without labels has the colour that it is given, others shades of it.

    `steps`: of whole numbers, which do not slope. `every`: the shortest step. `values`: words for codes in the legend.
    """
    panel = (
        timeseries.Panel()
        .draw_style(c.GraphDrawStyle.LINE)
        .line_interpolation(c.LineInterpolation.STEP_AFTER if steps else c.LineInterpolation.LINEAR)
        .line_width(2)
        .fill_opacity(0)
        .show_points(c.VisibilityMode.NEVER)
        .span_nulls(False)
        .axis_soft_min(0)
        .legend(
            common.VizLegendOptions()
            .display_mode(c.LegendDisplayMode.LIST)
            .placement(c.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
        .tooltip(common.VizTooltipOptions().mode(c.TooltipDisplayMode.MULTI).sort(c.SortOrder.NONE))
    )
    if every:
        panel.interval(every)
    for ref, one in zip(ascii_uppercase, shown, strict=False):
        name = " ".join([one.name or "", *(f"{{{{{label}}}}}" for label in one.names)]).strip()
        panel.with_target(
            _query(ref, one.expr).format(PromQueryFormat.TIME_SERIES).range().legend_format(name or one.title)
        )
    for code, word in (values or {}).items():
        options = {"regex": rf"(^|.* ){code}$", "renamePattern": f"$1{word}"}
        panel.with_transformation(d.DataTransformerConfig("renameByRegex", options=options))
    if steps:
        panel.axis_soft_max(_STEPS)
    built = _finish(panel, at, texts, shown)
    if not steps:
        _defaults(built).decimals = None  # as many as tell one tick from the next
    for ref, one in zip(ascii_uppercase, shown, strict=False):
        mode = d.FieldColorModeId.SHADES if one.labels else d.FieldColorModeId.FIXED
        properties = [d.DynamicConfigValue("color", d.FieldColor(mode, one.color))]
        if one.dashed:
            properties.append(d.DynamicConfigValue("custom.lineStyle", c.LineStyle("dash", [10, 10])))
        _config(built).overrides.append(
            d.DashboardFieldConfigSourceOverrides(matcher=d.MatcherConfig("byFrameRefID", ref), properties=properties)
        )
    return built


def buckets(at: d.GridPos, texts: Texts, shown: Shown, *, every: str) -> d.Panel:
    """A histogram over time: columns of time, the darker a cell the more fell in it."""
    panel = (
        heatmap.Panel()
        .calculate(False)
        .interval(every)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Blues")
            .steps(32)
            .exponent(0.5)
            .fill(BLUE)
        )
        .y_axis(heatmap.YAxisConfig().unit("s").decimals(0))
        .cell_values(heatmap.CellValues().unit("locale").decimals(0))
        .tooltip(heatmap.HeatmapTooltip().mode(c.TooltipDisplayMode.SINGLE).y_histogram(True))
        .exemplars_color(ORANGE)
        .with_target(_query("A", shown.expr).format(PromQueryFormat.HEATMAP).range().legend_format("{{le}}"))
    )
    built = _finish(panel, at, texts, [shown])
    defaults = _defaults(built)
    defaults.unit = defaults.decimals = defaults.no_value = None  # a heatmap knows none of them
    return built


def states(at: d.GridPos, texts: Texts, shown: Shown, meanings: Mapping[float, tuple[str, str]]) -> d.Panel:
    """A band over time for each series, with a word and a colour for each value."""
    panel = (
        statetimeline.Panel()
        .show_value(c.VisibilityMode.ALWAYS)
        .merge_values(True)
        .row_height(0.8)
        .legend(
            common.VizLegendOptions()
            .display_mode(c.LegendDisplayMode.LIST)
            .placement(c.LegendPlacement.BOTTOM)
            .show_legend(False)
            .calcs([])
        )
        .tooltip(common.VizTooltipOptions().mode(c.TooltipDisplayMode.SINGLE).sort(c.SortOrder.NONE))
        .with_target(_query("A", shown.expr).format(PromQueryFormat.TIME_SERIES).range().legend_format(_legend(shown)))
    )
    built = _finish(panel, at, texts, [shown])
    _defaults(built).color = d.FieldColor(d.FieldColorModeId.FIXED, GREY)
    _defaults(built).mappings = fields.special(meanings)
    return built


# --- what they share


def _finish(
    builder: Builder[d.Panel],
    at: d.GridPos,
    texts: Texts,
    shown: Sequence[Shown],
    limits: Mapping[str, Limit] | None = None,
) -> d.Panel:
    panel = builder.build()
    panel.title = texts.title
    panel.description = _description(texts, shown, limits or {})
    panel.grid_pos = at
    panel.datasource = DATASOURCE
    panel.plugin_version = PLUGIN_VERSION
    if not isinstance(builder, (timeseries.Panel, heatmap.Panel, statetimeline.Panel)):
        panel.max_data_points = POINTS
    defaults = _defaults(panel)
    look = shown[0].look
    defaults.unit, defaults.decimals = look.unit, look.decimals
    defaults.no_value = texts.why or UNKNOWN
    looking = [alert.name for alert in ALERTS if any(one.signal in alert.signals for one in shown)]
    if names := [*texts.alerts, *looking]:
        defaults.links = [_runbook(name) for name in names]
    return panel


def _description(texts: Texts, shown: Sequence[Shown], limits: Mapping[str, Limit]) -> str:
    parts = [texts.note] if texts.note else []
    if len(shown) == 1:
        parts.append(shown[0].signal.description)
    else:
        parts += [f"**{one.title}**: {one.signal.description}" for one in shown]
    if limits:
        reds = [f"{name} {'under' if limit.below else 'from'} {limit.said}" for name, limit in limits.items()]
        parts.append(f"Red: {', '.join(reds)}{' on' if not any(limit.below for limit in limits.values()) else ''}.")
    if texts.empty:
        parts.append(f'Where there are none it says "{texts.empty}".')
    if free := [label for label in VARIABLES if not any(f'"${label}' in one.expr for one in shown)]:
        said = f"{', '.join(free[:-1])} and {free[-1]} are" if len(free) > 1 else f"{free[0]} is"
        parts.append(f"The same, whatever {said} chosen.")
    return "\n\n".join(parts)


def _runbook(alert: str) -> d.DashboardLink:
    return d.DashboardLink(f"What to do: {alert}", d.DashboardLinkType.LINK, url=alert, target_blank=True)


def _config(panel: d.Panel) -> d.FieldConfigSource:
    if panel.field_config is None:
        panel.field_config = d.FieldConfigSource()
    return panel.field_config


def _defaults(panel: d.Panel) -> d.FieldConfig:
    return _config(panel).defaults


def _query(ref: str, expr: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(ref).datasource(DATASOURCE).expr(expr)


def _unit(look: Look) -> list[d.DynamicConfigValue]:
    decimals = [] if look.decimals is None else [d.DynamicConfigValue("decimals", look.decimals)]
    return [d.DynamicConfigValue("unit", look.unit), *decimals]


def _heads(labels: Iterable[str]) -> dict[str, str]:
    """The heads of columns of names."""
    return {label: LABELS[label.removesuffix("_name")] for label in labels}


def _name_columns(
    labels: Sequence[str], values: Mapping[str, Mapping[str, str]]
) -> list[d.DashboardFieldConfigSourceOverrides]:
    """How columns of names look: their widths, and words for their codes."""
    found = [fields.columns_of_names()]
    longest = {**SHORT, "alertname": max((alert.name for alert in ALERTS), key=len)}
    for label, head in _heads(labels).items():
        short = longest.get(label.removesuffix("_name"))
        properties = [fields.width(head, short)] if short else []
        if label in values:
            properties.append(d.DynamicConfigValue("mappings", [fields.words(values[label])]))
        if properties:
            found.append(override(head, *properties))
    return found


def _legend(shown: Shown) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in shown.names) or shown.title


def _in_order(panel: stat.Panel | bargauge.Panel, expr: str) -> None:
    """Make a field of each series, in the order of their keys: Prometheus gives them in none."""
    panel.with_target(_query("A", expr).format(PromQueryFormat.TABLE).instant())
    panel.with_transformation(_BY_KEY)
    matrix = {"columnField": "key", "rowField": "Time", "valueField": "Value"}
    panel.with_transformation(d.DataTransformerConfig("groupingToMatrix", options=matrix))


def _spread(
    panel: table.Panel | bargauge.Panel,
    shown: Shown,
    label: str,
    names: Mapping[str, str],
    unshown: str,
    without: Iterable[str] = (),
) -> None:
    """Make one row of the series that differ in this label alone, one table of the rows, and put them in order.

    `unshown`: the series of programs that no worker shows.
    """
    expr = f"({shown.expr}) or {unshown}" if shown.of_programs else shown.expr
    expr = listed(expr, shown, label)
    panel.with_target(_query("A", expr).format(PromQueryFormat.TIME_SERIES).instant().legend_format(_legend(shown)))
    panel.with_transformation(
        d.DataTransformerConfig("labelsToFields", options={"mode": "columns", "valueLabel": label})
    )
    panel.with_transformation(d.DataTransformerConfig("merge", options={}))
    panel.with_transformation(_BY_KEY)
    panel.with_transformation(_organize(names, ["Value", *shown.codes, *without]))


def _organize(names: Mapping[str, str], hidden: Iterable[str]) -> d.DataTransformerConfig:
    options: dict[str, Any] = {
        "excludeByName": dict.fromkeys(("Time", "key", *hidden), True),
        "indexByName": {name: place for place, name in enumerate(names)},
        "renameByName": dict(names),
    }
    return d.DataTransformerConfig("organize", options=options)
