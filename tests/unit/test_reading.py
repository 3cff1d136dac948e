"""Who reads and who does not, from windows as Linux told them (a board on this machine, messages of 2 kB)."""

from __future__ import annotations

import socket

import pytest

from agents.board.reading import Reading, _Look

#: Bytes confirmed, window. Was: let go only where the window fell by three quarters of what came.
NOBODY_READS = [
    *[(542, 65536), (3121, 96256), (13346, 91136), (23573, 86016), (31757, 81920), (35849, 78848), (41987, 74752)],
    *[(41987, 74752), (48642, 69632), (52734, 67584), (56826, 65536), (60918, 62464)],
]
READS = [
    *[(542, 65536), (3121, 96256), (5166, 97280), (19481, 97280), (21527, 96256), (23573, 95232), (25619, 94208)],
    *[(27665, 93184), (29711, 92160), (31757, 91136), (33803, 91136), (35849, 93184), (48642, 96256), (50688, 97280)],
]
ONE_LARGE_AND_QUIET = [(560, 97280), (2606, 97280), (44000, 55000), (44200, 55000), (44400, 97280), (86000, 55000)]
LOWER = [(560, 97280), *[(n * 5000, 97280 - min(n, 4) * 4096) for n in range(1, 12)]]


@pytest.mark.parametrize(
    ("told", "let_go"),
    [(NOBODY_READS, True), (NOBODY_READS[:5], False), (READS, False), (ONE_LARGE_AND_QUIET, False), (LOWER, False)],
    ids=["nobody reads", "not for long", "reads", "one large message, then quiet", "reads, at a lower level"],
)
def test_a_window_that_falls_and_falls_is_of_one_that_does_not_read(
    monkeypatch: pytest.MonkeyPatch, told: list[tuple[int, int]], let_go: bool
) -> None:
    """One look a second, at a connection that may read nothing for five seconds."""
    with socket.socket() as connection:
        reading = Reading(connection, within=5)
        coming = iter(told)
        monkeypatch.setattr(reading, "_look", lambda now: _Look(now, *next(coming)))
        assert any(reading.stopped(float(second)) for second in range(len(told))) is let_go
