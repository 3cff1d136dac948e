"""`carewatch dashboards push`, against a stand-in for Grafana.

Grafana's server is in no package registry, it comes as an image; so this is the one server that the tests play
themselves. It answers as a Grafana 9.4 did that was built from its source, and as the documented HTTP API says; the requests
are compared with that documentation byte for byte.

What a service account with the role Editor was answered there:

- `GET /api/folders/:uid` and `GET /api/dashboards/uid/:uid` of what is not there: 403, "Permissions needed: folders:read". An
  Editor may read what is in folders, and a folder that is not there is in none. Once our folder is there, 404.
- `POST /api/folders` of a uid that is there: 412, "version-mismatch"; of a name that another folder has: 409.
- `GET /api/frontend/settings`: 200 with every data source that the role may query, and 401 without a login.
- `POST /api/ds/query`: 200; 500 when the Prometheus cannot be reached; 404 when there is no such data source.
- `POST /api/dashboards/db` of a dashboard from a file: 400, "Cannot save provisioned dashboard", though `canSave` is true.

A Viewer was answered the same to all that reads, and 403 to all that writes.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from carewatch import __version__, cli, pushing
from dashboards import gateway
from dashboards.alerts import ALERTS
from dashboards.bounded import MOST_BYTES
from dashboards.gateway import Grafana, GrafanaError, Source
from dashboards.grafana import frame
from dashboards.sources import OURS, choose, pointed, strays
from tests.answering import Answering
from tests.docs import ROOT

TOKEN = "glsa_s3cret"  # a made-up one
HEALTH = ("GET /api/health", 200, {"database": "ok", "version": "12.4.10", "commit": "abc"})
FOLDER = ("GET /api/folders/carewatch", 200, {"id": 1, "uid": "carewatch", "title": "carewatch"})
UNSEEN = {"message": "You'll need additional permissions. Permissions needed: folders:read", "title": "Access denied"}
UNSEEN_FOLDER = ("GET /api/folders/carewatch", 403, UNSEEN)
UNSEEN_BOARD = ("GET /api/dashboards/uid/care-live", 403, UNSEEN)
NO_FOLDER = ("GET /api/folders/carewatch", 404, {"message": "folder not found", "status": "not-found"})
NO_BOARD = ("GET /api/dashboards/uid/care-live", 404, {"message": "Dashboard not found"})
MADE = ("POST /api/folders", 200, {"id": 1, "uid": "carewatch", "title": "carewatch"})
SAVED = (
    "POST /api/dashboards/db",
    200,
    {"id": 7, "uid": "care-live", "url": "/d/care-live/live-load", "status": "success", "version": 3},
)
MAY = "GET /api/access-control/user/actions"
EDITOR = (
    MAY,
    200,
    {"annotations:write": True, "dashboards:create": True, "folders:create": True, "folders:read": True},
)
VIEWER = (MAY, 200, {"annotations:write": True, "datasources:query": True})
LOGS = Source("logs", "Logs", "loki", True)
CITY = Source("city-prom", "City metrics", "prometheus")
OLD = Source("old-one", "Old metrics", "prometheus")
QUERY = "POST /api/ds/query"
NOTED = ("POST /api/annotations", 200, {"message": "Annotation added", "id": 1})

Answer = tuple[str, int, Any]


#: A small dashboard whose parts ask as those of ours do.
ASKS = {"type": "prometheus", "uid": "$datasource"}
BOARD: dict[str, Any] = {
    "uid": "care-live",
    "title": "Live load",
    "schemaVersion": 42,
    "panels": [
        {"title": "Units", "type": "stat", "datasource": ASKS, "targets": [{"refId": "A", "datasource": ASKS}]},
        {"title": "More", "type": "row", "panels": [{"title": "Inner", "type": "stat", "datasource": ASKS}]},
    ],
    "annotations": {"list": [{"name": "Alerts", "datasource": ASKS, "target": {"refId": "Anno", "datasource": ASKS}}]},
    "templating": {
        "list": [
            {
                "type": "datasource",
                "name": "datasource",
                "query": "prometheus",
                "current": {"text": "carewatch", "value": "carewatch"},
            },
            {"type": "query", "name": "program", "datasource": ASKS},
        ]
    },
}


def sources(*given: Source) -> Answer:
    """The settings of Grafana's pages, as far as they are about data sources."""
    fields = {one.name: {"id": 1, "uid": one.uid, "name": one.name, "type": one.type} for one in given}
    own = {"-- Mixed --": {"type": "datasource", "name": "-- Mixed --"}}
    default = next((one.name for one in given if one.is_default), "-- Grafana --")
    settings = {"appSubUrl": "", "datasources": own | fields, "defaultDatasource": default}
    return "GET /api/frontend/settings", 200, settings


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

    def __post_init__(self) -> None:
        """The only data source is a Prometheus that answers."""
        self.will(sources(CITY), (QUERY, 200, {"results": {"A": {"status": 200, "frames": []}}}))

    def changed(self, board: dict[str, Any]) -> dict[str, Any]:
        """What it makes of a dashboard that it takes."""
        return board

    def will(self, *answers: Answer) -> None:
        self.answers.update({line: (status, body) for line, status, body in answers})

    @property
    def lines(self) -> list[str]:
        return [request.line for request in self.asked]

    def body(self, line: str) -> bytes:
        return next(request.body for request in self.asked if request.line == line)


