"""Program files: what the shipped ones say, what a wrong one is told, and when a shift is on."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import programs
from streams.clock import DAY, SECOND, micros
from streams.programs import DAYS, Listed, Profile, ProfileError, Shift, digest, duration, load, load_all

FOLDER = Path(programs.__file__).resolve().parent.parent / "programs"
HOUR = 3600 * SECOND


@pytest.fixture(scope="module")
def profiles() -> dict[str, Profile]:
    return load_all(FOLDER)


@pytest.fixture(scope="module")
def chicago(profiles: dict[str, Profile]) -> Profile:
    return profiles["chicago"]


def local(profile: Profile, text: str) -> datetime:
    """The program's wall-clock time of an instant written in UTC."""
    return profile.local(micros(datetime.fromisoformat(text).replace(tzinfo=UTC)))


# --- the shipped profiles ------------------------------------------------------------------------------------


def test_three_programs_are_shipped(profiles: dict[str, Profile]) -> None:
    assert set(profiles) == {"cambridge", "chicago", "seattle"}
    assert all(file.stem in profiles for file in FOLDER.glob("*.toml"))
    assert {name: str(profile.zone) for name, profile in profiles.items()} == {
        "cambridge": "America/New_York",
        "chicago": "America/Chicago",
        "seattle": "America/Los_Angeles",
    }


@pytest.mark.parametrize("name", ["cambridge", "chicago", "seattle"])
def test_every_area_has_a_team_today(profiles: dict[str, Profile], name: str) -> None:
    profile = profiles[name]
    assert all(profile.covering(area, local(profile, "2025-06-02T18:00:00")) for area in profile.areas)


@pytest.mark.parametrize(
    ("at", "works"),
    [
        ("2024-05-15T15:29:59.999999", False),  # Wednesday, daylight time: 10:29
        ("2024-05-15T15:30:00", True),
        ("2024-05-15T20:59:59.999999", True),
        ("2024-05-15T21:00:00", False),  # 16:00
        ("2024-05-18T17:00:00", False),  # Saturday
        ("2024-05-19T17:00:00", False),  # Sunday
        ("2024-01-17T15:30:00", False),  # standard time: 09:30
        ("2024-01-17T16:30:00", True),
        ("2024-03-08T16:29:00", False),  # Friday before the clocks change
        ("2024-03-08T16:30:00", True),
        ("2024-03-11T15:30:00", True),  # Monday after: an hour earlier in UTC
        ("2024-03-11T21:00:00", False),
        ("2024-11-01T15:30:00", True),  # Friday before they change back
        ("2024-11-04T15:30:00", False),
        ("2024-11-04T16:30:00", True),
    ],
)
def test_chicago_works_by_its_own_clock(chicago: Profile, at: str, works: bool) -> None:
    now = local(chicago, at)
    (team,) = chicago.covering("loop", now)
    assert team.works(now) is works
    assert team.planned(now) == (2 if works else 0)


@pytest.mark.parametrize(
    ("area", "day", "crew"),
    [
        ("loop", "2022-05-31", None),
        ("loop", "2022-06-01", "CFD community paramedic"),
        ("loop", "2023-12-31", "CFD community paramedic"),
        ("loop", "2024-01-01", "CDPH EMT"),
        ("uptown", "2021-08-31", None),
        ("uptown", "2021-09-01", "crisis intervention officer"),
        ("uptown", "2024-01-01", "CDPH EMT"),
        ("humboldt_park", "2022-12-31", None),
        ("humboldt_park", "2023-01-01", "peer recovery"),
    ],
)
def test_chicago_crews_over_the_years(chicago: Profile, area: str, day: str, crew: str | None) -> None:
    noon = datetime.combine(date.fromisoformat(day), time(12), chicago.zone)
    covering = chicago.covering(area, noon)
    assert [crew in team.label for team in covering if crew] == ([True] if crew else [])
    assert bool(covering) == bool(crew)


def test_team_codes_have_versions(chicago: Profile) -> None:
    assert chicago.team_codes == ("art", "mdrt", "ort")
    assert len(chicago.teams) == 5


def test_chicago_follows_up_after_1_7_and_30_days(chicago: Profile) -> None:
    art = next(team for team in chicago.teams if team.code == "art" and team.until is None)
    assert [
        (point.id, duration(point.opens), duration(point.due), duration(point.lapses)) for point in art.followups
    ] == [
        ("1d", 12 * HOUR, DAY, 2 * DAY),
        ("7d", 6 * DAY, 7 * DAY, 9 * DAY),
        ("30d", 28 * DAY, 30 * DAY, 35 * DAY),
    ]
    ort = next(team for team in chicago.teams if team.code == "ort")
    assert [(point.kinds, duration(point.opens), duration(point.lapses)) for point in ort.followups] == [
        (("overdose",), DAY, 3 * DAY)
    ]


