"""A second implementation of the contract's section 3, written from the contract and docs/meaning.md alone.

It is slow and plain: lists, loops and datetimes, and everything is made anew for each question. It shares no code with
the product, so that the two can be held against each other.
"""

from __future__ import annotations

from tests.second.fold import call, case, numbers, unit
from tests.second.names import LABELS

__all__ = ["LABELS", "call", "case", "numbers", "unit"]
