"""The events that notifiers deliver: what changed about an incident, or about the router itself.

Each event type is one struct. Its tag is the event type, its fields are the JSON members of the outgoing webhook, and
its JSON Schema is generated from it. Add a type by adding a struct to ``Event`` and to ``TOPICS``.
"""

import datetime as dt
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from router.domain import times
from router.domain.times import Timestamp

Topic = Literal["incidents", "reviews", "guard", "dead_letters", "delays", "freezes", "heartbeats"]
"""The topics that a setting under ``notify:`` subscribes a notifier to."""

ReviewOutcome = Literal[
    "approved", "edited", "dismissed", "published_at_deadline", "dismissed_at_deadline", "withdrawn"
]
"""The outcome of a review. It is ``withdrawn`` if there was nothing left to decide."""

ReviewWork = Literal["opening", "update", "monitoring", "resolution", "retraction", "retrospective"]
"""The content or change that an approval publishes."""

ROUTER = ""
"""The subject of events that belong to no incident."""


class Incident(msgspec.Struct, frozen=True, omit_defaults=True):
    """The incident that an event is about, as it was at that time.

    ``reference`` is what operators see at vendors, for example ``IR-7F3K2QXM-A1B4T9``. ``firing`` counts alerts.
    ``acknowledged_by`` acknowledged it at ``acknowledged_at``; both are absent if no acknowledgement holds.
    """

    key: str
    reference: str
    title: str
    severity: str
    status: Literal["open", "closed"]
    opened_at: dt.datetime
    firing: int = 0
    rule: str = ""
    owner: str = ""
    runbook: str = ""
    acknowledged_at: dt.datetime | None = None
    acknowledged_by: str = ""


class Publication(msgspec.Struct, frozen=True, omit_defaults=True):
    """The incident at one destination. ``public``: customers see it. ``edited``: a person's change there."""

    destination: str
    state: str
    public: bool = False
    url: str = ""
    edited: str = ""


class Review(msgspec.Struct, frozen=True, omit_defaults=True):
    """A post that waits for a reviewer, as customers would see it.

    ``digest`` identifies the version: an approval names it, and fails if the post has changed since. ``components`` are
    the statuses in the vendor's words. ``at_deadline`` is the outcome at ``deadline`` without a decision. ``later`` are
    the texts that an approval publishes once no alert fires, by ``monitoring`` and ``resolution``. ``began_at`` and
    ``ended_at`` are the times of an incident that is published afterwards. ``taken_by`` works on it until
    ``taken_until``; both are absent if the review isn't taken.
    """

    destination: str
    work: ReviewWork
    digest: str
    reason: str
    title: str = ""
    message: str = ""
    components: dict[str, str] = {}
    waiting_since: dt.datetime | None = None
    deadline: dt.datetime | None = None
    at_deadline: Literal["publish", "dismiss", ""] = ""
    later: dict[str, str] = {}
    began_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    taken_by: str = ""
    taken_until: dt.datetime | None = None


class IncidentOpened(msgspec.Struct, frozen=True, tag_field="type", tag="incident.opened"):
    """An incident opened. ``follows`` is the reference of the incident that it reopens, if any."""

    incident: Incident
    follows: str = ""


class IncidentEscalated(msgspec.Struct, frozen=True, tag_field="type", tag="incident.escalated"):
    """The severity of an incident was raised from ``previous_severity``."""

    incident: Incident
    previous_severity: str


class IncidentPublished(msgspec.Struct, frozen=True, tag_field="type", tag="incident.published"):
    """An incident appeared at destinations."""

    incident: Incident
    publications: tuple[Publication, ...]


class IncidentUpdated(msgspec.Struct, frozen=True, tag_field="type", tag="incident.updated"):
    """Publications changed, were taken down, or were edited by a person at the vendor; or the severity was lowered."""

    incident: Incident
    publications: tuple[Publication, ...] = ()
    previous_severity: str = ""


class IncidentResolved(msgspec.Struct, frozen=True, tag_field="type", tag="incident.resolved"):
    """No alert of the incident fires any longer, and the incident ended."""

    incident: Incident
    resolved_at: dt.datetime