@pytest.mark.parametrize(
    ("program", "field", "code", "label"),
    [
        ("chicago", "area", "loop", "loop"),
        ("chicago", "area", "lake_view", "lakeview"),
        ("chicago", "area", "Loop", "other"),
        ("chicago", "area", "downtown", "other"),
        ("chicago", "team", "mdrt", "mdrt"),
        ("chicago", "team", "ccr", "other"),
        ("chicago", "outcome", "refused", "refused"),
        ("chicago", "outcome", "went home", "other"),
        ("chicago", "destination", "hospital", "hospital"),
        ("seattle", "area", "cid", "chinatown_international_district"),
        ("seattle", "call_type", "welfare_check", "wellness_check"),
        ("cambridge", "service", "first_step", "partner_referral"),
        ("cambridge", "area", "mit", "area_2_mit"),
    ],
)
def test_codes_map_to_labels(profiles: dict[str, Profile], program: str, field: str, code: str, label: str) -> None:
    assert profiles[program].label_of(field, code) == label
    assert profiles[program].knows(field, code) is (label != "other")


def test_seattle_grew_from_downtown_to_the_city(profiles: dict[str, Profile]) -> None:
    seattle = profiles["seattle"]
    launch = local(seattle, "2024-06-01T06:30:00")  # a Friday, 23:30 on the wall
    assert [team.works(launch - timedelta(hours=1)) for team in seattle.covering("sodo", launch)] == [True]
    assert [team.works(launch) for team in seattle.covering("sodo", launch)] == [False]
    assert seattle.covering("north", launch) == []
    assert seattle.covering("north", local(seattle, "2025-01-01T09:00:00"))
    assert seattle.targets["ccr", "received_to_dispatched"] == 3 * 60 * SECOND


# --- durations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "micro"), [("90s", 90 * SECOND), ("8min", 480 * SECOND), ("12 h", 12 * HOUR), ("7d", 7 * DAY)]
)
def test_durations(text: str, micro: int) -> None:
    assert duration(text) == micro


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "1.5h", "2w", "7 days", "1h 30min", "7d\n"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="such as '8min'"):
        duration(text)


# --- wrong files ---------------------------------------------------------------------------------------------

GOOD = """\
program = "test"
name = "Test"
timezone = "America/Chicago"
triages = true
followup_outcomes = ["services"]

[areas]
north = { label = "North", codes = ["n"] }
south = { label = "South", codes = ["s"] }

[[teams]]
code = "day"
label = "Day"
codes = ["d1"]
since = 2024-01-01
areas = ["north", "south"]
hours = [{ days = ["mon", "tue"], from = 08:00:00, until = 16:00:00 }]
staffing = [{ days = ["mon"], from = 08:00:00, until = 16:00:00, units = 2 }]
targets = { received_to_dispatched = "5min" }
followups = [{ id = "7d", kinds = ["encounter"], opens = "5d", due = "7d", lapses = "9d" }]

[call_types]
assist = { label = "Assist" }

[outcomes]
services = { label = "Services" }
"""

OTHER_TEAM = """\
[[teams]]
code = "night"
label = "Night"
codes = ["n1", "D1"]
areas = ["north"]
hours = [{ days = ["mon"], from = 20:00:00, until = 04:00:00 }]
"""

SECOND_VERSION = """\
[[teams]]
code = "day"
label = "Day"
since = 2025-01-01
areas = ["north"]
hours = [{ days = ["mon"], from = 08:00:00, until = 16:00:00 }]
"""

