"""What happens to the records of a message (one, or a batch): decode each, send it on if it is on the wrong partition,
apply it, see that what changed gets stored.

A message is acknowledged when everything that came of it is durable at the broker: changelog records, dead letters,
copies on the right partition. A crash before that reads it again, and the state knows its ids.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import structlog
from aiokafka.errors import MessageSizeTooLargeError

from agents.changelog import Applied, Changelog
from agents.fence import APPENDED
from agents.order import Order
from agents.owner import Owner, Stored
from agents.pipeline import Pipeline
from streams import door, events
from streams.clock import Micros, wall
from streams.events import Topic
from streams.limits import LIMITS, Kind
from streams.shown import shown
from streams.state import ProgramState

log = structlog.get_logger()

#: Header of a record that was sent on from another partition than its program's.
MOVED = "carewatch-moved-from"
#: How many different unknown codes are logged.
MOST_TOLD = 1000

Headers = Sequence[tuple[str, bytes]]

#: An event that may be applied: it, its `at`, the *now* of its record, and the record.
_Entered = tuple[events.AnyEvent, Micros, Micros, Any]

_NOT_APPLIED = door.Rejected("invalid_field", "could not be applied; see the log")
_FULL = door.Rejected("record_full", "its call or case holds as much as it may; the sender repeats itself")


class Record(NamedTuple):
    """A record of an input topic; timestamp in milliseconds. Those of a batch have no topic and no partition.

    `timestamp_type`: 1 where the broker set it, when it wrote the record; 0 where its producer did.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_type: int | None = 1


class Sender(Protocol):
    """Sends records. The awaitable is done when the broker has it."""

    def send(
        self, topic: str, partition: int | None, key: bytes | None, value: bytes | None, headers: Headers
    ) -> Awaitable[Any]:
        """Send a record to a topic; without a partition the partitioner chooses."""


