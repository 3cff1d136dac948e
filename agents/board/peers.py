"""Asks other workers. Whoever is asked may not be one of ours, so nothing of an answer is taken on trust: not who gave it, not
its size, not that it ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import aiohttp
from yarl import URL

from agents.seal import Seal

#: What an address may be: nothing that makes another request of ours.
_ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?")
#: Characters of a refusal that are shown.
_SHOWN = 200


class NoAnswerError(Exception):
    """A worker that gave no answer. The message says why, and goes on after "its worker http://...": in plain words."""


class Peers:
    """Other workers.

    Args:
        seal: Signs our questions, and knows the answers of workers of this installation.
        within: Seconds that a question and its answer may take.
    """

    def __init__(self, seal: Seal, within: float) -> None:
        self._seal = seal
        self._within = within
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, address: str, path: str, most: int, query: Mapping[str, str] | None = None) -> bytes:
        """The body of a worker's answer.

        Args:
            address: Of the worker, as the group has it.
            path: What to ask for.
            most: Bytes that an answer may have.
            query: Parameters.

        Raises:
            NoAnswerError: none came, or none that may be taken.
        """
        if not _ADDRESS.fullmatch(address):
            raise NoAnswerError("gave the group an address that is none")
        url = URL(address).with_path(path).with_query(query or {})
        question = self._seal.question(address, url.raw_path_qs)
        try:
            async with self._open().get(url, headers=question.headers, allow_redirects=False) as answer:
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    raise NoAnswerError("packs its answers, which our workers do not")
                body = bytearray()
                while piece := await answer.content.read(most + 1 - len(body)):
                    body += piece
                    if len(body) > most:
                        raise NoAnswerError(f"answers with more than {most:,} bytes")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            raise NoAnswerError("cannot be reached") from None
        if not self._seal.holds(question.once, answer.status, answer.headers, bytes(body)):
            raise NoAnswerError("has another CAREWATCH_API_TOKEN or none, or is not one of ours")
        if answer.status != 200:
            said = " ".join(body[: 4 * _SHOWN].decode(errors="replace").split())[:_SHOWN]
            raise NoAnswerError(f"says: {said}")
        return bytes(body)

    async def stop(self) -> None:
        """Ask nobody any more."""
        if self._session:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._within),
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session