#: what to replace in the good file, by what; the key that the message names; a word of the cure
WRONG: dict[str, tuple[str, str, str, str]] = {
    "broken TOML": ('program = "test"', "program = ", "not valid TOML", "mend the line"),
    "a key twice": ("triages = true", "triages = true\ntriages = false", "not valid TOML", "mend the line"),
    "no program": ('program = "test"', "", "top level: ", "docs/programs.md"),
    "program is no code": ('"test"', '"New York"', "program: ", "use lower case"),
    "unknown key": ("triages = true", 'triages = true\nemail = "x"', "`email`", "docs/programs.md"),
    "unknown table": ("[[teams]]", "[[crews]]", "`crews`", "docs/programs.md"),
    "text for a bool": ("triages = true", 'triages = "yes"', "triages: ", "docs/programs.md"),
    "no such zone": ("America/Chicago", "America/Gotham", "timezone: ", "IANA"),
    "zone is a path": ("America/Chicago", "../../etc/passwd", "timezone: ", "IANA"),
    "empty zone": ("America/Chicago", "", "timezone: ", "IANA"),
    "area is no code": ("north = {", "North-End = {", "areas.North-End: ", "use lower case"),
    "area is kept": ("north = {", "other = {", "areas.other: ", "another code"),
    "area of two": ('codes = ["s"]', 'codes = ["n"]', "areas.south.codes: ", "keep one"),
    "alias is a code": ('codes = ["s"]', 'codes = ["north"]', "areas.south.codes: ", "keep one"),
    "no teams": ("[[teams]]", "[extra]", "`extra`", "docs/programs.md"),
    "team code is kept": ('code = "day"', 'code = "none"', "teams[0].code: ", "another code"),
    "unknown area": (
        'areas = ["north", "south"]',
        'areas = ["east"]',
        "teams[0].areas: ",
        "add it there or mend the name",
    ),
    "no hours": (
        'hours = [{ days = ["mon", "tue"], from = 08:00:00, until = 16:00:00 }]',
        "hours = []",
        "teams[0].hours: ",
        "days, from and until",
    ),
    "unknown day": ('"tue"', '"tuesday"', "teams[0].hours[0].days[1]: ", "docs/programs.md"),
    "hours without an end": (
        '"tue"], from = 08:00:00, until = 16:00:00',
        '"tue"], from = 08:00:00',
        "teams[0].hours[0]: ",
        "`until`",
    ),
    "hours as text": (
        '"tue"], from = 08:00:00',
        '"tue"], from = "8am"',
        "teams[0].hours[0].from: ",
        "docs/programs.md",
    ),
    "until before since": (
        "since = 2024-01-01",
        "since = 2024-01-01\nuntil = 2023-01-01",
        "teams[0].until: ",
        "first day without",
    ),
    "since as text": ("since = 2024-01-01", 'since = "soon"', "teams[0].since: ", "docs/programs.md"),
    "less than no units": ("units = 2", "units = -1", "teams[0].staffing.units: ", "from 0 to"),
    "half a unit": ("units = 2", "units = 1.5", "teams[0].staffing[0].units: ", "docs/programs.md"),
    "bad target": ('"5min"', '"5 minutes"', "teams[0].targets.received_to_dispatched: ", "such as '8min'"),
    "no target at all": (
        '"5min"',
        '"0s"',
        "teams[0].targets.received_to_dispatched: ",
        "longer than nothing",
    ),
    "unknown interval": ("received_to_dispatched", "received_to_scene", "targets", "received_to_scene"),
    "bad checkpoint time": ('lapses = "9d"', 'lapses = "2w"', "teams[0].followups.7d: ", "such as '8min'"),
    "due before opens": ('opens = "5d"', 'opens = "8d"', "teams[0].followups.7d: ", "mend their order"),
    "lapses before due": ('lapses = "9d"', 'lapses = "6d"', "teams[0].followups.7d: ", "mend their order"),
    "endless checkpoint": ('lapses = "9d"', 'lapses = "99999999999d"', "teams[0].followups.7d: ", "such as '8min'"),
    "checkpoint id is no code": ('id = "7d"', 'id = "7 Days"', "teams[0].followups: ", "such as 7d"),
    "checkpoint without kinds": ('kinds = ["encounter"]', "kinds = []", "teams[0].followups.7d: ", "'encounter'"),
    "unknown kind": ('["encounter"]', '["visit"]', "teams[0].followups[0].kinds[0]: ", "docs/programs.md"),
    "unknown outcome": ('services = { label = "Services"', 'done = { label = "Done"', "outcomes", "done"),
    "unknown followup outcome": ('["services"]', '["done"]', "followup_outcomes[0]: ", "docs/programs.md"),
    "no feeds": ("triages = ", "feeds = []\ntriages = ", "feeds: ", "leave the key out"),
    "a feed twice": ("triages = ", 'feeds = ["status", "status"]\ntriages = ', "feeds: ", "leave the key out"),
    "unknown feed": ("triages = ", 'feeds = ["cases"]\ntriages = ', "feeds[0]: ", "docs/programs.md"),
    "local code of another case": ('codes = ["s"]', 'codes = [" N "]', "areas.south.codes: ", "keep one"),
    "code of two teams": (
        "[call_types]",
        f"{OTHER_TEAM}\n[call_types]",
        "teams[1].codes: ",
        "'D1' maps to 'day' too; keep one",
    ),
    "alias of two units": (
        "[call_types]",
        '[units]\nM1 = { aliases = ["Medic 1"] }\nM2 = { aliases = ["MEDIC 1"] }\n[call_types]',
        "units.M2.aliases: ",
        "'MEDIC 1' maps to 'M1' too; keep one",
    ),
    "alias is a unit": (
        "[call_types]",
        '[units]\nM1 = { aliases = ["m2"] }\nM2 = {}\n[call_types]',
        "units.M1.aliases: ",
        "'m2' maps to 'M2' too; keep one",
    ),
    "unit twice": ("[call_types]", "[units]\nM1 = {}\nm1 = {}\n[call_types]", "units.m1: ", "'M1' written another way"),
    "unit of an unknown team": (
        "[call_types]",
        '[units]\nM1 = { team = "night" }\n[call_types]',
        "units.M1.team: ",
        "add it there or mend the name",
    ),
    "unit of an unknown agency": (
        "[call_types]",
        '[units]\nM1 = { agency = "coroner" }\n[call_types]',
        "units[...].agency: ",
        "docs/programs.md",
    ),
    "unit without a name": ("[call_types]", '[units]\n" " = {}\n[call_types]', "units. : ", "1 to 128 characters"),
    "alias without a name": (
        "[call_types]",
        '[units]\nM1 = { aliases = [""] }\n[call_types]',
        "units.M1: ",
        "1 to 128 characters",
    ),
    "unknown key of a unit": (
        "[call_types]",
        '[units]\nM1 = { alias = "m" }\n[call_types]',
        "units[...]: ",
        "`alias`",
    ),
    "stale after a while": (
        "triages = ",
        'stale_after = { call = "a day" }\ntriages = ',
        "stale_after.call: ",
        "such as '8min'",
    ),
    "stale at once": (
        "triages = ",
        'stale_after = { unit = "0h" }\ntriages = ',
        "stale_after.unit: ",
        "longer than nothing",
    ),
    "stale after what": ("triages = ", 'stale_after = { calls = "1h" }\ntriages = ', "stale_after: ", "`calls`"),
    "owed by whom": (
        'lapses = "9d"',
        'lapses = "9d", per = "household"',
        "teams[0].followups[0].per: ",
        "docs/programs.md",
    ),
    "two versions at once": (
        "[call_types]",
        f"{SECOND_VERSION}\n[call_types]",
        "teams[0].since: ",
        "set since/until",
    ),
}


