"""Who sees the work list: tokens that cannot be guessed, guesses that cost time, sessions that end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from agents import logins as g
from agents import worklist
from agents.board.followups import Followups
from agents.logins import COOKIE, SHIFT, Logins, checked, source_of
from agents.owner import Owner
from agents.seal import Seal
from agents.settings import WorkerError
from carewatch import cli
from tests.unit.strategies import SMALL
from tests.unit.test_board import Owned

TOKEN = "cLPv7hXQ2fZ0nWkR9sTuYg"  # a made-up one
ME = "http://me"
LIST, ENTER, LEAVE = "/followups/list.json", "/followups/enter", "/followups/leave"


class Clock:
    """Seconds that go on when they are told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def worker(clock: Clock) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """The work list in both forms, as a worker serves it."""
    logins, seal = Logins(TOKEN, clock), Seal(TOKEN, ME)
    followups = Followups(Owned(), ME, logins, seal)
    owner = Owner({"small": SMALL}, 1)
    owner.take({0: {}})
    app = web.Application()
    app.add_routes(
        [*followups.routes(), web.get(worklist.PATH, worklist.Worklist(owner, logins, seal, lambda: True).get)]
    )
    async with TestClient(TestServer(app)) as client:
        yield client
    await followups.stop()


def run(test: Callable[[TestClient[web.Request, web.Application], Clock], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        clock = Clock()
        async with worker(clock) as client:
            await test(client, clock)

    asyncio.run(all_of_it())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- tokens -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: secrets.token_urlsafe(32),
        lambda: secrets.token_hex(32),
        lambda: secrets.token_urlsafe(16),
        lambda: secrets.token_hex(16),
    ],
)
def test_what_is_made_as_the_line_says_is_taken(make: Callable[[], str]) -> None:
    for _ in range(200):
        token = make()
        assert checked(token) == token


def test_no_token_is_no_list() -> None:
    assert checked("") == ""
    assert not Logins("").expected


@pytest.mark.parametrize(
    "token",
    [
        "s3cret",
        "made-up",
        "abcdefghijkABCDEFGHIJ",  # 21 characters
        "0123456789abcdef0123456789abcde",  # 31 hexadecimal digits
        "01234567890123456789012345678901234567",  # 38 digits
        "abcdefghijklmnopqrstuvwx",  # 24 of one case
        "t" * 64,
        "abcabcabcabcabcabcabcabcabcabcabcabc",
    ],
)
def test_a_token_that_can_be_guessed_is_refused_at_the_start(
    token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WorkerError, match="can be guessed: it has less than 128 bits; make one: python3 -c"):
        checked(token)
    monkeypatch.setenv("CAREWATCH_API_TOKEN", token)
    for command in (["worker", "--web-port", "0"], ["demo"]):
        assert cli.main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "secrets.token_urlsafe(32)" in line
        assert token not in line


@pytest.mark.parametrize("bad", ["é", " ", "\x00", "\n"])
def test_a_token_that_no_header_can_carry_is_refused(bad: str) -> None:
    with pytest.raises(WorkerError, match="no header can carry"):
        checked(f"{TOKEN}{bad}{TOKEN}")


def test_the_documents_print_commands_that_make_good_tokens() -> None:
    root = Path(__file__).parents[2]
    for name in (".env.example", "docs/followups.md"):
        text = (root / name).read_text()
        assert "openssl rand -hex 32" in text or "token_urlsafe(32)" in text


# --- guesses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["header", "api", "form"])
def test_three_thousand_guesses_at_once_are_two(way: str) -> None:
    async def test(client: TestClient[web.Request, web.Application], clock: Clock) -> None:
        def guess(token: str) -> Any:
            if way == "form":
                return client.post(ENTER, data={"token": token}, allow_redirects=False)
            return client.get(LIST if way == "header" else worklist.PATH, headers=bearer(token))

        async def status(token: str) -> int:
            answer: ClientResponse = await guess(token)
            return answer.status

        said = await asyncio.gather(*(status(f"{n}{TOKEN}") for n in range(300)), status(TOKEN))
        assert sorted(set(said)) == [303 if way == "form" else 401, 429]
        assert said.count(429) == 299, "two were looked at"
        clock.now += 0.9
        assert await status(TOKEN) == 429  # of so many in a second, not even the right one is looked at
        clock.now += 0.2
        assert await status(TOKEN) in (200, 303)
        assert await status(TOKEN) in (200, 303)

    run(test)


