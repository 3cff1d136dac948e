"""How values look: widths of columns, colours from a limit on, words in the place of values."""

from __future__ import annotations

import math
from collections.abc import Mapping

from grafana_foundation_sdk.models import dashboard as d

from dashboards.catalogue.signal import Unit
from dashboards.grafana.shown import NONE, Limit
from dashboards.grafana.style import BLUE, CLEAR, GREY, RED

#: Pixels of a cell that are not text, and the least of a column of names.
_MARGINS, _LEAST = 14, 90
#: Pixels of the letters of Grafana's font (Inter, 14 px, medium); of others as of the widest.
_LETTERS = {
    4: " !,.:Iijl",
    5: "'()/;[\\]`t|",
    6: "1fr{}",
    7: '"-^_',
    8: "*7?FJLaceksvxyz",
    9: "#$&02345689BEPRSTZbdghnopqu",
    10: "+<=>ADKVXY~",
    11: "CGHNOQU",
    12: "w",
    13: "Mm",
    14: "%@W",
}
_WIDTHS = {letter: width for width, letters in _LETTERS.items() for letter in letters}

#: The longest value of a unit.
_VALUES: dict[Unit, str] = {
    "count": "9,999",
    "seconds": "59.9 min",
    "timestamp": "26 Nov 14:02",
    "ratio": "100%",
    "per_second": "99.9 evt/s",
    "minutes": "59.9 min",
}


def thresholds(limit: Limit | None) -> d.ThresholdsConfig:
    """Red from the limit on, or below it; blue else."""
    first, then = (RED, BLUE) if limit and limit.below else (BLUE, RED)
    steps = [d.Threshold(None, first)] + ([d.Threshold(limit.value, then)] if limit else [])
    return d.ThresholdsConfig(d.ThresholdsMode.ABSOLUTE, steps)


def limit_texts(limit: Limit | None) -> list[d.ValueMapping]:
    """The text of the limit in the place of red values."""
    if limit is None or limit.text is None:
        return []
    low, high = (None, limit.value) if limit.below else (limit.value, None)
    return [d.RangeMap(d.DashboardRangeMapOptions(low, high, d.ValueMappingResult(text=limit.text, color=RED)))]


def special(values: Mapping[float, tuple[str, str]]) -> list[d.ValueMapping]:
    """A text and a colour in the place of some values."""
    if not values:
        return []
    return [
        d.ValueMap(
            {f"{value:g}": d.ValueMappingResult(text=text, color=color) for value, (text, color) in values.items()}
        )
    ]


def none_is(text: str) -> list[d.ValueMapping]:
    """What is said where there are none."""
    return special({NONE: (text, BLUE)}) if text else []


def words(codes: Mapping[str, str]) -> d.ValueMapping:
    """Words in the place of codes."""
    return d.ValueMap(
        {code: d.ValueMappingResult(text=text, index=place) for place, (code, text) in enumerate(codes.items())}
    )


def nothing(text: str) -> d.ValueMapping:
    """What is said in a cell without a value."""
    return d.SpecialValueMap(
        d.DashboardSpecialValueMapOptions(d.SpecialValueMatch.NULL_AND_NAN, d.ValueMappingResult(text=text, color=GREY))
    )


def red_cell(limit: Limit) -> list[d.DynamicConfigValue]:
    """A cell that is red from the limit on, or below it."""
    steps = [d.Threshold(None, RED if limit.below else CLEAR), d.Threshold(limit.value, CLEAR if limit.below else RED)]
    return [
        cell("color-background"),
        d.DynamicConfigValue("color", d.FieldColor(d.FieldColorModeId.THRESHOLDS)),
        d.DynamicConfigValue("thresholds", d.ThresholdsConfig(d.ThresholdsMode.ABSOLUTE, steps)),
    ]


def cell(kind: str) -> d.DynamicConfigValue:
    """How a cell is drawn."""
    return d.DynamicConfigValue("custom.cellOptions", {"type": kind, "mode": "basic"})


def width(head: str, *values: str) -> d.DynamicConfigValue:
    """A column is as wide as its longest value or word of its head: the head is broken into lines, values are not."""
    return d.DynamicConfigValue("custom.width", math.ceil(max(map(_pixels, (*head.split(), *values)))) + _MARGINS)


def width_of(head: str, unit: Unit, *values: str) -> d.DynamicConfigValue:
    """The width of a column of values, and of words that are among them."""
    return width(head, _VALUES[unit], *values)


def _pixels(text: str) -> float:
    return sum(_WIDTHS.get(letter, max(_LETTERS)) for letter in text)


#: A column of small numbers.
NARROW = d.DynamicConfigValue("custom.minWidth", 40)


def columns_of_names() -> d.DashboardFieldConfigSourceOverrides:
    """Columns without a width of their own are names: they share what is left, and a long one has several lines."""
    return d.DashboardFieldConfigSourceOverrides(
        matcher=d.MatcherConfig("byRegexp", "/.*/"),
        properties=[
            d.DynamicConfigValue("custom.minWidth", _LEAST),
            d.DynamicConfigValue("custom.wrapHeaderText", True),
            d.DynamicConfigValue("custom.wrapText", True),
            d.DynamicConfigValue("noValue", "-"),  # of a cell; that of the panel is what it says without any row
        ],
    )


def override(name: str, *properties: d.DynamicConfigValue) -> d.DashboardFieldConfigSourceOverrides:
    """Properties of the field with this name."""
    return d.DashboardFieldConfigSourceOverrides(matcher=d.MatcherConfig("byName", name), properties=list(properties))
