"""What every command has in common: how it ends."""

import pytest

from carewatch import cli, feeding


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
