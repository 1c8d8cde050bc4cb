"""The models of API responses, except those about incidents and tokens."""

from datetime import datetime
from typing import Any, Literal

import pydantic

from router.services import models


class UnknownLabel(models.Model):
    """A matcher's label that no rule uses and no stored alert has. ``nearest`` is a similar valid name."""

    name: str
    nearest: str


class Silence(models.Model):
    """A silence. ``state`` is ``active``, ``pending`` or ``expired``; between two windows it is ``pending``.

    A recurring silence mutes in the weekly windows ``during``. ``window_starts_at`` and ``window_ends_at`` are those of
    the current or the next one. ``matching`` counts the firing alerts that match now; null if the silence has expired.
    ``unchecked`` counts the firing alerts that may match as well: their delivery is no longer kept, so their labels
    aren't known.
    """

    id: str
    state: str
    matchers: list[str]
    starts_at: datetime | None
    ends_at: datetime | None
    author: str
    comment: str
    during: list[str]
    window_starts_at: datetime | None = None
    window_ends_at: datetime | None = None
    matching: int | None = None
    unchecked: int = 0
    unknown_labels: list[UnknownLabel] = pydantic.Field(default=[])


class Muted(models.Model):
    """A firing alert that opens nothing now: ``muted_by`` says why, ``until`` when the router looks again.

    ``kind`` is ``silence``, ``inhibition``, or ``window``.
    """

    alert: str
    title: str
    severity: str
    incident: str
    kind: str
    muted_by: str
    starts_at: datetime | None
    until: datetime | None


class Heartbeat(models.Model):
    """An expected heartbeat, due every ``every_seconds`` seconds."""

    incident: str
    every_seconds: float
    last_heard_at: datetime | None
    silent: bool


class DeadLetter(models.Model):
    """A delivery or an operation that needs an operator."""

    id: str
    what: str
    problem: str
    since: datetime | None
    incident: str
    body: str
    body_base64: str = models.NOT_TEXT


class Redriven(models.Model):
    """The number of dead letters that are retried."""

    redriven: int


class Pause(models.Model):
    """Why calls to a destination are paused or limited. ``endpoint`` is empty if the pause concerns the account.

    ``rate_limit``: the vendor answered 429 and asked for a pause. ``circuit_breaker``: calls failed, and the next one
    is made at ``ends_at``. ``quota``: the router has made as many calls as ``per_minute`` allows; it can't be lifted.
    ``waiting`` is the number of incidents that wait for the destination.
    """

    destination: str
    endpoint: str
    ends_at: datetime | None
    kind: Literal["rate_limit", "circuit_breaker", "quota"] = "rate_limit"
    waiting: int = 0


class Orphan(models.Model):
    """An open item at a vendor that belongs to no known incident; ``reference`` is empty if it shows none."""

    id: str
    destination: str
    vendor_id: str
    reference: str
    title: str
    url: str
    opened_at: datetime | None


class Lifted(models.Model):
    """The number of lifted pauses, and of incidents that waited for the destination."""

    lifted: int
    looked_at: int


class Quarantined(models.Model):
    """An authentic body that could not be read; its headers without secrets."""

    id: str
    source: str
    problem: str
    kept_at: datetime | None
    headers: dict[str, str]
    body: str
    body_base64: str = models.NOT_TEXT


class Source(models.Model):
    """A configured source.

    ``proofs`` are the accepted methods of authentication, ``allow_from`` the networks they may send from (empty:
    any), ``warnings`` the risks of its configuration.
    """

    name: str
    kind: str
    path: str
    proofs: list[str]
    allow_from: list[str]
    warnings: list[str]


class SourceKind(models.Model):
    """A kind of source that can be configured, and the payloads that it parses."""

    kind: str
    summary: str


class Notifier(models.Model):
    """A configured notifier, and the topics and owners that it is subscribed to."""

    name: str
    kind: str
    topics: list[str]
    owners: list[str]


class Action(models.Model):
    """One line of the audit log.

    ``detail`` of a correction has the ``update`` and its text ``before``, and the ``body`` and ``status`` that replace
    those of the update. It is empty for most actions.
    """

    at: datetime | None
    who: str
    by: str
    address: str
    what: str
    subject: str
    outcome: str
    reason: str
    detail: dict[str, str] = pydantic.Field(default={})


class TokenRow(models.Model):
    """A token without its secret."""

    id: str
    name: str
    role: str
    created_at: datetime | None
    expires_at: datetime | None


class MadeToken(TokenRow):
    """A token with its secret, which is returned only once."""

    token: str


class Reprocessed(models.Model):
    """The delivery that was submitted again, and its number of alerts."""

    delivery: str
    alerts: int


class Requeued(models.Model):
    """The number of incidents that are reconciled now."""

    looked_at: int


class Rule(models.Model):
    """An active rule, with the incidents that it opened in the last day (``lately``) or that are open, and its reviews.

    ``precision`` is how many of the posts that a person decided on were approved as the rule wrote them, from 0 to 1;
    null if no review has been decided.
    """

    name: str
    place: str
    owner: str
    runbook: str
    ignores: str
    continues: bool
    destinations: list[str]
    outcomes: dict[str, int]
    open: int
    lately: int
    precision: float | None


class Rules(models.Model):
    """The active rules; ``problems`` are those of the files on disk if they are invalid.

    ``kept_at`` is when these rules were kept in Redis, if the process started with rules that can't be used.
    """

    version: str
    kept_at: datetime | None = None
    items: list[Rule]
    problems: list[str]


class Outcomes(models.Model):
    """How often the reviews of each rule ended in which outcome, also of rules that are no longer active."""

    rules: dict[str, dict[str, int]]


class Recording(models.Model):
    """A delivery as ``deliveries export`` writes it and ``replay`` reads it; times are microseconds since the epoch."""

    id: str
    source: str
    received_at: int
    alerts: list[dict[str, Any]]
