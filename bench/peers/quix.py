"""quixstreams, three ways: without state, with one counter, and with a record a call, which is nearest to our work."""

from __future__ import annotations

from typing import Any

from quixstreams import Application, State

from bench.peers.meter import BROKER, FOLDER, GROUP, TOPICS, Meter

meter = Meter()


def look(event: dict[str, Any]) -> None:
    """The least that one can do."""
    event["type"]
    meter.add()


def count(event: dict[str, Any], state: State) -> None:
    """Count the events of each program (the record's key) and type."""
    kind = event["type"]
    state.set(kind, state.get(kind, 0) + 1)
    meter.add()


def keep(event: dict[str, Any], state: State) -> None:
    """Keep the earliest time of each type of event, of every call, case and unit."""
    name = event.get("call") or event.get("case") or event["unit"]
    record = state.get(name, {})
    kind, at = event["type"], event["at"]
    record[kind] = min(record.get(kind, at), at)
    state.set(name, record)
    meter.add()


def run(handle: Any, *, stateful: bool) -> None:
    """Read until the meter says that it is enough."""
    app = Application(
        broker_address=BROKER, consumer_group=GROUP, auto_offset_reset="earliest", state_dir=FOLDER, loglevel="WARNING"
    )
    for name in TOPICS:
        frame = app.dataframe(app.topic(name, value_deserializer="json"))
        if stateful:
            frame.update(handle, stateful=True)
        else:
            frame.update(handle)
    app.run()
