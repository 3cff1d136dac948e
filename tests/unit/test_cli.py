"""What every command has in common: how it ends."""

from pathlib import Path

import pytest

from carewatch import cli, feeding


@pytest.mark.parametrize("speed", ["0", "0.5", "61", "fast", "nan"])
@pytest.mark.parametrize("command", [["demo"], ["simulate", "chicago", "--out", "-"]])
def test_a_speed_that_cannot_be(command: list[str], speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--speed", speed])
    assert ended.value.code == 2
    assert "give simulated minutes a minute, from 1 to 60" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["", "nowhere"])
def test_a_demo_without_program_files_says_so(wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--programs", str(tmp_path / wrong)]) == 2
    assert "--programs" in capsys.readouterr().err


def interrupted(*_: object) -> int:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("options", "status"), [(["--live"], 0), ([], 2)])
def test_ctrl_c_ends_what_goes_on_for_ever_and_breaks_off_what_does_not(
    options: list[str], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Was: 130, which is none of the statuses that a command has."""
    monkeypatch.setattr(feeding, "simulate", interrupted)
    assert cli.main(["simulate", "chicago", "--out", "-", *options]) == status
    assert capsys.readouterr().err == ("" if status == 0 else "carewatch: broken off before the end; run it again\n")
