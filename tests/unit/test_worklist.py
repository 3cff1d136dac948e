"""The work list: what is on it, in which order, who gets it."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, get

from agents import worklist as http
from agents.logins import Logins
from agents.owner import Owner
from agents.seal import Seal
from agents.settings import Settings
from carewatch.settings import PROGRAMS
from streams.clock import wall
from streams.worklist import Wanted, WantedError, _harmless, as_csv, items, wanted
from tests.unit.strategies import (
    HOUR,
    MINUTE,
    NOON,
    SMALL,
    Bench,
    attempted,
    case_closed,
    closed,
    dispatched,
    on_scene,
    opened,
    received,
)

H, D = 60, 24 * 60
TOKEN = "cLPv7hXQ2fZ0nWkR9sTuYg"  # a made-up one


def listed(bench: Bench, hours: float, **filters: Any) -> list[tuple[str, str, str]]:
    """(case, checkpoint, state) of the list."""
    want = Wanted(**{name: frozenset(codes) for name, codes in filters.items()})
    return [(x.case, x.checkpoint, x.state) for x in items(bench.state, NOON + round(hours * HOUR), want)]


# --- what is on it -------------------------------------------------------------------------------------------


def test_overdue_and_missed_by_lapse_time(bench: Bench) -> None:
    bench(opened(60), opened(0, case="K2"), opened(-24 * H, case="K3", kind="overdose", team="beta"))
    assert listed(bench, 24) == [("K2", "1d", "overdue")]
    assert listed(bench, 25) == [("K2", "1d", "overdue"), ("K1", "1d", "overdue")]
    assert listed(bench, 48) == [("K2", "1d", "missed"), ("K3", "72h", "missed"), ("K1", "1d", "overdue")]


def test_what_is_resolved_is_not_on_it(bench: Bench) -> None:
    bench(opened(0), attempted(30 * H), opened(0, case="K2"), case_closed(30 * H, case="K2"))
    assert listed(bench, 31) == []


def test_states_teams_and_areas_choose(bench: Bench) -> None:
    bench(opened(0, area="n"), opened(0, case="K2", kind="overdose", team="beta", area="south"))
    every = ("scheduled", "open", "overdue", "missed")
    assert [case for case, _, _ in listed(bench, 30, states=every)] == ["K1", "K2", "K1"]
    assert listed(bench, 30, states=("open",)) == [("K2", "72h", "open")]
    assert listed(bench, 30, states=every, teams=("beta",)) == [("K2", "72h", "open")]
    assert listed(bench, 30, states=every, areas=("south", "far")) == [("K2", "72h", "open")]
    assert listed(bench, 30, states=("scheduled",), areas=("north",)) == [("K1", "7d", "scheduled")]
    assert listed(bench, 30, teams=("beta",)) == []


def test_an_item_carries_what_staff_need_and_no_more(bench: Bench) -> None:
    bench(received(0), dispatched(1, team="alpha"), on_scene(2), closed(60, outcome="services", person="JANE"))
    bench(attempted(26 * H, result="no_contact", case="C1"), attempted(27 * H, result="no_contact", case="C1"))
    bench(attempted(27 * H, "7d", "no_contact", case="C1"))
    (item,) = items(bench.state, NOON + 30 * HOUR, Wanted())
    assert msgspec.to_builtins(item) == {
        "program": "small",
        "case": "C1",
        "team": "alpha",
        "area": "north",
        "checkpoint": "1d",
        "state": "overdue",
        "due": "2024-05-16T18:00:00Z",
        "lapses": "2024-05-17T18:00:00Z",
        "attempts": 2,
    }


def test_the_list_agrees_with_the_metric(bench: Bench) -> None:
    bench(*(opened(n * 3 * H, case=f"K{n}", area="north") for n in range(60)))
    now = 100 * H
    for state in ("scheduled", "open", "overdue", "missed"):
        metric = sum(n for labels, n in bench.show("care_followups", now).items() if labels[3] == state)
        assert len(listed(bench, 100, states=(state,))) == metric > 0


# --- filters -------------------------------------------------------------------------------------------------


def test_filters_are_codes_with_commas() -> None:
    assert wanted("", "", "", [SMALL]) == Wanted()
    assert wanted("open, missed", "alpha,other", " north ", [SMALL]) == Wanted(
        frozenset(("open", "missed")), frozenset(("alpha", "other")), frozenset(("north",))
    )


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        (
            ("done", "", ""),
            "state: no such state here; use one or more, with commas, of: scheduled, open, overdue, missed",
        ),
        (("", "alpha,gamma", ""), "team: no such team here; use one or more, with commas, of: alpha, beta, other"),
        (("", "", "n"), "area: no such area here; use one or more, with commas, of: north, south, far, other"),
    ],
)
def test_a_filter_that_cannot_be_says_what_can(filters: tuple[str, str, str], says: str) -> None:
    with pytest.raises(WantedError) as raised:
        wanted(*filters, [SMALL])
    assert str(raised.value) == says


# --- CSV -----------------------------------------------------------------------------------------------------


#: Signs that spreadsheets take for the beginning of a formula.
SIGNS = ["=", "+", "-", "@", "\u2212", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66", "\ufe62", "\ufe63", "\ufe6b"]
#: What they may pass over before it: blanks, controls, BOM, characters of no width.
BEFORE = [
    "",
    " ",
    "   ",
    "\t",
    "\r",
    "\n",
    "\x00",
    "\x0b",
    "\x1b",
    "\x7f",
    "\x85",
    "\xa0",
    "\xad",
    "\u034f",
    "\u180e",
    "\u200b",
]
BEFORE += [
    "\u200e",
    "\u2028",
    "\u202e",
    "\u2060",
    "\u2066",
    "\u2800",
    "\u3000",
    "\u3164",
    "\ufe0f",
    "\ufeff",
    "\ufeff \x00\u200b",
]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", BEFORE)
def test_what_could_begin_a_formula_is_guarded(before: str, sign: str) -> None:
    assert _harmless(f"{before}{sign}1+1") == f"'{before}{sign}1+1"


@pytest.mark.parametrize("text", ["", " ", "K1", "24-0113", " K1", "a=1", "'=1", "\ufeffK1", "é-1", "病-1"])
def test_what_could_not_is_left_as_it_is(text: str) -> None:
    assert _harmless(text) == text


@pytest.mark.parametrize("id", ["=1+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\x00=1", "\u200b=1", "\u22121"])
def test_a_cell_cannot_be_a_formula(bench: Bench, id: str) -> None:
    bench(opened(0, case=id), opened(0, case='a,"b"\nc'))
    rows = list(csv.DictReader(io.StringIO(as_csv(items(bench.state, NOON + 30 * HOUR, Wanted())), newline="")))
    assert sorted(row["case"] for row in rows) == sorted(["'" + id, 'a,"b"\nc'])
    assert rows[0]["due"] == "2024-05-16T17:00:00Z"
    assert list(rows[0]) == ["program", "case", "team", "area", "checkpoint", "state", "due", "lapses", "attempts"]


# --- over HTTP -----------------------------------------------------------------------------------------------


class Answer(msgspec.Struct):
    """What a request got."""

    status: int
    text: str
    headers: dict[str, str]


def ask(path: str, *, authorization: str | None = f"Bearer {TOKEN}", token: str = TOKEN, ready: bool = True) -> Answer:
    """One request to a worker with two overdue follow-ups."""
    owner = Owner({"small": SMALL}, 1)
    owner.take({0: {}})
    state = owner.state("small")
    assert state
    minutes = (wall() - NOON) / MINUTE
    for event in (opened(minutes - 30 * H, case="K1"), opened(minutes - 31 * H, case="K2", area="north")):
        state.apply(event, wall())

    async def run() -> Answer:
        app = Application()
        worklist = http.Worklist(owner, Logins(token), Seal(token, "http://me"), lambda: ready)
        app.add_routes([get(http.PATH, worklist.get)])
        async with TestClient(TestServer(app)) as client:
            headers = {"Authorization": authorization} if authorization is not None else {}
            answer = await client.get(path, headers=headers)
            return Answer(answer.status, await answer.text(), {k.lower(): v for k, v in answer.headers.items()})

    return asyncio.run(run())


def test_json() -> None:
    answer = ask("/api/followups?state=overdue,missed")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["cache-control"] == "no-store"
    assert [(item["case"], item["state"], item["attempts"]) for item in msgspec.json.decode(answer.text)] == [
        ("K2", "overdue", 0),
        ("K1", "overdue", 0),
    ]


def test_csv() -> None:
    answer = ask("/api/followups?area=north&format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    header, row = answer.text.splitlines()
    assert header == "program,case,team,area,checkpoint,state,due,lapses,attempts"
    assert row.startswith("small,K2,alpha,north,1d,overdue,")


def test_a_parameter_given_twice_is_as_with_a_comma() -> None:
    assert len(msgspec.json.decode(ask("/api/followups?area=north&area=other").text)) == 2


@pytest.mark.parametrize(
    "authorization",
    [None, "", TOKEN, "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN}é"],
)
def test_without_the_token_nothing_is_told(authorization: str | None) -> None:
    for path in ("/api/followups", "/api/followups?state=odd", f"/api/followups?token={TOKEN}"):
        answer = ask(path, authorization=authorization)
        assert answer.status == 401
        assert answer.text == "give the worker's token: Authorization: Bearer <CAREWATCH_API_TOKEN>\n"
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("authorization", [None, "Bearer ", f"Bearer {TOKEN}"])
def test_a_worker_without_a_token_serves_no_list(authorization: str | None) -> None:
    answer = ask("/api/followups", authorization=authorization, token="")
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "CAREWATCH_API_TOKEN" in answer.text


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("state=odd", "state: no such state"),
        ("team=odd", "team: no such team"),
        ("area=odd", "area: no such area"),
        ("format=xml", "format: use one of: json, csv"),
        ("sate=overdue", "sate: no such parameter; there are: state, team, area, format"),
    ],
)
def test_what_cannot_be_asked_says_what_can(query: str, says: str) -> None:
    answer = ask(f"/api/followups?{query}")
    assert (answer.status, answer.text.count("\n")) == (400, 1)
    assert answer.text.startswith(says)


def test_a_worker_that_is_not_ready_says_so() -> None:
    assert ask("/api/followups", ready=False).status == 503


def test_the_token_is_not_in_a_settings_text() -> None:
    assert TOKEN not in repr(Settings(programs=PROGRAMS, api_token=TOKEN))
