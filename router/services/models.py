"""The models of API responses, from which the OpenAPI document is generated.

Times are RFC 3339 in UTC, or null. Durations are in seconds.
"""

import base64
from datetime import UTC, datetime
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import pydantic

from router.domain import times

_T = TypeVar("_T")
_LATEST = times.from_datetime(datetime.max.replace(tzinfo=UTC))


def at(moment: times.Timestamp | None) -> datetime | None:
    """Convert a time in microseconds since the epoch; None if there is none. Times after year 9999 become its end."""
    return times.to_datetime(min(moment, _LATEST)) if moment else None


class Text(NamedTuple):
    """A body in a form that JSON can contain."""

    body: str
    body_base64: str


def text(body: bytes) -> Text:
    """Return a body as text, and also in base64 if it isn't UTF-8."""
    decoded = body.decode("utf-8", "replace")
    return Text(decoded, "" if decoded.encode() == body else base64.b64encode(body).decode())


def raw(body: str, body_base64: str) -> bytes:
    """Return the body that the text and the base64 represent, byte for byte."""
    return base64.b64decode(body_base64) if body_base64 else body.encode()


NOT_TEXT: Any = pydantic.Field(default="", description="The body in base64 if it isn't UTF-8, else empty.")


class Model(pydantic.BaseModel):
    """The base of all models: unknown members are errors, and values can't be changed after validation."""

    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True)


class Page(Model, Generic[_T]):
    """One page of a list. ``next`` is the cursor of the next page, empty at the end."""

    items: list[_T]
    next: str = ""
    unreadable: list[str] = pydantic.Field(
        default=[],
        description="Documents that are omitted because they can't be read: the key in Redis, and the error.",
    )


Problem = Literal[
    "unreadable", "dead_letter", "not_found", "awaiting_review", "retrying", "frozen", "queued", "taken_over"
]
"""Why a destination isn't in sync with the rule, the worst reason first.

``unreadable``: the publications can't be read, so the router calls no vendor; ``Page.unreadable`` has the error.
``dead_letter``: the vendor rejected an operation. ``not_found``: the vendor no longer has the item.
``awaiting_review``: a post waits for a reviewer. ``retrying``: the last call failed and is retried. ``frozen``: a
publishing freeze delays a change of a public post, also of a closed incident. ``queued``: an alert storm delays the
opening. ``taken_over``: a person has changed the item at the vendor, and the router no longer updates it.
"""


class Acknowledgement(Model):
    """An acknowledgement of an incident. It ends if it is withdrawn, or if the severity rises."""

    by: str = pydantic.Field(description="The operator, or the destination of the responder.")
    at: datetime | None
    reason: str = ""
    destination: str = pydantic.Field(
        default="", description="The destination of the responder; empty for an operator."
    )
    stale_at: datetime | None = pydantic.Field(default=None, description="When reminders resume; null for never.")


class IncidentRow(Model):
    """An incident in a list.

    ``muted`` counts its muted alerts. ``problems`` are the problems of all its destinations. ``test`` is true if a test
    alert opened the incident; customers never see it.
    """

    key: str
    reference: str
    status: Literal["open", "closed", "pending"]
    severity: str
    title: str
    rule: str
    firing: int
    opened_at: datetime | None
    closed_at: datetime | None
    changed_at: datetime | None
    destinations: list[str]
    muted: int = 0
    problems: list[Problem] = []
    test: bool = False
    acknowledgement: Acknowledgement | None = pydantic.Field(
        default=None, description="The active acknowledgement; null if the incident isn't acknowledged."
    )


class AlertRow(Model):
    """The latest state of one alert of an incident."""

    identity: str
    firing: bool
    severity: str
    starts_at: datetime | None
    ends_at: datetime | None
    muted_by: str = ""


class PostedUpdate(Model):
    """An update that the router posted, as the vendor last returned it. ``seen`` is a digest of its text."""

    id: str
    status: str
    text: str
    seen: str


class Publication(Model):
    """An incident at one destination: the desired ``fields``, the ``shown`` ones, and the next step.

    ``next_reason`` is the reason code of the next step or of the wait; ``next`` is its text. ``taken_over`` is the code
    of a person's change at the vendor.
    """

    destination: str
    public: bool
    publish: str
    state: str
    url: str
    vendor_id: str
    fields: dict[str, Any]
    shown: dict[str, Any]
    problem: str
    refused: str
    taken_over: str
    retracted_by: str = pydantic.Field(
        default="", description="The operator who retracted the post; empty if it isn't retracted."
    )
    can_retract: bool = pydantic.Field(default=False, description="Whether the post can be retracted.")
    can_publish_again: bool = pydantic.Field(
        default=False, description="Whether `POST /review` would publish the retracted post again."
    )
    takes_message: bool = pydantic.Field(
        default=False, description="Whether a retraction posts a text, because posts of the page can't be removed."
    )
    operations: int
    retry_at: datetime | None
    acted_at: datetime | None
    next: str
    next_reason: str
    next_at: datetime | None
    posted: list[PostedUpdate] = pydantic.Field(
        default=[], description="The latest updates that the router posted, if the vendor allows corrections."
    )
    correcting: bool = pydantic.Field(default=False, description="Whether a correction is pending.")
    delayed_at: datetime | None = pydantic.Field(
        default=None, description="When the failover announced that the vendor blocks the incident here."
    )
    stands_in_for: str = pydantic.Field(
        default="", description="The destination that this one stands in for; empty if none."
    )


