"""`carewatch dashboards push`, against a stand-in for Grafana.

Grafana's server is in no package registry, it comes as an image; so this is the one server that the tests play
themselves. It answers as Grafana's documented HTTP API does (folders, dashboards/db, dashboards/uid, annotations, health),
and the requests are compared with that documentation byte for byte.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from carewatch import __version__, cli, pushing
from dashboards.alerts import ALERTS
from dashboards.gateway import Grafana, GrafanaError

TOKEN = "glsa_s3cret"  # a made-up one
HEALTH = ("GET /api/health", 200, {"database": "ok", "version": "12.4.10", "commit": "abc"})
FOLDER = ("GET /api/folders/carewatch", 200, {"id": 1, "uid": "carewatch", "title": "carewatch"})
NO_FOLDER = ("GET /api/folders/carewatch", 404, {"message": "folder not found", "status": "not-found"})
NO_BOARD = ("GET /api/dashboards/uid/care-live", 404, {"message": "Dashboard not found"})
MADE = ("POST /api/folders", 200, {"id": 1, "uid": "carewatch", "title": "carewatch"})
SAVED = (
    "POST /api/dashboards/db",
    200,
    {"id": 7, "uid": "care-live", "url": "/d/care-live/live-load", "status": "success", "version": 3},
)
NOTED = ("POST /api/annotations", 200, {"message": "Annotation added", "id": 1})

Answer = tuple[str, int, Any]


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeGrafana:
    """Answers what it is told to, and keeps what it was asked."""

    url: str
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def will(self, *answers: Answer) -> None:
        self.answers.update({line: (status, body) for line, status, body in answers})

    @property
    def lines(self) -> list[str]:
        return [request.line for request in self.asked]

    def body(self, line: str) -> bytes:
        return next(request.body for request in self.asked if request.line == line)


@pytest.fixture
def fake() -> Iterator[FakeGrafana]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            line = f"{self.command} {self.path}"
            grafana.asked.append(Request(line, dict(self.headers), body))
            status, answer = grafana.answers.get(line, (404, {"message": "Not found"}))
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", answer)
                answer = ""
            raw = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_GET  # noqa: N815  # http.server's name

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        grafana = FakeGrafana(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield grafana
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "TOKEN", "USER", "PASSWORD"):
        monkeypatch.delenv(f"CAREWATCH_GRAFANA_{name}", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(pushing, "wall", lambda: 1_790_000_000_123_456)


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    folder = tmp_path / "boards"
    folder.mkdir()
    (folder / "live.json").write_text('{"uid": "care-live", "title": "Live load", "schemaVersion": 42, "panels": []}')
    return folder


@pytest.fixture
def token(tmp_path: Path) -> str:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return str(file)


def push(fake: FakeGrafana, boards: Path, *options: str) -> int:
    return cli.main(["dashboards", "push", "--url", fake.url, "--from", str(boards), *options])


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error; no secret anywhere."""
    said = capsys.readouterr()
    assert TOKEN not in said.out + said.err
    assert "hunter2" not in said.out + said.err
    (line,) = said.err.splitlines()
    assert line.startswith("carewatch: ")
    return line


