"""What every request has to keep to, whatever it asks for: the names we answer to, the forms we take, bodies nobody reads."""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Iterable

from aiohttp import HttpVersion10, hdrs, web
from aiohttp.typedefs import Handler, Middleware

from agents.settings import HOSTS

#: Bytes of a request's body: a token is all that anybody sends us.
MOST_BYTES = 4096
FORM = "application/x-www-form-urlencoded"
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]+?)\.?)(?::\d{0,5})?")


class Hosts:
    """The names that this web answers to.

    A page from elsewhere whose name is made to mean our address (DNS rebinding) could read us with the browser of
    whoever looks at it; but its requests carry its own name. An address is nobody's name, so addresses are let in.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Names besides this machine's own. `*` stands for any part of a name between dots, or alone for all names."""
        self._any = False
        self._names = {"localhost", socket.gethostname().lower().rstrip(".")}
        self._patterns: list[re.Pattern[str]] = []
        for name in (given.lower().rstrip(".") for given in names):
            self._any |= name == "*"
            if "*" in name:
                self._patterns.append(re.compile(re.escape(name).replace(r"\*", "[^.]*")))
            else:
                self._names.add(name)

    def learn(self) -> None:
        """Learn this machine's full name. In a thread that nobody waits for: it may take the DNS a while."""
        threading.Thread(target=lambda: self._names.add(socket.getfqdn().lower().rstrip(".")), daemon=True).start()

    def knows(self, host: str) -> bool:
        """Whether we answer to what a Host header says."""
        parts = _HOST.fullmatch(host.lower())
        if parts is None:
            return False
        name = parts[1] or parts[2]
        if self._any or name in self._names or any(pattern.fullmatch(name) for pattern in self._patterns):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def middleware(hosts: Hosts) -> Middleware:
    """For the application."""

    @web.middleware
    async def mannered(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.getall(hdrs.HOST, [])
        if len(given) > 1 or (not given and request.version != HttpVersion10):
            return _plain(400, "give one Host header")
        if given and not hosts.knows(given[0].strip()):
            return _plain(421, f"this name is not one of this worker's; add it to {HOSTS}, several with commas")
        if request.method == hdrs.METH_POST and request.can_read_body and not await _is_form(request):
            return _plain(400, f"send a form: {FORM}, UTF-8, not compressed")
        return await handler(request)

    return mannered


async def unread(request: web.Request, response: web.StreamResponse) -> None:
    """Signal before an answer: if there is a body that nobody has read, the connection ends with the answer."""
    if request.can_read_body:
        response.force_close()
        response.headers[hdrs.CONNECTION] = "close"


async def _is_form(request: web.Request) -> bool:
    """Read a form; the handler gets it from the request. Raises HTTPException if it is too large."""
    try:
        right = request.content_type == FORM and (request.charset or "utf-8").lower() in ("utf-8", "utf8")
        if not right or hdrs.CONTENT_ENCODING in request.headers:
            return False
        await request.post()
    except (ValueError, LookupError, web.RequestPayloadError, ConnectionError):  # the last: it left in the middle
        return False
    return True


def _plain(status: int, line: str) -> web.Response:
    return web.Response(status=status, text=f"{line}\n", headers={"Cache-Control": "no-store"})
