"""`python3 dev.py look` in Chromium, on a small page with the marks that Grafana's panels have.

It asks for its numbers late, draws a panel only when it is in the window, and reaches out to another server.
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.answering import Answering
from tests.browser.chromium import MISSING, chromium
from tests.look import __main__ as command

pytestmark = [pytest.mark.browser, pytest.mark.full]

TOKEN = "glsa_s3cret"  # a made-up one
BOARD: dict[str, Any] = {
    "uid": "care-live",
    "title": "carewatch: Live load",
    "panels": [
        {"title": title, "gridPos": {"x": 0, "y": 20 * place, "w": 24, "h": 20}, "targets": [{}]}
        for place, title in enumerate(("Units", "Silent", "Broken", "Never"))
    ],
}
PAGE = """<!doctype html><title>Grafana</title>
<style>body, h2 { margin: 0 } #scroll { height: 100vh; overflow: auto } .react-grid-item { height: 760px }</style>
<div id="scroll"></div><img src="OTHER/pixel"><img src="/hop">
<script>
const other = "OTHER";
window.grafanaBootData = {settings: {buildInfo: {version: "12.4.10"}}};
const panels = {Units: "<p>7</p>", Silent: "<p>No data</p>",
  Broken: '<i data-testid="data-testid Panel status error" title="bad query"></i>', Never: ""};
const scroll = document.getElementById("scroll");
async function draw(item, title) {
  item.innerHTML = `<section><h2 data-testid="data-testid Panel header ${title}">${title}</h2>
    <b aria-label="Panel loading bar"></b><div></div></section>`;
  const answer = await fetch("/api/ds/query", {method: "POST"});
  if (answer.ok && title !== "Never" || location.search.includes("from=now-1h")) {
    item.querySelector("b").remove();
    item.querySelector("div").innerHTML = panels[title];
  }
}
(async () => {
  fetch(`${other}/track`, {mode: "no-cors"}).catch(() => {});
  fetch("/hop", {mode: "no-cors"}).catch(() => {});
  const answer = await fetch("/api/dashboards/uid/care-live");
  if (!answer.ok) return;
  const watch = new IntersectionObserver((entries) => entries.filter((e) => e.isIntersecting)
    .forEach((e) => { watch.unobserve(e.target); draw(e.target, e.target.dataset.title); }), {root: scroll});
  for (const title of Object.keys(panels)) {
    const item = document.createElement("div");
    item.className = "react-grid-item";
    item.dataset.title = title;
    scroll.append(item);
    watch.observe(item);
  }
})();
</script>"""


@dataclass
class Server:
    """A server, and what it was asked: the path and the login."""

    url: str
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def grafana() -> Iterator[tuple[Server, Server]]:
    """A Grafana that wants a login, and the other server."""
    servers: list[Server] = []

    class Handler(Answering):
        def reply(self) -> None:
            self.body()
            own, other = servers
            host = self.headers["Host"]
            here = own if own.url.endswith(host) else other
            login = self.headers.get("Authorization")
            here.asked.append((self.path, login))
            status, text = 200, "{}"
            if here is own and login != f"Bearer {TOKEN}":
                status = 302 if self.path.startswith("/d/") else 401
            elif self.path.startswith("/hop"):
                status = 302
            elif self.path.startswith("/d/"):
                text = PAGE.replace("OTHER", other.url)
            elif self.path == "/api/health":
                text = json.dumps({"database": "ok", "version": "12.4.10"})
            elif self.path == "/login":
                text = "<form>Log in</form>"
            elif self.path == "/api/ds/query":
                threading.Event().wait(0.3)  # an answer that lets wait
            headers = {"Content-Type": "text/html" if text.startswith("<") else "application/json"}
            if status == 302:
                headers["Location"] = f"{other.url}/hopped" if self.path == "/hop" else "/login"
            self.answer(status, text, headers)

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as one,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as two,
    ):
        threads = []
        for server in (one, two):
            servers.append(Server(f"http://127.0.0.1:{server.server_port}"))
            threads.append(threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}))
            threads[-1].start()
        yield servers[0], servers[1]
        for server in (one, two):
            server.shutdown()
        for thread in threads:
            thread.join()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    if chromium() is None:
        pytest.skip(MISSING)
    monkeypatch.setattr(command, "load", lambda _: [BOARD])
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("CAREWATCH_GRAFANA_TOKEN", TOKEN)


def size(file: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    width, height = struct.unpack(">II", file.read_bytes()[16:24])
    return width, height


def test_pictures_of_a_whole_dashboard(
    grafana: tuple[Server, Server], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, other = grafana
    out = tmp_path / "look"
    status = command.main(["--url", own.url, "--out", str(out), "--from", "now-1h", "--kiosk"])
    said = capsys.readouterr().out.splitlines()
    assert status == 1, "a panel has an error"
    names = [f"care-live-{width}-{theme}.png" for width in (1280, 1920) for theme in ("dark", "light")]
    assert [line.partition("  ")[0] for line in said[:4]] == [str(out / name) for name in names]
    assert all("4 panels" in line for line in said[:4])
    assert said[4:6] == ["  error: Broken: bad query", "  no data: Silent"]
    assert [size(out / name) for name in names] == [(1280, 3056), (1280, 3056), (1920, 3056), (1920, 3056)]
    page = (out / "index.html").read_text()
    assert "Grafana 12.4.10" in page
    assert all(name in page for name in names)
    assert TOKEN not in page + "".join(said)
    assert any(path.endswith("?theme=light&from=now-1h&kiosk") for path, _ in own.asked)
    assert {path for path, _ in other.asked} >= {"/track", "/pixel", "/hopped"}
    assert {login for _, login in other.asked} == {None}, "the token is Grafana's alone"


def test_a_panel_that_never_ends_loading(
    grafana: tuple[Server, Server], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--out", str(tmp_path), "--width", "1280", "--theme", "dark", "--timeout", "3"]
    assert command.main(["--url", grafana[0].url, *options]) == 1
    assert "  not drawn: Never" in capsys.readouterr().out.splitlines()
    assert (tmp_path / "care-live-1280-dark.png").is_file()


def test_without_a_login(
    grafana: tuple[Server, Server], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAREWATCH_GRAFANA_TOKEN")
    assert command.main(["--url", grafana[0].url, "--out", str(tmp_path)]) == 2
    assert "asks for a login" in capsys.readouterr().err


def test_nobody_there(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert command.main(["--url", "http://127.0.0.1:9", "--out", str(tmp_path)]) == 2
    assert "cannot be reached" in capsys.readouterr().err
    monkeypatch.delenv("CAREWATCH_GRAFANA_TOKEN")
    assert command.main(["--url", "http://127.0.0.1:9", "--out", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no picture of care-live" in line
