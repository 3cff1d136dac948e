"""What Grafana shows for a panel, by Grafana's own libraries: one Node.js process draws many panels.

    drawn = draw([Drawing(panel, [Answer("A", expr, data)], variables={"program": "Oakwood CARE"})])

Sizes are CSS pixels, at a zoom of 100%.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from tests import node

HERE = Path(__file__).resolve().parent
SCRIPT = "draw.cjs"
SECONDS = 120

#: What a field holds: NaN and the infinities are floats, a gap is None.
Value = float | str | bool | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What Prometheus answered to one target of a panel: `data` of /api/v1/query or /api/v1/query_range."""

    ref_id: str
    #: As it was asked, variables replaced.
    expr: str
    data: Mapping[str, Any]
    start: float | None = None
    end: float | None = None
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A panel as its dashboard has it, with the answers to its targets and where it is looked at."""

    panel: Mapping[str, Any]
    answers: Sequence[Answer]
    #: For texts and links; a list where several are chosen.
    variables: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    #: The width of the browser's window.
    window: int = 1280
    #: Without it, the navigation takes its place in windows of 1200 pixels and more.
    kiosk: bool = True
    theme: Literal["light", "dark"] = "light"
    timezone: str = "utc"


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    url: str
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A column, or a series' values or times. One text, colour and list of links for each value."""

    name: str
    raw_name: str
    kind: str
    labels: dict[str, str]
    values: tuple[Value, ...]
    texts: tuple[str, ...]
    colors: tuple[str | None, ...]
    links: tuple[tuple[Link, ...], ...]
    #: The colour of its line, where it is a series.
    color: str | None
    custom: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    name: str
    ref_id: str
    kind: str
    length: int
    fields: tuple[Field, ...]

    def column(self, name: str) -> Field:
        """The field that is shown with this name."""
        return next(field for field in self.fields if field.name == name)


@dataclass(frozen=True, slots=True)
class Title:
    text: str
    needs: float
    has: float

    @property
    def cut(self) -> bool:
        return self.needs > self.has


@dataclass(frozen=True, slots=True)
class Reading:
    """A tile of a stat panel, or a bar: what it shows, how big, and whether there is room for it."""

    name: str
    text: str
    value: float | None
    width: float
    height: float
    color: str | None
    background: str | None
    #: The colour of the text.
    ink: str | None
    text_size: float
    text_needs: float
    has: float
    name_size: float
    name_needs: float
    name_has: float
    links: tuple[Link, ...]

    @property
    def name_cut(self) -> bool:
        return self.name_needs > self.name_has

    @property
    def text_cut(self) -> bool:
        return self.text_needs > self.has


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column. What it needs is with paddings and signs; for the longest word, where it wraps."""

    name: str
    width: float
    align: str
    header_needs: float
    cell_needs: float
    #: The text that needs most.
    longest: str
    header_wraps: bool
    cell_wraps: bool

    @property
    def header_cut(self) -> bool:
        return self.header_needs > self.width

    @property
    def cell_cut(self) -> bool:
        return self.cell_needs > self.width


@dataclass(frozen=True, slots=True)
class Table:
    """What of the frames a table shows at first, without scrolling."""

    #: Which frame, and whether a list to choose another one is below the table.
    frame: int
    chooser: bool
    #: The rows of the frame, as they are sorted.
    order: tuple[int, ...]
    #: The room for the columns.
    width: float
    #: Columns are out of sight: it scrolls sideways.
    overflow: bool
    #: Rows are out of sight.
    scrolls: bool
    rows_in_view: int
    header_height: float
    row_heights: tuple[float, ...]
    columns: tuple[Column, ...]

    @property
    def cut(self) -> tuple[str, ...]:
        """The columns that have too little room for their header or a cell."""
        return tuple(column.name for column in self.columns if column.header_cut or column.cell_cut)


@dataclass(frozen=True, slots=True)
class Drawn:
    kind: str
    width: float
    height: float
    inner_width: float
    inner_height: float
    title: Title
    #: After the transformations.
    frames: tuple[Frame, ...]
    #: Of a stat panel or a bar gauge.
    readings: tuple[Reading, ...]
    #: Of a table, unless there is nothing to show.
    table: Table | None
    #: What the legend lists, or the rows of a state timeline or a heatmap.
    legend: tuple[str, ...]
    #: The texts at each vertical axis, from below.
    ticks: tuple[tuple[str, ...], ...]
    #: A bar gauge has more bars than it has room for.
    scrolls: bool
    #: The text instead of a table or chart; readings say it themselves.
    no_data: str | None
    #: Options that this type of panel does not know: Grafana drops them.
    ignored: tuple[str, ...]

    @property
    def repeated_ticks(self) -> tuple[str, ...]:
        """Texts that stand at an axis more than once, for they are rounded too much."""
        return tuple(text for axis in self.ticks for text, times in Counter(axis).items() if times > 1)


def draw(drawings: Sequence[Drawing]) -> list[Drawn]:
    """Draw panels; raises `node.UnavailableError` where Node.js or the libraries are missing."""
    script = node.installed(HERE, SCRIPT)
    question = json.dumps({"drawings": [asdict(drawing) for drawing in drawings]})
    done = subprocess.run(
        ["node", str(script)], input=question, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    if done.returncode != 0:
        raise RuntimeError(f"a panel could not be drawn: {done.stderr[-2000:]}")
    return msgspec.convert(json.loads(done.stdout), list[Drawn])
