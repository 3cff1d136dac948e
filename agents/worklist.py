"""`GET /api/followups`: the work list over HTTP, for those who have the token, and for the other workers.

It names cases, which no other page does, so without a token in the worker's settings it is not served at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from aiohttp import web

from agents.logins import Logins
from agents.owner import Owner
from agents.seal import Seal
from streams.clock import wall
from streams.worklist import Item, WantedError, as_csv, items, wanted

PATH = "/api/followups"
FORMATS = ("json", "csv")
_PARAMETERS = ("state", "team", "area", "format")
#: Neither browsers nor proxies keep it.
_PRIVATE = {"Cache-Control": "no-store"}


class Worklist:
    """The handler, for the programs of an owner."""

    def __init__(self, owner: Owner, logins: Logins, seal: Seal, ready: Callable[[], bool]) -> None:
        """Serves nothing if nobody is expected. `ready`: whether the owner's programs are there and its own to show."""
        self._owner = owner
        self._logins = logins
        self._seal = seal
        self._ready = ready

    async def get(self, request: web.Request) -> web.Response:
        """The follow-ups that are asked for, those that lapse first on top; as JSON or CSV."""
        if asked := self._seal.asked(request):
            answer = _plain(401, asked.why_not) if asked.why_not else await self._list(request)
            return self._seal.sealed(asked, answer)
        if not self._logins.expected:
            return _refused("the work list is off: start the worker with CAREWATCH_API_TOKEN set to a secret")
        if not self._logins.bears(request):
            return _refused("give the worker's token: Authorization: Bearer <CAREWATCH_API_TOKEN>")
        return await self._list(request)

    async def _list(self, request: web.Request) -> web.Response:
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
        if not self._ready():
            return _plain(503, "not ready: no programs assigned yet, or still recovering")
        now = wall()
        found = [item for state in self._owner.states() for item in items(state, now, want)]
        return await asyncio.to_thread(_answer, found, form)  # a long list must not hold up the events


def _answer(found: list[Item], form: str) -> web.Response:
    found.sort(key=lambda item: item.lapses)
    if form == "csv":
        headers = _PRIVATE | {"Content-Disposition": 'attachment; filename="followups.csv"'}
        return web.Response(text=as_csv(found), content_type="text/csv", charset="utf-8", headers=headers)
    return web.Response(body=msgspec.json.encode(found), content_type="application/json", headers=_PRIVATE)


def _refused(line: str) -> web.Response:
    refused = _plain(401, line)
    refused.headers["WWW-Authenticate"] = "Bearer"
    return refused


def _plain(status: int, line: str) -> web.Response:
    return web.Response(status=status, text=f"{line}\n", headers=_PRIVATE)