@pytest.fixture
def fake() -> Iterator[FakeGrafana]:
    class Handler(Answering):
        def reply(self) -> None:
            body = self.body()
            line = f"{self.command} {self.path}"
            grafana.asked.append(Request(line, dict(self.headers), body))
            status, answer = grafana.answers.get(line, (404, {"message": "Not found"}))
            if line == SAVED[0] and status == 200:
                board = json.loads(body)["dashboard"] | {"version": 3}
                read = grafana.changed(board), {"provisioned": False, "canSave": True}
                shown = (200, dict(zip(("dashboard", "meta"), read, strict=True)))
                grafana.answers.setdefault(f"GET /api/dashboards/uid/{board['uid']}", shown)
            if status in (301, 302):
                self.answer(status, "", {"Location": answer})
            else:
                self.answer(status, answer if isinstance(answer, str) else json.dumps(answer), {})

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        grafana = FakeGrafana(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield grafana
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "TOKEN", "USER", "PASSWORD", "DATASOURCE"):
        monkeypatch.delenv(f"CAREWATCH_GRAFANA_{name}", raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(pushing, "wall", lambda: 1_790_000_000_123_456)


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    folder = tmp_path / "boards"
    folder.mkdir()
    (folder / "live.json").write_text(json.dumps(BOARD))
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
        "GET /api/frontend/settings",
        "POST /api/ds/query",
        "GET /api/folders/carewatch",
        "POST /api/folders",
        "POST /api/dashboards/db",
        "GET /api/dashboards/uid/care-live",
        "POST /api/annotations",
    ]
    assert fake.body("POST /api/ds/query") == (
        b'{"from": "now-5m", "to": "now", "queries": [{"refId": "A", "datasource": {"type": "prometheus", "uid": '
        b'"city-prom"}, "expr": "vector(1)", "instant": true, "range": false, "intervalMs": 15000, "maxDataPoints": 1}]}'
    )
    assert fake.body("POST /api/folders") == b'{"title": "carewatch", "uid": "carewatch"}'
    board = json.dumps(pointed(BOARD, CITY) | {"id": None}).encode()
    assert fake.body("POST /api/dashboards/db") == (
        b'{"dashboard": %s, "folderUid": "carewatch", "message": "carewatch %s", "overwrite": true}'
        % (board, __version__.encode())
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
        "data source: City metrics (city-prom)",
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


def test_an_editor_pushes_for_the_first_time(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.will(HEALTH, UNSEEN_FOLDER, MADE, SAVED, NOTED)
    assert push(fake, boards, "--token-file", token) == 0
    assert "made the folder 'carewatch'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "message"),
    [(412, "the folder has been changed by someone else"), (409, "a folder with the same uid already exists")],
)
def test_a_folder_that_is_there_and_not_shown(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str], status: int, message: str
) -> None:
    fake.will(HEALTH, UNSEEN_FOLDER, (MADE[0], status, {"message": message}), SAVED, NOTED)
    assert push(fake, boards, "--token-file", token) == 0
    assert "made the folder" not in capsys.readouterr().out


WOULD_MAKE = "would make the folder 'Crisis care'"
THERE = {"dashboard": BOARD | {"version": 4}, "meta": {"provisioned": False, "canSave": True}}


