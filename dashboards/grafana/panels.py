"""Panels, made from signals. Each kind says what it is good for.

A panel's text is the definition of what it shows, and its links lead to what to do about it: both come from the signals.
Links are pages of the runbooks here; the frame knows where these are.
Counts are asked for as they are at one time, so that they stay whole; only what is drawn over time is asked for as a range.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from dashboards.catalogue.signal import Signal
from dashboards.grafana.style import BLUE, CLEAR, GREY, LABELS, LOOKS, ORANGE, RED

DATASOURCE = c.DataSourceRef("prometheus", "$datasource")
#: In a table of alerts: the alert of the row that is clicked on.
ALERT_OF_ROW = "${__data.fields.Alert}"
#: The Grafana whose panels these are: it changes nothing in them on loading. schemaVersion 42 came with Grafana 12.
PLUGIN_VERSION = "12.0.0"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A signal as a panel shows it.

    Attributes:
        signal: What.
        by: Labels to add it up by, if not its own. Only for what can be added up.
        name: Of its column or line, if not its title.
        color, dashed: Of its line.
        scale: Factor for Grafana, which counts time in milliseconds.
        positive: Whether zeros are left out.
    """

    signal: Signal
    by: str | None = None
    name: str | None = None
    color: str = BLUE
    dashed: bool = False
    scale: int = 1
    positive: bool = False

    @property
    def expr(self) -> str:
        """PromQL."""
        expr = self.signal.expr
        if self.by is not None:
            expr = total(self.by, expr) if self.by else f"sum({expr})"
        if self.scale != 1:
            expr = f"({expr}) * {self.scale}"
        return f"({expr}) > 0" if self.positive else expr

    @property
    def labels(self) -> list[str]:
        """Of what is shown."""
        return list(self.signal.labels) if self.by is None else self.by.split()

    @property
    def title(self) -> str:
        """For people."""
        return self.name or self.signal.title


