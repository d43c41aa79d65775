"""Who may connect: how many at a time, from one address, and how often.

    connection ──enter──► None | reason code        joined, closed ──► room for others

Refusing costs nothing: it happens before the first byte of TLS is read. A closed connection is
found when room is needed, so nobody has to be told of its end.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakSet

from eco_dask.config import GuardRule
from eco_dask.gateway.pace import Bucket

#: Addresses remembered; those without connections are forgotten beyond it.
_ADDRESSES_KEPT = 10_000


class Stream(Protocol):
    """What is counted: Tornado's stream, as far as needed."""

    def closed(self) -> bool:
        """Whether it has ended."""


@dataclass(slots=True)
class _Address:
    knocks: Bucket
    strangers: set[Stream] = field(default_factory=set)
    joined: set[Stream] = field(default_factory=set)

    def prune(self) -> None:
        self.strangers = {each for each in self.strangers if not each.closed()}
        self.joined = {each for each in self.joined if not each.closed()}

    @property
    def open(self) -> int:
        return len(self.strangers) + len(self.joined)


class Door:
    """Counts connections by address.

    Parameters
    ----------
    rule : GuardRule
        The limits.
    now_s : callable
        A clock, in seconds.
    """

    def __init__(self, rule: GuardRule, now_s: Callable[[], float]) -> None:
        self._rule = rule
        self._now_s = now_s
        self._addresses: defaultdict[str, _Address] = defaultdict(
            lambda: _Address(Bucket(rule.knocks_per_s, rule.knocks_burst, now_s()))
        )
        self._open = 0
        self._spoke: WeakSet[Stream] = WeakSet()

    def enter(self, address: str, stream: Stream) -> str | None:
        """Count a connection; return the reason code if it is one too many."""
        place = self._addresses[address_group(address)]
        if not place.knocks.take(1, self._now_s()):
            return "connection-rate"
        place.prune()
        if place.open >= self._rule.connections_per_address_max:
            return "connections-address"
        if len(place.strangers) >= self._rule.handshakes_per_address_max:
            return "handshakes-address"
        if self._open >= self._rule.connections_max:
            self.prune()
            if self._open >= self._rule.connections_max:
                return "connections"
        place.strangers.add(stream)
        self._open += 1
        return None

    def spoke(self, stream: Stream) -> None:
        """Note that a connection became a WebSocket."""
        self._spoke.add(stream)

    def has_spoken(self, stream: Stream) -> bool:
        """Whether a connection ever became a WebSocket."""
        return stream in self._spoke

    def joined(self, address: str, stream: Stream) -> None:
        """Note that a connection is a provider's from now on."""
        place = self._addresses[address_group(address)]
        place.strangers.discard(stream)
        place.joined.add(stream)

    def prune(self) -> None:
        """Forget the connections that ended, and addresses without any."""
        for place in self._addresses.values():
            place.prune()
        self._open = sum(place.open for place in self._addresses.values())
        if len(self._addresses) > _ADDRESSES_KEPT:
            for name in [name for name, place in self._addresses.items() if not place.open]:
                del self._addresses[name]


def address_group(address: str) -> str:
    """Return what counts as one address: of IPv6 a /64, as one line of one home has.

    What is no address is counted as it stands.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
