"""The address of a request's sender, including senders behind trusted proxies."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ClientAddresses:
    """Determines senders' addresses; ``trusted`` are the networks of proxies whose ``X-Forwarded-For`` is trusted."""

    __slots__ = ("_trusted_networks",)

    def __init__(self, trusted: Iterable[Network] = ()) -> None:
        self._trusted_networks = tuple(trusted)

    def address(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
        """Return the sender's address as text; empty if it is unknown.

        Each proxy appends its peer to the header. So the header is read from its end, as long as the peers are trusted
        proxies. Any client may have written the entries before them.
        """
        client = scope.get("client")
        peer = _read(client[0]) if client else None
        if peer is None:
            return ""
        if self._trusted_networks:
            for entry in reversed(headers.get(b"x-forwarded-for", b"").split(b",")):
                # The header is trusted only as far as a trusted proxy has appended to it.
                if not within(peer, self._trusted_networks):
                    break
                further = _read(entry.decode("latin-1").strip())
                # A proxy appended a text that is no address, so the last known address is the client.
                if further is None:
                    break
                peer = further
        return str(peer)

    def is_allowed(self, address: str, networks: Iterable[Network]) -> bool:
        """Return whether an address is in one of the networks. An unknown address is in none."""
        read = _read(address)
        return read is not None and within(read, networks)


def within(address: _Address, networks: Iterable[Network]) -> bool:
    """Return whether an address is in one of the networks."""
    return any(address in network for network in networks)


def _read(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A socket for both families reports IPv4 peers as ::ffff:a.b.c.d.
    return getattr(address, "ipv4_mapped", None) or address
