"""Grafana in a browser: opened, waited for until every panel is drawn, photographed and read."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import APIResponse, Browser, Page, Request, Response, Route, sync_playwright
from playwright.sync_api import Error as BrowserError

from dashboards.gateway import GrafanaError
from tests.browser.chromium import ARGUMENTS, MISSING, chromium
from tests.look.plan import Choice, Seen, Shot, height, origin, titles

#: Seconds in which nothing is asked and nothing loads before all is taken to be drawn: one answer leads to the next question.
QUIET = 0.5
#: Pixels below the lowest panel.
MARGIN = 16

#: The panels, by what Grafana 9 to 13 mark them with: the title, whether it still loads, its error, whether it has no data.
PANELS = r"""() => {
  const head = "data-testid Panel header ";
  const seen = new Map();
  for (const header of document.querySelectorAll(`[data-testid^="${head}"]`)) {
    const root = [".react-grid-item", "[data-viz-panel-key]", "section"].map((kind) => header.closest(kind))
      .find((node) => node) || header;
    seen.set(root, header.dataset.testid.slice(head.length));
  }
  const none = /^\s*no data( in response)?\s*$/im;
  const said = (node) => [node.getAttribute("title"), node.getAttribute("aria-label"), node.innerText]
    .find((text) => text && text.trim() && !/^(data-testid )?panel (header|status)/i.test(text)) || "it does not say which";
  const panels = [...seen].map(([root, title]) => {
    const busy = root.querySelector(`[aria-label="Panel loading bar"], [data-testid="data-testid Panel loading bar"],
      .panel-loading__spinner, [aria-label="data-testid Loading indicator"], [data-testid="data-testid Loading indicator"],
      [aria-label="Loading indicator"], [data-testid="Spinner"]`) || /Loading plugin panel/.test(root.innerText);
    const message = root.querySelector('[data-testid="data-testid Panel data error message"]');
    const fault = root.querySelector(`[data-testid="data-testid Panel status error"], [aria-label="Panel status"],
      .panel-info-corner--error, [data-testid="data-testid Error boundary"], [data-testid="data-testid Alert error"]`)
      || (message && !none.test(message.innerText) ? message : null);
    const box = root.getBoundingClientRect();
    return {title, busy: !!busy, error: fault ? said(fault) : "", empty: !fault && none.test(root.innerText),
      bottom: box.bottom};
  });
  const page = [...document.querySelectorAll('[data-testid="data-testid Alert error"], [aria-label="Alert error"]')]
    .filter((node) => ![...seen.keys()].some((root) => root.contains(node))).map((node) => node.innerText);
  const version = window.grafanaBootData?.settings?.buildInfo?.version || "";
  return {panels, page, version};
}"""


class Camera:
    """A browser that is logged in to one Grafana."""

    def __init__(self, browser: Browser, choice: Choice, token: str, timeout: float) -> None:
        self._choice = choice
        self._timeout = timeout
        # What we answer ourselves has no address for the browser, which then keeps it from all that is near.
        self._context = browser.new_context(permissions=["local-network-access"])
        self._token = token
        if token:
            # To Grafana alone, whatever a dashboard shows; its scripts and fonts need no login.
            self._context.route(self._is_grafana, self._answer)

    def take(self, shot: Shot, board: dict[str, Any], file: Path) -> Seen:
        """Take one picture. Raises GrafanaError where none can be taken."""
        page = self._context.new_page()
        page.set_viewport_size({"width": shot.width, "height": height(board)})
        watch = _Watch(page, shot.uid)
        try:
            page.goto(self._choice.address(shot), timeout=self._timeout * 1000, wait_until="domcontentloaded")
            state = self._drawn(page, watch, titles(board))
            bottom = _bottom(state)
            if bottom > height(board):  # bars that are higher than we thought
                page.set_viewport_size({"width": shot.width, "height": bottom})
                state = self._drawn(page, watch, titles(board))
                bottom = _bottom(state)
            if bottom:
                page.screenshot(path=file, clip={"x": 0, "y": 0, "width": shot.width, "height": bottom})
            else:
                page.screenshot(path=file)
        except BrowserError as error:
            why = error.message.partition("\n")[0]
            raise GrafanaError(f"{self._choice.url}: no picture of {shot.uid}: {why}") from None
        finally:
            page.close()
        return _seen(state, titles(board), watch.faults)

    def _drawn(self, page: Page, watch: _Watch, wanted: list[str]) -> dict[str, Any]:
        """Wait until all is drawn, or the time is over; what is there then."""
        end = time.monotonic() + self._timeout
        quiet_since: float | None = None
        while True:
            state: dict[str, Any] = page.evaluate(PANELS)
            now = time.monotonic()
            there = {panel["title"] for panel in state["panels"] if not panel["busy"]}
            if watch.refused:
                raise GrafanaError(f"{self._choice.url} {watch.refused}")
            if page.url.partition("?")[0].endswith("/login"):
                raise GrafanaError(
                    f"{self._choice.url} asks for a login: put a service account's token into CAREWATCH_GRAFANA_TOKEN"
                )
            if watch.pending or not there.issuperset(wanted):
                quiet_since = None
            else:
                quiet_since = quiet_since or now
                if now - quiet_since >= QUIET:
                    return state
            if now > end:
                return state
            page.wait_for_timeout(50)

    def _is_grafana(self, url: str) -> bool:
        return origin(url) == origin(self._choice.url) and not url.startswith(f"{self._choice.url}/public/")

    def _answer(self, route: Route) -> None:
        """Ask with the token. A redirect goes back to the browser: it must not take the token to another server."""
        headers = route.request.headers | {"authorization": f"Bearer {self._token}"}
        try:
            answer: APIResponse = route.fetch(headers=headers, max_redirects=0, timeout=self._timeout * 1000)
            route.fulfill(response=answer)
        except BrowserError:  # the page is closed, or nobody answers
            _abort(route)


class _Watch:
    """What a page still waits for, and whether it was refused its dashboard."""

    def __init__(self, page: Page, uid: str) -> None:
        self.pending: set[Request] = set()
        self.refused = ""
        self.faults: list[str] = []
        self._dashboard = re.compile(rf"/apis?/.*/{re.escape(uid)}(/dto)?/?(\?.*)?$")
        self._uid = uid
        page.on("request", self._asked)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)
        page.on("response", self._answered)
        page.on("pageerror", self._failed)

    def _asked(self, request: Request) -> None:
        if request.resource_type in ("fetch", "xhr", "script"):
            self.pending.add(request)

    def _ended(self, request: Request) -> None:
        self.pending.discard(request)

    def _failed(self, error: BrowserError) -> None:
        if "ResizeObserver" not in error.message:  # browsers say so of any page that sizes what it draws
            self.faults.append(error.message)

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and self._dashboard.search(response.url):
            self.refused = f"does not show the dashboard {self._uid} to this login (status {response.status})"


@contextmanager
def camera(choice: Choice, token: str, timeout: float) -> Iterator[Camera]:
    """A browser that is closed in the end. Raises GrafanaError if there is none.

    Args:
        choice: Which Grafana, and what of it.
        token: A service account's, "" for none.
        timeout: Seconds that a dashboard may take.
    """
    path = chromium()
    if path is None:
        raise GrafanaError(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield Camera(browser, choice, token, timeout)
        finally:
            browser.close()


def _abort(route: Route) -> None:
    try:
        route.abort()
    except BrowserError:
        return


def _bottom(state: dict[str, Any]) -> int:
    return round(max((panel["bottom"] for panel in state["panels"]), default=-MARGIN)) + MARGIN


def _seen(state: dict[str, Any], wanted: list[str], faults: list[str]) -> Seen:
    panels = state["panels"]
    there = {panel["title"] for panel in panels if not panel["busy"]}
    errors = [(panel["title"], _line(panel["error"])) for panel in panels if panel["error"]]
    return Seen(
        panels=len(panels),
        missing=tuple(title for title in wanted if title not in there),
        errors=(*errors, *(("", _line(text)) for text in state["page"])),
        empty=tuple(panel["title"] for panel in panels if panel["empty"]),
        notes=tuple(map(_line, faults)),
        version=state["version"],
    )


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
