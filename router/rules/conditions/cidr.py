"""CIDR: the text is an IP address of a network, or of one of several."""

import ipaddress
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Cidr:
    """Holds where the text is an address within one of the networks."""

    summary: ClassVar[str] = (
        "the text is an IP address, with or without a port, in this network or in one of a list (`10.0.0.0/8`)"
    )

    networks: tuple[_Network, ...]

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - every condition takes the same
        """Read one network or a list of them."""
        texts = condition.parts(value)
        networks = []
        for text in texts:
            try:
                networks.append(_network(text))
            except condition.Unreadable as error:
                at = (value.index(text),) if isinstance(value, list) else ()
                raise condition.Unreadable(error.problem, at) from error
        return cls(tuple(networks))

    @property
    def values(self) -> None:
        """They can't be listed."""
        return

    def holds(self, text: str) -> bool:
        """Look for the address in each network; a text that is no address does not hold."""
        address = _address(text)
        return address is not None and any(address in network for network in self.networks)


def _network(text: str) -> _Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise condition.Unreadable("not a network; write one as 10.0.0.0/8, or a single address") from error
    # Bits beyond the prefix are a slip more often than not: of the address, or of the prefix's length.
    if str(network.network_address) != str(ipaddress.ip_interface(text).ip):
        raise condition.Unreadable(f'the address has bits beyond its prefix; did you mean "{network}"?')
    return network


def _address(text: str) -> _Address | None:
    """The address in ``10.0.0.5``, ``10.0.0.5:9100``, ``::1`` or ``[::1]:9100``; None in anything else."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # An IPv4 address that a dual-stack server tells as IPv6 is the same machine.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
