"""Server-sent events to the boards that are open: each message is encoded once, whoever gets it.

A board that reads slowly is sent the newest of each piece when it is ready for it, never a queue of old ones; one that
does not read at all is let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets

from aiohttp import web

#: Boards (and other readers) at once; the next one is told to come back.
MOST = 500
#: Seconds that a board may take to read a message.
READ_WITHIN = 10.0
#: Seconds within which messages are sent as one: a board is written to once a picture, not once a program.
TOGETHER = 0.03
#: Milliseconds after which a browser comes back when the stream breaks.
RETRY = 1000


class Streams:
    """The open streams, and the newest message of each name."""

    def __init__(self) -> None:
        """Nobody is here."""
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
        if self._closing or len(self._clients) >= MOST:
            return web.Response(status=503, text="too many boards are open\n", headers={**headers, "Retry-After": "5"})
        response = web.StreamResponse(
            headers={
                **headers,
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # nginx would hold the events back
            }
        )
        client = _Client()
        boot, _, number = request.headers.get("Last-Event-ID", "").partition("-")
        seen = int(number) if boot == self._boot and number.isdecimal() else 0
        client.pending = {name: message for name, (n, message) in self._newest.items() if n > seen}
        client.pending["retry"] = f"retry: {RETRY}\n\n".encode()
        client.wake.set()
        self._clients.add(client)
        try:
            await response.prepare(request)
            while not self._closing:
                await client.wake.wait()
                client.wake.clear()
                message = b"".join(client.pending.values())
                client.pending.clear()
                async with asyncio.timeout(READ_WITHIN):
                    await response.write(message)
        except (ConnectionError, TimeoutError):
            if request.transport:
                request.transport.abort()  # what was written and not read is dropped with it
        finally:
            self._clients.discard(client)
        if response.prepared:
            with contextlib.suppress(ConnectionError):
                await response.write_eof()
        return response

    def close(self) -> None:
        """End all streams; browsers come back by themselves."""
        self._closing = True
        self._wake()


class _Client:
    """One board: what it was not sent yet, the newest of each name."""

    def __init__(self) -> None:
        self.pending: dict[str, bytes] = {}
        self.wake = asyncio.Event()