@pytest.mark.parametrize(
    ("folder", "board", "said"),
    [
        (NO_FOLDER, NO_BOARD, [WOULD_MAKE, "would add 'Live load'"]),
        (UNSEEN_FOLDER, UNSEEN_BOARD, [WOULD_MAKE, "would add 'Live load'"]),
        (FOLDER, (NO_BOARD[0], 200, THERE), ["would replace 'Live load', version 4 there"]),
    ],
    ids=["new", "new to an Editor", "there"],
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
    fake.will(HEALTH, folder, board, EDITOR)
    assert push(fake, boards, "--token-file", token, "--dry-run", "--folder", "Crisis care") == 0
    assert all(line.startswith("GET ") for line in fake.lines if line != QUERY)
    assert capsys.readouterr().out.splitlines()[2:] == [*said, "nothing was changed"]


@pytest.mark.parametrize(
    ("folder", "words"),
    [(UNSEEN_FOLDER, "does not let us make folders"), (FOLDER, "does not let us write dashboards")],
    ids=["folder", "dashboard"],
)
def test_a_dry_run_says_that_a_viewer_may_not(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str], folder: Answer, words: str
) -> None:
    fake.will(HEALTH, folder, UNSEEN_BOARD, VIEWER)
    assert push(fake, boards, "--token-file", token, "--dry-run") == 2
    line = refused(capsys)
    assert words in line
    assert "role Editor" in line


def test_a_grafana_that_does_not_say_what_a_login_may(fake: FakeGrafana, boards: Path, token: str) -> None:
    fake.will(HEALTH, UNSEEN_FOLDER, UNSEEN_BOARD, (MAY, 404, "<html>no such page</html>"))
    assert push(fake, boards, "--token-file", token, "--dry-run") == 0


@pytest.mark.parametrize(
    ("meta", "why", "words"),
    [
        ({"provisioned": True, "canSave": True}, "Grafana has it from a file", ["provisioning", "another Grafana"]),
        ({"provisioned": False, "canSave": False}, "this login may not change it", ["role Editor"]),
    ],
    ids=["file", "viewer"],
)
def test_a_dry_run_says_what_cannot_be_replaced(
    fake: FakeGrafana,
    boards: Path,
    token: str,
    capsys: pytest.CaptureFixture[str],
    meta: dict[str, bool],
    why: str,
    words: list[str],
) -> None:
    fake.will(HEALTH, FOLDER, (NO_BOARD[0], 200, THERE | {"meta": meta}))
    assert push(fake, boards, "--token-file", token, "--dry-run") == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[2:] == [f"cannot replace 'Live load': {why}", "nothing was changed"]
    (line,) = said.err.splitlines()
    for word in ("1 of 1 dashboards", *words):
        assert word in line


@pytest.mark.parametrize(
    ("given", "wanted", "found"),
    [
        ((CITY, LOGS), "", CITY),
        ((CITY, OLD._replace(is_default=True)), "", OLD._replace(is_default=True)),
        ((CITY._replace(is_default=True), OLD._replace(uid=OURS)), "", OLD._replace(uid=OURS)),
        ((CITY._replace(is_default=True), OLD._replace(name=OURS)), "", OLD._replace(name=OURS)),
        ((CITY, OLD), "Old metrics", OLD),
        ((CITY, OLD), "old-one", OLD),
        ((CITY._replace(name="old-one"), OLD), "old-one", OLD),
        ((CITY, OLD, LOGS), "", r"choose with --datasource: City metrics \(city-prom\), Old metrics \(old-one\)$"),
        ((CITY, OLD, LOGS), "Logs", "no Prometheus data source 'Logs'.*City metrics.*Old metrics.*--datasource"),
        ((LOGS,), "City metrics", "there is no Prometheus one"),
        ((LOGS,), "", "no Prometheus data source.*add yours"),
        ([CITY._replace(uid=str(n)) for n in range(12)], "", r"\(9\) and 2 more$"),
    ],
)
def test_which_data_source(given: list[Source], wanted: str, found: Source | str) -> None:
    if isinstance(found, Source):
        assert choose(given, wanted) == found
    else:
        with pytest.raises(GrafanaError, match=found):
            choose(given, wanted)


def test_our_data_source_has_the_uid_of_the_dashboards() -> None:
    assert frame.DATASOURCE_UID == OURS


