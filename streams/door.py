"""The door: bytes to a typed event, or to the reason why not. Whatever an event type does not list stays outside."""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVar, get_args

import msgspec

from streams import events, events_next
from streams.clock import Micros, micros

Reason = Literal[
    "not_json",
    "not_an_object",
    "missing_field",
    "invalid_field",
    "unknown_type",
    "unknown_program",
    "wrong_key",
    "future",
    "too_large",
    "record_full",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
MAX_BYTES = 64 * 1024
#: `at` may be this much ahead of the clock: dispatch systems and brokers rarely agree to the second.
MAX_AHEAD: Micros = 10 * 60 * 1_000_000
#: Older times are a broken clock (1970 is the usual one), and calendars with local time need room below.
OLDEST: Micros = 86_400 * 1_000_000
#: Other times of an event may be far ahead of the clock, but their calendar ends with the year 9999: as much room above.
LATEST: Micros = 253_370_764_800 * 1_000_000


class Rejected(NamedTuple):
    """A record that is no event. `detail` is a plain line without any value of the record (it may be personal)."""

    reason: Reason
    detail: str


_decode: dict[events.Topic, Callable[[bytes], events.AnyEvent]] = {
    "dispatch": msgspec.json.Decoder(events.DispatchEvent).decode,
    "status": msgspec.json.Decoder(events.StatusEvent).decode,
    "followup": msgspec.json.Decoder(events.FollowupEvent).decode,
}
_decode_next: dict[events_next.Topic, Callable[[bytes], events_next.AnyEvent]] = {
    "dispatch": msgspec.json.Decoder(events_next.DispatchEvent).decode,
    "status": msgspec.json.Decoder(events_next.StatusEvent).decode,
    "followup": msgspec.json.Decoder(events_next.FollowupEvent).decode,
}


def decode(
    topic: events.Topic, key: bytes | None, value: bytes | None, programs: Container[str], now: Micros
) -> events.AnyEvent | Rejected:
    """Decode one record of an input topic and check it against everything but the state.

    `now` is microseconds since the epoch; never raises.
    """
    entered = enter(topic, key, value, programs, now)
    return entered if isinstance(entered, Rejected) else entered[0]


_E = TypeVar("_E", bound=events.AnyEvent | events_next.AnyEvent)


def enter(
    topic: events.Topic, key: bytes | None, value: bytes | None, programs: Container[str], now: Micros
) -> tuple[events.AnyEvent, Micros] | Rejected:
    """As `decode`, with the event's `at` in microseconds since the epoch: to make it once is worth it."""
    return _enter(_decode[topic], topic, key, value, programs, now)


def enter_next(
    topic: events_next.Topic, key: bytes | None, value: bytes | None, programs: Container[str], now: Micros
) -> tuple[events_next.AnyEvent, Micros] | Rejected:
    """As `enter`, with the event types that the next core takes."""
    return _enter(_decode_next[topic], topic, key, value, programs, now)


def _enter(
    decoder: Callable[[bytes], _E],
    topic: events.Topic,
    key: bytes | None,
    value: bytes | None,
    programs: Container[str],
    now: Micros,
) -> tuple[_E, Micros] | Rejected:
    if not value:
        return Rejected("not_json", "the record is empty")
    if len(value) > MAX_BYTES:
        return Rejected("too_large", f"{len(value)} bytes, at most {MAX_BYTES} are taken")
    try:
        event = decoder(value)
        if not value.isascii():
            value.decode()  # the decoder does not look into the strings of fields it drops
    except msgspec.ValidationError as error:
        return _not_json(value) or _invalid(topic, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _NOT_JSON
    except RecursionError:
        return _TOO_DEEP
    program = event.program
    if program not in programs:
        return Rejected("unknown_program", "no program file of this program is loaded")
    if key != program.encode():
        return Rejected("wrong_key", "the record's key is not the event's program")
    at = micros(event.at)
    if at > now + MAX_AHEAD:
        return Rejected("future", "at is more than 10 minutes ahead of the clock")
    if at < OLDEST:
        return Rejected("invalid_field", "at is before 1970-01-02: a broken clock")
    check = _CHECKS.get(type(event))
    if check is not None and (wrong := check(event, topic)) is not None:
        return Rejected("invalid_field", wrong)
    return event, at


def _wrong_topic(beat: events.Heartbeat | events_next.Heartbeat, topic: events.Topic) -> str | None:
    return None if beat.topic == topic else f"a heartbeat on {topic} names another topic"


def _scheduled(received: events_next.CallReceived, _topic: events.Topic) -> str | None:
    return None if received.scheduled_for is None else _beyond("scheduled_for", received.scheduled_for)


def _rescheduled(event: events_next.FollowupRescheduled, _topic: events.Topic) -> str | None:
    return _beyond("due", event.due) or (None if event.lapses is None else _beyond("lapses", event.lapses))


def _of_a_call(withdrawn: events_next.StatusWithdrawn, _topic: events.Topic) -> str | None:
    return None if withdrawn.call is None else "`$.call`: what was said about a call is withdrawn on dispatch"


def _beyond(field: str, told: datetime) -> str | None:
    return None if OLDEST <= micros(told) < LATEST else f"`$.{field}`: not between 1970-01-02 and 9998-12-31"


#: What the types alone cannot say: what is wrong with an event on a topic, or None.
_CHECKS: dict[type, Callable[[Any, events.Topic], str | None]] = {
    events.Heartbeat: _wrong_topic,
    events_next.Heartbeat: _wrong_topic,
    events_next.CallReceived: _scheduled,
    events_next.FollowupRescheduled: _rescheduled,
    events_next.StatusWithdrawn: _of_a_call,
}


_NOT_JSON = Rejected("not_json", "the record is not a UTF-8 JSON text")
_TOO_DEEP = Rejected("not_json", "the record is nested too deeply")


def _not_json(value: bytes) -> Rejected | None:
    """Whether the whole of it is JSON: the typed decoder stops at the first field that does not fit."""
    try:
        value.decode()
        msgspec.json.decode(value, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _NOT_JSON
    except RecursionError:
        return _TOO_DEEP
    return None


def _invalid(topic: events.Topic, message: str) -> Rejected:
    """Sort msgspec's message into the contract's reasons (the messages are held by a test)."""
    if message.endswith("`$.type`") and message.startswith("Invalid value"):
        return Rejected("unknown_type", f"not an event type of {topic}")
    if message.startswith("Object missing required field"):
        return Rejected("missing_field", message)
    if " - at " not in message:
        return Rejected("not_an_object", "the record is JSON, but not an object")
    # "Invalid enum value 'x' - at `$.status`": the value may be personal data in the wrong field
    where = message.rpartition(" - at ")[2]
    expected = message.partition(", got")[0] if message.startswith("Expected") else "invalid value"
    return Rejected("invalid_field", f"{where}: {expected.partition(' - at ')[0]}")
