"""What holds for all tests."""

from __future__ import annotations

import pytest

from carewatch import logs


@pytest.fixture(autouse=True)
def logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that runs in a test must not tie loggers to that test's standard error: they outlive it."""
    monkeypatch.setattr(logs, "set_up", lambda: None)
