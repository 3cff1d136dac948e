"""Which pictures to take of which dashboard, what was seen on them, and the page that shows them all."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from dashboards.gateway import GrafanaError, address

#: Pixels that Grafana gives a row of its grid, and to what is above the grid where it is high.
ROW = 38
HEAD = 220
THEMES = ("dark", "light")
WIDTHS = (1280, 1920)


class Shot(NamedTuple):
    """One picture: of this dashboard, in this theme, this wide."""

    uid: str
    theme: str
    width: int

    @property
    def file(self) -> str:
        """Its file's name."""
        return f"{self.uid}-{self.width}-{self.theme}.png"


@dataclass(frozen=True)
class Choice:
    """What is to be seen.

    Attributes:
        url: Grafana's address, without a slash at the end.
        since: Start of the time, "" for the dashboard's own.
        until: Its end.
        programs: Which programs; none for all.
        kiosk: Without Grafana's own bars.
    """

    url: str
    since: str = ""
    until: str = ""
    programs: Sequence[str] = ()
    kiosk: bool = False

    def address(self, shot: Shot) -> str:
        """Where the picture is taken."""
        asked = [("theme", shot.theme), ("from", self.since), ("to", self.until)]
        asked += [("var-program", program) for program in self.programs]
        query = urlencode([(name, value) for name, value in asked if value])
        return f"{self.url}/d/{shot.uid}?{query}{'&kiosk' if self.kiosk else ''}"


@dataclass(frozen=True)
class Seen:
    """What is on one picture.

    Attributes:
        panels: How many are drawn.
        missing: Titles of those that are not, or still load.
        errors: Title and message of those with an error; the page's own have the title "".
        empty: Titles of those that say that they have no data.
        notes: What failed in the page's scripts, for whoever looks for the reason.
        version: Grafana's.
    """

    panels: int = 0
    missing: tuple[str, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    empty: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    version: str = ""

    @property
    def good(self) -> bool:
        """Whether everything is drawn without an error; no data may be right."""
        return not self.missing and not self.errors


def checked(url: str) -> str:
    """The address without a slash at its end. Raises GrafanaError."""
    if address(url) is None:  # not quoted: somebody may have put a password into it
        raise GrafanaError("no address of Grafana; give it with --url, such as http://localhost:3000")
    return url.rstrip("/")


def origin(url: str) -> tuple[str, str, int]:
    """Whom an address asks: the scheme, the name and the port."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(scheme, 0)


def chosen(boards: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The dashboards with these uids, which may leave out what all begin with. Raises GrafanaError.

    For none: all that show numbers, which a runbook does not.
    """
    by_name = {name: board for board in boards for name in (board["uid"], board["uid"].removeprefix("care-"))}
    for name in names:
        if name not in by_name:
            known = ", ".join(board["uid"] for board in boards)
            raise GrafanaError(f"no dashboard '{name}'; there are {known}")
    wanted = {by_name[name]["uid"] for name in names}
    return [board for board in boards if board["uid"] in wanted or (not names and _asks(board))]


def _asks(board: dict[str, Any]) -> bool:
    return any(panel.get("targets") for panel in board["panels"])


def shots(boards: Iterable[dict[str, Any]], widths: Iterable[int], themes: Iterable[str]) -> list[Shot]:
    """The pictures, dashboard by dashboard."""
    return [Shot(board["uid"], theme, width) for board in boards for width in widths for theme in themes]


def titles(board: dict[str, Any]) -> list[str]:
    """The titles of the panels, as they are drawn."""
    return [panel["title"] for panel in board["panels"] if panel.get("title")]


def height(board: dict[str, Any]) -> int:
    """How high a window has to be that shows all of the dashboard: what is below its edge Grafana does not draw."""
    rows: int = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    return HEAD + rows * ROW


def findings(seen: Iterable[Seen]) -> list[str]:
    """What is to be said of a dashboard after all its pictures, each thing once."""
    lines: dict[str, None] = {}
    for one in seen:
        for title in one.missing:
            lines[f"not drawn: {title}"] = None
        for title, message in one.errors:
            lines[f"error: {title or 'the page'}: {message}"] = None
        for title in one.empty:
            lines[f"no data: {title}"] = None
        for note in one.notes:
            lines[f"the page's scripts: {note}"] = None
    return list(lines)


def index(heading: str, boards: Sequence[dict[str, Any]], seen: dict[Shot, Seen]) -> str:
    """The page with all pictures, a check box at each."""
    parts = [_HEAD.format(title=html.escape(heading))]
    for board in boards:
        own = {shot: one for shot, one in seen.items() if shot.uid == board["uid"]}
        said = "".join(f"<li>{html.escape(line)}</li>" for line in findings(own.values()))
        parts.append(f"<h2>{html.escape(board['title'])}</h2>\n<ul>{said}</ul>\n<div>")
        for shot in own:
            caption = f"<label><input type=checkbox> {shot.width} px, {shot.theme}</label>"
            picture = f'<a href="{shot.file}"><img src="{shot.file}" alt="" loading=lazy></a>'
            parts.append(f"<figure><figcaption>{caption}</figcaption>{picture}</figure>")
        parts.append("</div>")
    return "\n".join(parts) + "\n"


def write(folder: Path, heading: str, boards: Sequence[dict[str, Any]], seen: dict[Shot, Seen]) -> Path:
    """Write the page; its path. Raises OSError."""
    file = folder / "index.html"
    file.write_text(index(heading, boards, seen), encoding="utf-8")
    return file


_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.4 sans-serif; margin: 1rem }}
div {{ display: grid; grid-template-columns: 1fr 1fr; gap: 1rem }}
figure {{ margin: 0 }}
img {{ width: 100%; border: 1px solid #888 }}
</style>
<h1>{title}</h1>"""
