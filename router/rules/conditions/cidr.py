"""The condition ``cidr``: the text is an IP address in one of the given networks."""

import ipaddress
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Cidr:
    """Holds if the text is an address in one of the networks."""

    summary: ClassVar[str] = (
        "the text is an IP address, with or without a port, in this network or in one of a list (`10.0.0.0/8`)"
    )

    networks: tuple[_Network, ...]

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - all conditions share the signature
        """Parse one network or a list of networks."""
        texts = condition.parts(value)
        networks = []
        for text in texts:
            try:
                networks.append(_network(text))
            except condition.InvalidCondition as error:
                at = (value.index(text),) if isinstance(value, list) else ()
                raise condition.InvalidCondition(error.problem, at) from error
        return cls(tuple(networks))

    @property
    def values(self) -> None:
        """Return None, since the texts can't be listed."""
        return

    def holds(self, text: str) -> bool:
        """Return whether the address is in one of the networks; False if the text isn't an address."""
        address = _address(text)
        return address is not None and any(address in network for network in self.networks)


def _network(text: str) -> _Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise condition.InvalidCondition("not a network; write one as 10.0.0.0/8, or a single address") from error
    # Bits beyond the prefix are usually a typing error, either in the address or in the prefix length.
    if str(network.network_address) != str(ipaddress.ip_interface(text).ip):
        raise condition.InvalidCondition(f'the address has bits beyond its prefix; did you mean "{network}"?')
    return network


def _address(text: str) -> _Address | None:
    """Return the address in ``10.0.0.5``, ``10.0.0.5:9100``, ``::1``, or ``[::1]:9100``; None for any other text."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A dual-stack server reports an IPv4 address as IPv6. Both identify the same machine.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
