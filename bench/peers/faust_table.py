"""Faust as its tutorials write it: a typed record, the JSON serializer, an agent, a table with a changelog."""

from __future__ import annotations

import sys

import faust

from bench.peers.meter import BROKER, GROUP, TOPICS, Meter

app = faust.App(GROUP, broker=f"kafka://{BROKER}", store="memory://", topic_partitions=8)


class Event(faust.Record, serializer="json"):
    """What every event has."""

    id: str
    type: str
    program: str
    at: str


topic = app.topic(*TOPICS, value_type=Event)
events_by_program = app.Table("events_by_program", default=int)
meter = Meter()


@app.agent(topic)
async def count(events: faust.StreamT[Event]) -> None:
    """Count the events of each program."""
    async for event in events:
        events_by_program[event.program] += 1
        meter.add()


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "--loglevel", "warn", "--without-web"]
    app.main()
