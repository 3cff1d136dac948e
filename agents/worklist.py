"""`GET /api/followups`: the work list over HTTP, for those who have the token.

It names cases, which no other page does, so without a token in the worker's settings it is not served at all.
"""

from __future__ import annotations

import asyncio
import hmac

import msgspec
from aiohttp import web

from agents.owner import Owner
from streams.clock import wall
from streams.worklist import Item, WantedError, as_csv, items, wanted

PATH = "/api/followups"
FORMATS = ("json", "csv")
_PARAMETERS = ("state", "team", "area", "format")
#: Neither browsers nor proxies keep it.
_PRIVATE = {"Cache-Control": "no-store"}


class Worklist:
    """The handler, for the programs of an owner."""

    def __init__(self, owner: Owner, token: str) -> None:
        """Serves nothing if the token is empty."""
        self._owner = owner
        self._token = token.encode()

    async def get(self, request: web.Request) -> web.Response:
        """The follow-ups that are asked for, those that lapse first on top; as JSON or CSV."""
        if not self._token:
            return _plain(403, "the work list is off: start the worker with CAREWATCH_API_TOKEN set to a secret")
        if not bears(request, self._token):
            refused = _plain(401, "give the worker's token: Authorization: Bearer <CAREWATCH_API_TOKEN>")
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        asked = {name: ",".join(request.query.getall(name)) for name in request.query}
        form = asked.get("format") or "json"
        if unknown := sorted(asked.keys() - set(_PARAMETERS)):
            return _plain(400, f"{unknown[0]}: no such parameter; there are: {', '.join(_PARAMETERS)}")
        if form not in FORMATS:
            return _plain(400, f"format: use one of: {', '.join(FORMATS)}")
        try:
            profiles = self._owner.profiles.values()
            want = wanted(asked.get("state", ""), asked.get("team", ""), asked.get("area", ""), profiles)
        except WantedError as error:
            return _plain(400, str(error))
        if not self._owner.ready:
            return _plain(503, "not ready: no programs assigned yet, or still recovering")
        now = wall()
        found = [item for state in self._owner.states() for item in items(state, now, want)]
        return await asyncio.to_thread(_answer, found, form)  # a long list must not hold up the events


def bears(request: web.Request, token: bytes) -> bool:
    """Whether the request has the token in its header."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(errors="surrogateescape"), token)
    return same and scheme.lower() == "bearer"


def _answer(found: list[Item], form: str) -> web.Response:
    found.sort(key=lambda item: item.lapses)
    if form == "csv":
        headers = _PRIVATE | {"Content-Disposition": 'attachment; filename="followups.csv"'}
        return web.Response(text=as_csv(found), content_type="text/csv", charset="utf-8", headers=headers)
    return web.Response(body=msgspec.json.encode(found), content_type="application/json", headers=_PRIVATE)


def _plain(status: int, line: str) -> web.Response:
    return web.Response(status=status, text=f"{line}\n", headers=_PRIVATE)
