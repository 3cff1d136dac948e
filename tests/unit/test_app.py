"""What a worker says of itself."""

from agents.app import Worker
from agents.settings import Settings
from carewatch.settings import PROGRAMS
from streams.programs import load_all


def test_nothing_is_up_to_date_without_the_lease() -> None:
    """Was: a worker that woke after it lost its programs said notices of what its successor had seen completed."""
    worker = Worker(Settings(programs=PROGRAMS), load_all(PROGRAMS))
    worker.order.caught_up = lambda topic, partition: True  # type: ignore[method-assign]  # no consumer here
    worker.owner.take({number: {} for number in range(8)})
    assert not worker.up_to_date("chicago")
    worker.app.lease.renew(float("inf"))
    assert worker.up_to_date("chicago")
