"""Interfaces to the store and the rules that the webhook server needs. The bootstrap passes implementations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from router.domain import alerts, decisions, deliveries, silences
from router.domain.times import Timestamp

Decide = Callable[[alerts.Alert, Timestamp], decisions.Decision]  # At a time, microseconds since the Unix epoch.
Clock = Callable[[], Timestamp]


class Inbox(Protocol):
    """Stores accepted deliveries."""

    async def accept(self, delivery: deliveries.Delivery, body: bytes) -> None:
        """Return once the delivery is stored durably. Raises ``store.errors.Unavailable`` if it isn't."""
        ...


class Placement(Protocol):
    """The incident that holds an alert, and what mutes the alert."""

    @property
    def incident_key(self) -> str:
        """Return the key of the incident that holds, or will hold, the alert; empty without one."""
        ...

    @property
    def mute(self) -> silences.Mute | None:
        """Return what mutes the alert now; None if nothing does."""
        ...


class Placements(Protocol):
    """Finds the incidents that hold the alerts of a delivery."""

    def look_up(self, routed_alerts: Sequence[decisions.Routed], /) -> Any:
        """Start looking up the alerts, and return the state that ``find`` needs to continue."""
        ...

    async def find(
        self, routed_alerts: Sequence[decisions.Routed], now: Timestamp, lookup: Any, /
    ) -> Sequence[Placement]:
        """Return the placement of each alert. Raises ``store.errors.StoreError``."""
        ...


class DeliveryIdStore(Protocol):
    """Stores senders' delivery IDs for a day, to recognize repeated deliveries."""

    async def find(self, source: str, name: str) -> str:
        """Return the router's ID of the delivery with this sender's ID; empty without one."""
        ...

    async def save(self, source: str, name: str, delivery: str) -> None:
        """Store the sender's ID of a delivery that is in the inbox."""
        ...


class Quarantine(Protocol):
    """Stores authentic bodies that could not be parsed."""

    async def add(self, source: str, body: bytes, headers: Mapping[str, str], problem: str, now: Timestamp) -> str:
        """Store a body and return its ID. Raises ``store.errors.Unavailable`` if it isn't stored."""
        ...

    async def count_refused(self, source: str, problem: str, now: Timestamp) -> None:
        """Count an unreadable delivery that isn't stored. Raises ``store.errors.Unavailable`` if it isn't counted."""
        ...
