"""The files of the board, from a list: what is not on it is not served. And the headers that everything of it has."""

from __future__ import annotations

from hashlib import blake2b
from html import escape
from pathlib import Path

from aiohttp import web

ASSETS = Path(__file__).parent / "assets"

#: Nothing from elsewhere, nothing inline, no frames: a name from a feed that got into the page could still do nothing.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_HTML, _CSS, _JS, _SVG = "text/html", "text/css", "text/javascript", "image/svg+xml"
#: Where a banner goes: before the first thing of a page that is seen.
_TOP = b'<header class="top">'
#: Path -> file and type.
FILES = {
    "/": ("board.html", _HTML),
    "/followups": ("followups.html", _HTML),
    "/assets/icon.svg": ("icon.svg", _SVG),
    "/assets/board.css": ("board.css", _CSS),
    "/assets/board.js": ("board.js", _JS),
    "/assets/dom.js": ("dom.js", _JS),
    "/assets/followups.js": ("followups.js", _JS),
    "/assets/program.js": ("program.js", _JS),
    "/assets/theme.js": ("theme.js", _JS),
    "/assets/trend.js": ("trend.js", _JS),
    "/assets/words.js": ("words.js", _JS),
    "/assets/uplot/uPlot.iife.min.js": ("uplot/uPlot.iife.min.js", _JS),
    "/assets/uplot/uPlot.min.css": ("uplot/uPlot.min.css", _CSS),
}


class Page:
    """One file in memory. Browsers keep it and ask each time whether it is still the same: a new version shows at once."""

    def __init__(self, name: str, content_type: str, banner: str = "") -> None:
        """Read the file. A page of HTML shows the banner on top, if there is one."""
        self._body = (ASSETS / name).read_bytes()
        if banner:
            note = f'<p class="banner" role="note">{escape(banner)}</p>\n'
            self._body = self._body.replace(_TOP, note.encode() + _TOP)
        self._type = content_type
        self._tag = blake2b(self._body, digest_size=12).hexdigest()

    async def get(self, request: web.Request) -> web.Response:
        """The file, or that it has not changed."""
        headers = {**HEADERS, "Cache-Control": "no-cache", "ETag": f'"{self._tag}"'}
        if any(tag.value in (self._tag, "*") for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._body, content_type=self._type, charset="utf-8", headers=headers)


def routes(banner: str = "") -> list[web.RouteDef]:
    """A route for each file. `banner`: a line over the pages, "" for none."""
    return [
        web.get(path, Page(name, kind, banner if kind == _HTML else "").get) for path, (name, kind) in FILES.items()
    ]
