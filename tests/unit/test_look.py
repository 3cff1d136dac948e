"""The parts of `python3 dev.py look` that need no browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from carewatch import pushing
from dashboards.gateway import GrafanaError
from tests.look import __main__ as command
from tests.look.plan import Choice, Seen, Shot, checked, chosen, findings, height, index, origin, shots, titles, write

BOARD: dict[str, Any] = {
    "uid": "care-live",
    "title": "Live <load>",
    "panels": [
        {"title": "Units", "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8}, "targets": [{"refId": "A"}]},
        {"title": "Calls", "gridPos": {"x": 12, "y": 4, "w": 12, "h": 9}},
    ],
}
OTHER: dict[str, Any] = BOARD | {"uid": "care-times", "title": "Times"}
SHOT = Shot("care-live", "dark", 1280)


def test_the_address_of_a_picture() -> None:
    assert Choice("http://x/grafana").address(SHOT) == "http://x/grafana/d/care-live?theme=dark"
    choice = Choice("http://x", "now-7d", "now-1d", ["chicago", "my city"], kiosk=True)
    assert choice.address(SHOT) == (
        "http://x/d/care-live?theme=dark&from=now-7d&to=now-1d&var-program=chicago&var-program=my+city&kiosk"
    )


def test_each_dashboard_in_each_width_and_theme() -> None:
    assert [shot.file for shot in shots([BOARD, OTHER], (1280, 1920), ("dark", "light"))] == [
        f"{uid}-{width}-{theme}.png"
        for uid in ("care-live", "care-times")
        for width in (1280, 1920)
        for theme in ("dark", "light")
    ]


def test_a_window_is_as_high_as_the_lowest_panel() -> None:
    assert height(BOARD) >= 13 * 38 + 150
    assert titles(BOARD) == ["Units", "Calls"]


def test_every_shipped_dashboard_has_a_height_and_titles() -> None:
    boards = chosen(pushing.load(pushing.DASHBOARDS), [])
    assert len(boards) == 6
    for board in boards:
        assert 900 < height(board) < 4000
        assert len(titles(board)) == len(board["panels"])
        assert not any("$" in title for title in titles(board)), "they are looked for as they are written"


def test_dashboards_are_chosen_by_uid() -> None:
    assert chosen([BOARD, OTHER], ["times", "care-live", "live"]) == [BOARD, OTHER]
    assert chosen([BOARD, OTHER], ["times"]) == [OTHER]
    runbook = {"uid": "care-runbook-X", "title": "X", "panels": [{"type": "text"}]}
    assert chosen([BOARD, runbook], []) == [BOARD]
    assert chosen([BOARD, runbook], ["runbook-X"]) == [runbook]
    with pytest.raises(GrafanaError, match="no dashboard 'lvie'; there are care-live, care-times"):
        chosen([BOARD, OTHER], ["lvie"])


@pytest.mark.parametrize("url", ["", "localhost:3000", "ftp://x", "http://ana:hunter2@x", "http://x:port", "http://"])
def test_an_address_that_is_none_is_not_echoed(url: str) -> None:
    with pytest.raises(GrafanaError, match=r"^no address of Grafana") as raised:
        checked(url)
    assert "hunter2" not in str(raised.value)


def test_who_gets_the_token() -> None:
    assert origin("https://x/d/a") == origin("https://x:443/api") == origin("HTTPS://X")
    for other in ("http://x", "https://y", "https://x:444", "https://x.y", "data:image/png;base64,AA"):
        assert origin(other) != origin("https://x")


def test_what_is_found_is_said_once() -> None:
    one = Seen(
        2, ("Calls",), (("Units", "no <such> metric"), ("", "logged out")), ("Times",), ("x is none",), "12.4.10"
    )
    assert findings([one, Seen(), one]) == [
        "not drawn: Calls",
        "error: Units: no <such> metric",
        "error: the page: logged out",
        "no data: Times",
        "the page's scripts: x is none",
    ]
    assert not one.good
    assert Seen(empty=("Times",), notes=("x",)).good


def test_the_page_of_pictures(tmp_path: Path) -> None:
    seen = {SHOT: Seen(2, errors=(("Units", "<b>"),)), Shot("care-times", "light", 1920): Seen(2)}
    text = index("Release & more", [BOARD, OTHER], seen)
    assert text.count("<img") == text.count("type=checkbox") == 2
    assert 'src="care-live-1280-dark.png"' in text
    assert 'src="care-times-1920-light.png"' in text
    for word in ("Release &amp; more", "Live &lt;load&gt;", "error: Units: &lt;b&gt;"):
        assert word in text
    file = write(tmp_path, "Release & more", [BOARD, OTHER], seen)
    assert file.read_text(encoding="utf-8") == text


def test_faults_of_the_command_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAREWATCH_GRAFANA_URL", raising=False)
    assert command.main([]) == 2
    assert capsys.readouterr().err.startswith("look: no address of Grafana; give it with --url")
    assert command.main(["--url", "http://x", "--boards", "nosuch"]) == 2
    assert "no dashboard 'nosuch'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["--width", "12"])
    assert "give pixels from 320 to 7680" in capsys.readouterr().err
