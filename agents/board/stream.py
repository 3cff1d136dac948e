"""Server-sent events to the boards that are open: each message is encoded once, whoever gets it.

A board that reads slowly is sent the newest of each piece when it is ready for it, never a queue of old ones; one that
does not read at all is let go.

Little is put into the system's buffers, and nothing of ours behind them, so that it is soon known who does not read
(reading.py). When there are as many boards as may be, one that is not taking its message now goes for a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import socket
from collections import Counter

from aiohttp import hdrs, web

from agents.board.reading import Reading
from agents.guests import cut
from agents.shares import Shares, source_of

#: Boards (and other readers) at once, and from one source, unless told otherwise; the next one is told to come back.
MANY = Shares(most=500, each=100, near=375)
#: Seconds that a board may take to read a message.
READ_WITHIN = 10.0
#: Seconds after which one that does not read goes for another.
GIVES_WAY = 1.0
#: Bytes that the system keeps for a board (Linux takes twice that), besides what the board's own system takes.
KEPT = 16 * 1024
#: Seconds within which messages are sent as one: a board is written to once a picture, not once a program.
TOGETHER = 0.03
_NUMBER = re.compile(r"[0-9]{1,18}")
#: Milliseconds after which a browser comes back when the stream breaks.
RETRY = 1000


class Streams:
    """The open streams, and the newest message of each name."""

    def __init__(self, shares: Shares = MANY) -> None:
        """Nobody is here. `shares`: how many streams may be open."""
        self._shares = shares
        self._boot = secrets.token_hex(4)
        self._number = 0
        self._newest: dict[str, tuple[int, bytes]] = {}
        self._clients: set[_Client] = set()
        self._closing = False
        self._waking = False

    @property
    def open(self) -> int:
        """How many there are."""
        return len(self._clients)

    def publish(self, name: str, body: bytes, *, keep: bool = True) -> None:
        """Send a message to all: `name` is `<event>/<rest>` or `<event>`, the body one line.

        Args:
            name: A later message of the same name replaces one that was not sent yet.
            body: JSON.
            keep: Whether those who come later get it too.
        """
        event = name.partition("/")[0]
        if keep:
            self._number += 1
            message = f"id: {self._boot}-{self._number}\nevent: {event}\ndata: ".encode() + body + b"\n\n"
            self._newest[name] = (self._number, message)
        else:
            message = f"event: {event}\ndata: ".encode() + body + b"\n\n"
        for client in self._clients:
            client.pending[name] = message
        if self._clients and not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_later(TOGETHER, self._wake)

    def _wake(self) -> None:
        self._waking = False
        for client in self._clients:
            client.wake.set()

    async def serve(self, request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
        """One stream, until the board leaves, does not read, or we close. It starts with what the board lacks."""
        response = web.StreamResponse(
            headers={
                **headers,
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # nginx would hold the events back
            }
        )
        if request.method == hdrs.METH_HEAD or request.transport is None:  # it has left
            return response
        source = source_of(request.remote or "")
        if not self._room(source):
            return web.Response(status=503, text="too many boards are open\n", headers={**headers, "Retry-After": "5"})
        client = _Client(source, request.transport)
        boot, _, number = request.headers.get("Last-Event-ID", "").partition("-")
        seen = int(number) if boot == self._boot and _NUMBER.fullmatch(number) else 0
        client.pending = {name: message for name, (n, message) in self._newest.items() if n > seen}
        client.pending["retry"] = f"retry: {RETRY}\n\n".encode()
        client.wake.set()
        self._clients.add(client)
        client.keep_little()
        try:
            await response.prepare(request)
            while not (self._closing or client.gone):
                await client.wake.wait()
                client.wake.clear()
                if client.reading.stopped(asyncio.get_running_loop().time()):
                    raise TimeoutError
                message = b"".join(client.pending.values())
                client.pending.clear()
                client.wrote = asyncio.get_running_loop().time()
                async with asyncio.timeout(READ_WITHIN):
                    await response.write(message)
                    await request.writer.drain()  # aiohttp itself waits once in 64 kB
                client.wrote = None
        except (ConnectionError, TimeoutError):
            client.end()
        finally:
            self._clients.discard(client)
        if response.prepared:
            with contextlib.suppress(ConnectionError):
                await response.write_eof()
        return response

    def _room(self, source: str) -> bool:
        """Whether there is room for a stream from a source, after one that is not being read went for it. Where all are
        taken, one of the source that has the most goes for a source that has fewer.
        """
        if self._closing:
            return False
        own = [client for client in self._clients if client.source == source]
        for rivals, most in ((own, self._shares.of(source)), (self._clients, self._shares.most)):
            if len(rivals) >= most:
                stuck = [client for client in rivals if client.wrote is not None]
                worst = min(stuck, key=lambda client: client.wrote or 0.0, default=None)
                if worst is None or asyncio.get_running_loop().time() - (worst.wrote or 0.0) < GIVES_WAY:
                    worst = None if rivals is own else self._of_the_most(more_than=len(own) + 1)
                if worst is None:
                    return False
                worst.end()
                self._clients.discard(worst)
        return True

    def _of_the_most(self, more_than: int) -> _Client | None:
        """A stream of the source that has the most, if these are more than so many."""
        crowd, count = Counter(client.source for client in self._clients).most_common(1)[0]
        return next((client for client in self._clients if client.source == crowd), None) if count > more_than else None

    def close(self) -> None:
        """End all streams; browsers come back by themselves."""
        self._closing = True
        self._wake()


class _Client:
    """One board: what it was not sent yet, the newest of each name; and since when it has been sent something."""

    def __init__(self, source: str, transport: asyncio.Transport) -> None:
        self.source = source
        self.pending: dict[str, bytes] = {}
        self.wake = asyncio.Event()
        self.wrote: float | None = None  # loop's clock, seconds; None: it has read all, or the system has it
        self.gone = False
        self._transport = transport
        self._connection: socket.socket = transport.get_extra_info("socket")
        self.reading = Reading(self._connection, READ_WITHIN)

    def keep_little(self) -> None:
        """Have the system and asyncio keep little of what it has not read."""
        self._transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(OSError):
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KEPT)

    def end(self) -> None:
        """Close the connection; what was written and not read is dropped with it."""
        self.gone = True
        self.wake.set()
        cut(self._transport)