def test_the_good_file_is_good(tmp_path: Path) -> None:
    file = tmp_path / "test.toml"
    file.write_text(GOOD)
    assert load(file).program == "test"


@pytest.mark.parametrize(("old", "new", "key", "cure"), WRONG.values(), ids=WRONG)
def test_wrong_file_is_told_where_and_how(tmp_path: Path, old: str, new: str, key: str, cure: str) -> None:
    assert old in GOOD
    file = tmp_path / "test.toml"
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ProfileError) as caught:
        load(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert key in message
    assert cure in message
    assert "\n" not in message


def test_no_teams_at_all(tmp_path: Path) -> None:
    head, _, rest = GOOD.partition("[[teams]]")
    file = tmp_path / "test.toml"
    file.write_text("teams = []\n" + head + rest[rest.index("[call_types]") :])
    with pytest.raises(ProfileError, match=r"teams: none given; .*\[\[teams\]\]"):
        load(file)


def test_a_team_may_follow_itself(tmp_path: Path) -> None:
    second = GOOD[GOOD.index("[[teams]]") : GOOD.index("[call_types]")].replace("2024-01-01", "2025-01-01")
    first = GOOD.replace("since = 2024-01-01", "since = 2024-01-01\nuntil = 2025-01-01")
    file = tmp_path / "test.toml"
    file.write_text(first.replace("[call_types]", second + "[call_types]"))
    assert len(load(file).teams) == 2


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(ProfileError, match="not valid TOML"):
        load(tmp_path / "latin.toml")


def test_folder_problems_are_told(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"no such folder.*--programs"):
        load_all(tmp_path / "none")
    with pytest.raises(ProfileError, match=r"no program files.*--programs"):
        load_all(tmp_path)
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text(GOOD)
    with pytest.raises(ProfileError, match=r"b\.toml: program: 'test' is in another file.*rename one"):
        load_all(tmp_path)


# --- shifts --------------------------------------------------------------------------------------------------

times = st.times().map(lambda t: t.replace(microsecond=0))
moments = st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2025, 12, 31))  # noqa: DTZ001
days = st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True).map(tuple)


