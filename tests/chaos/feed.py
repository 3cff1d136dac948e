"""Events that flow all the while, and the disorder that is put into them."""

from __future__ import annotations

import itertools
import queue
import random
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from agents.owner import home
from feeds.wire import topic_of
from streams import door
from streams.clock import wall
from streams.events import Event, Heartbeat
from tests.fuzz.hostile import Hostile, Record
from tests.integration.harness import PROFILES, Site, split

#: Events of one round, and seconds between rounds.
ROUND, EVERY = 30, 0.15


class Feed:
    """Sends events from a thread of its own, in rounds: statuses are at the broker before calls, and calls before cases.

    A status that arrives after the end of the call that asks for it is the one disorder that no fold can follow (see
    docs/decisions/0003-statuses-first.md). A context manager: leaving it stops the feed.
    """

    def __init__(self, site: Site, events: Sequence[Event], seed: int) -> None:
        """A feed of these events; when they are through, they come again, as duplicates."""
        self.sent: list[Event] = []
        self.poison: list[Record] = []
        self._site = site
        self._events = itertools.cycle(events)
        self._rng = random.Random(seed)
        self._hostile = Hostile(random.Random(seed), events)
        self._held: list[Event] = []
        self._hold = 0
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._done = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(timeout=100)

    def stop(self) -> None:
        """Stop; returns when the broker has everything."""
        self._done.set()
        self._thread.join()
        self.check()
        self._release()
        self._site.flush()

    def check(self) -> None:
        """Raises what went wrong in the thread."""
        if self._error is not None:
            raise self._error

    # --- disorder: each of these takes place between two rounds

    def disorder(self) -> None:
        """Hold back the next calls and cases, and send them later, in another order."""
        self._orders.put(lambda: setattr(self, "_hold", self._hold + 200))

    def duplicates(self) -> None:
        """Send some of the last events again; some of these to a partition that is not their program's."""
        self._orders.put(self._send_again)

    def poison_them(self) -> None:
        """Send records that must be rejected."""
        self._orders.put(self._send_poison)

    def _send_again(self) -> None:
        recent = self.sent[-2000:]
        for event in self._rng.sample(recent, min(300, len(recent))):
            stray = self._rng.random() < 0.2 and not isinstance(event, Heartbeat)
            partition = (home(event.program, self._site.partitions) + 1) % self._site.partitions if stray else None
            self._site.post_event(event, partition)

    def _send_poison(self) -> None:
        count = 0
        while count < 50:
            record = self._hostile.record(wall())
            if record.key is None and record.value is None:
                continue  # the client does not send such a record
            # a record that is too late or too early by now may not be so for the worker
            judged = door.decode(record.topic, record.key, record.value, PROFILES, wall())
            if isinstance(judged, door.Rejected) and judged.reason != "future":
                self._site.post(record.topic, record.value, record.key)
                self.poison.append(record)
                count += 1

    # --- the thread

    def _run(self) -> None:
        try:
            while not self._done.wait(EVERY):
                while not self._orders.empty():
                    self._orders.get()()
                self._round(list(itertools.islice(self._events, ROUND)))
        except BaseException as error:  # noqa: BLE001  # raised again where it is looked for
            self._error = error

    def _round(self, events: list[Event]) -> None:
        statuses, others = split(events)
        if self._hold > 0:
            self._hold -= len(others)
            self._held += others
            others = []
        elif self._held:
            self._release()
        self._send([*statuses, *others])

    def _release(self) -> None:
        held, self._held = self._held, []
        self._rng.shuffle(held)
        self._send(held)

    def _send(self, events: Sequence[Event]) -> None:
        self._site.send(events)
        self.sent += events

    def describe(self) -> str:
        """What was sent, in words."""
        topics = sorted({topic_of(event) for event in self.sent})
        return f"{len(self.sent)} events on {', '.join(topics)}, {len(self.poison)} bad records"
