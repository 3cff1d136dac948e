"""librdkafka's consumer and the typed decoder, nothing else."""

from __future__ import annotations

import msgspec
from confluent_kafka import Consumer

from bench.peers.meter import BROKER, GROUP, TOPICS, Meter
from streams import events

_DECODE = {
    "dispatch": msgspec.json.Decoder(events.DispatchEvent).decode,
    "status": msgspec.json.Decoder(events.StatusEvent).decode,
    "followup": msgspec.json.Decoder(events.FollowupEvent).decode,
}


def run() -> None:
    """Read and decode."""
    meter = Meter()
    decoders = {topic: _DECODE[topic.rpartition(".")[2]] for topic in TOPICS}
    consumer = Consumer({"bootstrap.servers": BROKER, "group.id": GROUP, "auto.offset.reset": "earliest"})
    consumer.subscribe(TOPICS)
    while True:
        records = consumer.consume(10_000, timeout=0.1)
        if records:
            meter.start()
            for record in records:
                decoders[record.topic()](record.value())
            meter.add(len(records))


if __name__ == "__main__":
    run()