class Event(Model):
    """One entry of an incident's timeline."""

    at: datetime | None
    what: str
    text: str
    destination: str = ""
    who: str = ""
    detail: dict[str, Any] = {}


class Condition(Model):
    """A condition of a rule, and the alert's value; ``value`` is empty if the condition already states it."""

    asks: str
    value: str


class RuleMatch(Model):
    """A rule that matched, and its conditions."""

    rule: str
    place: str
    conditions: list[Condition]


class Coming(Model):
    """An upcoming step, unless something changes before. ``at`` is null if the step is due now.

    ``reason`` is a code, and ``what`` its text.
    """

    at: datetime | None
    reason: str
    what: str
    destination: str


class Incident(IncidentRow):
    """An incident in full. ``due_at`` is when its next timer expires."""

    labels: dict[str, str]
    owner: str
    runbook: str
    link: str
    place: str
    rules_version: str
    because: list[str]
    decided: list[RuleMatch]
    due_at: datetime | None
    coming: list[Coming]
    timing: dict[str, str]
    alerts: list[AlertRow]
    publications: list[Publication]
    timeline: list[Event]


class Story(Model):
    """An incident, its publications, and its timeline as stored. Times are microseconds since the epoch."""

    incident: dict[str, Any]
    publications: list[dict[str, Any]]
    timeline: list[list[Any]]


class Review(Model):
    """A post that waits for a reviewer. ``digest`` identifies the version; a decision names the reviewed version.

    ``reason`` is the code of why the post waits, and ``explanation`` its text.

    ``before`` is the text that the page shows now, empty if none. ``at_vendor`` is the vendor's version of a draft, or
    of a post that a person has changed. An approval replaces exactly that version. ``shown`` is the content that
    customers would see: the fields merged over the page's defaults. ``components`` are the statuses in the vendor's
    terms. ``at_deadline`` is the outcome at the deadline. ``later`` are the texts of later stages, if the post is
    monitored before it is resolved: ``monitoring`` and ``resolution``.
    """

    incident: str
    reference: str = ""
    destination: str
    what: Literal["opening", "update", "monitoring", "resolution", "retraction", "retrospective"]
    digest: str
    reason: str
    explanation: str = ""
    rule: str
    severity: str
    title: str
    message: str
    fields: dict[str, Any]
    before: dict[str, Any] = {}
    at_vendor: dict[str, Any] = {}
    shown: dict[str, Any] = {}
    components: dict[str, str] = {}
    later: dict[str, str] = {}
    began_at: datetime | None = pydantic.Field(
        default=None, description="When the incident of a retrospective post began; null for other reviews."
    )
    ended_at: datetime | None = pydantic.Field(default=None, description="When that incident ended.")
    since: datetime | None
    deadline_at: datetime | None
    at_deadline: Literal["publish", "dismiss"] = "dismiss"
    owner: str
    runbook: str
    because: list[str]
    taken_by: str = pydantic.Field(default="", description="Who has taken the review; empty if not taken.")
    taken_at: datetime | None = None
    taken_until: datetime | None = pydantic.Field(default=None, description="When the take expires; null if not taken.")


class Acknowledged(Model):
    """The result of acknowledging an incident: the active acknowledgement."""

    incident: str
    reference: str
    acknowledgement: Acknowledgement
    is_new: bool = pydantic.Field(description="False if already acknowledged; the request then changed nothing.")


class Taken(Model):
    """The result of taking a review: the active take."""

    incident: str
    destination: str
    by: str
    at: datetime | None
    until: datetime | None
    is_new: bool = pydantic.Field(
        description="False if another person took it before; the request then changed nothing."
    )


class Released(Model):
    """The result of releasing a review, with the person who had taken it."""

    incident: str
    destination: str
    taken_by: str


class Corrected(Model):
    """A correction that a worker makes next. The timeline shows its outcome."""

    warnings: list[str] = pydantic.Field(
        default=[], description="Parts of the operator's text that may not be fit for customers."
    )


