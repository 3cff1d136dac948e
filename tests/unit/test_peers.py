"""What workers say to each other: no token travels, an answer is of the worker that was asked and of its programs only."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from agents import worklist
from agents.board.board import Board
from agents.board.floor import OWN_PATH, Floor
from agents.board.followups import Followups
from agents.logins import Logins
from agents.owner import Owner
from agents.seal import ANSWER, VALID, Seal
from streams.clock import wall
from tests.unit.strategies import MINUTE, NOON, SMALL, Bench, opened
from tests.unit.test_board import Owned

TOKEN = "cLPv7hXQ2fZ0nWkR9sTuYg"  # a made-up one
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OTHER = "has another CAREWATCH_API_TOKEN or none, or is not one of ours"
UNREAD = "answers what cannot be read"
DEEP = b"[" * 200_000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A worker, or what calls itself one; its address."""
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


def of_ours(seals: list[Seal]) -> Handler:
    """A worker with the program `small` and an overdue follow-up in it. Its seal needs its address: it is put in later."""
    owner = Owner({"small": SMALL}, 1)
    owner.take({0: {}})
    state = owner.state("small")
    assert state
    state.apply(opened((wall() - NOON) / MINUTE - 30 * 60, case="K1"), wall())

    async def answer(request: web.Request) -> web.StreamResponse:
        seal = seals[0]
        if request.path == worklist.PATH:
            return await worklist.Worklist(owner, Logins(TOKEN), seal, lambda: True).get(request)
        return await Board(Owned(state), "http://other", 300, seal)._own(request)

    return answer


async def why(url: str, token: str = TOKEN) -> str:
    """What the board of another worker says of `small`, whose worker is at this address; "" if it is live."""
    floor = Floor(Owned(owners={"small": url}), "http://me", 300, Seal(token, "http://me"))
    floor.ask_others()
    await floor.answers(5)
    (standing,) = floor.standings()
    await floor.stop()
    assert standing.live == (standing.why == "") == ("program/small" in floor.pieces)
    return standing.why.removeprefix(f"Its worker {url} ").rstrip(".")


