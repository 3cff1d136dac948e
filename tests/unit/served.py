"""A worker's web on a real socket, in a thread of its own, without a broker; and guests that talk to it byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from agents.app import Worker
from agents.settings import Settings
from agents.web import Web
from carewatch.settings import PROGRAMS
from streams.programs import load_all


def guest_of(address: tuple[str, int], source: str, small: bool = False) -> socket.socket:
    """A connection to a web; `small`: it takes a few kilobytes until it reads."""
    guest = socket.socket()
    if small:
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    guest.settimeout(20)
    guest.bind((source, 0))
    with contextlib.suppress(ConnectionError):  # refused so soon that the connection was never seen
        guest.connect(address)
    return guest


class Served:
    """The address of a web, and its parts to look into."""

    def __init__(self, web: Web) -> None:
        parts = urlsplit(web.address)
        self.web = web
        self.host, self.port = str(parts.hostname), int(parts.port or 0)

    def guest(self, source: str = "127.0.0.1", small: bool = False) -> socket.socket:
        """A connection; `small`: it takes a few kilobytes until it reads."""
        return guest_of((self.host, self.port), source, small)

    def ask(self, request: bytes, source: str = "127.0.0.1") -> bytes:
        """All that comes until the web closes the connection."""
        with self.guest(source) as guest:
            with contextlib.suppress(OSError):  # it may have closed by now
                guest.sendall(request)
            return read_all(guest)

    def get(self, path: str, *headers: str, method: str = "GET", source: str = "127.0.0.1") -> bytes:
        """The answer to a request, head and body."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", "Connection: close", *headers, "", ""]
        return self.ask("\r\n".join(lines).encode(), source)


def read_all(guest: socket.socket) -> bytes:
    """What comes until the end."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while part := guest.recv(65536):
            found += part
    return found


def closed(guest: socket.socket) -> bool:
    """Whether the web has closed a connection that was sent nothing."""
    guest.setblocking(False)
    try:
        return guest.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def eventually(probe: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    """Wait until it is so."""
    give_up = time.monotonic() + timeout
    while not probe():
        assert time.monotonic() < give_up, what
        time.sleep(0.01)


@contextmanager
def served(**settings: Any) -> Iterator[Served]:
    """A web that answers."""
    worker = Worker(Settings(programs=PROGRAMS, web_port=0, **settings), load_all(PROGRAMS))
    web = Web(worker, "0")
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        await web.start()
        started.set()
        await stop.wait()
        await web.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert started.wait(20)
        yield Served(web)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
