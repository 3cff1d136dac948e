"""What can be said of `python3 dev.py bare` without making a machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bare import __main__ as bare
from tests.bare import corners, host, inside

ROOT = Path(__file__).parents[2]


def test_there_are_eight_corners_and_ci_runs_two_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert bare.main(["--list"]) == 0
    names = capsys.readouterr().out.split()
    assert len(names) == len(set(names)) == 8
    assert {"12-root-plain", "13-user-java"} < set(names)
    assert set(corners.ENDS) < set(names)
    ci = (ROOT / ".ci" / "run").read_text()
    assert "bare --corner 12-root-plain\n" in ci
    assert "bare --corner 13-user-java --only demo\n" in ci


def test_help_has_an_example_and_needs_no_environment() -> None:
    command = [sys.executable, "-I", "dev.py", "bare", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "example: python3 dev.py bare --corner" in done.stdout
    unbroken = "".join(done.stdout.split())
    assert all(corner.name in unbroken for corner in corners.ALL)


@pytest.mark.parametrize(("required", "status"), [("", 0), ("1", 1)])
def test_where_no_machine_can_be_made_it_says_so(
    required: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("CAREWATCH_REQUIRE_BARE", required)
    assert bare.main([]) == status
    out = capsys.readouterr().out
    assert out.startswith("bare: skipped: ")
    assert out.count("\n") == 1


def test_only_what_leads_to_mirrors_is_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in {
        "https_proxy": "http://proxy:3128",
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "PIP_CERT": str(tmp_path / "missing"),
        "SSL_CERT_FILE": __file__,
        "PIP_CACHE_DIR": "/x",
        "PIP_FIND_LINKS": str(tmp_path),
        "CAREWATCH_BROKER": "kafka://x:1",
    }.items():
        monkeypatch.setenv(name, value)
    assert set(host.environment()) == {"https_proxy", "PIP_INDEX_URL", "SSL_CERT_FILE"}


def test_a_file_that_is_new_changed_or_gone_is_seen_unless_its_place_is_spared(tmp_path: Path) -> None:
    (tmp_path / "spared").mkdir()
    (tmp_path / "file").write_text("a")
    spared = {str(tmp_path / "spared")}
    before = dict(inside._listing(str(tmp_path), spared))
    (tmp_path / "spared" / "new").touch()
    assert dict(inside._listing(str(tmp_path), spared)) == before
    (tmp_path / "file").write_text("ab")
    (tmp_path / "new").touch()
    after = dict(inside._listing(str(tmp_path), spared))
    assert {path for path in after if before.get(path) != after[path]} == {
        str(tmp_path / "file"),
        str(tmp_path / "new"),
    }
