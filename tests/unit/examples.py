"""How many examples a property is tried with.

`CAREWATCH_TEST_EXAMPLES=0.1` tries a tenth: for tiers that run the same tests many times over. Up to 1 they are the same
examples each time, so that a test says the same to everybody. Above, as with 20, they are others each time: a search.
"""

from __future__ import annotations

import os

SHARE = float(os.environ.get("CAREWATCH_TEST_EXAMPLES", "1"))


def examples(most: int) -> int:
    """So many, or the share of them that was asked for."""
    return max(2, round(most * SHARE))
