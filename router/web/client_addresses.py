"""Where a request comes from: the address of its sender, behind proxies that are trusted and no others."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ClientAddresses:
    """Tells the sender's address; ``trusted`` are the networks of proxies whose ``X-Forwarded-For`` is believed."""

    __slots__ = ("_trusted",)

    def __init__(self, trusted: Iterable[Network] = ()) -> None:
        self._trusted = tuple(trusted)

    def address(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
        """The address of whoever sent this, as text; empty where it is not known.

        Each proxy writes its peer at the end of the header, so it is read from there, and only as far as the peers
        are proxies of ours: what stands before that anybody may have written.
        """
        client = scope.get("client")
        peer = _read(client[0]) if client else None
        if peer is None:
            return ""
        if self._trusted:
            for written in reversed(headers.get(b"x-forwarded-for", b"").split(b",")):
                if not within(peer, self._trusted):
                    break
                further = _read(written.decode("latin-1").strip())
                if further is None:
                    break
                peer = further
        return str(peer)

    def allowed(self, address: str, networks: Iterable[Network]) -> bool:
        """Whether an address is in one of the networks; one that is not known is in none."""
        read = _read(address)
        return read is not None and within(read, networks)


def within(address: _Address, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of the networks."""
    return any(address in network for network in networks)


def _read(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A socket that takes both families shows IPv4 peers as ::ffff:a.b.c.d.
    return getattr(address, "ipv4_mapped", None) or address
