"""The names that people use for codes, as /metrics has them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from streams import metrics as m
from streams import names
from streams.programs import Coded, Profile, load
from streams.read import read
from tests.unit.strategies import NOON, SMALL, Bench

PROGRAMS = Path(__file__).resolve().parents[2] / "programs"


def team_named(label: str) -> str:
    base = SMALL
    team = msgspec.structs.replace(base.teams[0], code="x", label=label)
    return dict(names.teams(msgspec.structs.replace(base, teams=(team,))))["x"]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("CARE team (unarmed civilians)", "CARE team"),
        ("Response (a) team (paramedic + clinician)", "Response (a) team"),
        ("(north)", "(north)"),
        ("CARE", "CARE"),
    ],
)
def test_a_team_is_named_without_its_explanation(label: str, name: str) -> None:
    assert team_named(label) == name


def test_the_later_version_of_a_team_names_it() -> None:
    assert dict(names.teams(chicago()))["art"] == "Alternate Response"


@pytest.mark.parametrize(
    ("id", "name"),
    [("1d", "1 day"), ("30d", "30 days"), ("24h", "24 hours"), ("1h", "1 hour"), ("first_visit", "First visit")],
)
def test_a_followup_is_named_by_its_id(id: str, name: str) -> None:
    base = SMALL
    point = msgspec.structs.replace(next(p for team in chicago().teams for p in team.followups), id=id)
    team = msgspec.structs.replace(base.teams[0], followups=(point,))
    assert dict(names.followups(msgspec.structs.replace(base, teams=(team,)))) == {id: name}


def test_each_code_has_one_name() -> None:
    for program in (SMALL, chicago()):
        for named in names.NAMED.values():
            found = [tuple(each[:-1]) for each in named(program)]
            assert len(set(found)) == len(found)
            assert all(each[-1] for each in named(program))


def test_teams_that_differ_in_their_brackets_keep_them() -> None:
    team = SMALL.teams[0]
    both = [msgspec.structs.replace(team, code=code, label=f"CARE ({code})") for code in ("day", "night")]
    named = dict(names.teams(msgspec.structs.replace(SMALL, teams=tuple(both))))
    assert (named["day"], named["night"]) == ("CARE (day)", "CARE (night)")


def test_no_two_codes_have_one_name() -> None:
    label = Coded(label="Hostel")
    same = msgspec.structs.replace(SMALL, areas={"a": label, "b": label}, destinations={"x": label, "y": label})
    assert dict(names.areas(same)) == {"a": "Hostel (a)", "b": "Hostel (b)", "other": "Other area"}
    assert [name for kind, _, name in names.codes(same) if kind == "destination"] == [
        "Hostel (x)",
        "Hostel (y)",
        "Other",
    ]
    team = SMALL.teams[0]
    twins = [msgspec.structs.replace(team, code=code, label="CARE") for code in ("a", "b")]
    named = dict(names.teams(msgspec.structs.replace(SMALL, teams=tuple(twins))))
    assert (named["a"], named["b"]) == ("CARE (a)", "CARE (b)")


def test_names_are_shown(bench: Bench) -> None:
    families = dict(read(bench.state, NOON))
    assert all(value == 1 for metric in m.NAMES for _, value in families[metric])
    areas = {labels[1]: labels[2] for labels, _ in families[m.AREA_INFO]}
    assert areas == {**{code: each.label for code, each in bench.state.profile.areas.items()}, "other": "Other area"}


def test_a_name_may_have_any_letters(bench: Bench) -> None:
    coded = Coded(label='Area "2"\\MIT\nSouth é')
    name = 'Area "2"\\MIT South é'
    state = type(bench.state)(
        msgspec.structs.replace(bench.state.profile, areas={"north": coded}), bench.state.tally.bounds
    )
    assert ("small", "north", name) in [labels for labels, _ in dict(read(state, NOON))[m.AREA_INFO]]


def chicago() -> Profile:
    return load(PROGRAMS / "chicago.toml")
