"""The six dashboards as somebody sees them: asked in a scene, drawn at a window's width."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dashboards.build import ROOT
from tests.grafana.draw import Answer, Drawing, Drawn, draw
from tests.grafana.filling import Json
from tests.grafana.scenes import Asked, Scene, ask

BOARDS: dict[str, Json] = {
    file.stem: json.loads(file.read_text())
    for file in sorted((ROOT / "dashboards" / "grafana" / "dashboards").glob("*.json"))
}
_KIND: dict[str, Literal["query", "query_range"]] = {"instant": "query", "range": "query_range"}
#: Pixels at the sides of a page.
_SIDES = 32


@dataclass(frozen=True, slots=True)
class Seen:
    """A panel of a dashboard as it is seen in a scene at a width of the window."""

    scene: str
    window: int
    board: str
    panel: Json
    drawn: Drawn

    def __str__(self) -> str:
        return f"{self.scene} {self.window} {self.board}: {self.panel['title']}"

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
    def texts(self) -> list[str]:
        """All that is read in the panel, beside its title."""
        cells = [text for row in self.rows for text in row.values()]
        readings = [text for one in self.drawn.readings for text in (one.name, one.text)]
        return [*cells, *readings, *self.drawn.legend, *([self.drawn.no_data] if self.drawn.no_data else [])]


def look(scene: Scene, windows: Sequence[int] = (1280, 1920), *, boards: Iterable[str] = tuple(BOARDS)) -> list[Seen]:
    """All panels in a scene, at these widths of the window."""
    asked = [(uid, one) for uid in boards for one in ask(scene, BOARDS[uid], width=max(windows) - _SIDES)]
    found = [(window, uid, one) for window in windows for uid, one in asked]
    drawn = draw([_drawing(one, window) for window, _, one in found])
    return [
        Seen(scene.name, window, uid, one.panel, picture)
        for (window, uid, one), picture in zip(found, drawn, strict=True)
    ]


def _drawing(asked: Asked, window: int) -> Drawing:
    return Drawing(asked.panel, [_answer(*each) for each in asked.answers.values()], window=window)


def _answer(question: Any, data: Any) -> Answer:
    return Answer(question.ref, _KIND[question.kind], question.expr, data, question.start, question.end, question.step)
