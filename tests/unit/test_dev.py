"""Which tests `python3 dev.py test` runs, and how."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dev

CORE = ["-m", "not full"]
TOGETHER = ["-n", str(dev.PROCESSES), *dev.PARALLEL]
FILE = "tests/unit/test_dev.py"


@pytest.mark.parametrize(
    ("which", "options", "wanted"),
    [
        ("", [], [[*CORE, *TOGETHER]]),
        ("--all", [], [["-m", "not alone", *TOGETHER], ["-m", "alone"]]),
        ("--rest", [], [["-m", "full and not alone", *TOGETHER], ["-m", "alone"]]),
        ("", ["-k", "replay"], [[*CORE, "-k", "replay"]]),
        ("--all", ["-k", "replay"], [["-k", "replay"]]),
        ("--rest", ["-x"], [["-m", "full", "-x"]]),
        ("", ["-n", "3", "-k", "replay"], [[*CORE, *dev.PARALLEL, "-n", "3", "-k", "replay"]]),
        ("", [FILE], [[FILE]]),
        ("", [f"{FILE}::test_which"], [[f"{FILE}::test_which"]]),
    ],
)
def test_which_tests_run(which: str, options: list[str], wanted: list[list[str]]) -> None:
    assert dev.pytest_runs(options, which) == wanted


@pytest.mark.parametrize(
    ("given", "modules"),
    [
        ([], [*(name for name, *_ in dev.CHECKS), "pytest"]),
        (["--all"], [*(name for name, *_ in dev.CHECKS), "pytest", "pytest"]),
        (["--rest"], ["pytest", "pytest"]),
        (["--all", "-k", "replay"], ["pytest"]),
    ],
)
def test_the_checks_run_too_unless_the_tests_are_chosen(
    given: list[str], modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def run(module: str, *_: Any) -> int:
        ran.append(module)
        return 0

    monkeypatch.setattr(dev, "run", run)
    assert dev.test(given) == 0
    assert ran == modules


def test_all_and_rest_are_one_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.test(["--all", "--rest"]) == 2
    assert capsys.readouterr().err == "give --all or --rest, not both\n"


@pytest.mark.parametrize("argv", [["--help"], ["test", "--help"], ["test", "-k", "x", "-h"]])
def test_help_has_an_example(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(argv) == 0
    assert "python3 dev.py test -k replay" in capsys.readouterr().out


def test_ctrl_c_lets_a_command_end_what_it_started() -> None:
    """And leaves no traceback, neither the command's end nor ours."""
    # os.write, for the signal may come while the first line is still being written, and print does not bear that
    child = "import os, signal, time; end = lambda *_: os.write(1, b'ended\\n') and os._exit(2); "
    child += "signal.signal(signal.SIGINT, end); os.write(1, b'ready\\n'); time.sleep(60)"
    code = f"import sys, dev; sys.exit(dev.call([sys.executable, '-c', {child!r}]))"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=dev.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("ended\n", "", dev.INTERRUPTED)


def test_a_command_runs_where_its_user_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that is given to it is meant from there; the tools are modules of the checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dev, "set_up", lambda: None)
    monkeypatch.setattr(os, "execv", lambda program, arguments: ran.append((Path.cwd(), list(arguments)[-2:])))
    ran: list[tuple[Path, list[str]]] = []
    dev.main(["demo", "--programs", "mine"])
    dev.main(["clock", "--at", "night"])
    assert ran == [(tmp_path, ["--programs", "mine"]), (dev.ROOT, ["--at", "night"])]
