"""Seals: a worker knows that another one of the installation asks, and that its answer is of this very question.

Whoever can join the consumer group can name any address for the workers to ask. So no secret travels: both sides have a key
that is made of CAREWATCH_API_TOKEN, and sign with it. A question is signed with the address that is asked, so whoever gets it
cannot pass it on to another worker, and with the time and a number used once, so it cannot be asked again later. An
answer is signed with that number, so it is good for no other question.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from aiohttp import web

#: Seconds that a question is good for: the clocks of two workers may differ so much.
VALID = 30
#: The header of an answer's seal.
ANSWER = "X-Carewatch-Seal"
_QUESTION = re.compile(r"Carewatch ([0-9]{1,15})\.([0-9a-f]{32})\.([0-9a-f]{64})")


class Question(NamedTuple):
    """A question to another worker: the headers that it is sent with, and its number used once."""

    headers: dict[str, str]
    once: str


class Asked(NamedTuple):
    """A question that another worker of this installation asked: its number, and why it is not answered ("": it is)."""

    once: str
    why_not: str


class Seal:
    """Signs and checks. Without a token nothing is signed, and everything passes that needs no more.

    Args:
        token: CAREWATCH_API_TOKEN, or "".
        address: Of this worker, as the others know it.
        clock: Seconds since the epoch.
    """

    def __init__(self, token: str, address: str, clock: Callable[[], float] = time.time) -> None:
        self._key = (
            hmac.digest(token.encode(), b"carewatch: what workers say to each other", "sha256") if token else b""
        )
        self._address = address
        self._clock = clock
        self._seen: dict[str, float] = {}  # numbers that were used -> until when they could be used again

    def question(self, address: str, target: str) -> Question:
        """The headers of a GET of `target` (path and query, as they are sent) at the worker of this address."""
        once = secrets.token_hex(16)
        if not self._key:
            return Question({}, once)
        at = str(int(self._clock()))
        sign = self._sign("question", "GET", target, address, at, once)
        return Question({"Authorization": f"Carewatch {at}.{once}.{sign}"}, once)

    def asked(self, request: web.Request) -> Asked | None:
        """The question, if another worker of this installation asks it of this one; else None."""
        found = _QUESTION.fullmatch(request.headers.get("Authorization", ""))
        if found is None or not self._key:
            return None
        at, once, sign = found.groups()
        right = self._sign("question", request.method, request.raw_path, self._address, at, once)
        if not hmac.compare_digest(sign, right):
            return None
        now = self._clock()
        apart = now - int(at)
        if abs(apart) > VALID:
            return Asked(once, f"the clocks of the two workers differ by {abs(apart):.0f} s: set them right")
        self._seen = {each: until for each, until in self._seen.items() if until > now}
        if once in self._seen:
            return Asked(once, "this was asked before")
        self._seen[once] = int(at) + VALID + 1
        return Asked(once, "")

    def sealed(self, asked: Asked | None, answer: web.Response) -> web.Response:
        """The answer with its seal, if a worker of ours asked."""
        if asked is not None:
            assert isinstance(answer.body, bytes)
            answer.headers[ANSWER] = self._sign("answer", asked.once, str(answer.status), body=answer.body)
        return answer

    def holds(self, once: str, status: int, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether an answer is of a worker of this installation, to the question with this number."""
        right = self._sign("answer", once, str(status), body=body)
        return not self._key or hmac.compare_digest(headers.get(ANSWER, "").encode(errors="replace"), right.encode())

    def _sign(self, *parts: str, body: bytes = b"") -> str:
        said = "\n".join(parts).encode(errors="surrogateescape") + b"\n\n" + body
        return hmac.digest(self._key, said, "sha256").hex()