@dataclass(frozen=True)
class Limit:
    """From where on a value is red, or below what. `said`: the value in words; `text` takes the place of red values."""

    value: float
    said: str
    text: str | None = None
    below: bool = False


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What a panel says beside its values.

    Attributes:
        title: Of the panel.
        note: What its definition does not say; first in its description.
        empty: In place of values where there are none, and that is as it should be.
        alerts: Alerts whose runbooks help, beside those that look at its signals.
    """

    title: str
    note: str = ""
    empty: str = ""
    alerts: Sequence[str] = ()


def stats(
    at: d.GridPos,
    texts: Texts,
    shown: Shown,
    *,
    limit: Limit | None = None,
    special: Mapping[float, tuple[str, str]] | None = None,
) -> d.Panel:
    """Big numbers, one a series: what is read from across the room.

    `special`: a text and a colour in place of a value.
    """
    panel = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(c.BigValueGraphMode.NONE)
        .color_mode(c.BigValueColorMode.BACKGROUND_SOLID)
        .text_mode(c.BigValueTextMode.VALUE_AND_NAME if shown.labels else c.BigValueTextMode.VALUE)
        .with_target(_series("A", shown))
    )
    built = _finish(panel, at, texts, [shown])
    defaults = _defaults(built)
    defaults.color = d.FieldColor(d.FieldColorModeId.THRESHOLDS)
    defaults.thresholds = _thresholds(limit)
    defaults.mappings = _limit_texts(limit) + _special(special or {})
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
    keys = shown[0].labels
    names = {
        f"Value #{ref}" if len(shown) > 1 else "Value": one.title
        for ref, one in zip(ascii_uppercase, shown, strict=False)
    }
    for ref, one in zip(ascii_uppercase, shown, strict=False):
        panel.with_target(_query(ref, one.expr).format(PromQueryFormat.TABLE).instant())
    if len(shown) > 1:
        panel.with_transformation(d.DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        _organize({**{key: LABELS[key] for key in keys}, **names}, ["Time", "Value"] if labels_only else ["Time"])
    )
    panel.sort_by([common.TableSortByFieldState().display_name(LABELS[key]).desc(False) for key in keys])
    built = _finish(panel, at, texts, shown, limits or {})
    config = _config(built)
    for one in () if labels_only else shown:
        look = LOOKS[one.signal.unit]
        properties = [d.DynamicConfigValue("unit", look.unit)]
        if look.decimals is not None:
            properties.append(d.DynamicConfigValue("decimals", look.decimals))
        mappings: list[d.ValueMapping] = []
        if limits and one.title in limits:
            limit = limits[one.title]
            properties += _red_cell(limit)
            mappings += _limit_texts(limit)
        if missing and one.title in missing:
            mappings.append(_nothing(missing[one.title]))
        if mappings:
            properties.append(d.DynamicConfigValue("mappings", mappings))
        config.overrides.append(_override(one.title, *properties))
    for label, codes in (values or {}).items():
        config.overrides.append(_override(LABELS[label], d.DynamicConfigValue("mappings", [_words(codes)])))
    return built


def pivot(
    at: d.GridPos,
    texts: Texts,
    shown: Shown,
    label: str,
    codes: Mapping[str, str],
    *,
    limits: Mapping[str, Limit] | None = None,
    shaded: bool = False,
) -> d.Panel:
    """A table with a column for each value of one label, in the order of `codes`.

    `shaded`: cells are the darker the higher the number in them.
    """
    panel = table.Panel().cell_height(c.TableCellHeight.SM).with_target(_series("A", shown))
    keys = [key for key in shown.labels if key != label]
    _spread(panel, label, {**{key: LABELS[key] for key in keys}, **codes})
    panel.sort_by([common.TableSortByFieldState().display_name(LABELS[key]).desc(False) for key in keys])
    built = _finish(panel, at, texts, [shown], limits or {})
    config = _config(built)
    if shaded:
        _defaults(built).color = d.FieldColor(d.FieldColorModeId.CONTINUOUS_BLUES)
        _defaults(built).min_val = 0
        for name in codes.values():
            config.overrides.append(_override(name, _cell("color-background")))
    for name, limit in (limits or {}).items():
        config.overrides.append(_override(name, *_red_cell(limit)))
    return built


def bars(
    at: d.GridPos,
    texts: Texts,
    shown: Shown,
    label: str | None = None,
    codes: Mapping[str, str] | None = None,
    *,
    top: float | None = None,
) -> d.Panel:
    """A bar with its number for each series, or for each value of a label with words and in the order of `codes`."""
    panel = (
        bargauge.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .orientation(c.VizOrientation.HORIZONTAL)
        .display_mode(c.BarGaugeDisplayMode.BASIC)
        .value_mode(c.BarGaugeValueMode.TEXT)
        .name_placement(c.BarGaugeNamePlacement.LEFT)
        .show_unfilled(False)
        .min(0)
        .with_target(_series("A", shown))
    )
    if top is not None:
        panel.max(top)
    if label is not None and codes is not None:
        _spread(panel, label, codes)
    built = _finish(panel, at, texts, [shown])
    _defaults(built).color = d.FieldColor(d.FieldColorModeId.FIXED, BLUE)
    return built


def lines(
    at: d.GridPos, texts: Texts, shown: Sequence[Shown], *, steps: bool = False, every: str | None = None
) -> d.Panel:
    """Lines over time. A signal without labels has the colour that it is given, others shades of it.

    `steps`: of whole numbers, which do not slope. `every`: the shortest step.
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
        name = " ".join([one.name or "", *(f"{{{{{label}}}}}" for label in one.labels)]).strip()
        panel.with_target(
            _query(ref, one.expr).format(PromQueryFormat.TIME_SERIES).range().legend_format(name or one.title)
        )
    built = _finish(panel, at, texts, shown)
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
    return _finish(panel, at, texts, [shown])


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
    _defaults(built).mappings = _special(meanings)
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
    defaults = _defaults(panel)
    look = LOOKS[shown[0].signal.unit]
    defaults.unit, defaults.decimals = look.unit, look.decimals
    if texts.empty:
        defaults.no_value = texts.empty
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
    if free := [label for label in VARIABLES if not any(f'"${label}' in one.expr for one in shown)]:
        said = f"{', '.join(free[:-1])} and {free[-1]} are" if len(free) > 1 else f"{free[0]} is"
        parts.append(f"The same, whatever {said} chosen.")
    return "\n\n".join(parts)