@pytest.mark.parametrize("where", ["option", "environment"])
def test_a_chosen_data_source_is_that_of_the_pushed_dashboard(
    fake: FakeGrafana,
    boards: Path,
    token: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    fake.will(HEALTH, FOLDER, SAVED, NOTED, sources(CITY, OLD, LOGS))
    assert push(fake, boards, "--token-file", token) == 2
    assert "City metrics (city-prom), Old metrics (old-one)" in refused(capsys)
    assert SAVED[0] not in fake.lines
    if where == "environment":
        monkeypatch.setenv("CAREWATCH_GRAFANA_DATASOURCE", "Old metrics")
    assert push(fake, boards, "--token-file", token, *(["--datasource", "old-one"] if where == "option" else [])) == 0
    pushed = json.loads(fake.body(SAVED[0]))["dashboard"]
    assert pushed["templating"]["list"][0]["current"] == {"text": "Old metrics", "value": "old-one"}
    assert "data source: Old metrics (old-one)" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [
        (
            500,
            {"message": "An error occurred within the plugin", "statusCode": 500},
            "An error occurred within the plug",
        ),
        (404, {"message": "Data source not found"}, "Data source not found"),
        (400, {"results": {"A": {"status": 502, "error": 'Post "http://x": refused\n'}}}, 'Post "http://x": refused;'),
        (200, {"results": {"A": {"status": 502, "error": 'Post "http://x": refused\n'}}}, 'Post "http://x": refused;'),
        (200, {}, "no answer that can be read"),
        (502, "<html>Bad gateway</html>", "status 502"),
        (200, "<html>Hello</html>", "no answer that can be read"),
    ],
)
def test_a_data_source_that_does_not_answer_is_a_warning(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str], status: int, answer: Any, why: str
) -> None:
    fake.will(HEALTH, FOLDER, SAVED, NOTED, (QUERY, status, answer))
    assert push(fake, boards, "--token-file", token) == 0
    line = refused(capsys)
    assert "City metrics (city-prom) does not answer" in line
    assert why in line


@pytest.mark.parametrize(
    ("change", "stray"),
    [
        (lambda b: b["panels"][0].update(datasource={"uid": "other"}), "panel 'Units' asks 'other'"),
        (lambda b: b["panels"][0]["targets"][0].update(datasource="Old metrics"), "panel 'Units' asks 'Old metrics'"),
        (lambda b: b["panels"][1]["panels"][0].update(datasource=ASKS | {"uid": "x"}), "panel 'Inner' asks 'x'"),
        (lambda b: b["annotations"]["list"][0]["target"].update(datasource="x"), "annotation 'Alerts' asks 'x'"),
        (lambda b: b["templating"]["list"][1].update(datasource="x"), "variable 'program' asks 'x'"),
        (lambda b: b["templating"]["list"][0].update(current={}), "variable 'datasource' asks 'None'"),
        (lambda b: b["panels"][0].update(datasource={"uid": "${elsewhere}"}), "panel 'Units' asks '${elsewhere}'"),
    ],
)
def test_a_dashboard_that_asks_another_after_the_push(
    fake: FakeGrafana,
    boards: Path,
    token: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: Any,
    stray: str,
) -> None:
    def changed(board: dict[str, Any]) -> dict[str, Any]:
        change(board)
        return board

    monkeypatch.setattr(fake, "changed", changed)
    fake.will(HEALTH, FOLDER, SAVED, NOTED)
    assert push(fake, boards, "--token-file", token) == 2
    line = refused(capsys)
    assert "'Live load' was pushed, but does not ask City metrics (city-prom) everywhere" in line
    assert stray in line


@pytest.mark.parametrize(
    "way", ["$datasource", "${datasource}", "${datasource:raw}", "[[datasource]]", "city-prom", None]
)
def test_ways_to_name_the_data_source(way: str | None) -> None:
    board = pointed(json.loads(json.dumps(BOARD).replace('"$datasource"', json.dumps(way))), CITY)
    board["annotations"]["list"].append(
        {"name": "Grafana's", "datasource": {"type": "grafana", "uid": "-- Grafana --"}}
    )
    board["annotations"]["list"].append({"name": "Grafana's", "datasource": "-- Grafana --"})
    assert strays(board, CITY) == []


