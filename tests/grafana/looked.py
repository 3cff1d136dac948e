"""The six dashboards as somebody sees them: asked in a scene, drawn at a window's width, and what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dashboards.build import ROOT
from tests.grafana.draw import Answer, Column, Drawing, Drawn, draw
from tests.grafana.filling import Json, Question
from tests.grafana.scenes import Asked, Scene, ask

BOARDS: dict[str, Json] = {
    file.stem: json.loads(file.read_text())
    for file in sorted((ROOT / "dashboards" / "grafana" / "dashboards").glob("*.json"))
}
WINDOWS = (1280, 1920)
#: What a panel may say where there is nothing to draw; all else says that there is none, which has to be known.
UNKNOWN = {panel["fieldConfig"]["defaults"].get("noValue") for board in BOARDS.values() for panel in board["panels"]}
#: Pixels at the sides of a page.
_SIDES = 32
#: What Grafana's own measure of a bar's value differs from ours: it makes the room as wide as the text.
_MEASURE = 1.1
_CODE = re.compile("[a-z0-9]+(_[a-z0-9]+)+")


@dataclass(frozen=True, slots=True)
class Seen:
    """A panel of a dashboard as it is seen in a scene at a width of the window."""

    scene: Scene
    window: int
    board: str
    panel: Json
    #: How many series were answered.
    series: int
    drawn: Drawn

    def __str__(self) -> str:
        return f"{self.scene.name} {self.window} {self.board} '{self.title}'"

    @property
    def title(self) -> str:
        return str(self.panel["title"])

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of a table, as they are sorted: text by the head of its column."""
        if self.drawn.table is None:
            return []
        frame = self.drawn.frames[self.drawn.table.frame]
        return [{field.name: field.texts[row] for field in frame.fields} for row in self.drawn.table.order]

    @property
    def bars(self) -> dict[str, str]:
        """The numbers of bars and tiles by their names; "" is the name of one alone."""
        return {one.name: one.text for one in self.drawn.readings}

    @property
    def texts(self) -> list[str]:
        """All that is read in the panel, beside its title."""
        cells = [text for row in self.rows for text in row.values()]
        nothing = [self.drawn.no_data] if self.drawn.no_data else []
        return [*cells, *self.bars, *self.bars.values(), *self.drawn.legend, *nothing]


def look(scene: Scene, windows: Sequence[int] = WINDOWS, shown: Mapping[str, Json] = BOARDS) -> list[Seen]:
    """All panels of dashboards in a scene, at these widths of the window."""
    asked = [(uid, one) for uid, board in shown.items() for one in ask(scene, board, width=max(windows) - _SIDES)]
    found = [(window, uid, one) for window in windows for uid, one in asked]
    drawn = draw([_drawing(one, window) for window, _, one in found])
    return [
        Seen(scene, window, uid, one.panel, sum(len(data["result"]) for _, data in one.answers.values()), picture)
        for (window, uid, one), picture in zip(found, drawn, strict=True)
    ]


def _drawing(asked: Asked, window: int) -> Drawing:
    return Drawing(asked.panel, [_answer(question, data) for question, data in asked.answers.values()], window=window)


def _answer(question: Question, data: Json) -> Answer:
    return Answer(question.ref, question.expr, data, question.start, question.end, question.step)


def faults(seen: Seen) -> Iterator[str]:
    """What nobody should see, whatever the data."""
    yield from _sizes(seen)
    yield from _words(seen)
    if table := seen.drawn.table:
        if table.chooser or len(seen.drawn.frames) > 1:
            yield f"{len(seen.drawn.frames)} tables, of which one is shown"
        heads = [column.name for column in table.columns]
        wanted = [head for head in _organized(seen.panel) if head in heads]
        if heads != wanted:
            yield f"columns {heads} are not in the order {wanted}"
    if again := seen.drawn.repeated_ticks:
        yield f"more than once at an axis: {', '.join(again)}"
    if odd := [
        text for axis in seen.drawn.ticks for text in axis if re.fullmatch(r"\d+\.(?!5 )\d+ (min|hour|day)s?", text)
    ]:
        yield f"odd steps of an axis: {', '.join(odd)}"
    if ignored := seen.drawn.ignored:
        yield f"Grafana ignores {', '.join(ignored)}"
    # a heatmap cannot be given words
    if seen.drawn.no_data and seen.drawn.no_data not in UNKNOWN and seen.panel["type"] != "heatmap":
        yield f"says '{seen.drawn.no_data}' where it may be unknown"
    if seen.drawn.readings and not _spread(seen.panel) and len(seen.drawn.readings) != max(seen.series, 1):
        yield f"{len(seen.drawn.readings)} readings of {seen.series} series"
    names = [name for name in seen.bars if name]
    if not _spread(seen.panel) and names != sorted(names, key=str.casefold):
        yield f"not in the order of names: {names}"


def _sizes(seen: Seen) -> Iterator[str]:
    if seen.drawn.title.cut:
        yield "the title is cut"
    if table := seen.drawn.table:
        if table.overflow:
            yield "columns are out of sight"
        yield from (f"the column {column.name} is cut" for column in table.columns if _cut(column))
    for one in seen.drawn.readings:
        if one.name_cut:
            yield f"the name {one.name} is cut"
        if one.text_needs > one.has * _MEASURE + 1:
            yield f"the value {one.text} is cut"
        if one.text_size < 12 or (one.name and one.name_size < 12):
            yield f"{one.name or one.text} is too small to be read"


def _cut(column: Column) -> bool:
    return column.header_cut or column.cell_cut


def _words(seen: Seen) -> Iterator[str]:
    """Codes, and names that are Prometheus's or Grafana's."""
    words = {word for text in seen.texts for word in text.split()} - seen.scene.truth.profiles.keys()
    if codes := sorted(word for word in words if _CODE.fullmatch(word)):
        yield f"codes: {', '.join(codes)}"
    for head in seen.rows[0] if seen.rows else ():
        if head not in _organized(seen.panel) or re.match("Value( #|$)", head):
            yield f"a column is called {head}"


def _organized(panel: Json) -> list[str]:
    for step in panel.get("transformations", ()):
        if step["id"] == "organize":
            hidden = step["options"]["excludeByName"]
            return [name for key, name in step["options"]["renameByName"].items() if key not in hidden]
    return []


def _spread(panel: Json) -> bool:
    """Whether the order is that of words, and not of names."""
    return any(step["id"] == "labelsToFields" for step in panel.get("transformations", ()))
