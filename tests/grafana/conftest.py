"""What the tests of drawn dashboards share: the scenes, and what is seen in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.grafana import draw
from tests.grafana.looked import BOARDS, WINDOWS, Seen, look
from tests.grafana.scenes import Stage
from tests.integration.harness import require_prometheus
from tests.node import UnavailableError, give_up, installed

COUNTED = ("care-staffing", "care-outcomes", "care-times")
Look = Callable[[str], list[Seen]]


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    try:
        installed(draw.HERE, draw.SCRIPT)
    except UnavailableError as reason:
        give_up(str(reason))
    with Stage(tmp_path_factory.mktemp("scenes"), require_prometheus()) as stage:
        yield stage


@pytest.fixture(scope="session")
def looked(stage: Stage) -> Look:
    """What is seen in the scene of a name; looked at once."""
    found: dict[str, list[Seen]] = {}

    def at(name: str) -> list[Seen]:
        if name not in found:
            gap = name.startswith("gap-")  # the same as the week, but for what is counted
            shown = {uid: BOARDS[uid] for uid in COUNTED} if gap else BOARDS
            windows = WINDOWS if name in ("week", "many") else WINDOWS[:1]  # what fits there fits elsewhere
            found[name] = look(stage.scene(name), windows, shown)
        return found[name]

    return at
