"""What the door needs of the store and of the rules; assembly plugs the real ones in."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from router.domain import alerts, decisions, deliveries, silences

Decide = Callable[[alerts.Alert, int], decisions.Decision]  # At a time, microseconds since the Unix epoch.
Clock = Callable[[], int]  # Microseconds since the Unix epoch.


class Inbox(Protocol):
    """Where accepted deliveries go."""

    async def accept(self, delivery: deliveries.Delivery, body: bytes) -> None:
        """Return once the delivery cannot be lost any more; ``store.errors.Unavailable`` where it was not taken."""
        ...


class Placement(Protocol):
    """Where an alert is: the key of its incident, and what mutes it."""

    @property
    def incident_key(self) -> str:
        """The incident that holds the alert, or will; empty if none does."""
        ...

    @property
    def mute(self) -> silences.Mute | None:
        """What mutes the alert now; None if nothing does."""
        ...


class Placements(Protocol):
    """Finds out which incidents really hold the alerts of a delivery."""

    def look_up(self, routed: Sequence[decisions.Routed], /) -> Any:
        """Begin to look the alerts up, and return what ``find`` goes on with."""
        ...

    async def find(self, routed: Sequence[decisions.Routed], now: int, lookup: Any, /) -> Sequence[Placement]:
        """Return the placement of each alert; ``store.errors.StoreError``."""
        ...


class Seen(Protocol):
    """What senders called their deliveries lately."""

    async def find(self, source: str, name: str) -> str:
        """Our id of the delivery that a sender calls so; empty where there was none."""
        ...

    async def remember(self, source: str, name: str, delivery: str) -> None:
        """Remember a delivery that is safe."""
        ...


class Quarantine(Protocol):
    """Where authentic bodies go that could not be parsed."""

    async def add(self, source: str, body: bytes, headers: Mapping[str, str], problem: str, now: int) -> str:
        """Keep a body and return its id; ``store.errors.Unavailable`` where it was not taken."""
        ...

    async def count_refused(self, source: str, problem: str, now: int) -> None:
        """Count a delivery that can't be read and isn't kept; ``store.errors.Unavailable`` if it wasn't counted."""
        ...
