"""The worker's HTTP: metrics, health, the work list, the live board. It answers before the worker is ready, and says so."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import zlib
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from typing import NamedTuple

from aiohttp import hdrs, web
from prometheus_client.exposition import choose_encoder
from yarl import URL

from agents import manners, shares, worklist
from agents.app import Worker
from agents.board.board import Board
from agents.board.followups import Followups
from agents.collector import Collector
from agents.guests import Guests, cut
from agents.logins import Logins
from agents.seal import Seal
from agents.settings import WorkerError
from streams.clock import Micros, wall
from streams.programs import Profile
from streams.read import Family, current
from streams.state import ProgramState

#: Response header of /metrics: *now* of its numbers, microseconds since the epoch. `carewatch verify` reads at the same.
NOW_HEADER = "X-Carewatch-Now"
#: Bytes of the page that are made and compressed at once, and that are given to a socket at once: a page of many programs
#: is tens of megabytes, and what a reader has not taken yet is kept for it.
PIECE, BITE = 1 << 20, 1 << 16
#: A page is given to all who ask within this time (microseconds for each megabyte of it: a page of one city shows an event
#: at once, one of 60 programs an eighth of a second later); who takes longer for it than TAKE seconds is let go.
FRESH: Micros = 2_000
TAKE = 20.0
#: Connections that the system keeps until they are accepted: with few, a crowd at the door would keep others from it.
BACKLOG = 1024
#: Of gzip: the page is names and labels over and over, of which the quickest level leaves less than a tenth.
LEVEL = 1
_REFUSED = re.compile(r"q=0(\.0{0,3})?")


class Web:
    """The server of one worker, on a socket that is bound at once so that a port in use is found before anything runs."""

    def __init__(self, worker: Worker, version: str) -> None:
        """Bind the address of the worker's settings. Raises WorkerError if it cannot be had, or if the token can be guessed."""
        self._worker = worker
        self._collector = Collector(worker, version)
        self._making = asyncio.Lock()
        self._pages: dict[tuple[bool, bool], _Page] = {}  # the last of each form: OpenMetrics or not, gzip or not
        logins = Logins(worker.settings.api_token)
        self._socket = _bind(worker.settings.web_host, worker.settings.web_port)
        worker.address = worker.settings.advertised or _reachable(self.address)
        owned = _Owned(worker)
        seal = Seal(worker.settings.api_token, worker.address)
        self._shares = shares.connections(worker.settings)
        boards = self._shares.halved()
        self._board = Board(owned, worker.address, worker.settings.silent_after, seal, worker.settings.banner, boards)
        self._followups = Followups(owned, worker.address, logins, seal)
        self._hosts = manners.Hosts([*worker.settings.hosts, *filter(None, [URL(worker.address).host])])
        app = web.Application(middlewares=[manners.middleware(self._hosts)], client_max_size=manners.MOST_BYTES)
        app.on_response_prepare.append(manners.unread)
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                *self._board.routes(),
                *self._followups.routes(),
                web.get(worklist.PATH, worklist.Worklist(worker.owner, logins, seal, lambda: worker.ready).get),
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
        assert self._runner.server is not None
        self._guests = Guests(self._socket, self._runner.server, self._shares)
        self._guests.start()
        self._hosts.learn()
        self._board.start()

    async def stop(self) -> None:
        """Close the server."""
        self._guests.stop()
        await self._board.stop()
        await self._followups.stop()
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        _, content_type = choose_encoder(request.headers.get("Accept", ""))
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        gzip = _takes_gzip(request.headers.get("Accept-Encoding", ""))
        if gzip:
            headers["Content-Encoding"] = "gzip"
        response = web.StreamResponse(headers=headers)
        with contextlib.suppress(ConnectionError):  # whoever asked may have given up: no error of ours
            if request.method == hdrs.METH_HEAD:  # its length would cost a page
                await response.prepare(request)
                return response
            page = await self._page("openmetrics" in content_type, gzip)
            response.headers[NOW_HEADER] = str(page.now)
            response.content_length = sum(map(len, page.pieces))
            try:
                async with asyncio.timeout(TAKE):
                    await response.prepare(request)
                    for piece in page.pieces:
                        for start in range(0, len(piece), BITE):
                            await response.write(piece[start : start + BITE])
                    await response.write_eof()
            except TimeoutError:
                if request.transport:
                    cut(request.transport)
        return response

    async def _page(self, openmetrics: bool, gzip: bool) -> _Page:
        """A page of now, or the one of just before: readers that dawdle hold few, however many they are."""
        async with self._making:
            shown = (self._worker.ready, frozenset(state.profile.program for state in self._worker.owner.states()))
            page = self._pages.get((openmetrics, gzip))
            now = wall()
            if page is None or page.shown != shown or not 0 <= now - page.now < page.fresh:
                with self._worker.way.taken():
                    parts = await self._collector.page(now, openmetrics=openmetrics)
                    pieces = [piece async for piece in _compressed(parts)] if gzip else list(_pieces(parts))
                fresh = FRESH * sum(map(len, parts)) // 1_000_000
                page = self._pages[openmetrics, gzip] = _Page(now, shown, fresh, pieces)
            return page

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        if self._worker.ready:
            return web.Response(text="ready\n")
        return web.Response(status=503, text=f"not ready: {self._worker.why_not}\n")


class _Page(NamedTuple):
    """A page of /metrics: its *now*, which programs it shows, how long it is given out, and its bytes."""

    now: Micros
    shown: tuple[bool, frozenset[str]]
    fresh: Micros
    pieces: list[bytes]


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

    @property
    def damaged(self) -> Collection[str]:
        return self._worker.owner.damaged

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
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise WorkerError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --web-port"
        ) from error
