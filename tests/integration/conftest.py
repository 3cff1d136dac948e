"""Real brokers for the tests: one of each kind for the whole session, started when the first test asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration import harness
from tests.integration.harness import Site


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> str:
    """Address of a real Apache Kafka."""
    return harness.session_kafka(request.config)


@pytest.fixture(scope="session")
def tansu(request: pytest.FixtureRequest) -> str:
    """Address of Tansu, the demo's other broker."""
    return harness.session_tansu(request.config)


@pytest.fixture
def site(kafka: str, tmp_path: Path) -> Site:
    """Topics and a consumer group of the test's own on Apache Kafka; its workers end with the test."""
    with Site(kafka, tmp_path) as site:
        yield site
