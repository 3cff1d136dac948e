"""What of the demo can be told without a broker."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from agents.logins import checked
from carewatch import demo
from carewatch.native.process import StackError
from carewatch.settings import PROGRAMS


class Broker:
    """A broker that starts, or says why not."""

    bootstrap = "127.0.0.1:1"

    def __init__(self, fails: str = "") -> None:
        self._fails = fails

    def __enter__(self) -> Self:
        if self._fails:
            raise StackError(self._fails)
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(demo, "kafka_available", lambda: None)
    monkeypatch.setattr(demo, "KafkaBroker", lambda **_: Broker("Maven could not download Kafka: check the network"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with ExitStack() as stack:
        args = argparse.Namespace(broker=None, programs=PROGRAMS)
        yield demo._Demo(args, stack)


def test_a_kafka_that_cannot_be_had_is_replaced(
    made: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Was: the demo ended."""
    monkeypatch.setattr(demo, "tansu_available", lambda: None)
    monkeypatch.setattr(demo, "TansuBroker", lambda **_: Broker())
    assert made._broker() == "127.0.0.1:1"
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "starting Tansu instead of Apache Kafka: Maven could not download Kafka: check the network"


def test_its_token_cannot_be_guessed(made: Any) -> None:
    assert checked(made._token) == made._token == made._env["CAREWATCH_API_TOKEN"]


def test_without_any_broker_it_says_why(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "tansu_available", lambda: "Tansu was not found: install it")
    with pytest.raises(StackError, match=r"no broker can be started: Maven could.*; Tansu was not found.*--broker"):
        made._broker()
