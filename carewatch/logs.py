"""Logs on standard error: one line an event, `CAREWATCH_LOG=json` for machines. Never an event's free text."""

from __future__ import annotations

import logging
import sys
import traceback

import structlog

from carewatch.settings import default


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
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _where(exc_info: structlog.typing.ExcInfo) -> str:
    """Type and place of an exception of ours. Not its message: that may quote what an event carried."""
    kind, _, trace = exc_info
    return "".join([*traceback.format_tb(trace), kind.__name__])
