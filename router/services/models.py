"""The models of API responses, from which the OpenAPI document is generated.

Times are RFC 3339 in UTC, or null. Durations are in seconds.
"""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import pydantic

_T = TypeVar("_T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def at(moment: int) -> datetime | None:
    """Convert a time in microseconds since the epoch; None if there is none. Times after year 9999 become its end."""
    return _EPOCH + timedelta(microseconds=min(moment, _LATEST)) if moment else None


class Text(NamedTuple):
    """A body in a form that JSON can contain."""

    body: str
    body_base64: str


def text(body: bytes) -> Text:
    """Return a body as text, or in base64 if it isn't text."""
    said = body.decode("utf-8", "replace")
    return Text(said, "" if said.encode() == body else base64.b64encode(body).decode())


def raw(body: str, body_base64: str) -> bytes:
    """Return the body that the text and the base64 represent, byte for byte."""
    return base64.b64decode(body_base64) if body_base64 else body.encode()


NOT_TEXT: Any = pydantic.Field(default="", description="The body as it is, where it is not UTF-8; empty where it is.")


class Model(pydantic.BaseModel):
    """What all have in common: unknown members are errors, nothing changes later."""

    model_config = pydantic.ConfigDict(defer_build=True, extra="forbid", frozen=True)


class Page(Model, Generic[_T]):
    """Some of many: ``next`` is the cursor to ask with for more, empty at the end."""

    items: list[_T]
    next: str = ""
    unreadable: list[str] = pydantic.Field(
        default=[], description="What is left out since it can't be read: its key in Redis, and what is wrong with it."
    )


Problem = Literal[
    "unreadable", "dead_letter", "not_found", "awaiting_review", "retrying", "frozen", "queued", "taken_over"
]
"""What keeps an incident from being at a destination as its rule wants it, the worst first.

``unreadable``: its publications can't be read, so the router calls no vendor for it. ``Page.unreadable`` has the
reason.
``dead_letter``: the vendor has refused an operation. ``not_found``: the vendor no longer has it. ``awaiting_review``: a
post waits for a reviewer. ``retrying``: the last call failed and will be repeated. ``frozen``: a publishing freeze
holds a change of a public post back, also of a closed incident. ``queued``: an alert storm holds it back.
``taken_over``: a person has changed it at the vendor, and the router leaves it alone.
"""


class IncidentRow(Model):
    """An incident in a list.

    ``muted`` counts its muted alerts, ``problems`` are those of all its destinations. A ``test`` was opened by an alert
    that says so; customers never see it.
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


class AlertRow(Model):
    """The newest that is known of one alert of an incident."""

    identity: str
    firing: bool
    severity: str
    starts_at: datetime | None
    ends_at: datetime | None
    muted_by: str = ""


class PostedUpdate(Model):
    """An update that the router has posted, as the vendor last showed it; ``seen`` stands for its text."""

    id: str
    status: str
    text: str
    seen: str


class Publication(Model):
    """An incident at one destination: the desired ``fields``, the ``shown`` ones, and the next step.

    ``next_reason`` is the code of why the next step is due, or of what it waits for; ``next`` is its text.
    ``taken_over`` is the code of what a person has changed at the vendor.
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
    retracted_by: str = pydantic.Field(default="", description="The operator whose retraction holds; empty for none.")
    can_retract: bool = pydantic.Field(default=False, description="Whether a retraction would do something.")
    can_publish_again: bool = pydantic.Field(
        default=False, description="Whether `POST /review` would publish the retracted post again."
    )
    takes_message: bool = pydantic.Field(
        default=False, description="Whether a retraction posts a text, since the page takes no post down."
    )
    operations: int
    retry_at: datetime | None
    acted_at: datetime | None
    next: str
    next_reason: str
    next_at: datetime | None
    posted: list[PostedUpdate] = pydantic.Field(
        default=[], description="The newest updates that the router has posted, if the vendor lets them be corrected."
    )
    correcting: bool = pydantic.Field(default=False, description="Whether a correction is still to be made.")


class Event(Model):
    """One thing that happened to an incident."""

    at: datetime | None
    what: str
    text: str
    destination: str = ""
    who: str = ""
    detail: dict[str, Any] = {}


class Condition(Model):
    """A condition of a rule in words, and the value that the alert had; empty where the words say it already."""

    asks: str
    value: str


class RuleMatch(Model):
    """A rule that decided, and its conditions: all of them held."""

    rule: str
    place: str
    conditions: list[Condition]


class Coming(Model):
    """What happens next unless something changes: when (null: as soon as possible), why, and at which destination.

    ``reason`` is a code, ``what`` its text.
    """

    at: datetime | None
    reason: str
    what: str
    destination: str


class Incident(IncidentRow):
    """All that is known of an incident; ``due_at`` is when time alone changes it next."""

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
    """An incident, its publications and its timeline as they are kept; times are microseconds since the epoch."""

    incident: dict[str, Any]
    publications: list[dict[str, Any]]
    timeline: list[list[Any]]


class Review(Model):
    """A post that waits for a reviewer. ``digest`` identifies its content: a decision names what the reviewer has seen.

    ``reason`` is the code of why it waits, ``explanation`` its text.

    ``before`` is what is shown there now, empty where nothing is. ``at_vendor`` is what a draft, or a post that a
    person has changed, is at the vendor: an approval replaces just that. ``shown`` is what customers would see:
    fields over the page's defaults. ``components`` are the statuses in the vendor's words. ``at_deadline`` happens at
    the deadline. ``later`` are the texts that the post gets once nothing fires, if it is monitored before it is
    resolved: by ``monitoring`` and ``resolution``.
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
        default=None, description="When a retrospective incident began; null for every other review."
    )
    ended_at: datetime | None = pydantic.Field(default=None, description="When it ended.")
    since: datetime | None
    deadline_at: datetime | None
    at_deadline: Literal["publish", "dismiss"] = "dismiss"
    owner: str
    runbook: str
    because: list[str]


class Corrected(Model):
    """A correction that a worker makes next; the timeline tells what came of it."""

    warnings: list[str] = pydantic.Field(
        default=[], description="What customers should perhaps not read in the operator's own words."
    )


class Decided(Model):
    """What was decided."""

    kind: Literal["approved", "dismissed"]
    who: str
    at: datetime | None
    digest: str
    warnings: list[str] = pydantic.Field(
        default=[], description="What customers should perhaps not read in the reviewer's own words."
    )


class Retraction(Model):
    """What becomes of one post. ``reference`` is its episode's.

    ``retracting``: it is shown, and is taken down. ``repeated``: it was retracted before and is still shown; what the
    vendor refused is tried again. ``searching``: its publishing is under way with an unknown outcome, and what comes of
    it is taken down. ``dismissed``: it waited for a reviewer. ``withheld``: nothing of it was shown, and nothing will
    be. ``withdrawn``: it was retracted before, and the approval to publish it again is withdrawn. ``resolved``: it is
    over already. ``retracted``: it was retracted before, and nothing of it is shown.
    """

    destination: str
    reference: str
    outcome: Literal[
        "retracting", "repeated", "searching", "dismissed", "withheld", "withdrawn", "resolved", "retracted"
    ]


class Retracted(Model):
    """What becomes of each of an incident's posts."""

    items: list[Retraction]
    warnings: list[str] = pydantic.Field(
        default=[], description="What customers should perhaps not read in the operator's own words."
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
    """One alert of a delivery, and what was decided of it.

    ``held_by`` is the incident that holds the alert now, ``muted_by`` what mutes it now. ``is_late``: the worker
    ignored the message as a late delivery.
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
    """What was cut, replaced, or ignored in an accepted delivery; ``fingerprint`` is empty if it is about all of it."""

    code: str
    where: str
    detail: str
    fingerprint: str
    count: int


class Delivery(DeliveryRow):
    """A delivery whole, with its body as it was received."""

    decisions: list[Decision]
    notices: list[Notice] = []
    body: str
    body_base64: str = NOT_TEXT


class Explained(Model):
    """What the rules say of each alert, as the command ``explain`` prints it as JSON."""

    alerts: list[dict[str, Any]]


class Publishing(Model):
    """The states of the publishing freeze and the publishing guard of all public pages, with their reasons.

    While ``freeze`` is ``frozen``, nothing is posted. While ``guard`` is ``tripped``, automatic posts need an approval:
    at every page if ``guard_reason`` is set, else at ``tripped_pages`` alone (pages with reasons).
    """

    freeze: Literal["active", "frozen"]
    freeze_reason: str
    guard: Literal["ok", "tripped"]
    guard_reason: str
    tripped_pages: dict[str, str] = {}


class Storm(Model):
    """An alert storm: since when there is one, and how many incidents wait for their turn."""

    since: datetime | None
    waiting: int


class Destination(Model):
    """A configured destination, and how it fares."""

    name: str
    kind: str
    public: bool
    follows: str
    open: int
    failing: int
    problem: str
    called_at: datetime | None = None


class Post(Model):
    """What customers see of an incident at one page."""

    title: str
    message: str
    severity: str
    url: str
    since: datetime | None


class Overview(Model):
    """The current state of the router."""

    now: datetime | None
    incidents: dict[str, int] = pydantic.Field(description="Open incidents by severity.")
    held: int = pydantic.Field(description="Incidents that fire and are held back.")
    reviews: int
    dead_letters: int
    quarantined: int
    received_at: datetime | None
    received_a_minute: float | None = pydantic.Field(
        description="Over the last minute; null where it is not known yet."
    )
    waiting_deliveries: int
    lag_seconds: float
    kept_deliveries: int
    worker_seen_at: datetime | None
    rules_version: str
    rules_kept_at: datetime | None = pydantic.Field(
        default=None,
        description="When the rules in force were kept in Redis, if the process started with rules that can't be used.",
    )
    rules_problem: str = pydantic.Field(
        default="",
        description="The first problem of the rules on the disk, if they are refused; else empty.",
    )
    publishing: Publishing
    storm: Storm | None = pydantic.Field(default=None, description="The alert storm that there is; null for none.")
    data_set: str = pydantic.Field(default="", description="How far lost data is reconciled; empty if none was lost.")
    unreadable: list[str] = pydantic.Field(
        default=[], description="Documents that can't be read: the key in Redis, and what is wrong with it."
    )
