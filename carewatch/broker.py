"""`carewatch broker`: an Apache Kafka on this machine that keeps its data in a folder, for a pilot without Docker."""

from __future__ import annotations

import argparse
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from carewatch.ending import Ended, ends_by_signal, say
from carewatch.native.kafka import KafkaBroker, kafka_available
from carewatch.native.process import StackError
from feeds.topics import RETENTION_DAYS

#: What it takes on Debian and Ubuntu.
INSTALL = "on Debian: apt-get install default-jre-headless maven"
#: After a power cut Kafka reads the newest segments of all partitions again before it answers.
START_WITHIN = 300.0
#: Kafka ends in order within seconds; killed in the middle, it has to do the above.
STOP_WITHIN = 30.0
#: What differs from the demo's broker, whose data ends with it.
PROPERTIES = {
    # This broker has the only copy, so an acknowledged record should not stay in memory alone: the loss of a power cut
    # is a second, not what the system happened to have unwritten. The scheduler's interval has to be set too.
    "log.flush.interval.ms": "1000",
    "log.flush.scheduler.interval.ms": "1000",
    # As long as events are kept: a pilot that rests for two weeks goes on where it was.
    "offsets.retention.minutes": str(RETENTION_DAYS * 24 * 60),
}


def run(args: argparse.Namespace) -> int:
    """The command `broker`: returns when a signal asks for the end. Raises StackError."""
    data: Path = args.data.absolute()
    with contextlib.suppress(Ended), ends_by_signal(), _own(data):
        if reason := kafka_available():
            raise StackError(f"{reason}; {INSTALL}")
        if args.port:
            _free(args.port)
        with KafkaBroker(
            data_dir=data / "kafka",
            port=args.port,
            lasting=True,
            say=say,
            start_timeout=START_WITHIN,
            stop_timeout=STOP_WITHIN,
            properties=PROPERTIES,
        ) as kafka:
            say(f"broker  kafka://{kafka.bootstrap}")
            say(f"data    {data}")
            say("Ctrl-C ends it; the data stays")
            how = kafka.wait()
            raise StackError(f"Kafka ended by itself: start it again, the data is in {data} ({how})")
    with contextlib.suppress(Ended):
        say("ended; the data stays")
    return 0


@contextlib.contextmanager
def _own(data: Path) -> Iterator[None]:
    """Make the folder and hold it, so that no second broker writes to it. Raises StackError."""
    import fcntl  # here, because it does not exist on Windows and importing this module must not fail there

    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)  # events are as private as the dispatch system
        (data / "kafka").mkdir(mode=0o700, exist_ok=True)
        file = (data / "lock").open("a")
    except OSError as error:
        raise StackError(f"{data}: cannot be written: {error.strerror}; give a folder of yours with --data") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # freed by the system when we end, however
        except OSError:
            raise StackError(f"{data}: another broker has this data; end it, or give another folder") from None
        yield


def _free(port: int) -> None:
    """Raises StackError if a port cannot be had: Kafka would say so later, and at length."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Kafka does: old connections do no harm
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError as error:
            raise StackError(
                f"port {port} cannot be had: {error.strerror}; end what listens there, or give another with --port"
            ) from None
