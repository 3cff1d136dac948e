"""Numbers by key that go when they are zero, so that what is shown is what there is."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")


def count(counts: dict[K, int], key: K, by: int) -> None:
    """Add to the number of a key."""
    found = counts.get(key, 0) + by
    if found:
        counts[key] = found
    else:
        del counts[key]
