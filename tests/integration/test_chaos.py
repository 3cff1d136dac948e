"""The short form of `make chaos`, which see: five faults, with a kill -9, a worker that freezes, a broker that crashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import SHORT
from tests.chaos.plan import KINDS, plan
from tests.chaos.run import run

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.mark.full
@pytest.mark.alone  # a rebalance that takes too long is a fault that is not in the plan
@pytest.mark.usefixtures("native_kafka")
def test_every_number_is_right_after_some_chaos(tmp_path: Path) -> None:
    run(1, SHORT, tmp_path, print)


def test_the_short_form_has_the_worst() -> None:
    assert {fault.kind for fault in plan(1, SHORT)} >= {"kill", "freeze", "broker crash"}


def test_a_long_run_has_all_kinds_and_a_seed_gives_one_plan() -> None:
    assert {fault.kind for fault in plan(1, 20)} == set(KINDS)
    assert plan(1, 20) == plan(1, 20) != plan(2, 20)
