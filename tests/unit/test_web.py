"""The worker's pages: who takes them compressed, and clients that do not stay."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from agents.web import Web, _takes_gzip


def test_whoever_asks_for_metrics_and_leaves_is_no_error(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Was: a traceback in the log of a worker that was frozen for longer than its scrapes wait."""
    lose = RequestHandler.connection_lost

    async def run() -> None:
        asked, left, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        def lost(self: Any, error: BaseException | None) -> None:
            lose(self, error)
            left.set()

        async def page(*_: Any, **__: Any) -> list[bytes]:
            asked.set()
            await left.wait()
            return [b"care_people_served 1\n"]

        async def metrics(request: web.Request) -> web.StreamResponse:
            try:
                response: web.StreamResponse = await pages._metrics(request)
            finally:
                done.set()
            return response

        monkeypatch.setattr(RequestHandler, "connection_lost", lost)
        pages: Any = Web.__new__(Web)
        pages._worker = SimpleNamespace(way=SimpleNamespace(taken=contextlib.nullcontext))
        pages._collector = SimpleNamespace(page=page)
        app = web.Application()
        app.add_routes([web.get("/metrics", metrics)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        await asked.wait()
        writer.close()
        await asyncio.wait_for(done.wait(), 10)
        await runner.cleanup()

    asyncio.run(run())
    assert not caplog.records


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip ; q=1.0, identity", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("x-gzip", False),
        ("identity", False),
        ("*", False),
        ("", False),
    ],
)
def test_gzip_is_for_who_takes_it(accepted: str, takes: bool) -> None:
    assert _takes_gzip(accepted) is takes
