"""Settings from options and the environment."""

from __future__ import annotations

import re

import pytest

from agents.settings import Settings, WorkerError
from carewatch.settings import PROGRAMS, worker_settings


def made(broker: str = "kafka://localhost:9092") -> Settings:
    return worker_settings(broker, PROGRAMS, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("broker", "bootstrap"),
    [
        ("kafka://localhost:9092", ["localhost:9092"]),
        ("localhost:9092", ["localhost:9092"]),
        ("kafka://broker", ["broker"]),
        ("kafka://a:1,b:2", ["a:1", "b:2"]),
        ("kafka://a:1;kafka://b:2", ["a:1", "b:2"]),
        ("kafka://[::1]:9092/", ["[::1]:9092"]),
    ],
)
def test_broker_addresses(broker: str, bootstrap: list[str]) -> None:
    assert made(broker).bootstrap == bootstrap


@pytest.mark.parametrize("broker", ["", "foo", "kafka://", "http://x:1", "a:1 b:2", "a:1,"])
def test_no_broker_address(broker: str) -> None:
    with pytest.raises(WorkerError, match="kafka://HOST:PORT"):
        made(broker)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARTITIONS", "abc"),
        ("PARTITIONS", "0"),
        ("PARTITIONS", "1.5"),
        ("SESSION_TIMEOUT", "nan"),
        ("HEARTBEAT_INTERVAL", "6"),
        ("PATH", "fast"),
        ("SILENT_AFTER", "0"),
        ("BANNER", "x" * 201),
        ("BANNER", "two\nlines"),
        ("CONNECTIONS", "3"),
        ("CONNECTIONS_EACH", "0"),
        ("HOSTS", "http://board.example"),
        ("HOSTS", "board.example:80"),
        ("PROXIES", "proxy.example"),
        ("PROXIES", "10.0.0.0/8"),
        ("ADVERTISE", "worker-1:6066"),
        ("ADVERTISE", "http://worker-1:6066/board"),
    ],
)
def test_values_that_cannot_be(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"CAREWATCH_{name}", value)
    with pytest.raises(WorkerError, match=f"CAREWATCH_{name}=?{re.escape(value) if name != 'BANNER' else ''}"):
        made()


def test_a_banner_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert made().banner == ""
    monkeypatch.setenv("CAREWATCH_BANNER", "  Drill today: no call is real ")
    assert made().banner == "Drill today: no call is real"


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREWATCH_PARTITIONS", "")
    assert made().partitions == 8


@pytest.mark.parametrize("url", ["http://worker-1:6066", "https://board.example", "http://[::1]:6066/"])
def test_the_address_that_others_are_told(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CAREWATCH_ADVERTISE", url)
    assert made().advertised == url.rstrip("/")


def test_names_and_addresses_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    assert made().hosts == made().proxies == ()
    monkeypatch.setenv("CAREWATCH_HOSTS", "worker, carewatch-worker-*,")
    monkeypatch.setenv("CAREWATCH_PROXIES", "10.0.0.1,::1")
    assert made().hosts == ("worker", "carewatch-worker-*")
    assert made().proxies == ("10.0.0.1", "::1")
