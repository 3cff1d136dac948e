"""The board without a browser: the picture of a program, the lines, how sure it is of what, the streams."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from datetime import datetime

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from yarl import URL

from agents.board import pages
from agents.board.board import EVENTS_PATH, Board
from agents.board.floor import OWN_PATH, Floor
from agents.board.snapshot import Snapshot, snapshot
from agents.board.stream import Streams
from agents.board.trends import EVERY, KEPT, Trends
from agents.seal import Seal
from agents.web import _reachable
from streams.clock import SECOND, Micros, micros, wall
from streams.programs import Profile
from streams.read import Family, read
from streams.state import ProgramState
from tests.integration.harness import PROFILES
from tests.unit.strategies import MINUTE, NOON, SMALL, Bench, closed, dispatched, on_scene, received, status, triaged

#: Of an installation without a token.
UNSEALED = Seal("", "http://me")


def picture(bench: Bench, minutes: float = 10, silent_after: float = 300) -> Snapshot:
    now = NOON + round(minutes * MINUTE)
    return snapshot(SMALL, read(bench.state, now), now, silent_after=silent_after)


# --- the picture ------------------------------------------------------------------------------------------------


def test_units_and_calls(bench: Bench) -> None:
    bench(status(0, "available", unit="U1", team="alpha"), status(0, "on_scene", unit="U2", team="alpha"))
    bench(received(1), received(2, call="C2", area="south"), dispatched(3, call="C2"))
    shown = picture(bench)
    alpha = next(team for team in shown.teams if team.code == "alpha")
    assert (alpha.units["available"], alpha.units["on_scene"]) == (1, 1)
    assert shown.stages["waiting"] == 1
    assert shown.stages["dispatched"] == 1
    assert [(area.code, area.oldest) for area in shown.areas] == [
        ("north", (NOON + MINUTE) / SECOND),
        ("south", None),
    ]


def test_today_by_outcome_and_result(bench: Bench) -> None:
    bench(received(0), on_scene(1), closed(2, outcome="services"))
    bench(received(0, call="C2"), triaged(1, call="C2", eligible=False), closed(2, call="C2"))
    shown = picture(bench)
    assert {each.code: each.calls for each in shown.outcomes if each.calls} == {"services": 1, "unrecorded": 1}
    assert {result: n for result, n in shown.demand.items() if n} == {"served": 1, "ineligible": 1}


def test_a_feed_is_silent_after_its_time(bench: Bench) -> None:
    bench(received(0))
    feeds = {feed.topic: (feed.last, feed.silent) for feed in picture(bench, 5).feeds}
    assert feeds["dispatch"] == (NOON / SECOND, False)
    assert feeds["status"] == (None, True)
    assert all(feed.silent for feed in picture(bench, 5.01).feeds)


def test_only_the_feeds_that_a_program_has_are_looked_at() -> None:
    bench = Bench(msgspec.structs.replace(SMALL, feeds=("dispatch",)))
    bench(received(0))
    shown = snapshot(bench.state.profile, read(bench.state, NOON), NOON, silent_after=300)
    assert [(feed.topic, feed.silent) for feed in shown.feeds] == [("dispatch", False)]


def test_nothing_names_a_call_a_unit_or_a_person(bench: Bench) -> None:
    bench(received(0, call="CALL-77"), status(0, "available", unit="UNIT-77"))
    bench(on_scene(1, call="CALL-77", unit="UNIT-77"), closed(2, call="CALL-77", person="TOKEN-77"))
    assert "77" not in repr(picture(bench))


def test_the_hours_of_a_team() -> None:
    chicago = PROFILES["chicago"]

    def hours(day: int, hour: int, minute: int = 0) -> tuple[bool, str]:
        now = micros(datetime(2026, 11, day, hour, minute, tzinfo=chicago.zone))
        state = ProgramState(chicago, ())
        team = snapshot(chicago, read(state, now), now, silent_after=300).teams[0]
        return team.works, team.hours

    assert hours(24, 10, 29) == (False, "from 10:30")  # a Tuesday
    assert hours(24, 10, 30) == (True, "until 16:00")
    assert hours(24, 16, 0) == (False, "from Wed 10:30")
    assert hours(27, 18) == (False, "from Mon 10:30")


# --- the lines --------------------------------------------------------------------------------------------------


def test_the_lines_keep_so_many_points_and_show_holes() -> None:
    trends = Trends()
    for n in range(KEPT + 10):
        trends.add(n * EVERY, {"open": n})
    trends.add((KEPT + 20) * EVERY, {"open": 5})
    trend = trends.trend("p")
    assert len(trend.times) == KEPT + 1
    assert trend.lines["open"][-3:] == [KEPT + 9, None, 5]
    assert trend.times == sorted(set(trend.times))


def test_a_point_of_the_same_minute_is_left_out() -> None:
    trends = Trends()
    trends.add(60, {"open": 1})
    trends.add(60, {"open": 2})
    assert trends.trend("p").lines == {"open": [1]}


# --- how sure it is ---------------------------------------------------------------------------------------------


class Owned:
    """A worker with these states of these programs."""

    def __init__(self, *states: ProgramState, owners: Mapping[str, str] | None = None) -> None:
        self.ready = True
        self.mine = list(states)
        self.damaged: set[str] = set()
        self.where = dict(owners or {})
        self.profiles: dict[str, Profile] = {"small": SMALL}

    def states(self) -> list[ProgramState]:
        return self.mine

    def families(self, state: ProgramState, now: Micros) -> list[Family]:
        return list(read(state, now))

    def caught_up(self, program: str) -> bool:
        return True

    def owners(self) -> Mapping[str, str]:
        return self.where


def test_a_program_whose_state_cannot_be_read_says_so() -> None:
    async def run() -> None:
        owned = Owned(owners={"small": "http://me"})
        floor = Floor(owned, "http://me", 300, UNSEALED)
        (standing,) = floor.standings()
        assert standing.why.startswith("This worker is starting")
        owned.damaged = {"small"}
        (standing,) = floor.standings()
        assert not standing.live
        assert standing.why == "Its state cannot be read, so nothing is shown: run carewatch state check."
        assert b'"damaged":["small"]' in floor.own()

    asyncio.run(run())


def test_numbers_of_a_worker_that_may_have_lost_them_are_not_live(bench: Bench) -> None:
    async def run() -> None:
        owned = Owned(bench.state)
        floor = Floor(owned, "http://me", 300, UNSEALED)
        await floor.refresh()
        assert [standing.live for standing in floor.standings()] == [True]
        owned.ready = False
        (standing,) = floor.standings()
        assert not standing.live
        assert abs((standing.since or 0) - wall() / SECOND) < 5
        assert "The broker does not answer" in standing.why
        assert json.loads(floor.own()) == {"programs": [], "pieces": {}, "damaged": []}

    asyncio.run(run())


def test_a_program_that_nobody_has(bench: Bench) -> None:
    floor = Floor(Owned(), "http://me", 300, UNSEALED)
    (standing,) = floor.standings()
    assert (standing.live, standing.since) == (False, None)
    assert "shared out" in standing.why


async def serving(board: Board) -> tuple[web.AppRunner, str]:
    app = web.Application()
    app.add_routes(board.routes())
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    board.start()
    return runner, f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_the_worker_that_is_asked_gathers_from_the_other(bench: Bench) -> None:
    async def run() -> None:
        other = Board(Owned(bench.state), "http://other", 300, UNSEALED)
        runner, url = await serving(other)
        owned = Owned(owners={"small": url})
        floor = Floor(owned, "http://me", 300, UNSEALED)
        floor.ask_others()
        await floor.answers(5)
        assert floor.standings()[0].live
        assert json.loads(floor.pieces["program/small"])["program"] == "small"
        await other.stop()
        await runner.cleanup()
        await asyncio.sleep(2.6)
        floor.ask_others()
        await floor.answers(5)
        (standing,) = floor.standings()
        assert standing.why == f"Its worker {url} cannot be reached."
        assert standing.since
        await floor.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"programs": ["small"], "pieces": {"script/small": {}, "program/else": {}, "program/small": {\n}}}',
    ],
)
def test_what_another_worker_must_not_say_is_passed_over(body: bytes) -> None:
    async def run() -> None:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(body=body)

        app = web.Application()
        app.router.add_get(OWN_PATH, answer)
        runner = web.AppRunner(app)
        await runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        floor = Floor(
            Owned(owners={"small": f"http://127.0.0.1:{listening.getsockname()[1]}"}), "http://me", 300, UNSEALED
        )
        floor.ask_others()
        await floor.answers(5)
        assert floor.pieces == {}
        await floor.stop()
        await runner.cleanup()

    asyncio.run(run())


# --- the streams ------------------------------------------------------------------------------------------------


async def events(response: aiohttp.ClientResponse, count: int) -> list[dict[str, str]]:
    """The next events, without the empty ones."""
    found: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    async with asyncio.timeout(10):
        async for raw in response.content:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields or "retry" in fields:
                if "event" in fields:
                    found.append(fields)
                fields = {}
                if len(found) == count:
                    break
    return found


def test_a_board_gets_what_it_lacks_and_then_what_changes(bench: Bench) -> None:
    async def run() -> None:
        board = Board(Owned(bench.state), "http://me", 300, UNSEALED)
        runner, url = await serving(board)
        async with aiohttp.ClientSession() as session:
            async with session.get(url + EVENTS_PATH) as stream:
                assert stream.headers["Content-Type"].startswith("text/event-stream")
                first = await events(stream, 3)
                kinds = {each["event"] for each in first}
                assert {"program", "moment"} <= kinds
                last = next(each["id"] for each in reversed(first) if "id" in each)
            async with session.get(url + EVENTS_PATH, headers={"Last-Event-ID": last}) as stream:
                again = await events(stream, 1)
                assert [each["event"] for each in again] == ["moment"]  # the rest it has
                bench(received(0))
                changed = [each for each in await events(stream, 2) if each["event"] == "program"]
                assert json.loads(changed[0]["data"])["stages"]["waiting"] == 1
            async with session.get(url + EVENTS_PATH, headers={"Last-Event-ID": "another-7"}) as stream:
                assert "program" in {each["event"] for each in await events(stream, 2)}
        await board.stop()
        await runner.cleanup()

    asyncio.run(run())


def test_open_streams_do_not_keep_the_worker(bench: Bench) -> None:
    async def run() -> None:
        board = Board(Owned(bench.state), "http://me", 300, UNSEALED)
        runner, url = await serving(board)
        async with aiohttp.ClientSession() as session, session.get(url + EVENTS_PATH) as stream:
            await events(stream, 1)
            async with asyncio.timeout(2):
                await board.stop()
                await runner.cleanup()
            assert await stream.content.read() is not None  # ends

    asyncio.run(run())


def test_a_board_that_does_not_read_is_let_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.board.stream.READ_WITHIN", 0.2)

    async def run() -> None:
        streams = Streams()
        app = web.Application()

        async def stream(request: web.Request) -> web.StreamResponse:
            return await streams.serve(request, {})

        app.router.add_get("/", stream)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        client = socket.create_connection(listening.getsockname())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # and never reads
        async with asyncio.timeout(20):
            answered = asyncio.get_running_loop().run_in_executor(None, client.recv, 1, socket.MSG_PEEK)
            await answered
            while streams.open:
                streams.publish("program/small", b"x" * 1_000_000)
                assert all(len(each.pending) <= 2 for each in streams._clients)
                await asyncio.sleep(0.01)
        client.close()
        streams.close()
        await runner.cleanup()

    asyncio.run(run())


# --- the pages --------------------------------------------------------------------------------------------------


def test_files_headers_and_nothing_else(bench: Bench) -> None:
    async def run() -> None:
        board = Board(Owned(bench.state), "http://me", 300, UNSEALED)
        runner, url = await serving(board)
        async with aiohttp.ClientSession() as session:
            total = 0
            for path in pages.FILES:
                async with session.get(url + path) as answer:
                    assert answer.status == 200
                    policy = answer.headers["Content-Security-Policy"]
                    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
                    assert "unsafe" not in policy
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
                    assert answer.headers["Referrer-Policy"] == "no-referrer"
                    total += len(await answer.read())
                    tag = answer.headers["ETag"]
                async with session.get(url + path, headers={"If-None-Match": tag}) as answer:
                    assert answer.status == 304
            assert total < 300_000
            for path in (
                "/assets",
                "/assets/",
                "/assets/uplot/",
                "/assets/../pages.py",
                "/assets/%2e%2e/pages.py",
                "/board",
            ):
                async with session.get(URL(url + path, encoded=True)) as answer:
                    assert answer.status == 404
        await board.stop()
        await runner.cleanup()

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/", "/followups"])
def test_a_banner_is_over_every_page(path: str) -> None:
    name, kind = pages.FILES[path]

    def body(banner: str) -> str:
        answer = asyncio.run(pages.Page(name, kind, banner).get(make_mocked_request("GET", path)))
        return str(answer.text)

    assert 'class="banner"' not in body("")
    told = body("Drill <b>today</b> & tomorrow")
    assert '<p class="banner" role="note">Drill &lt;b&gt;today&lt;/b&gt; &amp; tomorrow</p>\n<header' in told
    assert told.replace(
        '<p class="banner" role="note">Drill &lt;b&gt;today&lt;/b&gt; &amp; tomorrow</p>\n', ""
    ) == body("")


def test_every_file_is_on_the_list() -> None:
    there = {str(path.relative_to(pages.ASSETS)) for path in pages.ASSETS.rglob("*") if path.is_file()}
    assert there - {"uplot/LICENSE", "uplot/SHA256SUMS"} == {name for name, _ in pages.FILES.values()}


@pytest.mark.parametrize("name", [name for name, kind in pages.FILES.values() if kind == "text/html"])
def test_pages_have_nothing_inline_and_nothing_from_elsewhere(name: str) -> None:
    text = (pages.ASSETS / name).read_text()
    assert "style=" not in text
    assert " on" not in text.replace(" on the", "")
    assert "http" not in text
    assert text.count("<script") == text.count("<script src=") + text.count('<script type="module" src=')


def test_a_worker_on_all_addresses_is_known_by_its_host() -> None:
    assert _reachable("http://127.0.0.1:6066") == "http://127.0.0.1:6066"
    assert _reachable("http://0.0.0.0:6066") == f"http://{socket.gethostname().lower()}:6066"
