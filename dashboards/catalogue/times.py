"""Response times: each from a named point to a named point, with its count. Dashboard `care-times`."""

from __future__ import annotations

from dashboards.catalogue import recorded
from dashboards.catalogue.promql import counted, latest, select, since, total
from dashboards.catalogue.signal import Definer, Signal
from streams import metrics as m

_signal = Definer(__name__)

_WHAT = (
    "from the interval's first named point to its second; received_to_... is to the first CARE unit of a call, the others "
    "are of each CARE unit. Observed when the second point is recorded; negative ones are left out."
)


#: A quantile of fewer times is noise, and is not shown.
ENOUGH = 20
_HIDDEN = f"Estimated within the bucket it falls in. No value where fewer than {ENOUGH} were measured."
#: The interval that the dashboard looks at, where one has to be chosen.
_CHOSEN = 'interval=~"$interval"'


def _enough(quantile: str, by: str, count: str) -> str:
    return f"{quantile} and on ({', '.join(by.split())}) ({count} >= {ENOUGH})"


def _spread(name: str, by: str, of: str, *matchers: str, over_areas: bool = False) -> tuple[Signal, Signal, Signal]:
    """Median, 90th percentile and count by some labels; `over_areas`: from what is recorded, without the area."""
    if over_areas:
        count = total(by, counted(recorded.INTERVAL, *matchers, 'le="+Inf"'))
        buckets = total(f"{by} le", counted(recorded.INTERVAL, *matchers))
    else:
        count = total(by, counted(m.INTERVAL, *matchers, part="_count"))
        buckets = total(f"{by} le", counted(m.INTERVAL, *matchers, part="_bucket"))
    where = "Over all areas. " if over_areas else ""

    def quantile(q: float) -> str:
        return _enough(f"histogram_quantile({q:g}, {buckets})", by, count)

    return (
        _signal(
            f"interval_p50_by_{name}",
            f"Median time {of}",
            "seconds",
            by,
            quantile(0.5),
            f"Half of the times in the chosen time were shorter, {_WHAT} {where}{_HIDDEN}",
        ),
        _signal(
            f"interval_p90_by_{name}",
            f"90th percentile of the time {of}",
            "seconds",
            by,
            quantile(0.9),
            f"Nine of ten times in the chosen time were shorter, {_WHAT} {where}{_HIDDEN}",
        ),
        _signal(
            f"interval_count_by_{name}",
            f"Number of times measured {of}",
            "count",
            by,
            count,
            f"How many times were observed in the chosen time, {_WHAT} {where}".strip(),
        ),
    )


P50, P90, COUNT = _spread("interval", "program interval", "by interval", over_areas=True)
AREA_P50, AREA_P90, AREA_COUNT = _spread("area", "program area interval", "by area", _CHOSEN)
TEAM_P50, TEAM_P90, TEAM_COUNT = _spread("team", "program team interval", "by team", _CHOSEN, over_areas=True)

TARGET = _signal(
    "interval_target",
    "Target",
    "seconds",
    "program team interval",
    latest(m.TARGET, _CHOSEN),
    "The target of an interval for a team, from the program's profile. The histogram has an edge at each target.",
)
#: The target as a bucket's label: a target of 300 s is the bucket le="300.0".
_AT_TARGET = (
    f'label_replace(count_values by (program, team, interval) ("le", {TARGET.expr}), "le", "$1.0", "le", "([0-9]+)")'
)
WITHIN_TARGET = _signal(
    "interval_share_within_target",
    "Share within target",
    "ratio",
    "program team interval",
    total(
        "program team interval",
        f"{total('program team interval le', counted(recorded.INTERVAL, _CHOSEN))}"
        f" * on (program, team, interval, le) {_AT_TARGET}",
    )
    + f" / ({TEAM_COUNT.expr} > 0)",
    "Times of the chosen time that were at most the team's target, out of all observed, by interval. Exact: the histogram "
    "has an edge at each target. Over all areas. Intervals without a target are left out; no value without times.",
)
DISTRIBUTION = _signal(
    "interval_distribution",
    "Distribution of times",
    "count",
    "interval le",
    total("interval le", since(recorded.INTERVAL, "$__interval", _CHOSEN)),
    f"How many times ended in each step of the graph, by upper edge: {_WHAT} Over all areas.",
)


def _over_week(part: str, by: str) -> str:
    chosen = select(recorded.INTERVAL, _CHOSEN, *([part] if part else []))
    # without a value 7 days ago, from the first since then, looked for every two hours
    first = f"min_over_time({chosen}[7d:2h])"
    return f"({total(by, chosen)} - ({total(by, f'{chosen} offset 7d')} or {total(by, first)}))"


P90_OVER_TIME = _signal(
    "interval_p90_over_week",
    "90th percentile of the time by interval, over 7 days",
    "seconds",
    "program interval",
    _enough(
        f"histogram_quantile(0.9, {_over_week('', 'program interval le')})",
        "program interval",
        _over_week('le="+Inf"', "program interval"),
    ),
    f"Nine of ten times in the 7 days before each point of the graph were shorter, {_WHAT} Over all areas. {_HIDDEN}",
)
