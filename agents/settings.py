"""What a worker needs to know. Filled by the command line; nothing here reads the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from streams.events import TOPICS, Topic

#: The setting that lists the names which the web answers to.
HOSTS = "CAREWATCH_HOSTS"


class WorkerError(Exception):
    """A worker that cannot run. The message is one line that says what to do."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one worker. Times in seconds."""

    broker: str = "kafka://localhost:9092"
    programs: Path
    prefix: str = "care."
    group: str = "carewatch"
    partitions: int = 8
    replication: int = 1
    web_host: str = "127.0.0.1"
    web_port: int = 6066
    advertised: str = ""  # where other workers reach this one's web, a URL; "": where it listens
    silent_after: float = 300.0  # a feed without an event for so long is silent on the board
    api_token: str = field(default="", repr=False)  # of the work list; none: it is not served
    connections: int = 1000  # of the web in all; half of the process's file descriptors at most
    connections_each: int = 200  # from one address; this machine and the proxies have three quarters of all
    proxies: tuple[str, ...] = ()  # addresses that many people share: a reverse proxy's, a gateway's
    hosts: tuple[str, ...] = ()  # names that the web answers to besides this machine's own; "*": all
    banner: str = ""  # a line over the board's pages, such as that its data is simulated; "": none
    session_timeout: float = 10.0  # how long a dead worker keeps its programs
    heartbeat_interval: float = (
        0.25  # a worker hears with one that programs are shared out anew, and the others wait for it
    )
    rebalance_timeout: float = 10.0
    batched: bool = True  # one message a poll and partition; else one a record, as Faust has it
    data: Path | None = None  # where to keep a copy of the state; none: recover from the broker alone
    fencing: bool = True  # off only for a broker that knows no transactional ids
    #: How long fewer units than planned are on duty before it is a staffing gap: late sign-ons and shift changes take
    #: minutes, and nobody should be paged for them.
    staffing_gap: float = 300.0
    fetch_wait: float = 0.025  # how long a fetch may wait for records; a new event is seen at most this much later

    @property
    def bootstrap(self) -> list[str]:
        """The broker's addresses as `host:port`."""
        hosts = self.broker.split("://", 1)[-1].replace(";", ",").split(",")
        return [host.strip().removeprefix("kafka://").rstrip("/") for host in hosts if host.strip()]

    def topic(self, name: Topic) -> str:
        """The name of an input topic at the broker."""
        return self.prefix + name

    @property
    def inputs(self) -> dict[str, Topic]:
        """Input topics by their name at the broker."""
        return {self.topic(name): name for name in TOPICS}

    @property
    def notices(self) -> str:
        """The topic of notices."""
        return self.prefix + "notices"

    @property
    def deadletter(self) -> str:
        """The topic of rejected records."""
        return self.prefix + "deadletter"