class IncidentAcknowledged(msgspec.Struct, frozen=True, tag_field="type", tag="incident.acknowledged"):
    """An operator acknowledged an incident. ``by`` is the operator.

    If a responder acknowledged it at a vendor, ``destination`` is set, and ``by`` names the destination.
    """

    incident: Incident
    by: str
    reason: str = ""
    destination: str = ""


class IncidentUnacknowledged(msgspec.Struct, frozen=True, tag_field="type", tag="incident.unacknowledged"):
    """An acknowledgement ended: ``by`` withdrew it, or the severity was raised."""

    incident: Incident
    cause: Literal["withdrawn", "escalated"]
    by: str = ""
    reason: str = ""


class IncidentReminded(msgspec.Struct, frozen=True, tag_field="type", tag="incident.reminded"):
    """An incident is open since ``open_seconds``, and isn't acknowledged, or its acknowledgement is stale.

    A rule asks for reminders with ``acknowledgement``.
    """

    incident: Incident
    cause: Literal["unacknowledged", "stale"]
    open_seconds: int


class HeartbeatMissed(msgspec.Struct, frozen=True, tag_field="type", tag="heartbeat.missed"):
    """An expected signal was not received within ``interval_seconds``; it was last received at ``last_received_at``."""

    incident: Incident
    interval_seconds: int
    last_received_at: dt.datetime | None = None


class ReviewWaiting(msgspec.Struct, frozen=True, tag_field="type", tag="review.waiting"):
    """A post waits for a reviewer."""

    incident: Incident
    review: Review


class ReviewChanged(msgspec.Struct, frozen=True, tag_field="type", tag="review.changed"):
    """The content of a waiting post changed: approvals of ``previous_digest`` fail from now on."""

    incident: Incident
    review: Review
    previous_digest: str


class ReviewReminded(msgspec.Struct, frozen=True, tag_field="type", tag="review.reminded"):
    """A post still waits for a reviewer, since ``waiting_seconds``. A rule asks for reminders with ``remind_every``."""

    incident: Incident
    review: Review
    waiting_seconds: int


class ReviewEscalated(msgspec.Struct, frozen=True, tag_field="type", tag="review.escalated"):
    """No reviewer decided within ``escalate_after``: the notifiers in ``escalate_to`` also receive the review."""

    incident: Incident
    review: Review
    waiting_seconds: int


class ReviewTaken(msgspec.Struct, frozen=True, tag_field="type", tag="review.taken"):
    """A person took a review, and works on it until ``review.taken_until``: no reminders are sent until then."""

    incident: Incident
    review: Review
    by: str


class ReviewReleased(msgspec.Struct, frozen=True, tag_field="type", tag="review.released"):
    """A review is no longer taken: ``by`` released it, or its time was up, and then ``by`` is empty."""

    incident: Incident
    review: Review
    by: str = ""


class ReviewDecided(msgspec.Struct, frozen=True, tag_field="type", tag="review.decided"):
    """A review ended. ``by`` is the reviewer; empty if no person decided."""

    incident: Incident
    destination: str
    outcome: ReviewOutcome
    digest: str = ""
    by: str = ""
    reason: str = ""


class OperationFailed(msgspec.Struct, frozen=True, tag_field="type", tag="operation.failed"):
    """A vendor permanently rejected an operation. It is a dead letter until an operator redrives or discards it."""

    incident: Incident
    destination: str
    problem: str


class PublicationDelayed(msgspec.Struct, frozen=True, tag_field="type", tag="publication.delayed"):
    """An incident can't be opened at a destination, since ``since``. It is announced here and at ``failover`` instead.

    The router keeps retrying.
    """

    incident: Incident
    destination: str
    since: dt.datetime
    problem: str = ""
    failover: tuple[str, ...] = ()


class PublicationRecovered(msgspec.Struct, frozen=True, tag_field="type", tag="publication.recovered"):
    """A delayed incident was opened at its destination."""

    incident: Incident
    destination: str
    url: str = ""


class DeliveriesFailed(msgspec.Struct, frozen=True, tag_field="type", tag="deliveries.failed"):
    """Accepted deliveries could not be processed. ``dead_letters`` counts all that wait for an operator now."""

    dead_letters: int
    newest_id: str


