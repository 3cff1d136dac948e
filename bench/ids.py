"""Fresh ids for events that are used again. Apart, because the load generator runs where Kafka's client is another one."""

from __future__ import annotations

#: Fields of an event that name one thing: the event itself, a call, a case, a unit, a person.
NAMES = tuple(f'"{field}":"'.encode() for field in ("id", "call", "case", "unit", "person"))


def renamed(value: bytes, mark: str) -> bytes:
    """The same event of another call, unit or case: each of its ids begins with the mark."""
    for name in NAMES:
        value = value.replace(name, name + mark.encode())
    return value
