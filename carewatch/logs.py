"""Logs on standard error: one line an event, `CAREWATCH_LOG=json` for machines. Never an event's free text."""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import structlog

from agents.broker import AWAY
from agents.fence import FencedError
from agents.settings import WorkerError
from carewatch.settings import default

#: Seconds in which a library says the same thing once.
EVERY = 60.0
#: How many different things are told apart.
MOST_KINDS = 1000
#: What may follow from a broker that is away, and our own errors with a line for people: they need no traceback.
_PLAIN = (*AWAY, FencedError, WorkerError)
_DETAIL = re.compile(r"'[^']*'|\"[^\"]*\"|<[^>]*>|\d+")


class Throttle(logging.Filter):
    """Lets a library say the same thing once a minute, then with how often it was left out.

    Same: but for numbers and what is in quotes. A client that tries again ten times a second, for each of its connections,
    would fill a disk while a broker is away.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing said yet. `clock`: seconds."""
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to say it. Takes the traceback out of what needs none."""
        error = record.exc_info[1] if record.exc_info else None
        if record.exc_info and (error is None or isinstance(error, _PLAIN)):
            record.exc_info, record.exc_text = None, None
        kind = (record.name, record.levelno, _DETAIL.sub("", f"{record.msg} {type(error).__name__}"))
        now = self._clock()
        at, left_out = self._said.get(kind, (float("-inf"), 0))
        if now - at < EVERY:
            self._said[kind] = (at, left_out + 1)
            return False
        if len(self._said) >= MOST_KINDS:
            self._said.clear()
        self._said[kind] = (now, 0)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more since the last time)", ()
        return True


def set_up() -> None:
    """Configure structlog and the standard library's logging; the libraries below us speak from warnings up."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    if default("LOG", "text") == "json":
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.processors.ExceptionRenderer(_where), renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Throttle())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                _of_asyncio,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(_where),
                renderer,
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # it quotes what guests of the web send; agents/guests.py tells of them without
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL + 1)


def _of_asyncio(logger: Any, name: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Of asyncio its first line: the others show objects, and with them what an exception says."""
    record = entry.get("_record")
    if record is not None and record.name == "asyncio":
        entry["event"] = str(entry["event"]).partition("\n")[0]
    return entry


def _where(exc_info: structlog.typing.ExcInfo) -> str:
    """Type and place of an exception. Not its message: that may quote what an event or a request carried."""
    kind, _, trace = exc_info
    return "".join([*traceback.format_tb(trace), kind.__name__])
