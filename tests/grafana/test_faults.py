"""Each fault that was seen in a real Grafana is found again when its cure is taken out."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.grafana.filling import Json
from tests.grafana.looked import BOARDS, Seen, faults, look
from tests.grafana.scenes import Stage

pytestmark = [pytest.mark.grafana, pytest.mark.slow, pytest.mark.full]


class Taken(NamedTuple):
    """A cure that is taken out of a panel, and what is then seen in a scene."""

    name: str
    scene: str
    board: str
    title: str
    take: Callable[[Json], None]
    seen: str


def without(*steps: str) -> Callable[[Json], None]:
    """The panel without some transformations."""

    def take(panel: Json) -> None:
        panel["transformations"] = [step for step in panel["transformations"] if step["id"] not in steps]

    return take


def asked(pattern: str, instead: str) -> Callable[[Json], None]:
    """The panel that asks for something else."""

    def take(panel: Json) -> None:
        for target in panel["targets"]:
            target["expr"], times = re.subn(pattern, instead, target["expr"])
            assert times

    return take


def without_names(panel: Json) -> None:
    options = step(panel, "organize")
    options["renameByName"]["area"] = options["renameByName"].pop("area_name")
    options["excludeByName"] = {**options["excludeByName"], "area_name": True, "area": False}


def without_widths(panel: Json) -> None:
    for override in panel["fieldConfig"]["overrides"]:
        override["properties"] = [one for one in override["properties"] if not one["id"].startswith("custom.")]


def said_by_grafana(panel: Json) -> None:
    """The sentence in the place of no value, whyever there is none."""
    panel["fieldConfig"]["defaults"]["noValue"] = "none was collected"


def unsorted(panel: Json) -> None:
    step(panel, "sortBy")["sort"][0]["desc"] = True


def rounded(panel: Json) -> None:
    """A decimal, of numbers that are smaller: a quiet night."""
    asked("^", "0.2 * ")(panel)
    panel["fieldConfig"]["defaults"]["decimals"] = 1


def in_seconds(panel: Json) -> None:
    asked(r" / 60$", "")(panel)
    panel["fieldConfig"]["defaults"]["unit"] = "s"


def with_a_long_title(panel: Json) -> None:
    panel["title"] = "Longest wait since received (red: 10 min or more)"


def as_tiles(panel: Json) -> None:
    """Big numbers instead of bars: as many as there are teams."""
    panel["type"] = "stat"
    options = {"orientation": "auto", "textMode": "value_and_name", "colorMode": "background_solid"}
    panel["options"] = {**options, "reduceOptions": panel["options"]["reduceOptions"]}


def without_a_reason(panel: Json) -> None:
    del panel["fieldConfig"]["defaults"]["noValue"]


def not_renamed(panel: Json) -> None:
    step(panel, "organize")["renameByName"].pop("Value #A")


def step(panel: Json, kind: str) -> Json:
    (found,) = (one["options"] for one in panel["transformations"] if one["id"] == kind)
    assert isinstance(found, dict)
    return found


TAKEN = [
    Taken("merge", "week", "care-live", "Units by status and team", without("merge"), "tables, of which one is shown"),
    Taken(
        "merge", "week", "care-outcomes", "Calls closed by area and outcome", without("merge"), "of which one is shown"
    ),
    Taken("sentence", "nothing", "care-outcomes", "Needles collected by area", said_by_grafana, "may be unknown"),
    Taken("widths", "week", "care-live", "Units by status and team", without_widths, "columns are out of sight"),
    Taken("widths", "week", "care-outcomes", "Calls closed by area and outcome", without_widths, "is cut"),
    Taken("title", "week", "care-live", "Wait", with_a_long_title, "the title is cut"),
    Taken("names", "week", "care-outcomes", "Calls closed by area and outcome", without_names, "codes: area_2_mit"),
    Taken("names", "week", "care-staffing", "Staffing now", not_renamed, "a column is called Value #A"),
    Taken("order", "week", "care-live", "Units available", unsorted, "not in the order of names"),
    Taken("sizes", "many", "care-live", "Units available", as_tiles, "too small to be read"),
    Taken("ticks", "week", "care-pipeline", "Events applied a second", rounded, "more than once at an axis"),
    Taken("axis", "week", "care-times", "90th percentile over the last 7 days", in_seconds, "odd steps of an axis"),
    Taken(
        "reason", "nothing", "care-times", "90th percentile over the last 7 days", without_a_reason, "says 'No data'"
    ),
]


@pytest.fixture(scope="module")
def missed(stage: Stage) -> Callable[[Taken], list[str]]:
    """The faults that are found without a cure; those of a scene are drawn together."""
    found: dict[str, list[Seen]] = {}

    def at(taken: Taken) -> list[str]:
        if taken.scene not in found:
            shown = {f"{place}": without_cure(one) for place, one in enumerate(TAKEN) if one.scene == taken.scene}
            found[taken.scene] = look(stage.scene(taken.scene), [1280], shown)
        return [fault for seen in found[taken.scene] if seen.board == f"{TAKEN.index(taken)}" for fault in faults(seen)]

    return at


def without_cure(taken: Taken) -> Json:
    """A dashboard of this panel alone."""
    board = copy.deepcopy(BOARDS[taken.board])
    (panel,) = board["panels"] = [one for one in board["panels"] if one["title"].partition(" (red")[0] == taken.title]
    taken.take(panel)
    return board


@pytest.mark.parametrize("taken", TAKEN, ids=lambda taken: f"{taken.name}-{taken.board}")
def test_a_cure_that_is_taken_out_is_missed(missed: Callable[[Taken], list[str]], taken: Taken) -> None:
    found = missed(taken)
    assert any(taken.seen in fault for fault in found), found


@pytest.mark.parametrize("name", ["start", "gap-start"])
def test_a_count_that_takes_all_of_history_is_missed(stage: Stage, name: str) -> None:
    """Where a range begins without a sample, the way out was all that was ever counted."""
    scene = stage.scene(name)
    board = copy.deepcopy(BOARDS["care-outcomes"])
    (panel,) = board["panels"] = [one for one in board["panels"] if one["title"] == "Calls closed"]
    (right,) = look(scene, [1280], {"care-outcomes": board})
    asked(r"min by \(([\w, ]+)\) \(min_over_time\((.+?)\[[^]]+\]\)\)", r"max by (\1) (\2) * 0")(panel)
    (wrong,) = look(scene, [1280], {"care-outcomes": board})
    most = {
        program: sum(n for (p, _), n in scene.truth.closed(0, scene.now).items() if p == program)
        for program in right.bars
    }
    assert {name: int(text.replace(",", "")) for name, text in wrong.bars.items()} == most
    assert all(int(text) < most[name] for name, text in right.bars.items())


def test_a_sentence_that_is_said_of_nobody_knows_what_is_missed(stage: Stage) -> None:
    """`or` in the place of what has to be known first."""
    board = copy.deepcopy(BOARDS["care-live"])
    (panel,) = board["panels"] = [one for one in board["panels"] if one["title"].startswith("Wait (")]
    asked(r"-1 \* \(group \(.*?\)\)\)", "-1 * vector(1)")(panel)
    (seen,) = look(stage.scene("down"), [1280], {"care-live": board})
    assert "no call waits" in seen.bars.values()