def test_the_requests_are_those_of_the_documented_api(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.will(HEALTH, NO_FOLDER, MADE, SAVED, NOTED)
    assert push(fake, boards, "--token-file", token) == 0
    assert fake.lines == [
        "GET /api/health",
        "GET /api/folders/carewatch",
        "POST /api/folders",
        "POST /api/dashboards/db",
        "POST /api/annotations",
    ]
    assert fake.body("POST /api/folders") == b'{"title": "carewatch", "uid": "carewatch"}'
    assert fake.body("POST /api/dashboards/db") == (
        b'{"dashboard": {"uid": "care-live", "title": "Live load", "schemaVersion": 42, "panels": [], "id": null}, '
        b'"folderUid": "carewatch", "message": "carewatch %s", "overwrite": true}' % __version__.encode()
    )
    assert fake.body("POST /api/annotations") == (
        b'{"dashboardId": null, "panelId": null, "time": 1790000000123, "timeEnd": null, '
        b'"tags": ["carewatch", "dashboards"], "text": "carewatch %s: 1 dashboards pushed"}' % __version__.encode()
    )
    for request in fake.asked:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert request.headers["Accept"] == "application/json"
        assert request.headers["User-Agent"] == f"carewatch/{__version__}"
        assert request.headers.get("Content-Type") == ("application/json" if request.body else None)
    assert capsys.readouterr().out.splitlines() == [
        f"{fake.url}: Grafana 12.4.10",
        "made the folder 'carewatch'",
        "pushed 'Live load', version 3 there",
    ]


def test_the_shipped_dashboards_can_be_pushed() -> None:
    uids = [board["uid"] for board in pushing.load(pushing.DASHBOARDS)]
    assert len(uids) == len(set(uids)) == 6 + len(ALERTS)
    assert all(len(uid) <= 40 for uid in uids), "Grafana's limit"


def test_a_folder_that_is_there_is_left_as_it_is(fake: FakeGrafana, boards: Path, token: str) -> None:
    fake.will(HEALTH, FOLDER, SAVED, NOTED)
    assert push(fake, boards, "--token-file", token) == 0
    assert "POST /api/folders" not in fake.lines


@pytest.mark.parametrize(
    ("folder", "board", "said"),
    [
        (NO_FOLDER, NO_BOARD, ["would make the folder 'Crisis care'", "would add 'Live load'"]),
        (FOLDER, (NO_BOARD[0], 200, {"dashboard": {"version": 4}}), ["would replace 'Live load', version 4 there"]),
    ],
    ids=["new", "there"],
)
def test_a_dry_run_changes_nothing(
    fake: FakeGrafana,
    boards: Path,
    token: str,
    capsys: pytest.CaptureFixture[str],
    folder: Answer,
    board: Answer,
    said: list[str],
) -> None:
    fake.will(HEALTH, folder, board)
    assert push(fake, boards, "--token-file", token, "--dry-run", "--folder", "Crisis care") == 0
    assert all(line.startswith("GET ") for line in fake.lines)
    assert capsys.readouterr().out.splitlines()[1:] == [*said, "nothing was changed"]


def test_a_user_with_a_password(
    fake: FakeGrafana, boards: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.will(HEALTH, FOLDER, SAVED, NOTED)
    monkeypatch.setenv("CAREWATCH_GRAFANA_TOKEN", TOKEN)  # an option wins over it
    monkeypatch.setenv("CAREWATCH_GRAFANA_PASSWORD", "hunter2 é")
    assert push(fake, boards, "--user", "ana") == 0
    expected = base64.b64encode("ana:hunter2 é".encode()).decode()
    assert {request.headers["Authorization"] for request in fake.asked} == {f"Basic {expected}"}
    assert "hunter2" not in capsys.readouterr().out


def test_everything_from_the_environment(fake: FakeGrafana, boards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.will(HEALTH, FOLDER, SAVED, NOTED)
    monkeypatch.setenv("CAREWATCH_GRAFANA_URL", fake.url)
    monkeypatch.setenv("CAREWATCH_GRAFANA_TOKEN", f"{TOKEN}\n")
    assert cli.main(["dashboards", "push", "--from", str(boards)]) == 0
    assert fake.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_grafana_below_a_path(fake: FakeGrafana) -> None:
    fake.will(("GET /grafana/api/health", 200, {"database": "ok"}))
    with Grafana(f"{fake.url}/grafana/", TOKEN) as grafana:
        assert grafana.version() == "", "it hides its version"


NAME_EXISTS = {"message": "A dashboard with the same name in the folder already exists", "status": "name-exists"}
CHANGED = {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((FOLDER[0], 401, {"message": "Invalid API key"}), ["does not accept the login", "role Editor"]),
        ((FOLDER[0], 403, {"message": "permission needed"}), ["not let us see folders", "permission needed", "Editor"]),
        ((SAVED[0], 403, {"message": "Access denied"}), ["not let us write the dashboard 'Live load'", "Editor"]),
        ((SAVED[0], 412, CHANGED), ["'Live load'", "changed by someone else", "push again"]),
        ((SAVED[0], 412, NAME_EXISTS), ["'Live load'", "same name", "push again"]),
        ((SAVED[0], 400, {"message": "Cannot save provisioned dashboard"}), ["from files", "another Grafana"]),
        ((SAVED[0], 400, {"message": "Dashboard title cannot be empty"}), ["'Live load'", "title cannot be empty"]),
        ((SAVED[0], 500, {"message": "Failed to save dashboard"}), ["'Live load'", "Failed to save"]),
        ((SAVED[0], 502, "<html>Bad gateway, a message</html>"), ["not as Grafana does"]),
        ((SAVED[0], 200, {"status": "success"}), ["not as Grafana does"]),
        ((NOTED[0], 403, {"message": "Access denied"}), ["write the annotation", "Access denied"]),
        ((HEALTH[0], 404, "<html>no message for you</html>"), ["not as Grafana does", "--url"]),
        ((HEALTH[0], 404, "not here"), ["not as Grafana does", "--url"]),
        ((HEALTH[0], 200, "<html>hello</html>"), ["not as Grafana does", "--url"]),
        ((HEALTH[0], 200, ["hello"]), ["not as Grafana does", "--url"]),
        ((HEALTH[0], 302, "https://login.example/start?next=1"), ["sends us on to https://login.example;", "--url"]),
    ],
)
def test_what_grafana_refuses_is_one_line(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str], answer: Answer, words: list[str]
) -> None:
    fake.will(HEALTH, FOLDER, SAVED, NOTED)
    fake.will(answer)
    assert push(fake, boards, "--token-file", token) == 2
    line = refused(capsys)
    assert fake.url in line
    for word in words:
        assert word in line


def test_a_redirected_post_is_not_sent_as_something_else(fake: FakeGrafana, boards: Path, token: str) -> None:
    fake.will(HEALTH, FOLDER, (SAVED[0], 301, "/api/elsewhere"))
    assert push(fake, boards, "--token-file", token) == 2
    assert fake.lines[-1] == SAVED[0]


def test_nobody_there(boards: Path, token: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert push(FakeGrafana(url), boards, "--token-file", token) == 2
    assert f"{url} cannot be reached" in refused(capsys)


def test_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with (
            Grafana(url, TOKEN, timeout=0.1) as grafana,
            pytest.raises(GrafanaError, match="does not answer in time"),
        ):
            grafana.version()


@pytest.mark.parametrize(
    "url", ["grafana.city.example", "ftp://x", "https://", "https://x:port", "https://ana:hunter2@x", "https://[x"]
)
def test_an_address_that_is_none_is_not_echoed(
    boards: Path, token: str, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert push(FakeGrafana(url), boards, "--token-file", token) == 2
    assert "write it like https://" in refused(capsys)


def test_a_token_that_no_header_can_carry_is_not_echoed(
    fake: FakeGrafana, boards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad"
    bad.write_text(f"{TOKEN}\r\nmore")
    assert push(fake, boards, "--token-file", str(bad)) == 2
    assert "the token has characters" in refused(capsys)
    assert not fake.asked


@pytest.mark.parametrize("options", [(), ("--user", "ana"), ("--token-file", "nowhere")], ids=["none", "half", "file"])
def test_no_login(
    fake: FakeGrafana, boards: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    assert push(fake, boards, *options) == 2
    assert ("nowhere: cannot be read" if "nowhere" in options else "CAREWATCH_GRAFANA_TOKEN") in refused(capsys)
    assert not fake.asked


@pytest.mark.parametrize("content", [None, "{", "[]", '{"uid": "x"}'], ids=["none", "cut", "list", "untitled"])
def test_no_dashboards(
    fake: FakeGrafana, tmp_path: Path, token: str, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    folder = tmp_path / "none"
    folder.mkdir()
    if content is not None:
        (folder / "x.json").write_text(content)
    assert push(fake, folder, "--token-file", token) == 2
    assert "--from" in refused(capsys)
    assert not fake.asked
