"""Destinations as the worker uses them: the vendor's side, and the registry's entry for their kind."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from router.destinations import base
from router.outbound import call_policy


@dataclass(frozen=True)
class ConfiguredDestination:
    """One configured destination.

    ``follows`` names the destination whose incidents this page may draft posts from (empty: none). ``timeout_seconds``
    bounds each of its calls. ``account`` distinguishes accounts at vendors, and isn't secret. ``page`` is the page that
    it posts on if a rule names none. ``failover`` announces an incident that can't be opened here.
    """

    name: str
    kind: base.Kind
    destination: base.Destination
    follows: str = ""
    timeout_seconds: float = 10.0
    account: str = ""
    page: str = ""
    failover: base.Failover | None = None

    def within(self, budget: call_policy.CallBudget) -> "ConfiguredDestination":
        """Return this destination with a budget for its calls."""
        return dataclasses.replace(self, destination=self.destination.within(budget))


def of_kind(places: Mapping[str, ConfiguredDestination], place: ConfiguredDestination) -> frozenset[str]:
    """Return the names of all destinations of the same kind, including this one. They may share an account."""
    return frozenset(
        {place.name, *(name for name, configured in places.items() if configured.kind.name == place.kind.name)}
    )


def other_pages(places: Mapping[str, ConfiguredDestination], place: ConfiguredDestination) -> frozenset[str]:
    """Return the pages that other destinations of the same kind and account are configured for."""
    others = [places[name] for name in of_kind(places, place) if name != place.name]
    return frozenset(
        configured.page for configured in others if configured.page and configured.account == place.account
    )
