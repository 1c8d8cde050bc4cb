"""Which notifiers receive an event: those of its topic, those of its incident's owner, and those that the rule names.

Example: ``notify: {reviews: [approvals], owners: {team-shop: [shop-chat]}}``, and a rule with ``owner: team-shop`` and
``notify: [on-duty]``.

| event | receivers |
| --- | --- |
| ``review.waiting`` of an incident of the rule | ``approvals``, ``shop-chat``, ``on-duty`` |
| ``incident.opened`` of the same incident | ``shop-chat``, ``on-duty`` |
| ``freeze.started`` | none: it belongs to no incident, and nothing subscribes to its topic |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from router.domain import events


@dataclass(frozen=True)
class Subscriptions:
    """The notifiers that each topic is delivered to, and those of each owner."""

    topics: Mapping[events.Topic, Sequence[str]] = field(default_factory=dict)
    owners: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def receivers(self, event: events.Event, names: Sequence[str]) -> tuple[str, ...]:
        """Return the notifiers that receive an event, each once. ``names`` are those that the incident's rule names."""
        topic, incident = events.topic_of(event), getattr(event, "incident", None)
        subscribed = self.topics.get(topic, ()) if topic is not None else ()
        owning = self.owners.get(incident.owner, ()) if incident is not None else ()
        return tuple(dict.fromkeys((*subscribed, *owning, *names)))