async def listed(url: str, owners: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The work list of another worker, as its page fetches it."""
    owned = Owned(owners=owners or {"small": url})
    followups = Followups(owned, "http://me", Logins(TOKEN), Seal(TOKEN, "http://me"))
    app = web.Application()
    app.add_routes(followups.routes())
    async with (
        TestServer(app) as server,
        ClientSession(headers=BEARER) as session,
        session.get(server.make_url("/followups/list.json")) as answer,
    ):
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
    await followups.stop()
    return found


def missing(found: dict[str, Any], url: str) -> str:
    """Why the list is without `small`."""
    assert found["items"] == []
    (each,) = found["missing"]
    assert each["program"] == "small"
    return str(each["why"]).removeprefix(f"its worker {url} ")


# --- among ours -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [TOKEN, ""])
def test_workers_of_one_installation(token: str) -> None:
    async def run() -> None:
        seals: list[Seal] = []
        async with serving(of_ours(seals)) as url:
            seals.append(Seal(token, url))
            assert await why(url, token) == ""
            if token:
                found = await listed(url)
                assert ([item["case"] for item in found["items"]], found["missing"]) == (["K1"], [])

    asyncio.run(run())


@pytest.mark.parametrize("apart", [-VALID - 5, VALID + 5])
def test_clocks_that_differ_are_said(apart: int) -> None:
    async def run() -> None:
        seals: list[Seal] = []
        async with serving(of_ours(seals)) as url:
            seals.append(Seal(TOKEN, url, clock=lambda: wall() / 1_000_000 + apart))
            said = missing(await listed(url), url)
            assert said.startswith("says: the clocks of the two workers differ by 3")
            assert said.endswith(" s: set them right")
            assert await why(url) == ""  # the board names nobody, and its answer is of this question anyway

    asyncio.run(run())


def test_workers_of_two_tokens() -> None:
    async def run() -> None:
        seals: list[Seal] = []
        async with serving(of_ours(seals)) as url:
            seals.append(Seal("another" + TOKEN, url))
            assert missing(await listed(url), url) == OTHER
            assert await why(url) == OTHER

    asyncio.run(run())


# --- a member of the group that is not ours ---------------------------------------------------------------------


def test_what_is_sent_to_a_stranger_is_good_for_nothing() -> None:
    heard: list[tuple[str, dict[str, str]]] = []

    async def stranger(request: web.Request) -> web.StreamResponse:
        heard.append((request.path_qs, dict(request.headers)))
        return web.Response(status=404)

    async def run() -> None:
        seals: list[Seal] = []
        async with serving(stranger) as url, serving(of_ours(seals)) as ours, ClientSession() as session:
            seals.append(Seal(TOKEN, ours))
            assert await why(url) == OTHER
            assert missing(await listed(url), url) == OTHER
            assert len(heard) == 2
            for path, headers in heard:
                assert TOKEN not in repr((path, headers))
                async with session.get(ours + path, headers={"Authorization": headers["Authorization"]}) as answer:
                    assert answer.status == (200 if path == OWN_PATH else 401)
                    assert ANSWER not in answer.headers

    asyncio.run(run())


def test_a_question_that_was_overheard_is_not_answered_again() -> None:
    async def run() -> None:
        seals: list[Seal] = []
        now = [1_790_000_000.0]
        async with serving(of_ours(seals)) as url, ClientSession() as session:
            seals.append(Seal(TOKEN, url, clock=lambda: now[0]))
            headers, _ = Seal(TOKEN, "http://me", clock=lambda: now[0]).question(url, worklist.PATH)
            for later, status, said in (
                (0, 200, "K1"),
                (1, 401, "asked before"),
                (VALID, 401, "asked before"),
                (60, 401, "differ"),
            ):
                now[0] = 1_790_000_000.0 + later
                async with session.get(url + worklist.PATH, headers=headers) as answer:
                    assert answer.status == status
                    assert said in await answer.text()
            async with session.get(f"{url}{worklist.PATH}?state=open", headers=headers) as answer:
                assert answer.status == 401  # another question
                assert ANSWER not in answer.headers

    asyncio.run(run())


@pytest.mark.parametrize("how", ["unsealed", "of another question", "changed", "another status"])
def test_an_answer_that_is_not_sealed_as_it_is(how: str) -> None:
    async def run() -> None:
        seals: list[Seal] = []
        before: list[str] = []

        async def answer(request: web.Request) -> web.StreamResponse:
            said = await of_ours(seals)(request)
            assert isinstance(said, web.Response)
            if how == "unsealed":
                del said.headers[ANSWER]
            elif how == "changed":
                said.body = bytes(said.body or b"").replace(b"small", b"other")  # type: ignore[arg-type]  # bytes
            elif how == "another status":
                said.set_status(203)
            else:
                before.append(said.headers[ANSWER])
                said.headers[ANSWER] = before[0]
            return said

        async with serving(answer) as url:
            seals.append(Seal(TOKEN, url))
            if how == "of another question":
                assert await why(url) == ""
            assert await why(url) == OTHER

    asyncio.run(run())


def saying(body: bytes, seals: list[Seal], headers: Mapping[str, str] | None = None) -> Handler:
    """Answers everything with this, sealed if there is a seal: a worker of ours may be wrong too."""

    async def answer(request: web.Request) -> web.StreamResponse:
        said = web.Response(body=body, headers=headers, content_type="application/json")
        return seals[0].sealed(seals[0].asked(request), said) if seals else said

    return answer


NOT_UTF8 = json.dumps([{"program": "small", "case": "@"}]).encode().replace(b"@", b"\xff\xfe")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b"[" * 1000, DEEP, b'[{"case": ' + DEEP, NOT_UTF8, b'[{"x": "\xff"}]'], ids=range(8)
)
def test_a_bad_answer_costs_the_list_its_own_part(body: bytes) -> None:
    async def run() -> None:
        seals: list[Seal] = []
        async with serving(saying(body, seals)) as url:
            assert missing(await listed(url), url) == OTHER
            seals.append(Seal(TOKEN, url))
            assert missing(await listed(url), url) == UNREAD

    asyncio.run(run())


def own(programs: list[str], **pieces: bytes) -> bytes:
    named = {name.replace("_", "/"): msgspec.Raw(piece) for name, piece in pieces.items()}
    return msgspec.json.encode({"programs": programs, "pieces": named})


def picture(bench: Bench, **changes: Any) -> bytes:
    """The piece of `small`, with these fields instead."""

    async def made() -> bytes:
        floor = Floor(Owned(bench.state), "http://me", 300, Seal("", "http://me"))
        await floor.refresh()
        return floor.pieces["program/small"]

    return msgspec.json.encode(msgspec.json.decode(asyncio.run(made())) | changes)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        DEEP,
        b'{"programs": ["\xff"], "pieces": {}}',
        own(["small"], program_small=b"{}"),
        own(["small"], program_small=DEEP),
        own(["small"], program_small=b'{"program": "\xff"}'),
        own(["small"], program_small=b'"' + b"x" * 100_000 + b'"'),
    ],
    ids=range(7),
)
def test_a_bad_answer_of_the_board_is_not_shown(body: bytes) -> None:
    async def run() -> None:
        async with serving(saying(body, [])) as url:
            assert await why(url, token="") == UNREAD

    asyncio.run(run())


def test_a_picture_is_of_the_program_that_it_is_given_as(bench: Bench) -> None:
    """The screen goes by the program that the picture names."""
    good, wrong = picture(bench), picture(bench, program="big")

    async def run() -> None:
        async with serving(saying(own(["small"], program_small=wrong), [])) as url:
            assert await why(url, token="") == UNREAD
        async with serving(saying(own(["small"], program_small=good, trend_small=b'{"program": "big"}'), [])) as url:
            assert await why(url, token="") == UNREAD
        async with serving(saying(own(["small"]), [])) as url:
            assert await why(url, token="") == "is starting or recovering"  # no picture, nothing to be live
        async with serving(saying(own(["small"], program_small=good), [])) as url:
            assert await why(url, token="") == ""

    asyncio.run(run())


def test_what_a_picture_does_not_have_is_not_passed_on(bench: Bench) -> None:
    body = own(["small"], program_small=picture(bench, script="x", name="a\nb"))

    async def run() -> None:
        async with serving(saying(body, [])) as url:
            floor = Floor(Owned(owners={"small": url}), "http://me", 300, Seal("", "http://me"))
            floor.ask_others()
            await floor.answers(5)
            await floor.stop()
            piece = floor.pieces["program/small"]
            assert b"script" not in piece
            assert b"\n" not in piece

    asyncio.run(run())


def test_a_worker_speaks_only_for_programs_that_the_group_says_it_has(bench: Bench) -> None:
    body = own(
        ["small", "big"], program_small=picture(bench, name="Hostile"), program_big=picture(bench, program="big")
    )

    async def run() -> None:
        async with serving(saying(body, [])) as url:
            for owned in (Owned(owners={"big": url}), Owned(bench.state, owners={"small": url, "big": url})):
                owned.profiles = {"small": SMALL, "big": msgspec.structs.replace(SMALL, program="big")}
                floor = Floor(owned, "http://me", 300, Seal("", "http://me"))
                await floor.refresh()
                floor.ask_others()
                await floor.answers(5)
                standings = {each.program: each.live for each in floor.standings()}
                await floor.stop()
                assert b"Hostile" not in floor.pieces.get("program/small", b"")
                assert standings == {"small": bool(owned.mine), "big": True}

    asyncio.run(run())


@pytest.mark.parametrize("token", [TOKEN, ""])
def test_an_answer_is_never_unpacked(token: str) -> None:
    packed = gzip.compress(b" " * 100_000_000, 1)

    async def run() -> None:
        async with serving(saying(packed, [], {"Content-Encoding": "gzip"})) as url:
            tracemalloc.start()
            assert await why(url, token) == "packs its answers, which our workers do not"
            assert missing(await listed(url), url) == "packs its answers, which our workers do not"
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
            tracemalloc.stop()

    asyncio.run(run())


def test_an_endless_answer_is_given_up() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b'"' * 1_000_000)

    async def run() -> None:
        async with serving(endless) as url:
            assert await why(url, token="") == "answers with more than 510,000 bytes"
            assert missing(await listed(url), url) == "answers with more than 16,000,000 bytes"

    asyncio.run(run())


def test_more_pieces_than_programs_cost_no_more_than_their_bytes() -> None:
    body = b'{"programs": [], "pieces": {' + b",".join(b'"%x":0' % n for n in range(45_000)) + b"}}"
    assert len(body) < 510_000

    async def run() -> None:
        async with serving(saying(body, [])) as url:
            tracemalloc.start()
            assert await why(url, token="") == "is starting or recovering"
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
            tracemalloc.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    "address",
    ["http://169.254.169.254/latest?x=", "http://a:b@c", "file:///etc/passwd", "x", "http://a/b#c", "http://a b"],
)
def test_an_address_that_would_make_another_request_is_not_asked(address: str) -> None:
    async def run() -> None:
        assert await why(address) == "gave the group an address that is none"
        assert missing(await listed(address), address) == "gave the group an address that is none"

    asyncio.run(run())
