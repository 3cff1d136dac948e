"""The worker's HTTP: metrics, health, the work list. It answers before the worker is ready, and says so."""

from __future__ import annotations

import socket

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from agents import worklist
from agents.app import Worker
from agents.collector import WorkerCollector
from agents.exposition import Exposition
from agents.settings import WorkerError
from streams.clock import wall

#: Response header of /metrics: *now* of its numbers, microseconds since the epoch. `carewatch verify` reads at the same.
NOW_HEADER = "X-Carewatch-Now"


class Web:
    """The server of one worker, on a socket that is bound at once so that a port in use is found before anything runs."""

    def __init__(self, worker: Worker, version: str) -> None:
        """Bind the address of the worker's settings. Raises WorkerError if it cannot be had."""
        self._worker = worker
        self._collector = WorkerCollector(worker, version)
        self._exposition = Exposition()
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

    async def _metrics(self, request: web.Request) -> web.Response:
        now = wall()
        _, content_type = choose_encoder(request.headers.get("Accept", ""))
        families = await self._collector.families(now)
        body = self._exposition.write(families, openmetrics="openmetrics" in content_type)
        return web.Response(body=body, headers={"Content-Type": content_type, NOW_HEADER: str(now)})

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        if self._worker.owner.ready:
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready: no programs assigned yet, or still recovering\n")


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise WorkerError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --web-port"
        ) from error
