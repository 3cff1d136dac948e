"""The limit in Python: aiokafka's consumer and the typed decoder, nothing else."""

from __future__ import annotations

import asyncio

import msgspec
from aiokafka import AIOKafkaConsumer

from bench.peers.meter import BROKER, GROUP, TOPICS, Meter
from streams import events

_DECODE = {
    "dispatch": msgspec.json.Decoder(events.DispatchEvent).decode,
    "status": msgspec.json.Decoder(events.StatusEvent).decode,
    "followup": msgspec.json.Decoder(events.FollowupEvent).decode,
}


async def run() -> None:
    """Read and decode."""
    meter = Meter()
    consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=BROKER, group_id=GROUP, auto_offset_reset="earliest")
    await consumer.start()
    while True:
        for place, records in (await consumer.getmany(timeout_ms=200)).items():
            meter.start()
            decode = _DECODE[place.topic.rpartition(".")[2]]
            for record in records:
                decode(record.value)
            meter.add(len(records))


if __name__ == "__main__":
    asyncio.run(run())