def _runbook(alert: str) -> d.DashboardLink:
    return d.DashboardLink(f"What to do: {alert}", d.DashboardLinkType.LINK, url=f"{alert}.md", target_blank=True)


def _config(panel: d.Panel) -> d.FieldConfigSource:
    if panel.field_config is None:
        panel.field_config = d.FieldConfigSource()
    return panel.field_config


def _defaults(panel: d.Panel) -> d.FieldConfig:
    return _config(panel).defaults


def _query(ref: str, expr: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(ref).datasource(DATASOURCE).expr(expr)


def _legend(shown: Shown) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in shown.labels) or shown.title


def _series(ref: str, shown: Shown) -> prometheus.Dataquery:
    return _query(ref, shown.expr).format(PromQueryFormat.TIME_SERIES).instant().legend_format(_legend(shown))


def _spread(panel: table.Panel | bargauge.Panel, label: str, names: Mapping[str, str]) -> None:
    """Make one row of the series that differ in this label alone."""
    panel.with_transformation(
        d.DataTransformerConfig("labelsToFields", options={"mode": "columns", "valueLabel": label})
    )
    panel.with_transformation(_organize(names, ["Time"]))


def _organize(names: Mapping[str, str], hidden: Iterable[str]) -> d.DataTransformerConfig:
    options: dict[str, Any] = {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {name: place for place, name in enumerate(names)},
        "renameByName": dict(names),
    }
    return d.DataTransformerConfig("organize", options=options)


def _thresholds(limit: Limit | None) -> d.ThresholdsConfig:
    first, then = (RED, BLUE) if limit and limit.below else (BLUE, RED)
    steps = [d.Threshold(None, first)] + ([d.Threshold(limit.value, then)] if limit else [])
    return d.ThresholdsConfig(d.ThresholdsMode.ABSOLUTE, steps)


def _limit_texts(limit: Limit | None) -> list[d.ValueMapping]:
    if limit is None or limit.text is None:
        return []
    low, high = (None, limit.value) if limit.below else (limit.value, None)
    return [d.RangeMap(d.DashboardRangeMapOptions(low, high, d.ValueMappingResult(text=limit.text, color=RED)))]


def _special(special: Mapping[float, tuple[str, str]]) -> list[d.ValueMapping]:
    if not special:
        return []
    return [
        d.ValueMap(
            {f"{value:g}": d.ValueMappingResult(text=text, color=color) for value, (text, color) in special.items()}
        )
    ]


def _words(codes: Mapping[str, str]) -> d.ValueMapping:
    return d.ValueMap(
        {code: d.ValueMappingResult(text=text, index=place) for place, (code, text) in enumerate(codes.items())}
    )


def _nothing(text: str) -> d.ValueMapping:
    return d.SpecialValueMap(
        d.DashboardSpecialValueMapOptions(d.SpecialValueMatch.NULL_AND_NAN, d.ValueMappingResult(text=text, color=GREY))
    )


def _red_cell(limit: Limit) -> list[d.DynamicConfigValue]:
    steps = [d.Threshold(None, RED if limit.below else CLEAR), d.Threshold(limit.value, CLEAR if limit.below else RED)]
    return [
        _cell("color-background"),
        d.DynamicConfigValue("color", d.FieldColor(d.FieldColorModeId.THRESHOLDS)),
        d.DynamicConfigValue("thresholds", d.ThresholdsConfig(d.ThresholdsMode.ABSOLUTE, steps)),
    ]


def _cell(kind: str) -> d.DynamicConfigValue:
    return d.DynamicConfigValue("custom.cellOptions", {"type": kind, "mode": "basic"})


def _override(name: str, *properties: d.DynamicConfigValue) -> d.DashboardFieldConfigSourceOverrides:
    return d.DashboardFieldConfigSourceOverrides(matcher=d.MatcherConfig("byName", name), properties=list(properties))