def test_the_shipped_dashboards_ask_the_chosen_one() -> None:
    for board in pushing.load(pushing.DASHBOARDS):
        assert strays(pointed(board, CITY), CITY) == []
        asking = [panel for panel in board["panels"] if panel.get("targets")]
        assert len(strays(pointed(board, CITY), OLD)) >= 2 * len(asking), "every panel and target is looked at"


def test_a_pushed_dashboard_that_is_not_shown(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.will(HEALTH, FOLDER, SAVED, NOTED, UNSEEN_BOARD)
    assert push(fake, boards, "--token-file", token) == 2
    assert "does not show it to this login" in refused(capsys)


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("9.4.3", True),
        ("10.3.12", True),
        ("10.4.0", False),
        ("10.4.0-pre", False),
        ("12.1.0-88888pre", False),
        ("13.0.1+security-01", False),
        ("", None),
        ("main", None),
    ],
)
def test_the_lowest_version(
    fake: FakeGrafana,
    boards: Path,
    token: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    old: bool | None,
) -> None:
    monkeypatch.setattr(gateway, "LOWEST", (10, 4))
    monkeypatch.setattr(pushing, "OLDEST", "10.4")
    health = {"database": "ok"} | ({"version": version} if version else {})
    fake.will((HEALTH[0], 200, health), FOLDER, SAVED, NOTED)
    assert push(fake, boards, "--token-file", token) == (2 if old else 0)
    if old:
        assert fake.lines == [HEALTH[0]], "nothing was changed"
        assert refused(capsys) == (
            f"carewatch: Grafana {version} is too old for these dashboards: 10.4 or newer is needed"
        )
    elif old is None:
        assert "was not checked: 10.4 or newer" in refused(capsys)
    else:
        assert not capsys.readouterr().err


def test_the_documents_name_the_lowest_version(capsys: pytest.CaptureFixture[str]) -> None:
    for file in ("README.md", "docs/deploy.md"):
        assert f"Grafana {pushing.OLDEST} or newer" in (ROOT / file).read_text(), file
    with pytest.raises(SystemExit):
        cli.main(["dashboards", "push", "--help"])
    assert f"Grafana {pushing.OLDEST} or newer" in " ".join(capsys.readouterr().out.split())


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
        (("GET /api/frontend/settings", 403, {"message": "no"}), ["not let us see data sources", "no", "Editor"]),
        (("GET /api/frontend/settings", 200, {"datasources": []}), ["not as Grafana does"]),
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


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((MADE[0], 403, {"message": "Permissions needed: folders:create"}), ["make the folder", "role Editor"]),
        ((MADE[0], 409, {"message": "a folder with the same name already exists"}), ["same name", "rename or delete"]),
    ],
)
def test_a_folder_that_cannot_be_made(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str], answer: Answer, words: list[str]
) -> None:
    fake.will(HEALTH, UNSEEN_FOLDER, answer)
    assert push(fake, boards, "--token-file", token) == 2
    line = refused(capsys)
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


