"""What holds for all tests."""

from __future__ import annotations

import pytest

from carewatch import logs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: where they run in parallel, the last ones must be short."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that runs in a test must not tie loggers to that test's standard error: they outlive it."""
    monkeypatch.setattr(logs, "set_up", lambda: None)
