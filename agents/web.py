"""The worker's HTTP: metrics, health, the work list. It answers before the worker is ready, and says so."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from agents import worklist
from agents.app import Worker
from agents.collector import Collector
from agents.settings import WorkerError
from streams.clock import wall

#: Response header of /metrics: *now* of its numbers, microseconds since the epoch. `carewatch verify` reads at the same.
NOW_HEADER = "X-Carewatch-Now"
#: Bytes of the page that are given to the socket at once: a page of many programs is tens of megabytes.
PIECE = 1 << 20


class Web:
    """The server of one worker, on a socket that is bound at once so that a port in use is found before anything runs."""

    def __init__(self, worker: Worker, version: str) -> None:
        """Bind the address of the worker's settings. Raises WorkerError if it cannot be had."""
        self._worker = worker
        self._collector = Collector(worker, version)
        self._socket = _bind(worker.settings.web_host, worker.settings.web_port)
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get(worklist.PATH, worklist.Worklist(worker.owner, worker.settings.api_token).get),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)

    @property
    def address(self) -> str:
        """Where it listens, as a URL."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    async def start(self) -> None:
        """Answer from now on."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()

    async def stop(self) -> None:
        """Close the server."""
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        now = wall()
        _, content_type = choose_encoder(request.headers.get("Accept", ""))
        parts = await self._collector.page(now, openmetrics="openmetrics" in content_type)
        response = web.StreamResponse(headers={"Content-Type": content_type, NOW_HEADER: str(now)})
        response.content_length = sum(map(len, parts))
        await response.prepare(request)
        for piece in _pieces(parts):
            await response.write(piece)
        await response.write_eof()
        return response

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        if self._worker.ready:
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready: no programs assigned yet, or still recovering\n")


def _pieces(parts: list[bytes]) -> Iterator[bytes]:
    """The parts joined to pieces of about PIECE bytes."""
    piece: list[bytes] = []
    size = 0
    for part in parts:
        piece.append(part)
        size += len(part)
        if size >= PIECE:
            yield b"".join(piece)
            piece, size = [], 0
    yield b"".join(piece)


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise WorkerError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --web-port"
        ) from error
