"""A worker shows numbers only as long as nobody else can have its programs."""

from agents.lease import Lease


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def held_at(lease: Lease, clock: Clock, *times: float) -> list[bool]:
    found = []
    for clock.now in times:
        found.append(lease.held)
    return found


def test_held_for_the_session_from_when_the_answered_heartbeat_was_sent() -> None:
    clock = Clock()
    lease = Lease(10, clock)
    assert held_at(lease, clock, 104.0) == [False]
    lease.renew(sent=101.0)
    assert held_at(lease, clock, 104.0, 110.9, 111.0) == [True, True, False]


def test_an_answer_that_comes_late_takes_nothing_back() -> None:
    clock = Clock()
    lease = Lease(10, clock)
    lease.renew(sent=100.0)
    lease.renew(sent=95.0)
    assert held_at(lease, clock, 109.9) == [True]
