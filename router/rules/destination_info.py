"""The properties of a destination that rules depend on. The caller, which knows the destinations, provides them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pydantic


@dataclass(frozen=True, slots=True)
class DestinationInfo:
    """One configured destination.

    ``opening`` is the model of the fields that a rule may set. ``public``: customers see the destination. ``kind`` is
    its kind, such as ``incident-io-status-page``. ``defaults`` apply to fields that a rule doesn't set; ``context`` is
    passed to the model's validators. ``hosts`` are the domains that public texts may name. ``monitoring`` is the status
    of a post that is being monitored; empty if the vendor has none. ``retrospective``: the vendor accepts incidents
    that have ended. ``declares``: rules must declare the variables in public texts.
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
    """Return the notifiers that rules may name; None if the notifiers aren't known and any name is accepted."""
    # Some callers, such as tests, know only destinations. They must not see every notifier refused.
    return destinations.notifiers if isinstance(destinations, Configured) else None