@given(days, times, times, moments)
def test_a_shift_is_on_from_its_start_for_its_length(
    on: tuple[programs.Day, ...], start: time, end: time, moment: datetime
) -> None:
    """Said another way: some day of the shift began it at most one day ago, and its end is not yet reached."""
    inside = False
    for back in (0, 1):
        day = moment.date() - timedelta(days=back)
        begins = datetime.combine(day, start)
        ends = datetime.combine(day if start < end else day + timedelta(days=1), end)
        inside = inside or (DAYS[day.weekday()] in on and begins <= moment < ends)
    assert Shift(days=on, from_=start, until=end).covers(moment) is inside


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2024-05-17T21:59:59", False),  # Friday
        ("2024-05-17T22:00:00", True),
        ("2024-05-18T05:59:59", True),  # Saturday morning is still Friday's night
        ("2024-05-18T06:00:00", False),
        ("2024-05-18T22:30:00", False),
        ("2024-05-17T05:00:00", False),  # Thursday has no shift
    ],
)
def test_a_night_shift_belongs_to_the_day_it_begins(moment: str, inside: bool) -> None:
    night = Shift(days=("fri",), from_=time(22), until=time(6))
    assert night.covers(datetime.fromisoformat(moment)) is inside


def test_until_midnight_is_the_end_of_the_day() -> None:
    evening = Shift(days=("fri",), from_=time(16), until=time(0))
    assert evening.covers(datetime.fromisoformat("2024-05-17T23:59:59.999999"))
    assert not evening.covers(datetime.fromisoformat("2024-05-18T00:00:00"))
    assert not evening.covers(datetime.fromisoformat("2024-05-17T00:00:00"))


# --- keys that came later ------------------------------------------------------------------------------------


def loaded(folder: Path, text: str) -> Profile:
    file = folder / "test.toml"
    file.write_text(text)
    return load(file)


def test_a_file_without_later_keys_keeps_its_digest(tmp_path: Path) -> None:
    """Of the version before they were there: an update of carewatch is no change of the program."""
    profile = loaded(tmp_path, GOOD.replace('codes = ["d1"]\n', ""))
    assert digest({"test": profile}) == "ff97736d89f41521"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('codes = ["d1"]', 'codes = ["d2"]'),
        ("[call_types]", "[units]\nM1 = {}\n\n[call_types]"),
        ("triages = ", 'stale_after = { call = "6h" }\ntriages = '),
        ('lapses = "9d"', 'lapses = "9d", per = "person"'),
        ("received_to_dispatched", "received_to_contact"),
    ],
)
def test_a_later_key_changes_the_digest(tmp_path: Path, old: str, new: str) -> None:
    before, after = loaded(tmp_path, GOOD), loaded(tmp_path, GOOD.replace(old, new, 1))
    assert digest({"test": before}) != digest({"test": after})


def test_what_is_said_as_by_default_is_nothing_new(tmp_path: Path) -> None:
    text = GOOD.replace("triages = ", 'stale_after = { call = "12h", unit = "16h" }\ntriages = ')
    told = loaded(tmp_path, text.replace('lapses = "9d"', 'lapses = "9d", per = "case"'))
    assert digest({"test": told}) == digest({"test": loaded(tmp_path, GOOD)})


def test_units_teams_and_targets_of_a_file(tmp_path: Path) -> None:
    targets = ", ".join(f'{interval} = "{minutes}min"' for minutes, interval in enumerate(programs.ALL_INTERVALS, 1))
    text = GOOD.replace('received_to_dispatched = "5min"', targets)
    units = '[units]\nM1 = { aliases = ["Medic 1"], agency = "care", team = "day" }\n"E 2" = { agency = "fire" }\n\n'
    profile = loaded(tmp_path, text.replace("[call_types]", f"{units}[call_types]"))
    assert profile.units == {"M1": Listed(("Medic 1",), "care", "day"), "E 2": Listed((), "fire", None)}
    assert profile.labels["team"] == {"day": "day", "d1": "day"}
    assert {interval for _, interval in profile.targets} == set(programs.ALL_INTERVALS) > set(programs.INTERVALS)