def test_waits_grow_and_end() -> None:
    async def test(client: TestClient[web.Request, web.Application], clock: Clock) -> None:
        waits = []
        assert (await client.get(worklist.PATH, headers=bearer(f"first{TOKEN}"))).status == 401
        for n in range(10):
            assert (await client.get(worklist.PATH, headers=bearer(f"{n}{TOKEN}"))).status == 401
            refused = await client.get(worklist.PATH, headers=bearer(f"again{n}{TOKEN}"))
            assert refused.status == 429
            assert (await client.get(worklist.PATH, headers=bearer(TOKEN))).status == 200
            waits.append(int(refused.headers["Retry-After"]))
            assert await refused.text() == f"Too many wrong tokens from here. Try again in {waits[-1]} s.\n"
            clock.now += waits[-1]
        assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
        clock.now += g.FORGOTTEN  # it begins anew
        for status in (401, 401, 429):
            assert (await client.get(worklist.PATH, headers=bearer(f"{clock.now}{TOKEN}"))).status == status
            clock.now += 0.1

    run(test)


def test_the_right_token_is_let_in_beside_guesses() -> None:
    """Was: whoever guessed once a second shut out all behind its address, and so did two scripts with old tokens."""

    async def test(client: TestClient[web.Request, web.Application], clock: Clock) -> None:
        for second in range(20):
            said = [
                (await client.get(worklist.PATH, headers=bearer(f"{second}-{n}{TOKEN}"))).status
                for n in range(g.LOOKS - 1)
            ]
            assert set(said) <= {401, 429}
            assert (await client.get(worklist.PATH, headers=bearer(TOKEN))).status == 200
            clock.now += 1.0

    run(test)


def test_only_so_many_tokens_of_a_source_that_was_wrong_are_looked_at() -> None:
    clock = Clock()
    logins, guesser = Logins(TOKEN, clock), asking("203.0.113.9")
    assert not logins.right(guesser, f"x{TOKEN}")
    for _ in range(g.LOOKS):
        assert logins.right(guesser, TOKEN)
    with pytest.raises(web.HTTPTooManyRequests) as refused:
        logins.right(guesser, TOKEN)
    assert refused.value.headers["Retry-After"] == "1"
    clock.now += 1.0
    assert logins.right(guesser, TOKEN)


def test_the_same_wrong_token_again_is_no_guess() -> None:
    """A script with the token of last year must not shut out those who share its address."""

    async def test(client: TestClient[web.Request, web.Application], clock: Clock) -> None:
        old = bearer(f"old{TOKEN}")
        assert (await client.get(worklist.PATH, headers=old)).status == 401
        for _ in range(20):
            clock.now += 1
            assert (await client.get(worklist.PATH, headers=old)).status == 401
        assert (await client.post(ENTER, data={"token": TOKEN}, allow_redirects=False)).headers[
            "Location"
        ] == "/followups"

    run(test)


def asking(remote: str, **headers: str) -> web.Request:
    class Transport:
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return (remote, 1234) if name == "peername" else default

    transport: Any = Transport()
    return make_mocked_request("GET", "/", headers=headers, transport=transport)


def test_a_source_that_guesses_shuts_out_nobody_elsewhere() -> None:
    logins = Logins(TOKEN, Clock())
    assert not logins.right(asking("203.0.113.9"), f"x{TOKEN}")
    assert not logins.right(asking("203.0.113.9"), f"y{TOKEN}")
    with pytest.raises(web.HTTPTooManyRequests):
        logins.right(asking("203.0.113.9"), f"z{TOKEN}")
    assert not logins.right(asking("203.0.113.10"), f"z{TOKEN}")
    assert logins.right(asking("203.0.113.10"), TOKEN)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("127.0.0.1", "127.8.9.10", True),
        ("127.0.0.1", "::1", True),
        ("::ffff:203.0.113.9", "203.0.113.9", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("203.0.113.9", "203.0.113.8", False),
    ],
)
def test_where_guesses_come_from(first: str, second: str, same: bool) -> None:
    assert (source_of(asking(first)) == source_of(asking(second))) == same


