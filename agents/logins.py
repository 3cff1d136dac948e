"""Who may see the work list: those who give the token, or came in with it and have not left.

Three things guard the token: it is too long to be guessed, a source that guesses wrong has to wait longer each time, and it
is not in the cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import string
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from aiohttp import web

from agents import shares
from agents.settings import WorkerError

COOKIE = "carewatch-list"
#: Seconds that a session lasts: a shift.
SHIFT = 12 * 3600
#: Sessions at once; one more ends the oldest.
MOST_SESSIONS = 1000
#: Bits that a token has at least.
LEAST_BITS = 128
#: Different characters that a token has at least: random ones of that length have more.
LEAST_DIFFERENT = 8
#: Seconds that a source waits after its second wrong token, and twice as long after each further one, up to the last.
#: The first one costs nothing: people mistype.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
#: Tokens of a source that was wrong before that are looked at in a second.
LOOKS = 10
#: Seconds without a wrong token after which a source's wrong ones are forgotten.
FORGOTTEN = 900.0
#: Sources that are remembered; one more makes us forget the one that was wrong the longest ago.
MOST_SOURCES = 10_000

_HOW = 'make one: python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
#: From the smallest; a token of none of these may have any of 64 characters.
_ALPHABETS = [string.digits + more for more in ("", "abcdef", "ABCDEF", string.ascii_lowercase, string.ascii_uppercase)]


def checked(token: str) -> str:
    """The token, if nobody can guess it; "" is none. Raises WorkerError.

    Its bits are its length times those of a character: 3.3 of digits, 4 of hexadecimal, 5.2 of digits and letters of one
    case, 6 of all else. So 32 hexadecimal digits are enough, and 22 characters of base64.
    """
    if not token:
        return token
    if not token.isascii() or not token.isprintable() or " " in token:
        raise WorkerError(f"CAREWATCH_API_TOKEN has characters that no header can carry; {_HOW}")
    size = next((len(each) for each in _ALPHABETS if set(token) <= set(each)), 64)
    bits = len(token) * math.log2(size)
    if bits < LEAST_BITS or len(set(token)) < LEAST_DIFFERENT:
        raise WorkerError(f"CAREWATCH_API_TOKEN can be guessed: it has less than {LEAST_BITS} bits; {_HOW}")
    return token


class _Looks:
    """How many tokens of a source were looked at in this second."""

    def __init__(self) -> None:
        self._second = -math.inf
        self._count = 0

    def one_more(self, now: float) -> bool:
        """Whether one more may be looked at."""
        if now - self._second >= 1.0:
            self._second, self._count = now, 0
        self._count += 1
        return self._count <= LOOKS


class _Wrong(NamedTuple):
    """A source of wrong tokens: what stands for the last one, when it came, and the wait that it costs (seconds)."""

    mark: bytes
    last: float
    wait: float
    looks: _Looks


class Logins:
    """The token of this installation, the sessions at this worker, and the sources of wrong tokens.

    Args:
        token: CAREWATCH_API_TOKEN; "": there is no list, and nobody comes in. Raises WorkerError for one that is too short.
        clock: Seconds, of any beginning; they only go up.
    """

    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = checked(token).encode()
        self._clock = clock
        self._sessions: dict[bytes, float] = {}  # digest of its id -> when it ends; the oldest first
        self._wrong: dict[str, _Wrong] = {}  # by source; the oldest first
        self._salt = secrets.token_bytes(32)

    @property
    def expected(self) -> bool:
        """Whether there is a token, so that anyone can come in at all."""
        return bool(self._token)

    def bears(self, request: web.Request) -> bool:
        """Whether the request has the token in its header. Raises HTTPTooManyRequests, see `right`."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.right(request, given.strip())

    def right(self, request: web.Request, given: str) -> bool:
        """Whether it is the token. A wrong one makes its source wait.

        Raises HTTPTooManyRequests for a wrong one while its source has to wait, and for any where a source that was wrong
        before gives more than LOOKS in a second: these are not looked at. So the right one comes through beside a source of
        wrong ones, and thousands of guesses do not. Sources elsewhere do not wait. The same wrong token again is no guess: a
        script that was not told of a new token shuts out nobody beside it.
        """
        if not (self._token and given):
            return False
        source, now, told = source_of(request), self._clock(), given.encode(errors="surrogatepass")
        before = self._wrong.get(source)
        if before is not None and now - before.last > FORGOTTEN:
            before = None
        if before is not None and not before.looks.one_more(now):
            raise _wait(request, 1.0)
        if hmac.compare_digest(told, self._token):
            return True
        mark = hmac.digest(self._salt, told, "sha256")
        if before is not None and hmac.compare_digest(mark, before.mark):
            return False
        if before is not None and (wait := before.last + before.wait - now) > 0:
            raise _wait(request, wait)
        longer = min(max(before.wait * 2, FIRST_WAIT), LONGEST_WAIT) if before else 0.0
        self._wrong.pop(source, None)
        self._wrong[source] = _Wrong(mark, now, longer, before.looks if before else _Looks())
        _keep(self._wrong, MOST_SOURCES)
        return False

    # --- sessions ---------------------------------------------------------------------------------------------

    def enter(self) -> str:
        """Begin a session; its id, for the cookie."""
        id = secrets.token_urlsafe(32)
        self._sessions[_digest(id)] = self._clock() + SHIFT
        _keep(self._sessions, MOST_SESSIONS)
        return id

    def inside(self, request: web.Request) -> bool:
        """Whether the request has the cookie of a session that has not ended."""
        return self._sessions.get(_digest(request.cookies.get(COOKIE, "")), -math.inf) > self._clock()

    def leave(self, request: web.Request) -> None:
        """End the request's session, if it has one."""
        self._sessions.pop(_digest(request.cookies.get(COOKIE, "")), None)


def _wait(request: web.Request, wait: float) -> web.HTTPTooManyRequests:
    """To be raised: come back after so many seconds."""
    seconds = math.ceil(wait)
    text = f"Too many wrong tokens from here. Try again in {seconds} s.\n"
    headers = {"Retry-After": str(seconds), "Cache-Control": "no-store"}
    if request.method == "POST":
        headers["Refresh"] = f"{seconds}; url=/followups"  # back to the form
    return web.HTTPTooManyRequests(text=text, headers=headers)


def foreign(request: web.Request) -> bool:
    """Whether a page that is not ours had the browser send this. A script that is no browser says nothing of it."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")  # over plain HTTP browsers send only this
    return origin is not None and origin.lower().partition("://")[2] != request.host.lower()


def source_of(request: web.Request) -> str:
    """Where a request comes from: an IPv4 address, an IPv6 network of one subscriber (/64), or this machine.

    Behind a proxy all come from the proxy. What a header says of the source is not asked: a guesser would write another
    one each time.
    """
    source = shares.source_of(request.remote or "unknown")
    return "loopback" if source.startswith("127.") or source == "::1" else source


def _digest(id: str) -> bytes:
    """What is kept of a session's id: looking it up tells nothing of it by its time."""
    return hashlib.blake2b(id.encode(errors="surrogatepass"), digest_size=32).digest()


def _keep(kept: dict[Any, Any], most: int) -> None:
    """Drop the oldest of what is more than can be kept."""
    while len(kept) > most:
        del kept[next(iter(kept))]
