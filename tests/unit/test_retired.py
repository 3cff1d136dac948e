"""What is gone from a program file while records need it."""

from __future__ import annotations

from streams.entries import Call, Case, Followup, Opening, Response
from streams.programs import Profile
from streams.retired import NOTHING, Needed, needed_by, retire
from streams.rules import Rules
from tests.unit.lives import TEXT, profile

OLD = profile()


def without(*gone: str) -> Profile:
    """The program file without some teams and areas."""
    return profile_of(OLD, gone)


def profile_of(of: Profile, gone: tuple[str, ...]) -> Profile:
    text = TEXT
    for code in gone:
        if f"{code} = {{ label" in text:
            line = next(line for line in text.splitlines() if line.startswith(code + " = "))
            text = text.replace(line, "").replace(f'"{code}", ', "").replace(f', "{code}"', "")
        else:
            tables = text.split("[[teams]]")
            text = "[[teams]]".join(table for table in tables if f'code = "{code}"' not in table)
    return profile(text)


def needs(teams: str = "", areas: str = "") -> Needed:
    return Needed(frozenset(teams.split()), frozenset(areas.split()))


def call(team: str = "none", area: str = "north", *responses: Response) -> Call:
    return Call("open", 0, 0, area, "crisis", team, (), responses)


# --- what records need --------------------------------------------------------------------------------------


def test_a_call_needs_its_team_its_area_and_the_teams_of_its_units() -> None:
    response = Response("U1", "care", "beta", 0, 0, 0, 1, "cleared")
    assert needed_by([call("alpha", "south", response), None]) == needs("alpha beta", "south")


def test_a_case_needs_who_has_it_who_opened_it_and_who_owes() -> None:
    owed = Followup("7d", "gamma", 0, 1, 2)
    case = Case("active", 0, "beta", "far", Opening(0, "encounter", "alpha", "far"), "encounter", None, (owed,))
    assert needed_by([case]) == needs("alpha beta gamma", "far")
    assert needed_by([Case("never_opened", 0, "beta", "other")]) == needs("beta", "other")


def test_an_opening_without_a_team_needs_none() -> None:
    assert needed_by([Case("active", 0, "beta", "far", Opening(0, "encounter", None, "far"))]).teams == {"beta"}


# --- what is kept -------------------------------------------------------------------------------------------


def test_nothing_is_retired_while_the_file_has_it_or_nobody_needs_it() -> None:
    assert retire(OLD, [OLD], needs("alpha beta", "north south")) == (OLD, NOTHING)
    new = without("alpha", "south")
    assert retire(new, [OLD], needs("beta", "north")) == (new, NOTHING)
    assert retire(new, [], needs("alpha", "south")) == (new, NOTHING)


def test_a_team_that_is_needed_stays_but_covers_nothing_and_never_works() -> None:
    new = without("alpha")
    kept, retired = retire(new, [OLD], needs("alpha"))
    assert retired.teams == ("alpha",)
    assert retired.areas == ()
    versions = [team for team in kept.teams if team.code == "alpha"]
    assert len(versions) == 2
    assert all((team.areas, team.hours, team.staffing) == ((), (), ()) for team in versions)
    assert [team.followups for team in versions] == [team.followups for team in OLD.teams if team.code == "alpha"]
    rules = Rules(kept, retired)
    assert rules.label("team", "A-TEAM") == "alpha"
    noon = 1_715_792_400 * 1_000_000
    assert not rules.open("alpha", noon)
    assert rules.planned("alpha", noon) == 0
    assert "alpha" not in rules.covering("north", rules.day(noon))


def test_an_area_that_is_needed_keeps_its_label_but_no_team_is_known_to_cover_it() -> None:
    new = without("south")
    kept, retired = retire(new, [OLD], needs(areas="south"))
    assert retired.areas == ("south",)
    rules = Rules(kept, retired)
    assert rules.label("area", "South ") == "south"
    assert not rules.has_area("south")
    assert rules.covering("south", rules.day(1_715_792_400 * 1_000_000)) == ("alpha", "beta")


def test_a_code_that_means_another_area_now_is_not_kept_with_the_old_one() -> None:
    moved = profile(
        TEXT.replace('north = { label = "North", codes = ["n"] }', 'upper = { label = "U", codes = ["N"] }')
    )
    kept, retired = retire(moved, [OLD], needs(areas="north"))
    assert retired.areas == ("north",)
    assert Rules(kept, retired).label("area", "n") == "upper"
    assert Rules(kept, retired).label("area", "north") == "north"


def test_an_area_renamed_with_its_old_code_is_not_retired() -> None:
    renamed = profile(TEXT.replace('south = { label = "South" }', 'lower = { label = "L", codes = ["South"] }'))
    assert retire(renamed, [OLD], needs(areas="south")) == (renamed, NOTHING)


def test_a_code_that_means_another_team_now_is_not_kept_with_the_old_one() -> None:
    new = profile(TEXT.replace('code = "alpha"', 'code = "gamma"'))
    kept, retired = retire(new, [OLD], needs("alpha"))
    assert retired.teams == ("alpha",)
    assert Rules(kept, retired).label("team", "a-team") == "gamma"


def test_of_several_older_files_the_latest_tells() -> None:
    older = profile(TEXT.replace('label = "Beta"', 'label = "Ancient"'))
    kept, _ = retire(without("beta"), [older, OLD], needs("beta"))
    assert [team.label for team in kept.teams if team.code == "beta"] == ["Beta"]
    kept, _ = retire(without("beta"), [OLD, older, without("beta")], needs("beta"))
    assert [team.label for team in kept.teams if team.code == "beta"] == ["Ancient"]