class Intake:
    """The way of every record into the states."""

    def __init__(
        self,
        owner: Owner,
        pipeline: Pipeline,
        order: Order,
        changelog: Changelog,
        sender: Sender,
        stored: Callable[[int], Stored],
        is_current: Callable[[Any], bool],
        *,
        inputs: dict[str, Topic],
        deadletter: str,
    ) -> None:
        """An intake for the programs of an owner.

        `stored` gives the records that the table holds of a partition, `is_current` says whether a message was read
        since the programs were shared out last.
        """
        self._owner = owner
        self._pipeline = pipeline
        self._order = order
        self._changelog = changelog
        self._sender = sender
        self._stored = stored
        self._is_current = is_current
        self._poison: set[tuple[str, int, int]] = set()
        self._inputs = inputs
        self._deadletter = deadletter
        self._told: set[tuple[str, str, str]] = set()

    async def take(self, event: Any) -> None:
        """Take one Faust event; it is acknowledged later, when all that came of it is durable."""
        message = event.message
        topic, partition = self._inputs[message.topic], message.partition
        await self._changelog.room(partition)
        await self._order.earlier_first(topic, partition, message.offset)
        if not self._owner.ready or not self._is_current(message):
            return  # shared out anew: whoever owns it now reads it again
        others = self._handle(topic, message)
        self._order.handled(topic, partition, message.offset)

        def durable() -> None:
            event.ack()
            self._order.done(topic, partition, message.offset)

        self._changelog.add(partition, Applied(message, durable, others))

    def _handle(self, topic: Topic, message: Any) -> list[Awaitable[Any]]:
        """Apply the records of a message in one go; what was sent because of them."""
        clock = wall()
        others: list[Awaitable[Any]] = []
        applied: dict[str, list[type[events.Event]]] = {}
        delays: list[Micros] = []
        # program by program: what one state needs stays in the processor's cache meanwhile
        for program, entered in self._enter(topic, message, clock, others).items():
            state = self._owner.state(program)
            if state is None:
                self._owner.passed_over.add(
                    program
                )  # its state is damaged; `carewatch state rebuild` reads these again
                continue
            kinds = applied[program] = []
            early = dict(state.early)
            for event, at, now, record in entered:
                try:
                    effect, unmapped = state.apply(event, now, at)
                except Exception:
                    # a bug of ours must not stop the feed, nor leave a half-applied event behind
                    place = {"topic": topic, "partition": message.partition, "offset": record.offset}
                    log.exception("could not be applied", **place)
                    self._poison.add(_place(message, record))
                    state = self._rebuild(program, message, record)
                    others.append(self._reject(message, record, _NOT_APPLIED))
                    continue
                if effect != "applied":
                    if effect == "duplicate":
                        self._pipeline.duplicate[topic] += 1
                        continue
                    if effect == "archived":
                        self._pipeline.archived[topic] += 1
                        continue
                    if effect == "full":
                        others.append(self._reject(message, record, _FULL))
                        continue
                    self._pipeline.late[topic] += 1
                kinds.append(type(event))
                delays.append(clock - at if clock > at else 0)
                if unmapped:
                    self._tell(program, unmapped)
            if state.early != early:
                self._tell_early(program, state, early)
        self._pipeline.observe(topic, applied, delays)
        return others

    def _enter(
        self, topic: Topic, message: Any, clock: Micros, others: list[Awaitable[Any]]
    ) -> dict[str, list[_Entered]]:
        """The events of a message that are ours to apply, by program; the others are sent where they belong."""
        now = clock
        stamp: int | None = None  # the broker gives all records of a batch the same one
        profiles, homes = self._owner.profiles, self._owner.homes
        partition, enter = message.partition, door.enter
        entered: defaultdict[str, list[_Entered]] = defaultdict(list)
        for record in records_of(message):
            timestamp = record.timestamp
            if timestamp != stamp:
                stamp = timestamp
                now = arrival(record, clock)
            found = enter(topic, record.key, record.value, profiles, now)
            if isinstance(found, door.Rejected):
                others.append(self._reject(message, record, found))
                continue
            event, at = found
            program = event.program
            if homes[program] != partition:
                others.append(self._send_home(message, record, program))
                continue
            if record.headers and any(name == MOVED for name, _ in record.headers):
                self._pipeline.conflicts[program] += 1
            entered[program].append((event, at, now, record))
        return entered

    def _send_home(self, message: Any, record: Any, program: str) -> Awaitable[Any]:
        """Send a record on to its program's own partition."""
        moved = [*record.headers, (MOVED, str(message.partition).encode())]
        return self._sender.send(message.topic, self._owner.homes[program], record.key, record.value, moved)

    def _rebuild(self, program: str, message: Any, poison: Any) -> ProgramState:
        """Set a program back to its stored records and apply again what came after them, without the poisonous ones."""
        self._owner.rebuild(program, self._stored(message.partition))
        state = self._owner.state(program)
        assert state is not None
        for each in (*self._changelog.unwritten(message.partition), message):
            for record in records_of(each):
                if _place(each, record) == _place(message, poison):
                    return state
                if _place(each, record) in self._poison:
                    continue
                now = arrival(record, wall())
                event = door.decode(self._inputs[each.topic], record.key, record.value, [program], now)
                if not isinstance(event, door.Rejected):
                    state.apply(event, now)
        return state

    def _tell_early(self, program: str, state: ProgramState, before: Mapping[Kind, int]) -> None:
        for kind, count in state.early.items():
            if count > before[kind]:
                limit = LIMITS[kind].most
                log.warning(
                    "too many at once, the stalest are archived",
                    program=program,
                    kind=kind,
                    limit=limit,
                    archived=count - before[kind],
                )

    def _tell(self, program: str, codes: Iterable[tuple[str, str]]) -> None:
        """Log unknown codes, each once a process: a feed may send it with every call."""
        for field, code in codes:
            if len(self._told) < MOST_TOLD and (program, field, code) not in self._told:
                self._told.add((program, field, code))
                log.warning("unknown code, counted as other", program=program, field=field, code=shown(code))

    def _reject(self, message: Any, record: Any, rejected: door.Rejected) -> Awaitable[Any]:
        self._pipeline.rejected[self._inputs[message.topic], rejected.reason] += 1
        place = {"topic": message.topic, "partition": message.partition, "offset": record.offset}
        log.warning("record rejected", reason=rejected.reason, detail=rejected.detail, **place)
        fields = {"reason": rejected.reason, "detail": rejected.detail, **place}
        headers = [(name, str(value).encode()) for name, value in fields.items()]
        return asyncio.ensure_future(self._bury(message, record, headers))

    async def _bury(self, message: Any, record: Any, headers: Headers) -> None:
        try:
            await self._sender.send(self._deadletter, None, record.key, record.value, headers)
        except MessageSizeTooLargeError:
            # compressed, it was small enough for its own topic; say what it was rather than stop at it for ever
            size = str(len(record.value)).encode()
            log.error("a rejected record is too large to be kept", topic=message.topic, offset=record.offset, size=size)
            await self._sender.send(self._deadletter, None, record.key, None, [*headers, ("size", size)])


def records_of(message: Any) -> Sequence[Any]:
    """The records of a Faust message: a batch's, or the one that it is (its timestamp is in seconds)."""
    if isinstance(message.value, list):
        return message.value
    timestamp = None if message.timestamp is None else int(message.timestamp * 1000)
    headers, kind = tuple(message.headers or ()), message.timestamp_type
    return (
        Record(message.topic, message.partition, message.offset, timestamp, message.key, message.value, headers, kind),
    )


def _place(message: Any, record: Any) -> tuple[str, int, int]:
    return message.topic, message.partition, record.offset


def arrival(record: Any, clock: Micros) -> Micros:
    """*Now* for a record: when it reached the broker. The clock where the broker does not say, and at the most where a
    producer said it.

    Not the clock alone: a record must mean the same when it is read again after a crash, or by `carewatch verify`. And our
    clock may be wrong, where the broker's is what all workers have in common.
    """
    timestamp: int | None = record.timestamp
    if timestamp is None or timestamp <= 0:
        return clock
    return timestamp * 1000 if record.timestamp_type == APPENDED else min(timestamp * 1000, clock)
