"""The picture of a run. `python -m bench.plot RESULTS.json PICTURE.svg`, in the peers' environment, which has matplotlib."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
from matplotlib.figure import Figure

from bench.results import BATCH, Results

OURS, OTHERS, INK = "#1f6f8b", "#b9c4c9", "#333333"


def draw(results: Results) -> Figure:
    """Events a second of every contender, and the cost of an event as their number grows."""
    figure = Figure(figsize=(9.5, 3.8), layout="constrained")
    bars, line = figure.subplots(1, 2, width_ratios=(3, 2))
    _bars(bars, results)
    _line(line, results)
    if results.quick:
        figure.suptitle("quick run: its numbers say little", color="#aa0000")
    return figure


def _bars(axes: Any, results: Results) -> None:
    rates = sorted((each.per_second, each.name) for each in results.rates if each.per_second)
    names = [name for _, name in rates]
    values = [value for value, _ in rates]
    colours = [OURS if name.startswith(BATCH) else OTHERS for name in names]
    drawn = axes.barh(names, values, color=colours)
    axes.bar_label(drawn, labels=[f"{value:,.0f}" for value in values], padding=4, color=INK)
    axes.set_xlim(0, max(values, default=1) * 1.2)
    axes.set_xlabel("events a second, one process each")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _line(axes: Any, results: Results) -> None:
    events = [cost.events for cost in results.costs]
    micros = [cost.micros for cost in results.costs]
    axes.plot(events, micros, marker="o", color=OURS)
    axes.set_xscale("log")
    axes.set_ylim(0, max(micros, default=1) * 1.25)
    axes.set_xlabel("events applied")
    axes.set_ylabel("microseconds an event")


def main() -> int:
    """Run the command line."""
    mpl.rcParams["svg.hashsalt"] = "carewatch"  # the same results give the same file
    mpl.rcParams["axes.spines.top"] = mpl.rcParams["axes.spines.right"] = False
    results = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Results)
    draw(results).savefig(sys.argv[2], metadata={"Date": None}, facecolor="white")
    return 0


if __name__ == "__main__":
    sys.exit(main())
