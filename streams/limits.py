"""How many records that never end a program may have: a feed that opens and never closes must not fill a machine.

Beyond a limit the stalest are archived: their counts stay, they leave the gauges, and what comes about them later changes
nothing and is counted. The choice depends on one topic alone, so that a worker, its successor and `verify` make the same.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Kind = Literal["open_calls", "endless_cases", "units"]


class Limit(NamedTuple):
    """How many there may be, and how many go at once when one more comes."""

    most: int
    at_once: int


#: New York's 911 has some 25,000 calls a day of all kinds: two of its days, none of them closed. 90 MB.
OPEN_CALLS: Final = Limit(50_000, 1_000)
#: Case management without an end; the largest programs have some thousands of clients. 60 MB.
ENDLESS_CASES: Final = Limit(50_000, 1_000)
#: All police, fire and ambulance units of the largest city, should they come on the status feed. 31 MB.
UNITS: Final = Limit(10_000, 200)

LIMITS: Final[dict[Kind, Limit]] = {"open_calls": OPEN_CALLS, "endless_cases": ENDLESS_CASES, "units": UNITS}
#: Ids of archived records in one record of the changelog: 32 KiB.
CHUNK: Final = 4096