class Decided(Model):
    """The decision on a review."""

    kind: Literal["approved", "dismissed"]
    who: str
    at: datetime | None
    digest: str
    warnings: list[str] = pydantic.Field(
        default=[], description="Parts of the reviewer's text that may not be fit for customers."
    )


class Retraction(Model):
    """The outcome of a retraction for one post. ``reference`` is the reference of its episode.

    ``retracting``: the post is visible, and is taken down. ``repeated``: it was retracted before and is still visible;
    the rejected operation is retried. ``searching``: the outcome of its publishing is unknown; if the post appears, it
    is taken down. ``dismissed``: it waited for a reviewer. ``withheld``: it was never visible, and won't be.
    ``withdrawn``: it was retracted before, and the approval to publish it again is withdrawn. ``resolved``: it is
    already resolved. ``retracted``: it was retracted before, and isn't visible.
    """

    destination: str
    reference: str
    outcome: Literal[
        "retracting", "repeated", "searching", "dismissed", "withheld", "withdrawn", "resolved", "retracted"
    ]


class Retracted(Model):
    """The outcome of a retraction for each post of an incident."""

    items: list[Retraction]
    warnings: list[str] = pydantic.Field(
        default=[], description="Parts of the operator's text that may not be fit for customers."
    )


class DeliveryRow(Model):
    """A delivery in a list."""

    id: str
    source: str
    received_at: datetime | None
    alerts: int
    ignored: int
    rules: list[str]


class Decision(Model):
    """The decision on one alert of a delivery.

    ``held_by`` is the incident that has the alert now, and ``muted_by`` what mutes it now. ``is_late`` is true if the
    worker ignored the message as a late delivery.
    """

    fingerprint: str
    status: str
    title: str
    severity: str
    labels: dict[str, str]
    annotations: dict[str, str]
    link: str
    incident_key: str
    rule: str
    place: str
    destinations: list[str]
    ignored: str
    held_by: str = ""
    muted_by: str = ""
    is_late: bool = False


class Notice(Model):
    """A part of an accepted delivery that was cut, replaced, or ignored.

    ``fingerprint`` is empty if the notice concerns the whole delivery.
    """

    code: str
    where: str
    detail: str
    fingerprint: str
    count: int


class Delivery(DeliveryRow):
    """A delivery in full, with its body as received."""

    decisions: list[Decision]
    notices: list[Notice] = []
    body: str
    body_base64: str = NOT_TEXT


class Explained(Model):
    """The decision of the rules on each alert, in the JSON format of the command ``explain``."""

    alerts: list[dict[str, Any]]


class Publishing(Model):
    """The states of the publishing freeze and the publishing guard, with their reasons.

    While ``freeze`` is ``frozen``, nothing is posted. While ``guard`` is ``tripped``, automatic posts need approval: on
    every page if ``guard_reason`` is set, otherwise only on ``tripped_pages``, which maps pages to reasons.
    """

    freeze: Literal["active", "frozen"]
    freeze_reason: str
    guard: Literal["ok", "tripped"]
    guard_reason: str
    tripped_pages: dict[str, str] = {}


class Storm(Model):
    """An alert storm: its start, and the number of queued incidents."""

    since: datetime | None
    waiting: int


class Destination(Model):
    """A configured destination and its state."""

    name: str
    kind: str
    public: bool
    follows: str
    open: int
    failing: int
    problem: str
    called_at: datetime | None = None


class Post(Model):
    """A post of an incident on a public page, as customers see it."""

    title: str
    message: str
    severity: str
    url: str
    since: datetime | None


class Overview(Model):
    """The current state of the router."""

    now: datetime | None
    incidents: dict[str, int] = pydantic.Field(description="Open incidents by severity.")
    held: int = pydantic.Field(description="Firing incidents that haven't opened yet.")
    reviews: int
    dead_letters: int
    quarantined: int
    received_at: datetime | None
    received_a_minute: float | None = pydantic.Field(
        description="Deliveries received in the last minute; null if not known yet."
    )
    waiting_deliveries: int
    lag_seconds: float
    kept_deliveries: int
    worker_seen_at: datetime | None
    rules_version: str
    rules_kept_at: datetime | None = pydantic.Field(
        default=None,
        description="When the active rules were saved to Redis, if the process started with invalid rule files.",
    )
    rules_problem: str = pydantic.Field(default="", description="The first error of the rule files; empty if valid.")
    publishing: Publishing
    storm: Storm | None = pydantic.Field(default=None, description="The current alert storm, or null.")
    data_set: str = pydantic.Field(
        default="", description="The progress of reconciliation after data loss; empty if no data was lost."
    )
    unreadable: list[str] = pydantic.Field(
        default=[], description="Documents that can't be read: the key in Redis, and the error."
    )