class GuardTripped(msgspec.Struct, frozen=True, tag_field="type", tag="guard.tripped"):
    """The publishing guard tripped: automatic posts wait for review. ``destination`` is empty if the guard tripped for
    all destinations."""

    since: dt.datetime
    reason: str
    destination: str = ""


class GuardReset(msgspec.Struct, frozen=True, tag_field="type", tag="guard.reset"):
    """The publishing guard was reset: rules publish automatically again."""

    by: str = ""
    destination: str = ""


class FreezeStarted(msgspec.Struct, frozen=True, tag_field="type", tag="freeze.started"):
    """Public pages were frozen: nothing is posted there."""

    since: dt.datetime
    by: str
    reason: str = ""


class FreezeEnded(msgspec.Struct, frozen=True, tag_field="type", tag="freeze.ended"):
    """The freeze of public pages was lifted."""

    by: str = ""


class TestSent(msgspec.Struct, frozen=True, tag_field="type", tag="notifier.test"):
    """An operator asked for a test of this notifier."""

    by: str
    message: str = "This is a test of the notifier. Nothing happened."


Event: TypeAlias = (
    IncidentOpened
    | IncidentEscalated
    | IncidentPublished
    | IncidentUpdated
    | IncidentResolved
    | IncidentAcknowledged
    | IncidentUnacknowledged
    | IncidentReminded
    | HeartbeatMissed
    | ReviewWaiting
    | ReviewChanged
    | ReviewReminded
    | ReviewEscalated
    | ReviewTaken
    | ReviewReleased
    | ReviewDecided
    | OperationFailed
    | PublicationDelayed
    | PublicationRecovered
    | DeliveriesFailed
    | GuardTripped
    | GuardReset
    | FreezeStarted
    | FreezeEnded
    | TestSent
)

TYPES: tuple[Any, ...] = get_args(Event)
"""Every event type, in the order of the reference page."""

TOPICS: dict[str, Topic] = {
    "incident.opened": "incidents",
    "incident.escalated": "incidents",
    "incident.published": "incidents",
    "incident.updated": "incidents",
    "incident.resolved": "incidents",
    "incident.acknowledged": "incidents",
    "incident.unacknowledged": "incidents",
    "incident.reminded": "incidents",
    "heartbeat.missed": "heartbeats",
    "review.waiting": "reviews",
    "review.changed": "reviews",
    "review.reminded": "reviews",
    "review.escalated": "reviews",
    "review.taken": "reviews",
    "review.released": "reviews",
    "review.decided": "reviews",
    "operation.failed": "dead_letters",
    "deliveries.failed": "dead_letters",
    "publication.delayed": "delays",
    "publication.recovered": "delays",
    "guard.tripped": "guard",
    "guard.reset": "guard",
    "freeze.started": "freezes",
    "freeze.ended": "freezes",
}
"""The topic of each event type. A test event has none, because only the notifier under test receives it."""


class Recorded(msgspec.Struct, frozen=True, array_like=True):
    """A stored event. ``sequence`` counts the events of one subject from 1.

    ``subject`` is the incident key, or ``ROUTER``. ``at`` is when the router noticed the change, in microseconds since
    the epoch. ``notify`` are the notifiers that the incident's rule names, beside those that the settings subscribe.
    ``scope`` makes IDs unique: the incident's reference, or ``router``.
    """

    sequence: int
    at: Timestamp
    subject: str
    scope: str
    event: Event
    notify: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return the ID of the event, which is the same for every delivery of it."""
        # The time keeps IDs apart if the sequence went back because Redis was restored from a backup.
        return f"{self.scope}.{self.sequence}.{self.at}"

    @property
    def type(self) -> str:
        """Return the event type, for example ``incident.opened``."""
        return type_of(self.event)

    @property
    def time(self) -> dt.datetime:
        """Return when the router noticed the change."""
        return times.to_datetime(self.at)


def type_of(event: Event) -> str:
    """Return the event type, for example ``incident.opened``."""
    tag = event.__struct_config__.tag
    assert isinstance(tag, str)  # noqa: S101 - every type of the union has one
    return tag


def topic_of(event: Event) -> Topic | None:
    """Return the topic that an event belongs to; None for a test event."""
    return TOPICS.get(type_of(event))
