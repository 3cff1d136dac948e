"""Sends an event file to Kafka, at once or at a rate, with librdkafka: fast enough to be no part of what is measured.

`python -m bench.producer BROKER PREFIX FILE [--rate EVENTS_A_SECOND --seconds S --log FILE | --events N] [--mark M]
[--only PROGRAM | --skip PROGRAM]`. With a rate or a number of events, the file's are sent in their order with fresh ids, and
started again at the end of the file. The log is when each was sent: MessagePack, topic and program to a list of microseconds
since the epoch.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
from confluent_kafka import Producer

from bench.ids import renamed
from streams.events import TOPIC_OF_TYPE

#: Seconds between two looks at the clock.
TICK = 0.005


class Head(msgspec.Struct):
    """What decides where an event goes."""

    type: str
    program: str


Record = tuple[str, str, bytes]  # topic, program, value
_head = msgspec.json.Decoder(Head).decode


def records(file: Path, prefix: str, mark: str = "") -> Iterator[Record]:
    """The records of an event file."""
    with file.open("rb") as lines:
        for line in lines:
            value = line.rstrip(b"\n")
            head = _head(value)
            yield prefix + TOPIC_OF_TYPE[head.type], head.program, renamed(value, mark) if mark else value


def fresh(file: Path, prefix: str, mark: str) -> Iterator[Record]:
    """The records of an event file again and again, each time with other ids."""
    for again in itertools.count():
        yield from records(file, prefix, f"{mark}{again}-")


def send(producer: Producer, record: Record) -> None:
    """Send one, and wait for room if there is none."""
    topic, program, value = record
    while True:
        try:
            producer.produce(topic, value, program)
            return
        except BufferError:
            producer.poll(0.01)


def paced(producer: Producer, ready: list[Record], rate: float) -> dict[str, dict[str, list[int]]]:
    """Send at a rate; when each was sent, by topic and program."""
    sent: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    began, done = time.perf_counter(), 0
    while done < len(ready):
        due = min(len(ready), int((time.perf_counter() - began) * rate) + 1)
        now = time.time_ns() // 1000
        for record in ready[done:due]:
            send(producer, record)
            sent[record[0]][record[1]].append(now)
        done = due
        producer.poll(0)
        time.sleep(TICK)
    return {topic: dict(programs) for topic, programs in sent.items()}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("broker")
    parser.add_argument("prefix")
    parser.add_argument("file", type=Path)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--events", type=int)
    parser.add_argument("--mark", default="m")
    parser.add_argument("--only")
    parser.add_argument("--skip")
    parser.add_argument("--log", type=Path)
    args = parser.parse_args()
    producer = Producer(
        {
            "bootstrap.servers": args.broker,
            "partitioner": "murmur2_random",  # Kafka's own, so that a program has one partition number
            "enable.idempotence": True,
            "linger.ms": 1 if args.rate else 20,
            "queue.buffering.max.messages": 500_000,
        }
    )
    again = (
        record
        for record in fresh(args.file, args.prefix, args.mark)
        if record[1] == (args.only or record[1]) and record[1] != args.skip
    )
    if args.rate:
        wanted = int(args.rate * args.seconds)
        sent = paced(producer, list(itertools.islice(again, wanted)), args.rate)
        args.log.write_bytes(msgspec.msgpack.encode(sent))
    else:
        for record in itertools.islice(again, args.events) if args.events else records(args.file, args.prefix):
            send(producer, record)
            producer.poll(0)
    return 1 if producer.flush(60) else 0


if __name__ == "__main__":
    sys.exit(main())
