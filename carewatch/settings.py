"""Settings from the environment: the defaults of the commands' options."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path

from agents.settings import Settings, WorkerError

_BROKER = r"(?:kafka://[^,;/\s]+|[^,;/\s]+:\d+)"
_BROKERS = re.compile(rf"{_BROKER}(?:[,;]{_BROKER})*/?")
_WEB = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_HOST = re.compile(r"[A-Za-z0-9._*-]+")
_LONGEST_LINE = 200
#: The program files that come with the package.
PROGRAMS = Path(__file__).parent.parent / "programs"


def default(name: str, fallback: str) -> str:
    """An environment variable `CAREWATCH_<name>`, or the fallback where it is not set or empty."""
    return os.environ.get(f"CAREWATCH_{name}") or fallback


def number(name: str, fallback: float, at_least: float) -> float:
    """A number from the environment. Raises WorkerError if it is none or too small."""
    text = default(name, str(fallback))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value >= at_least:
        raise WorkerError(f"CAREWATCH_{name}={text}: give a number, {at_least:g} or more")
    return value


def whole(name: str, fallback: int, at_least: int) -> int:
    """A whole number from the environment. Raises WorkerError."""
    value = number(name, fallback, at_least)
    if value != int(value):
        raise WorkerError(f"CAREWATCH_{name}={value}: give a whole number")
    return int(value)


def worker_settings(broker: str, programs: Path, web_host: str, web_port: int) -> Settings:
    """Settings of a worker: the options of the command, the rest from the environment. Raises WorkerError."""
    if not _BROKERS.fullmatch(broker):
        raise WorkerError(f"{broker}: no broker address; give kafka://HOST:PORT, several with commas")
    session = number("SESSION_TIMEOUT", Settings.session_timeout, 1)
    heartbeat = number("HEARTBEAT_INTERVAL", Settings.heartbeat_interval, 0.1)
    if heartbeat * 2 > session:
        raise WorkerError(
            f"CAREWATCH_HEARTBEAT_INTERVAL={heartbeat:g}: give half of the session timeout ({session:g}) or less"
        )
    return Settings(
        broker=broker,
        programs=programs,
        web_host=web_host,
        web_port=web_port,
        advertised=_url("ADVERTISE"),
        silent_after=number("SILENT_AFTER", Settings.silent_after, 1),
        api_token=default("API_TOKEN", "").strip(),
        connections=whole("CONNECTIONS", Settings.connections, 4),
        connections_each=whole("CONNECTIONS_EACH", Settings.connections_each, 1),
        proxies=_addresses("PROXIES"),
        hosts=_hosts("HOSTS"),
        banner=_line("BANNER"),
        prefix=default("PREFIX", "care."),
        group=default("GROUP", "carewatch"),
        partitions=whole("PARTITIONS", 8, 1),
        replication=whole("REPLICATION", 1, 1),
        batched=_either("PATH", "batch", "plain"),
        data=Path(data) if (data := default("DATA", "")) else None,
        fencing=_either("FENCING", "on", "off"),
        session_timeout=session,
        heartbeat_interval=heartbeat,
        rebalance_timeout=number("REBALANCE_TIMEOUT", Settings.rebalance_timeout, 1),
        staffing_gap=number("STAFFING_GAP", Settings.staffing_gap, 0),
    )


def _url(name: str) -> str:
    """The address of a web server, without a path; "" where it is not set. Raises WorkerError."""
    url = default(name, "").rstrip("/")
    if url and not _WEB.fullmatch(url):
        raise WorkerError(f"CAREWATCH_{name}={url}: give http://HOST:PORT, as other workers reach this one")
    return url


def _several(name: str) -> tuple[str, ...]:
    """What a variable lists with commas."""
    return tuple(part for each in default(name, "").split(",") if (part := each.strip()))


def _hosts(name: str) -> tuple[str, ...]:
    """Names of hosts, `*` for any part of one. Raises WorkerError."""
    hosts = _several(name)
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise WorkerError(f"CAREWATCH_{name}={host}: give names without a port, several with commas; * for all")
    return hosts


def _addresses(name: str) -> tuple[str, ...]:
    """Addresses of machines. Raises WorkerError."""
    addresses = _several(name)
    for address in addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise WorkerError(f"CAREWATCH_{name}={address}: give IP addresses, several with commas") from None
    return addresses


def _line(name: str) -> str:
    """A line for people, blanks at its ends removed; "" where it is not set. Raises WorkerError."""
    text = default(name, "").strip()
    if len(text) > _LONGEST_LINE or not text.isprintable():
        raise WorkerError(f"CAREWATCH_{name}: give one line of {_LONGEST_LINE} characters at most")
    return text


def _either(name: str, first: str, second: str) -> bool:
    """Whether a variable has the first of two values, which is the default. Raises WorkerError if it has neither."""
    value = default(name, first)
    if value not in (first, second):
        raise WorkerError(f"CAREWATCH_{name}={value}: give {first} or {second}")
    return value == first