def test_a_header_does_not_say_where_a_guess_comes_from() -> None:
    assert source_of(asking("203.0.113.9", **{"X-Forwarded-For": "198.51.100.1"})) == "203.0.113.9"


def test_what_is_remembered_of_sources_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(g, "MOST_SOURCES", 10)
    clock = Clock()
    logins = Logins(TOKEN, clock)
    for n in range(100):
        clock.now += 1
        logins.right(asking(f"203.0.113.{n}"), f"{n}{TOKEN}")
    assert list(logins._wrong) == [f"203.0.113.{n}" for n in range(90, 100)]
    assert TOKEN not in repr(logins._wrong)


# --- sessions ---------------------------------------------------------------------------------------------------


async def come_in(client: TestClient[web.Request, web.Application]) -> dict[str, str]:
    """Give the token in the form; the cookie, for requests that send it by themselves."""
    answer = await client.post(ENTER, data={"token": TOKEN}, allow_redirects=False)
    cookie = answer.cookies[COOKIE]
    assert (answer.status, answer.headers["Location"]) == (303, "/followups")
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["max-age"]) == (
        True,
        "Strict",
        "/followups",
        str(SHIFT),
    )
    assert TOKEN not in cookie.value
    client.session.cookie_jar.clear()
    return {"Cookie": f"{COOKIE}={cookie.value}"}


async def status(client: TestClient[web.Request, web.Application], cookie: dict[str, str]) -> int:
    return (await client.get(LIST, headers=cookie)).status


def test_each_session_is_its_own_and_leaving_ends_it_here() -> None:
    async def test(client: TestClient[web.Request, web.Application], clock: Clock) -> None:
        one, other = await come_in(client), await come_in(client)
        assert one != other
        assert await status(client, one) == await status(client, other) == 200
        await client.post(LEAVE, headers=one, allow_redirects=False)
        assert await status(client, one) == 401  # whoever kept the cookie has nothing
        assert await status(client, other) == 200

    run(test)


def test_a_session_ends_after_twelve_hours_whatever_the_browser_keeps() -> None:
    async def test(client: TestClient[web.Request, web.Application], clock: Clock) -> None:
        cookie = await come_in(client)
        clock.now += SHIFT - 1
        assert await status(client, cookie) == 200
        clock.now += 1
        assert await status(client, cookie) == 401

    run(test)


def test_a_cookie_of_nobody() -> None:
    async def test(client: TestClient[web.Request, web.Application], clock: Clock) -> None:
        for value in ("", "x", "\x80", secrets.token_urlsafe(32)):
            assert await status(client, {"Cookie": f"{COOKIE}={value}"}) == 401

    run(test)


def test_sessions_are_bounded_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(g, "MOST_SESSIONS", 2)

    async def test(client: TestClient[web.Request, web.Application], clock: Clock) -> None:
        cookies = [await come_in(client) for _ in range(3)]
        assert [await status(client, cookie) for cookie in cookies] == [401, 200, 200]

    run(test)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.city.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[x"},
        {"Origin": "http://127.0.0.1:1"},  # another port is another page
    ],
)
def test_a_foreign_page_can_make_nobody_enter_or_leave(headers: dict[str, str]) -> None:
    async def test(client: TestClient[web.Request, web.Application], clock: Clock) -> None:
        cookie = await come_in(client)
        for path in (ENTER, LEAVE):
            answer = await client.post(path, data={"token": TOKEN}, headers=cookie | headers, allow_redirects=False)
            assert answer.status == 403
            assert "Set-Cookie" not in answer.headers
        assert await status(client, cookie) == 200

    run(test)


def test_our_own_page_can() -> None:
    async def test(client: TestClient[web.Request, web.Application], clock: Clock) -> None:
        own = f"http://{client.host}:{client.port}"
        for headers in ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, {"Origin": own}, {}):
            answer = await client.post(ENTER, data={"token": TOKEN}, headers=headers, allow_redirects=False)
            assert answer.headers["Location"] == "/followups"

    run(test)


def test_the_page_lets_the_browser_say_where_its_form_is_from() -> None:
    """With no-referrer, which all pages have, browsers send `Origin: null` over plain HTTP, as foreign pages could too."""
    page = (Path(g.__file__).parent / "board" / "assets" / "followups.html").read_text()
    assert '<meta name="referrer" content="same-origin">' in page
