"""How many examples a property is tried with.

`CAREWATCH_TEST_EXAMPLES=0.1` tries a tenth: for tiers that run the same tests many times over.
"""

from __future__ import annotations

import os

_SHARE = float(os.environ.get("CAREWATCH_TEST_EXAMPLES", "1"))


def examples(most: int) -> int:
    """So many, or the share of them that was asked for."""
    return max(2, round(most * _SHARE))
