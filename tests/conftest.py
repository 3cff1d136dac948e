"""What holds for all tests."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

from carewatch import logs

# An example that takes long on a busy machine says nothing about the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_configure() -> None:
    """Commands under test hear the signals that they hear in a terminal: nohup and background jobs ignore some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: where they run in parallel, the last ones must be short."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that runs in a test must not tie loggers to that test's standard error: they outlive it."""
    monkeypatch.setattr(logs, "set_up", lambda: None)
