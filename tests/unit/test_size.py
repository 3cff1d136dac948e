"""How many samples a program makes is known from its file, and a program that makes too many is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.collector import Collector
from carewatch import cli
from carewatch.settings import PROGRAMS
from streams import metrics as m
from streams import size, tally
from streams.programs import Coded, Profile, ProfileError, load_all
from tests.unit.strategies import NOON, SMALL
from tests.unit.test_collector import Worker

SHIPPED = load_all(PROGRAMS)


def big(types: int, areas: int, teams: int) -> Profile:
    """The small program with so many entries in its lists."""
    names = tuple(f"a{n}" for n in range(areas))
    return msgspec.structs.replace(
        SMALL,
        call_types={f"k{n}": Coded(label=f"K{n}") for n in range(types)},
        areas={name: Coded(label=name) for name in names},
        teams=tuple(msgspec.structs.replace(SMALL.teams[0], code=f"t{n}", areas=names) for n in range(teams)),
    )


def page_of(profiles: dict[str, Profile]) -> list[str]:
    """The samples of a real page of these programs."""
    worker: Any = Worker(profiles)
    page = b"".join(asyncio.run(Collector(worker, "1").page(NOON, openmetrics=False))).decode()
    return [line for line in page.splitlines() if not line.startswith("#") and 'program="' in line]


@pytest.mark.parametrize(
    "profiles", [SHIPPED, {"small": SMALL}, {"small": big(20, 6, 3)}], ids=["shipped", "small", "big"]
)
def test_the_count_is_that_of_the_page(profiles: dict[str, Profile]) -> None:
    lines = page_of(profiles)
    bounds = tally.edges(profiles.values())
    for program, profile in profiles.items():
        counted = size.samples(profile, bounds)
        shown = sum(f'program="{program}"' in line for line in lines)
        come_and_go = counted[m.OLDEST_WAITING] + counted[m.NEXT_LAPSE]  # nothing waits on this page
        assert shown == counted.total() - come_and_go
        closed = sum(line.startswith(m.CLOSED.name) and f'program="{program}"' in line for line in lines)
        assert counted[m.CLOSED] == closed


def test_the_shipped_programs_are_small() -> None:
    assert size.check(SHIPPED, "programs") == []


def test_many_samples_are_a_warning() -> None:
    (line,) = size.check({"small": big(60, 10, 3)}, "programs")
    assert line.startswith("programs: program 'small' makes ")
    assert "above 20,000" in line
    assert "care_calls_closed_total alone has " in line
    assert "of 3 teams x 10 areas x 60 call types: have fewer call types in [call_types]" in line


def test_too_many_samples_are_refused_before_anything_is_made() -> None:
    with pytest.raises(ProfileError) as raised:
        size.check({"small": big(600, 77, 12)}, "programs")
    line = str(raised.value)
    assert "makes more than 1,000,000 samples on /metrics, and 200,000 are the most" in line
    assert "12 teams x 77 areas x 600 call types: have fewer call types in [call_types]" in line


def test_a_list_that_multiplies_nothing_is_named_too() -> None:
    services = {f"s{n}": Coded(label=f"S{n}") for n in range(12_000)}
    (line,) = size.check({"small": msgspec.structs.replace(SMALL, services=services)}, "programs")
    assert "care_referrals_total alone has 12,001, of 12000 services: have fewer services in [services]" in line


FILE = """\
program = "small"
name = "Small"
timezone = "America/Chicago"
triages = true

[areas]
north = {{ label = "North" }}

[[teams]]
code = "day"
label = "Day"
areas = ["north"]
hours = [{{ days = ["mon"], from = 08:00:00, until = 16:00:00 }}]

[outcomes]
services = {{ label = "Services" }}

[call_types]
{types}
"""


@pytest.mark.parametrize("command", ["worker", "verify", "demo"])
def test_commands_refuse_such_a_file(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    types = "\n".join(f'k{n} = {{ label = "K{n}" }}' for n in range(9000))
    (tmp_path / "small.toml").write_text(FILE.format(types=types))
    assert cli.main([command, "--programs", str(tmp_path)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "simulated" not in line]
    assert "program 'small' makes" in line
    assert "have fewer call types" in line
