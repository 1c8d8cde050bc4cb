"""What rules have to know of a destination: its name leads to this, handed in by whoever knows destinations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic


@dataclass(frozen=True, slots=True)
class DestinationInfo:
    """One configured destination.

    ``opening`` is the model of what a rule may set there, ``public`` whether customers see it, ``kind`` the word
    for what it is (``incident-io-status-page`` and the like). ``defaults`` hold where a rule sets nothing;
    ``context`` is handed to the model's validators. ``hosts`` are the domains that texts customers see may name.
    ``monitoring`` is the status of a post that is monitored; empty if the vendor has none.
    ``retrospective``: what is over already can be published there as such.
    ``declares``: rules have to declare what the variables in public texts may be.
    """

    opening: type[pydantic.BaseModel]
    public: bool
    kind: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] | None = None
    hosts: tuple[str, ...] = ()
    monitoring: str = ""
    declares: bool = True
    retrospective: bool = False


Destinations = Mapping[str, DestinationInfo]
"""Every configured destination by its name."""


class Configured(dict[str, DestinationInfo]):
    """The configured destinations, together with the notifiers that rules may name."""

    def __init__(self, destinations: Destinations, notifiers: Iterable[str]) -> None:
        super().__init__(destinations)
        self.notifiers = frozenset(notifiers)


def notifiers_of(destinations: Destinations) -> frozenset[str] | None:
    """Return the notifiers that rules may name; None if they aren't known, and any name is accepted."""
    return destinations.notifiers if isinstance(destinations, Configured) else None
