"""The worker's pages: who takes them compressed, and clients that do not stay."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from structlog.testing import capture_logs

from agents import web as pages_of
from agents.web import NOW_HEADER, Web, _takes_gzip
from carewatch.scrape import scrape
from carewatch.verify import _why
from tests.unit.served import Served, eventually, served


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
        pages._worker = SimpleNamespace(
            way=SimpleNamespace(taken=contextlib.nullcontext), ready=False, owner=SimpleNamespace(states=list)
        )
        pages._making, pages._pages = asyncio.Lock(), {}
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


def made(web: Served, monkeypatch: pytest.MonkeyPatch, page: list[bytes]) -> list[int]:
    """Have it show this page; the *now* of each that it makes."""
    nows: list[int] = []

    async def made(now: int, *, openmetrics: bool) -> list[bytes]:
        nows.append(now)
        return page

    monkeypatch.setattr(web.web._collector, "page", made)
    return nows


def test_a_page_is_shared_by_all_who_ask_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: one for each reader, so a few hundred that did not read held gigabytes."""
    with served() as web:
        nows = made(web, monkeypatch, [b"care_people_served 1\n"])
        monkeypatch.setattr(pages_of, "FRESH", 60_000_000 * 1_000_000)
        answers = [web.get("/metrics", source=f"127.0.0.{n}") for n in (1, 2)]
        assert len(nows) == 1
        assert all(f"{NOW_HEADER}: {nows[0]}\r\n".encode() in answer for answer in answers)
        assert all(answer.endswith(b"\r\n\r\ncare_people_served 1\n") for answer in answers)
        web.get("/metrics", "Accept-Encoding: gzip")
        assert len(nows) == 2, "another form is another page"
        monkeypatch.setattr(web.web._worker.__class__, "ready", True)
        web.get("/metrics")
        assert len(nows) == 3, "a worker that is ready now shows other programs"


def test_a_small_page_is_made_anew_for_the_next_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: given out for a quarter of a second whatever its size, and an event was seen that much later."""
    with served() as web:
        nows = made(web, monkeypatch, [b"care_people_served 1\n"])
        assert web.get("/metrics") != web.get("/metrics")
        assert len(nows) == 2


def test_a_reader_that_dawdles_holds_little_and_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: a megabyte of it lay in our buffers for each, events waited for it, and it could take for ever."""
    inside: list[None] = []

    @contextmanager
    def taken() -> Iterator[None]:
        inside.append(None)
        yield
        inside.pop()

    monkeypatch.setattr(pages_of, "TAKE", 1.0)
    with capture_logs() as lines, served() as web:
        made(web, monkeypatch, [b"x" * 50_000_000])
        monkeypatch.setattr(web.web._worker, "way", SimpleNamespace(taken=taken))
        with web.guest(small=True) as guest:
            guest.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert guest.recv(12) == b"HTTP/1.1 200"
            assert not inside, "events go on"
            (here,) = web.web._guests._here.values()
            (connection,) = here
            assert connection._wire is not None
            assert connection._wire.get_write_buffer_size() < 300_000
            eventually(lambda: not web.web._guests._here, "it is let go", timeout=10)
    assert not lines


def test_verify_says_what_a_worker_says_that_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: "Misdirected Request", and not that the name is to be added to CAREWATCH_HOSTS."""
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *args, **kwargs: look_up("127.0.0.1", *args, **kwargs))
    with served() as web, pytest.raises(HTTPError) as refused:
        scrape(f"http://opsbox.city.example:{web.port}")
    assert _why(refused.value).startswith("this name is not one of this worker's; add it to CAREWATCH_HOSTS")


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 15\r\n\r\n<html>\r\n<head>",
        b"Content-Length: 0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nno",
    ],
    ids=["a page", "nothing", "breaks off"],
)
def test_verify_says_the_status_where_an_answer_says_nothing(body: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with listening.accept()[0] as guest:
                guest.recv(4096)
                guest.sendall(b"HTTP/1.1 502 Bad Gateway\r\n" + body)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(HTTPError) as refused:
            scrape(f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread.join(20)
    assert _why(refused.value) == "HTTP Error 502: Bad Gateway"
