"""The connections of the web: who may have how many, and how long each may take.

aiohttp closes idle connections and nothing else, and asyncio logs a traceback for each connection that it has no
descriptor for. So we accept ourselves, count by source, and look once a second at what each connection waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections import defaultdict
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from agents.seldom import Seldom
from agents.shares import Shares, source_of

#: Seconds for the head of a request from its first byte, or from the start of the connection.
HEAD = 10.0
#: Seconds for its body.
BODY = 10.0
#: Seconds without a request; more than the minute that a Prometheus may have between two.
IDLE = 75.0
#: Seconds for a piece of an answer, a megabyte at most.
TAKE = 30.0
#: Seconds that what a request sends and nobody reads is waited for, so that its sender gets the answer before the end.
LINGER = 1.0
#: Seconds between two looks at all connections, and until a connection is accepted again when there was no descriptor.
LOOK = 1.0
#: Connections that are accepted in one go: so few that a request which came with its connection is read before a crowd
#: that came behind it has had the share of its source.
AT_ONCE = 8

_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
#: SO_LINGER: close with a reset, which leaves nothing behind here.
_RESET = struct.pack("ii", 1, 0)


class Guest(RequestHandler):
    """One connection, and since when it has kept us waiting."""

    __slots__ = ("_asked", "_began", "_ended", "_left", "_said", "_since", "_stuck", "_wire", "source")

    def __init__(
        self,
        server: web.Server,
        source: str,
        said: Seldom,
        asked: Callable[[Guest], None],
        left: Callable[[Guest], None],
    ) -> None:
        """`asked` is called when a request has come, `left` at the end; `said` hears of what went wrong."""
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=cast(Any, None),  # aiohttp's own default for servers that keep none
            keepalive_timeout=IDLE,
            lingering_time=LINGER,
            auto_decompress=False,  # no request of ours is compressed; a small one could cost us gigabytes
        )
        self.source = source
        self._said = said
        self._asked = asked
        self._left = left
        self._wire: asyncio.Transport | None = None  # aiohttp's own is gone as soon as it closes
        self._since = self._loop.time()
        self._began = True  # a head: of the first one the connection is the beginning
        self._stuck: float | None = None
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._wire = cast(asyncio.Transport, transport)
        super().connection_made(transport)
        if self._ended:  # it had to go before it was there
            cut(self._wire)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""
        super().connection_lost(exc)
        self._left(self)

    def data_received(self, data: bytes) -> None:
        """Note when a head began, and when it was whole."""
        known = self._request_count
        super().data_received(data)
        if self._request_count != known:
            self._since, self._began = self._loop.time(), False
            self._asked(self)
        elif not self._began and self.idle:
            self._since, self._began = self._loop.time(), True

    def resume_writing(self) -> None:
        """What was written is on its way: the next piece has its own time."""
        super().resume_writing()
        self._stuck = None

    @property
    def idle(self) -> bool:
        """Whether it waits for a request. In a crowd that comes at once, so do those that are not there yet."""
        return self._request_count == 0 or (self._waiter is not None and not self._waiter.done())

    @property
    def unfinished(self) -> bool:
        """Whether it owes us the rest of a body."""
        request = self._current_request
        return request is not None and not request.content.is_eof()

    def late(self, now: float) -> str:
        """What it takes too long for (`now`: of the loop's clock); nothing if it does not."""
        if self._wire is None:
            return ""
        if self._wire.get_write_buffer_size() == 0:
            self._stuck = None
        elif self._stuck is None:
            self._stuck = now
        elif now - self._stuck > TAKE:
            return "answers were not read"
        if self.idle:
            return "requests did not come to the end of their head" if self._began and now - self._since > HEAD else ""
        return "requests did not come to the end of their body" if self.unfinished and now - self._since > BODY else ""

    def end(self) -> None:
        """Close it now, whatever is on its way; or as soon as it is there."""
        self._ended = True
        if self._wire is not None:
            cut(self._wire)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what is no request, or what a handler raised, with a plain line. aiohttp quotes and logs the request."""
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._said.warning("refused what is no HTTP request", source=self.source)
        else:
            self._said.warning("a request could not be answered", error=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("part of the answer is sent already")
        answer = web.Response(status=status, text=f"{status} {HTTPStatus(status).phrase}\n")
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """What aiohttp has no answer to."""
        error = kwargs.get("exc_info")
        self._said.warning("a connection broke", error=error if isinstance(error, BaseException) else None)


def cut(transport: asyncio.Transport) -> None:
    """Close a connection and drop what the other end has not taken; else the system would go on offering it for minutes."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        _reset(connection)
    transport.abort()


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


class Guests:
    """All connections of a listening socket."""

    def __init__(self, listening: socket.socket, server: web.Server, shares: Shares) -> None:
        """`server`: what a started aiohttp runner has."""
        listening.setblocking(False)
        self._listening = listening
        self._server = server
        self._shares = shares
        self._said = Seldom()
        self._here: defaultdict[str, dict[Guest, None]] = defaultdict(dict)  # those that asked last at the end
        self._count = 0
        self._coming: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Accept connections from now on."""
        self._look()

    def stop(self) -> None:
        """Accept no more; those that are there are the server's to end."""
        if self._next:
            self._next.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:
                cure = ": raise the limit of open files (ulimit -n)" if error.errno in _NO_ROOM else ""
                self._said.warning(f"no connection can be accepted{cure}", why=error.strerror)
                self._loop.remove_reader(self._listening)  # until the next look
                return
            source = source_of(address[0])
            if not self._room(source):
                _reset(connection)
                connection.close()
                continue
            guest = Guest(self._server, source, self._said, self._asked, self._left)
            self._here[source][guest] = None
            self._count += 1
            task = self._loop.create_task(self._begin(guest, connection))
            self._coming.add(task)
            task.add_done_callback(self._coming.discard)

    async def _begin(self, guest: Guest, connection: socket.socket) -> None:
        connection.setblocking(False)
        try:
            await self._loop.connect_accepted_socket(lambda: guest, connection)
        except OSError:
            connection.close()
            self._left(guest)

    def _room(self, source: str) -> bool:
        """Whether one more may come from a source, after another one went for it: the one that has been idle for longest, or
        owes a body. Where all are taken, a source that has fewer than another is let in whatever that one is at.
        """
        if len(self._here.get(source, ())) >= self._shares.of(source):
            self._said.warning(
                "a source has all the connections that it may have: CAREWATCH_CONNECTIONS_EACH, CAREWATCH_PROXIES",
                source=source,
                connections=self._shares.of(source),
            )
            return self._one_goes(source)
        if self._count >= self._shares.most:
            self._said.warning(
                "the web has all the connections that it may have: CAREWATCH_CONNECTIONS", connections=self._count
            )
            largest = max(self._here, key=lambda each: len(self._here[each]))
            return self._one_goes(largest, whatever=len(self._here[largest]) > len(self._here.get(source, ())) + 1)
        return True

    def _one_goes(self, source: str, *, whatever: bool = False) -> bool:
        here = list(self._here[source])
        idle = (guest for guest in here if guest.idle)
        owing = (guest for guest in here if guest.unfinished)
        guest = next(idle, None) or next(owing, None) or (here[0] if whatever else None)
        if guest is None:
            return False
        guest.end()
        self._left(guest)
        return True

    def _asked(self, guest: Guest) -> None:
        here = self._here.get(guest.source, {})
        if guest in here:
            del here[guest]
            here[guest] = None

    def _left(self, guest: Guest) -> None:
        here = self._here.get(guest.source)
        if here is None or guest not in here:
            return  # it had to go, and is gone now
        del here[guest]
        self._count -= 1
        if not here:
            del self._here[guest.source]

    def _look(self) -> None:
        now = self._loop.time()
        for guest in [guest for here in self._here.values() for guest in here]:
            if late := guest.late(now):
                self._said.warning(f"connections closed: {late} in time", source=guest.source)
                guest.end()
        self._loop.add_reader(self._listening, self._accept)
        self._next = self._loop.call_later(LOOK, self._look)
