"""Announces the events of simulated incidents to notifiers, and records who receives which of them and when."""

from typing import NamedTuple

from router.domain import announcements, events, subscriptions
from router.domain.times import Timestamp


class Notified(NamedTuple):
    """An event that a notifier receives: its time (microseconds), type, incident, and destination, empty if none."""

    at: Timestamp
    notifier: str
    type: str
    incident: str
    destination: str


class Announcing:
    """The announced state of every incident. ``notified`` are the received events, in order."""

    def __init__(self, subscribed: subscriptions.Subscriptions) -> None:
        """Announce nothing yet."""
        self.notifications: list[Notified] = []
        self._subscriptions = subscribed
        self._announced_by_key: dict[str, announcements.Announced] = {}

    def announce(self, observed: announcements.ObservedIncident, now: Timestamp) -> int:
        """Record the events since the last call. Return when to call again (microseconds); 0 for never."""
        key = observed.incident.key
        before = self._announced_by_key.get(key)
        announcement = announcements.announce(before, observed, now)
        if announcement.after is not None:
            self._announced_by_key[key] = announcement.after
        for event in announcement.found:
            self._record(event, now, key, announcements.recipients(before, observed.incident, event))
        return announcement.due

    def announce_router(self, event: events.Event, now: Timestamp) -> None:
        """Record an event of the router itself."""
        self._record(event, now, "", ())

    def _record(self, event: events.Event, now: Timestamp, key: str, notifiers: tuple[str, ...]) -> None:
        review = getattr(event, "review", None)
        destination = review.destination if review is not None else str(getattr(event, "destination", ""))
        for notifier in self._subscriptions.receivers(event, notifiers):
            self.notifications.append(Notified(now, notifier, events.type_of(event), key, destination))
