"""Brokers for the whole session; see the harness for the variables that choose them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.harness import Broker, Site, require_kafka, session_kafka, session_tansu


@pytest.fixture(scope="session")
def native_kafka() -> None:
    """For tests that start a Kafka of their own."""
    require_kafka()


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Broker:
    """One Kafka for the session: use topics and groups of your own, and do not stop it."""
    return session_kafka(request.config)


@pytest.fixture(scope="session")
def tansu(request: pytest.FixtureRequest) -> Broker:
    """One Tansu for the session."""
    return session_tansu(request.config)


@pytest.fixture
def site(kafka: Broker, tmp_path: Path) -> Iterator[Site]:
    """Topics and a consumer group of the test's own; its workers end with the test."""
    with Site(kafka.bootstrap, tmp_path) as site:
        yield site
