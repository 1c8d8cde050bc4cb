"""Limits how often unauthenticated senders make the router fetch a document.

A sender can name any number of documents, so fetches are limited. If the limit were one for all senders, one sender
could use it up, and no other sender's document would be fetched. So each sender's network has its own limit, and half
of the total limit is reserved for networks that have sent an authentic message.

Example with the limits below: one network that floods the router gets 6 fetches at once and then 2 a second. 250
networks get 10 at once and then 5 a second together. A known network's fetch then takes from the reserve.
"""

import collections
import ipaddress
from typing import Generic, TypeVar

from router.domain.times import Timestamp

_SECOND = 1_000_000
_OF_NETWORK = (6, 2)  # Fetches at once, and fetches per second.
_OF_ALL = (10, 5)  # Twice: for all networks, and for known networks only.
_MAX_NETWORKS = 1024
_PREFIXES = {4: 24, 6: 48}  # Bits that one customer of a provider usually has for itself.

_Value = TypeVar("_Value")


class FetchLimits:
    """Token buckets: one for each network, one for all networks, and one for known networks. Times are microseconds."""

    def __init__(self) -> None:
        self._all = _Bucket(*_OF_ALL)
        self._reserve = _Bucket(*_OF_ALL)
        self._networks: _Recent[_Bucket] = _Recent()
        self._known_networks: _Recent[bool] = _Recent()

    def take(self, client: str, now: Timestamp) -> bool:
        """Take a fetch for a sender with this address. Return False if the limit is reached."""
        network = _network(client)
        bucket_of_network = self._networks.get(network) or _Bucket(*_OF_NETWORK)
        # Also a refused sender counts as recent. Otherwise, its bucket could be dropped and would be full again.
        self._networks.set(network, bucket_of_network)
        if not bucket_of_network.has(now):
            return False
        # A known network uses the reserve only if unknown networks have used up the common limit.
        shared = [self._all, self._reserve] if self._known_networks.get(network) else [self._all]
        if (bucket := next((candidate for candidate in shared if candidate.has(now)), None)) is None:
            return False
        # Tokens are taken only if both buckets have one, so a refused fetch costs nothing.
        bucket_of_network.take()
        bucket.take()
        return True

    def remember(self, client: str) -> None:
        """Remember the network of a sender whose message is authentic."""
        self._known_networks.set(_network(client), True)


class _Bucket:
    """A token bucket: at most ``most`` tokens, and ``per_second`` new ones each second."""

    def __init__(self, capacity: int, per_second: int) -> None:
        self._most = capacity
        self._per_second = per_second
        self._tokens = float(capacity)
        self._at = 0

    def has(self, now: Timestamp) -> bool:
        """Return whether there is a token."""
        passed = max(0, now - self._at) / _SECOND  # The clock may be set back.
        self._at = now
        self._tokens = min(self._most, self._tokens + passed * self._per_second)
        return self._tokens >= 1

    def take(self) -> None:
        """Take a token."""
        self._tokens -= 1


class _Recent(Generic[_Value]):
    """The values of the networks that were used last."""

    def __init__(self) -> None:
        self._values: collections.OrderedDict[str, _Value] = collections.OrderedDict()

    def get(self, network: str) -> _Value | None:
        """Return the value of a network, if it is known."""
        return self._values.get(network)

    def set(self, network: str, value: _Value) -> None:
        """Set the value of a network, and forget the network that was not used for longest."""
        self._values[network] = value
        self._values.move_to_end(network)
        # The number is limited, because a sender with many addresses could otherwise fill the memory.
        if len(self._values) > _MAX_NETWORKS:
            self._values.popitem(last=False)


def _network(client: str) -> str:
    """Return the network of an address. All senders without a valid address share one network."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((address, _PREFIXES[address.version]), strict=False))
