"""How many connections one source may have, so that no guest shuts the others out."""

from __future__ import annotations

import ipaddress
import resource
from collections.abc import Collection
from dataclasses import dataclass

import structlog

from agents.settings import Settings

log = structlog.get_logger()

#: Of all, what this machine and each proxy may have: people and programs share their address.
NEAR = 0.75
LOOPBACK = ("127.0.0.1", "::1")
#: An IPv6 customer has a network of this size at least, so addresses in it are one source.
SITE_BITS = 64


@dataclass(frozen=True)
class Shares:
    """The most of something: in all, of an ordinary source, and of one that many share (loopback, a proxy)."""

    most: int
    each: int
    near: int
    proxies: Collection[str] = ()

    def of(self, source: str) -> int:
        """The most that a source (see `source_of`) may have."""
        return self.near if source in LOOPBACK or source in self.proxies else self.each

    def halved(self) -> Shares:
        """Half of all; 1 of each at least."""
        return Shares(max(1, self.most // 2), max(1, self.each // 2), max(1, self.near // 2), self.proxies)


def connections(settings: Settings) -> Shares:
    """The connections that the web may have: half of the process's file descriptors at most, the rest are Kafka's."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = settings.connections
    if limit != resource.RLIM_INFINITY and most > limit // 2:
        most = max(1, limit // 2)
        log.warning(
            "fewer connections than CAREWATCH_CONNECTIONS: raise the limit of open files (ulimit -n)",
            connections=most,
            open_files=limit,
        )
    near = max(1, int(most * NEAR))
    proxies = frozenset(source_of(address) for address in settings.proxies)
    return Shares(most, min(settings.connections_each, near), near, proxies)


def source_of(address: str) -> str:
    """Who counts as one: an IPv4 address, the /64 network of an IPv6 address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        if not ip.is_loopback:
            return str(ipaddress.IPv6Address(int(ip) >> SITE_BITS << SITE_BITS))
    return str(ip)