def test_https_to_a_server_without_tls(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.url = fake.url.replace("http:", "https:")
    assert push(fake, boards, "--token-file", token) == 2
    line = refused(capsys)
    assert "does not speak TLS; try http:// or another port" in line
    assert "certificate" not in line


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[str]:
    """The address of a server with a certificate that nobody trusts."""
    files = [str(tmp_path / name) for name in ("key", "cert")]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", files[0]]
    subprocess.run([*made, "-out", files[1]], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[1], files[0])
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def serve() -> None:
            with suppress(OSError), plain.accept()[0] as client, context.wrap_socket(client, server_side=True):
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{plain.getsockname()[1]}"
        thread.join()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_a_certificate_that_is_not_trusted(
    secure: str, boards: Path, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(FakeGrafana(secure), boards, "--token-file", token) == 2
    assert "its certificate is not trusted; name your authority's file in REQUESTS_CA_BUNDLE" in refused(capsys)


def test_another_fault_of_tls(boards: Path, token: str, capsys: pytest.CaptureFixture[str]) -> None:
    alert = bytes.fromhex("15 0303 0002 02 28")  # a fatal alert: the handshake failed
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as client:
                client.recv(4096)
                client.sendall(alert)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        assert push(FakeGrafana(url), boards, "--token-file", token) == 2
        thread.join()
    line = refused(capsys)
    assert f"{url}: no secure connection came about (" in line
    assert "handshake failure" in line
    assert "certificate" not in line


def test_an_authority_file_that_is_not_there(
    boards: Path, token: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere"))
    assert push(FakeGrafana("https://127.0.0.1:1"), boards, "--token-file", token) == 2
    assert "REQUESTS_CA_BUNDLE names no file" in refused(capsys)


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


@pytest.mark.parametrize(
    "content", [None, "{", "[]", '{"uid": "x"}', "[" * 200_000], ids=["none", "cut", "list", "untitled", "deep"]
)
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


# --- a server that means harm -----------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def hostile(*pieces: bytes, endless: bytes = b"", every: float = 0.0) -> Iterator[str]:
    """A server that answers each request with these pieces, and then for ever with one more every so many seconds."""
    stop = threading.Event()

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):
            while not stop.is_set():
                client, _ = listening.accept()
                with client, suppress(OSError):
                    client.recv(65_536)
                    for piece in pieces:
                        client.sendall(piece)
                    while endless and not stop.wait(every):
                        client.sendall(endless)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            stop.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("where", ["body", "head"])
def test_a_server_that_drips_is_not_waited_for_beyond_the_limit(where: str) -> None:
    pieces = (HEAD + b"Content-Length: 1000000\r\n\r\n",) if where == "body" else (HEAD,)
    with hostile(*pieces, endless=b"X", every=0.05) as url, Grafana(url, TOKEN, timeout=0.4) as grafana:
        began = time.monotonic()
        with pytest.raises(GrafanaError, match="does not answer in time"):
            grafana.version()
        assert time.monotonic() - began < 5  # each byte comes long before 0.4 s are over


@pytest.mark.parametrize("length", [b"Content-Length: 1200000000\r\n", b"Connection: close\r\n"])
def test_an_endless_answer_is_given_up(length: bytes) -> None:
    with hostile(HEAD + length + b"\r\n", endless=b" " * 1_000_000) as url, Grafana(url, TOKEN) as grafana:
        tracemalloc.start()
        with pytest.raises(GrafanaError, match="not as Grafana does"):
            grafana.version()
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST_BYTES
        tracemalloc.stop()


def test_a_packed_answer_is_not_unpacked() -> None:
    packed = gzip.compress(b" " * 50_000_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with (
        hostile(head, packed) as url,
        Grafana(url, TOKEN) as grafana,
        pytest.raises(GrafanaError, match="not as Grafana does"),
    ):
        grafana.version()


def test_noise_is_not_guessed_at() -> None:
    head = b"HTTP/1.1 500 No\r\nContent-Length: 8000000\r\n\r\n"
    noise = random.Random(1).randbytes(8_000_000)
    with hostile(head, noise) as url, Grafana(url, TOKEN, timeout=60) as grafana:
        began = time.process_time()
        with pytest.raises(GrafanaError, match="did not answer"):
            grafana.version()
        assert time.process_time() - began < 10


@pytest.mark.parametrize("line", [HEALTH[0], sources()[0], MAY, SAVED[0], NO_BOARD[0]])
@pytest.mark.parametrize("status", [200, 500])
def test_json_that_is_too_deep(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str], line: str, status: int
) -> None:
    fake.will(HEALTH, NO_FOLDER, MADE, SAVED, NOTED, NO_BOARD)
    fake.will((line, status, '{"message": ' + "[" * 1_000_000))
    dry = ["--dry-run"] if line == MAY else []
    found = push(fake, boards, "--token-file", token, *dry)
    assert found == (0 if line == MAY else 2)  # a Grafana that does not say what a login may do passes
    if found:
        assert "not as Grafana does" in refused(capsys)


def test_a_query_whose_answer_is_too_deep(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.will(HEALTH, FOLDER, SAVED, NOTED, (QUERY, 200, "[" * 1_000_000))
    assert push(fake, boards, "--token-file", token) == 0
    assert "no answer that can be read" in refused(capsys)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_takes_the_token_nowhere(
    fake: FakeGrafana, boards: Path, token: str, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    to = f"HTTP/1.1 {status} Go\r\nLocation: {fake.url}/api/health\r\nContent-Length: 0\r\n\r\n".encode()
    with hostile(to) as url:
        assert push(FakeGrafana(url), boards, "--token-file", token) == 2
    assert f"sends us on to {fake.url};" in refused(capsys)
    assert not fake.asked
