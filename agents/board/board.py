"""The live board in a worker: its pages, its streams, and the loop that makes what they show."""

from __future__ import annotations

import asyncio
import contextlib
import time

import msgspec
from aiohttp import web

from agents.board import pages
from agents.board.floor import OWN_PATH, Floor, Owned, Standing
from agents.board.stream import MANY, Streams
from agents.seal import Seal
from agents.seldom import Seldom
from agents.shares import Shares

EVENTS_PATH = "/board/events"
#: Seconds from one picture to the next while somebody looks; one picture for all who do.
EVERY = 0.9
#: Seconds that a picture waits for the answers of other workers; what comes later is in the next one.
PATIENCE = 0.3
#: Seconds that a picture may be old when another worker asks for it.
FRESH = 0.3


class Moment(msgspec.Struct, frozen=True):
    """Sent with every picture, changed or not: the worker's clock (seconds), and how sure it is of each program."""

    now: float
    programs: list[Standing]


class Board:
    """The board of one worker."""

    def __init__(
        self, owned: Owned, address: str, silent_after: float, seal: Seal, banner: str = "", shares: Shares = MANY
    ) -> None:
        """A board that shows nothing yet; see Floor for the first four, pages and Streams for the others."""
        self._banner = banner
        self._streams = Streams(shares)
        self._seal = seal
        self._floor = Floor(owned, address, silent_after, seal, self._streams.publish)
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def routes(self) -> list[web.RouteDef]:
        """All that it answers."""
        return [*pages.routes(self._banner), web.get(EVENTS_PATH, self._events), web.get(OWN_PATH, self._own)]

    def start(self) -> None:
        """Make pictures from now on."""
        self._loop = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End the streams and the loop."""
        self._streams.close()
        if self._loop:
            self._loop.cancel()
            await asyncio.wait([self._loop])
        await self._floor.stop()

    async def _run(self) -> None:
        said = Seldom()
        while True:
            began = time.monotonic()
            try:
                await self._step()
            except Exception as error:  # noqa: BLE001  # the board may fail, the worker must not
                said.warning("the board has no picture", error)
            rest = max(0.1, EVERY - (time.monotonic() - began))
            if self._streams.open:
                await asyncio.sleep(rest)
            else:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(rest):  # wait_for may swallow a cancellation
                        await self._wake.wait()

    async def _step(self) -> None:
        """With nobody looking there is nothing to do but a point of the lines each minute."""
        if self._streams.open:
            self._floor.ask_others()
        if self._streams.open or self._floor.sample_due():
            await self._floor.refresh()
        if self._streams.open:
            await self._floor.answers(PATIENCE)
            moment = Moment(time.time(), self._floor.standings())
            self._streams.publish("moment", msgspec.json.encode(moment), keep=False)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self._wake.set()
        return await self._streams.serve(request, pages.HEADERS)

    async def _own(self, request: web.Request) -> web.Response:
        if self._floor.age > FRESH:
            await self._floor.refresh()
        headers = {**pages.HEADERS, "Cache-Control": "no-store"}
        answer = web.Response(body=self._floor.own(), content_type="application/json", headers=headers)
        return self._seal.sealed(self._seal.asked(request), answer)
