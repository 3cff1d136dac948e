"""The log tells where a bug is, and nothing of the event that met it."""

import asyncio
import gc
import logging

import pytest
import structlog
from aiokafka.errors import NodeNotReadyError

from carewatch.logs import EVERY, Throttle, set_up


def test_an_exception_is_logged_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    """Was: the whole traceback; `KeyError: 'Jane Doe'` quotes what it was given."""
    set_up()
    nobody: dict[str, str] = {}
    try:
        nobody["Jane Doe".upper()]
    except KeyError:
        structlog.get_logger().exception("could not be applied", offset=7)
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "could not be applied" in said
    assert "test_logs.py" in said
    assert "KeyError" in said
    assert "JANE DOE" not in said


def record(text: str, *values: object, name: str = "aiokafka", error: BaseException | None = None) -> logging.LogRecord:
    trace = (type(error), error, None) if error else None
    return logging.LogRecord(name, logging.ERROR, "x.py", 1, text, values, trace)


def test_a_library_says_the_same_thing_once_a_minute() -> None:
    """Was: 20,000 lines of a client that tries again and again to reach a broker that is away."""
    now = 0.0
    throttle = Throttle(lambda: now)
    assert throttle.filter(record("Unable connect to node with id %s: %s", 1, "refused"))
    for _ in range(1000):
        assert not throttle.filter(record("Unable connect to node with id %s: %s", 2, "refused"))
    assert throttle.filter(record("Unable connect to node with id %s: %s", 1, "refused", name="faust"))
    assert throttle.filter(record("took 17 s of 'care.status'"))
    assert not throttle.filter(record("took 18 s of 'care.cases'"))
    now = EVERY
    again = record("Unable connect to node with id %s: %s", 1, "refused")
    assert throttle.filter(again)
    assert again.getMessage() == "Unable connect to node with id 1: refused (1000 more since the last time)"


def test_no_traceback_of_a_broker_that_is_away() -> None:
    throttle = Throttle()
    away = record("Crashed reason=%r", NodeNotReadyError(), error=NodeNotReadyError())
    assert throttle.filter(away)
    assert away.exc_info is None
    bug = record("Crashed reason=%r", KeyError(), error=KeyError())
    assert throttle.filter(bug)
    assert bug.exc_info is not None


def test_the_libraries_below_us_quote_nothing_either(capsys: pytest.CaptureFixture[str]) -> None:
    """Was: aiohttp told an Authorization header, asyncio what an exception that nobody waited for says."""
    before = logging.root.handlers[:], logging.root.level, logging.getLogger("aiohttp").level
    set_up()

    async def fail() -> None:
        raise ValueError("Jane Doe".upper())

    async def forget() -> None:
        await asyncio.wait([asyncio.ensure_future(fail())])

    try:
        try:
            raise ValueError("Jane Doe".upper())
        except ValueError:
            logging.getLogger("aiohttp.server").exception("Error handling request from %s", "Jane Doe".upper())
            logging.getLogger("faust").exception("it went wrong")
        asyncio.run(forget())
        gc.collect()
    finally:
        structlog.reset_defaults()
        logging.root.handlers[:] = before[0]
        logging.root.setLevel(before[1])
        logging.getLogger("aiohttp").setLevel(before[2])
    said = capsys.readouterr().err
    assert "it went wrong" in said
    assert "Task exception was never retrieved" in said
    assert said.count("\nValueError") == 2
    assert "JANE" not in said
