"""How far a partition's state goes in the inputs. It is stored with the state: the last record of each group of changes.

The group's committed offsets say the same, but they are elsewhere, and accidents part the two: a changelog that was
deleted, offsets that were moved by hand. So they are held against each other whenever a partition is taken over.
See docs/decisions/0018-place.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from streams.clock import Micros
from streams.events import TOPICS, Topic

#: Key of the record: one without a program, as that of a claim (fence.MARK).
KEY = b"inputs"


class Lost(msgspec.Struct, frozen=True):
    """Records of an input that were gone before they were read: how many, and when that was last noticed."""

    records: int
    at: Micros


class Place(msgspec.Struct, frozen=True):
    """Everything below these offsets is in the state, but for what is lost. An input of which nothing was read is not there."""

    offsets: dict[Topic, int] = {}
    lost: dict[Topic, Lost] = {}
    ids: dict[Topic, str] = {}  # of the topics that the offsets are of, where the broker tells them
    #: Below these whatever else came of the records was durable by then too, such as dead letters.
    done: dict[Topic, int] = {}


class Log(NamedTuple):
    """What there is of a partition of an input: the offset of its first record, and of the next to come.

    `id`: of its topic, which is another one when it was deleted and made again; "": not known.
    """

    start: int
    end: int
    id: str = ""


class Begin(NamedTuple):
    """Where to read on, how many records before that are gone for good, and what is to be said of it; "": nothing."""

    offset: int
    lost: int = 0
    why: str = ""


MADE_ANEW = "the input was deleted and made anew; what was in it and not yet read is lost"


def begin(place: Place | None, topic: Topic, committed: int | None, log: Log) -> Begin:
    """Where to read an input on.

    Args:
        place: Of the state; None: there is no state, not even an empty one.
        topic: The input.
        committed: The group's offset; None: nothing was read yet, or its offsets were deleted.
        log: What there is to be read.
    """
    if place and log.id and place.ids.get(topic, log.id) != log.id:
        return Begin(log.start, 0, MADE_ANEW)
    reached = place.offsets.get(topic, 0) if place else 0
    lost = max(0, log.start - reached) if place or committed is not None else 0  # what the state has is not lost
    gone = "records were removed before they were read" if lost else ""
    done = place.done.get(topic, 0) if place else 0
    committed = (
        max(committed or 0, done) or None
    )  # what is done is not read again: events of archived calls would count twice
    if committed is None:
        return Begin(log.start, lost, gone)
    if place is None:
        return Begin(log.start, lost, "there is no state, though its input was read before")
    wanted, why = committed, gone
    if reached < committed:  # to be read again does no harm, not to be read does
        wanted, why = reached, "the group's offset is ahead of the state: it was moved, or a part of the state is gone"
    if wanted > log.end:
        return Begin(log.start, 0, MADE_ANEW)
    return Begin(max(wanted, log.start), lost, why)


class Places:
    """The places of the partitions that this worker owns."""

    def __init__(
        self,
        handled: Callable[[Topic, int], int | None],
        durable: Callable[[Topic, int], int | None],
        id_of: Callable[[Topic], str],
    ) -> None:
        """By topic and partition the next offset to apply, and the next of which all is durable; None where there is none.

        `id_of`: the id of an input; "": not known.
        """
        self._handled = handled
        self._durable = durable
        self._id_of = id_of
        self._lost: dict[tuple[Topic, int], Lost] = {}
        self.partitions: frozenset[int] = frozenset()

    def take(self, places: Mapping[int, Place | None]) -> None:
        """These partitions are ours, with the places that the changelog has, and no others."""
        self.partitions = frozenset(places)
        self._lost = {
            (topic, partition): lost
            for partition, place in places.items()
            for topic, lost in (place.lost if place else {}).items()
        }

    def lose(self, topic: Topic, partition: int, records: int, now: Micros) -> None:
        """So many records of an input are gone unread."""
        before = self._lost.get((topic, partition))
        self._lost[topic, partition] = Lost(records + (before.records if before else 0), now)

    def lost(self, topic: Topic, partition: int) -> Lost | None:
        """What was lost of an input; None: nothing."""
        return self._lost.get((topic, partition))

    def now(self, partition: int) -> Place:
        """The place of what is applied now."""
        offsets = {topic: at for topic in TOPICS if (at := self._handled(topic, partition)) is not None}
        lost = {topic: lost for topic in TOPICS if (lost := self._lost.get((topic, partition)))}
        done = {topic: at for topic in offsets if (at := self._durable(topic, partition))}
        return Place(offsets, lost, {topic: id for topic in offsets if (id := self._id_of(topic))}, done)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Place).decode


def pack(place: Place) -> bytes:
    """Its record: JSON, for whoever has to look at a changelog."""
    return _encode(place)


def unpack(packed: bytes) -> Place:
    """The place of a record. Raises msgspec.DecodeError."""
    return _decode(packed)
