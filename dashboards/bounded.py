"""Requests whose answers are bounded: in size, and in the whole time from the first byte asked to the last one read.

`requests` knows a time for each read only, so a server that sends a byte a second is waited for as long as it likes, and it
keeps an answer whole however long it is.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any

from requests import PreparedRequest, Response, exceptions
from requests.adapters import HTTPAdapter

#: Bytes that an answer may have. Grafana's own are some hundred thousand.
MOST_BYTES = 16_000_000
_PIECE = 65_536


class TooLargeError(exceptions.RequestException):
    """An answer of more than MOST_BYTES, or one that is packed, though we take none: its size could be anything."""


class Bounded(HTTPAdapter):
    """Asks a server, and gives its answer only when all of it is there.

    Args:
        within: Seconds that a request and its answer may take in all.
    """

    def __init__(self, within: float) -> None:
        super().__init__()
        self._within = within

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Raises what `requests` raises, Timeout too if the whole takes too long, and TooLargeError."""
        answer: Future[Response] = Future()

        def ask() -> None:
            try:
                asked = super(Bounded, self).send(request, True, timeout, verify, cert, dict(proxies or {}))
                answer.set_result(_whole(asked))
            except BaseException as error:  # noqa: BLE001  # it is raised where the answer is waited for
                answer.set_exception(error)

        # nothing ends a read of a socket from outside: where time is up the thread is left, and ends with the process
        Thread(target=ask, name="request", daemon=True).start()
        try:
            return answer.result(self._within)
        except TimeoutError:
            raise exceptions.Timeout(request=request) from None


def _whole(answer: Response) -> Response:
    """The answer with its body read. Raises TooLargeError."""
    try:
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise TooLargeError(response=answer)
        body = bytearray()
        while piece := answer.raw.read(_PIECE, decode_content=False):
            body += piece
            if len(body) > MOST_BYTES:
                raise TooLargeError(response=answer)
    except BaseException:
        answer.raw.close()
        raise
    answer.raw = io.BytesIO(body)  # its connection is free again
    answer.encoding = "utf-8"  # or requests would guess, which takes minutes for some megabytes of noise
    return answer
