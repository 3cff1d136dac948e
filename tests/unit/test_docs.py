"""Every block of commands in the documents says what it needs, so that none is left out of the tests unseen."""

from __future__ import annotations

import pytest

from tests.docs import APART, RUN, Block, blocks, fences

BLOCKS = list(blocks())


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_a_block_of_commands_says_what_it_needs(block: Block) -> None:
    known = sorted({*RUN, *APART})
    assert block.needs in known, f"{block.name}: put <!-- runs: X --> before it, X one of {known} (tests/docs.py)"


def test_no_block_is_overlooked_and_no_kind_is_idle() -> None:
    assert len(BLOCKS) == fences()
    assert {block.needs for block in BLOCKS} == {*RUN, *APART}
