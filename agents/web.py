"""The worker's HTTP: metrics, health, the work list, the live board. It answers before the worker is ready, and says so."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping

from aiohttp import web
from prometheus_client.exposition import choose_encoder
from yarl import URL

from agents import worklist
from agents.app import Worker
from agents.board.board import Board
from agents.board.followups import Followups
from agents.collector import Collector
from agents.settings import WorkerError
from streams.clock import Micros, wall
from streams.programs import Profile
from streams.read import Family, current
from streams.state import ProgramState

#: Response header of /metrics: *now* of its numbers, microseconds since the epoch. `carewatch verify` reads at the same.
NOW_HEADER = "X-Carewatch-Now"
#: Bytes of the page that are given to the socket at once: a page of many programs is tens of megabytes.
PIECE = 1 << 20
#: Of gzip: the page is names and labels over and over, of which the quickest level leaves less than a tenth.
LEVEL = 1
_REFUSED = re.compile(r"q=0(\.0{0,3})?")


class Web:
    """The server of one worker, on a socket that is bound at once so that a port in use is found before anything runs."""

    def __init__(self, worker: Worker, version: str) -> None:
        """Bind the address of the worker's settings. Raises WorkerError if it cannot be had."""
        self._worker = worker
        self._collector = Collector(worker, version)
        self._socket = _bind(worker.settings.web_host, worker.settings.web_port)
        worker.address = worker.settings.advertised or _reachable(self.address)
        owned = _Owned(worker)
        self._board = Board(owned, worker.address, worker.settings.silent_after, worker.settings.banner)
        self._followups = Followups(owned, worker.address, worker.settings.api_token)
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                *self._board.routes(),
                *self._followups.routes(),
                web.get(
                    worklist.PATH, worklist.Worklist(worker.owner, worker.settings.api_token, lambda: worker.ready).get
                ),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)  # streams are ended before

    @property
    def address(self) -> str:
        """Where it listens, as a URL."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self) -> None:
        """Answer from now on."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()
        self._board.start()

    async def stop(self) -> None:
        """Close the server."""
        await self._board.stop()
        await self._followups.stop()
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        now = wall()
        _, content_type = choose_encoder(request.headers.get("Accept", ""))
        response = web.StreamResponse(
            headers={"Content-Type": content_type, "Vary": "Accept, Accept-Encoding", NOW_HEADER: str(now)}
        )
        with self._worker.way.taken():
            parts = await self._collector.page(now, openmetrics="openmetrics" in content_type)
            if _takes_gzip(request.headers.get("Accept-Encoding", "")):
                response.headers["Content-Encoding"] = "gzip"
                pieces = [piece async for piece in _compressed(parts)]
            else:
                pieces = list(_pieces(parts))
            response.content_length = sum(map(len, pieces))
            with contextlib.suppress(ConnectionError):  # whoever asked may have given up: no error of ours
                await response.prepare(request)
                for piece in pieces:
                    await response.write(piece)
                await response.write_eof()
        return response

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        if self._worker.ready:
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready: no programs assigned yet, or still recovering\n")


class _Owned:
    """What the board sees of the worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @property
    def ready(self) -> bool:
        return self._worker.ready

    @property
    def profiles(self) -> Mapping[str, Profile]:
        return self._worker.owner.profiles

    def states(self) -> list[ProgramState]:
        return list(self._worker.owner.states())

    def families(self, state: ProgramState, now: Micros) -> list[Family]:
        return list(current(state, now, now))

    def caught_up(self, program: str) -> bool:
        return self._worker.caught_up(program)

    def owners(self) -> Mapping[str, str]:
        return self._worker.owners()


def _reachable(address: str) -> str:
    """An address that others can use: a worker that listens on all addresses is known by its host's name."""
    url = URL(address)
    return str(url.with_host(socket.gethostname())) if url.host in ("0.0.0.0", "::") else address  # noqa: S104  # compared


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


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header (RFC 9110, 12.5.3) lists gzip, and not with the weight 0, which refuses it."""
    weights = dict(part.lower().replace(" ", "").partition(";")[::2] for part in accepted.split(","))
    return "gzip" in weights and _REFUSED.fullmatch(weights["gzip"]) is None


async def _compressed(parts: list[bytes]) -> AsyncIterator[bytes]:
    """The parts as one gzip stream; another thread does the work, and the loop goes on meanwhile."""
    stream = zlib.compressobj(LEVEL, wbits=zlib.MAX_WBITS + 16)  # + 16: gzip, not zlib
    for piece in _pieces(parts):
        yield await asyncio.to_thread(stream.compress, piece)
    yield stream.flush()


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise WorkerError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --web-port"
        ) from error
