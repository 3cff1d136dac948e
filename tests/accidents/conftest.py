"""Accidents: what operators, clocks, disks and brokers do to a worker. Each on a real Kafka, each with the plain line that
has to be said about it. Run them alone with `python3 dev.py test tests/accidents -n 4`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import kafka, native_kafka, site

__all__ = ["kafka", "native_kafka", "site"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder: long tests, in `--all` and `--rest`."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.accidents)
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.full)
