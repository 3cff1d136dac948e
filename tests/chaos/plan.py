"""Which faults, in which order, how long: all from the seed."""

from __future__ import annotations

import random
from typing import Literal, NamedTuple, get_args

Kind = Literal[
    "kill",  # kill -9 of a worker
    "freeze",  # SIGSTOP beyond the session timeout: its programs go to others; then it wakes
    "broker crash",  # kill -9 of the broker, and its start
    "poison",  # records that must be rejected
    "disorder",  # records held back and sent in another order
    "duplicates",  # records sent again, some of them to the wrong partition
    "join",  # one more worker
    "leave",  # SIGTERM of a worker
    "broker stop",  # an orderly stop of the broker, and its start
    "suspend",  # SIGSTOP of all workers beyond the session timeout, as of the machine that they are on
    "nap",  # SIGSTOP for less than the session timeout
]
#: A short run has the first of these.
KINDS: tuple[Kind, ...] = get_args(Kind)
#: How long a fault of this kind lasts, in seconds; beyond the session timeout (3 s) for a freeze.
SECONDS: dict[Kind, tuple[float, float]] = {
    "freeze": (4.5, 8.0),
    "suspend": (4.5, 8.0),
    "nap": (0.5, 2.0),
    "broker crash": (0.0, 5.0),
    "broker stop": (0.0, 5.0),
}


class Fault(NamedTuple):
    """One fault. `which` (0 to 1) chooses among the workers that are there then."""

    kind: Kind
    which: float
    seconds: float
    pause: float  # seconds after it: at times too few for calm


def plan(seed: int, count: int) -> list[Fault]:
    """So many faults: each kind once, as far as they go, then any of them; in any order."""
    rng = random.Random(seed)
    kinds = [*KINDS[:count], *rng.choices(KINDS, k=max(0, count - len(KINDS)))]
    rng.shuffle(kinds)
    return [
        Fault(
            kind, rng.random(), round(rng.uniform(*SECONDS.get(kind, (0.0, 0.0))), 1), round(rng.uniform(0.5, 6.0), 1)
        )
        for kind in kinds
    ]
