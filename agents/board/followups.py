"""The follow-up work list as a page: of all programs, whichever worker has them, for those who gave the token.

The page itself says nothing; what it fetches needs the token in a header, or the cookie that the page's form sets. The cookie
names a session that is kept here, see `agents/logins.py`: it ends when it is left, after twelve hours, and with the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from aiohttp import web

from agents.board import pages
from agents.board.floor import GARBLED, Owned
from agents.board.peers import NoAnswerError, Peers
from agents.board.snapshot import short
from agents.logins import COOKIE, SHIFT, Logins, foreign
from agents.seal import Seal
from agents.worklist import PATH
from streams.clock import wall
from streams.worklist import Item, WantedError, as_csv, items, wanted

#: Seconds that another worker has to give its list, and bytes that it may have: some 60,000 follow-ups.
ANSWER_WITHIN = 5.0
MOST_BYTES = 16_000_000
_FOREIGN = "Another page sent this form. Open /followups of this worker and use the form there."
_PRIVATE = {**pages.HEADERS, "Cache-Control": "no-store"}


class Missing(msgspec.Struct, frozen=True):
    """A program whose follow-ups are not in the list, and why."""

    program: str
    why: str


class ProgramNames(msgspec.Struct, frozen=True):
    """Names for the codes of a program, and its time zone."""

    name: str
    timezone: str
    teams: dict[str, str]
    areas: dict[str, str]


class WorkList(msgspec.Struct, frozen=True):
    """All that is known of the follow-ups that are wanted."""

    items: list[Item]
    missing: list[Missing]
    programs: dict[str, ProgramNames]


class Followups:
    """The handlers. Where nobody is expected the list is not served."""

    def __init__(self, owned: Owned, address: str, logins: Logins, seal: Seal) -> None:
        """See Floor for the first two, Peers for the last."""
        self._owned = owned
        self._address = address
        self._logins = logins
        self._peers = Peers(seal, ANSWER_WITHIN)

    def routes(self) -> list[web.RouteDef]:
        """All but the page, which is a file like the others."""
        return [
            web.post("/followups/enter", self._enter),
            web.post("/followups/leave", self._leave),
            web.get("/followups/list.json", self._json),
            web.get("/followups/list.csv", self._csv),
        ]

    async def stop(self) -> None:
        """Ask nobody any more."""
        await self._peers.stop()

    async def _enter(self, request: web.Request) -> web.Response:
        if foreign(request):
            return _plain(403, _FOREIGN)
        given = (await request.post()).get("token", "")
        if not (isinstance(given, str) and self._logins.right(request, given.strip())):
            return _to("/followups?wrong=1")
        answer = _to("/followups")
        secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        answer.set_cookie(
            COOKIE,
            self._logins.enter(),
            max_age=SHIFT,
            path="/followups",
            httponly=True,
            samesite="Strict",
            secure=secure,
        )
        return answer

    async def _leave(self, request: web.Request) -> web.Response:
        if foreign(request):
            return _plain(403, _FOREIGN)
        self._logins.leave(request)
        answer = _to("/followups")
        answer.del_cookie(COOKIE, path="/followups")
        return answer

    async def _json(self, request: web.Request) -> web.Response:
        found = await self._gather(request)
        if isinstance(found, web.Response):
            return found
        return web.Response(body=msgspec.json.encode(found), content_type="application/json", headers=_PRIVATE)

    async def _csv(self, request: web.Request) -> web.Response:
        found = await self._gather(request)
        if isinstance(found, web.Response):
            return found
        if found.missing:  # a file must not look whole when it is not
            return _plain(503, "; ".join(f"{each.program}: {each.why}" for each in found.missing))
        headers = _PRIVATE | {"Content-Disposition": 'attachment; filename="followups.csv"'}
        return web.Response(text=as_csv(found.items), content_type="text/csv", charset="utf-8", headers=headers)

    async def _gather(self, request: web.Request) -> WorkList | web.Response:
        if not self._logins.expected:
            return _plain(403, "The list is off: start the workers with CAREWATCH_API_TOKEN set to a secret.")
        if not (self._logins.inside(request) or self._logins.bears(request)):
            return _plain(401, "Give the token.")
        asked = {name: ",".join(request.query.getall(name, [])) for name in ("state", "team", "area")}
        program = request.query.get("program", "")
        try:
            want = wanted(asked["state"], asked["team"], asked["area"], self._owned.profiles.values())
        except WantedError as error:
            return _plain(400, str(error))
        now = wall()
        mine = self._owned.states() if self._owned.ready else []
        found = [item for state in mine for item in items(state, now, want)]
        there = {state.profile.program for state in mine}
        owners = {name: url for name, url in self._owned.owners().items() if name not in there and url != self._address}
        answers = await asyncio.gather(*(self._ask(url, asked) for url in set(owners.values())))
        lists = dict(zip(set(owners.values()), answers, strict=True))
        missing: list[Missing] = []
        for name in self._owned.profiles:
            if name not in there:
                of_owner = lists.get(owners.get(name, ""))
                if isinstance(of_owner, list):
                    found += [item for item in of_owner if item.program == name]
                else:
                    missing.append(Missing(name, of_owner or self._why_not(name)))
        if program:
            found = [item for item in found if item.program == program]
            missing = [each for each in missing if each.program == program]
        return WorkList(sorted(found, key=lambda item: item.lapses), missing, self._names())

    async def _ask(self, address: str, asked: Mapping[str, str]) -> list[Item] | str:
        """The list of another worker, or why there is none."""
        try:
            body = await self._peers.ask(
                address, PATH, MOST_BYTES, {name: codes for name, codes in asked.items() if codes}
            )
            return msgspec.json.decode(body, type=list[Item])
        except NoAnswerError as error:
            return f"its worker {address} {error}"
        except (ValueError, RecursionError):  # no JSON, no UTF-8, no list of this; brackets in brackets without end
            return f"its worker {address} {GARBLED}"

    def _why_not(self, program: str) -> str:
        damaged = program in self._owned.damaged
        return "its state cannot be read: run carewatch state check" if damaged else "no worker has it now"

    def _names(self) -> dict[str, ProgramNames]:
        return {
            program: ProgramNames(
                profile.name,
                profile.timezone,
                {team.code: short(team.label)[0] for team in profile.teams},
                {code: short(area.label)[0] for code, area in profile.areas.items()},
            )
            for program, profile in self._owned.profiles.items()
        }


def _to(path: str) -> web.Response:
    return web.Response(status=303, headers={**_PRIVATE, "Location": path})


def _plain(status: int, line: str) -> web.Response:
    return web.Response(status=status, text=f"{line}\n", headers=_PRIVATE)
