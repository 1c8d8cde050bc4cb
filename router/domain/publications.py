"""An incident's appearance at one destination: what it should be there, and what it was last seen to be."""

import hashlib
from typing import Any, Literal

import msgspec

from router.domain import decisions, reasons, reviews, severities

State = Literal["absent", "draft", "open", "resolved", "dismissed"]
Kind = Literal["adopt", "open", "update", "publish", "monitor", "resolve", "dismiss", "retract", "correct"]
Condition = Literal["", "denied", "conflict", "throttled", "queued", "stale", "unreachable", "unanswered"]
"""Why the last attempt has to be repeated: a condition of the account or of the moment, never of the content."""


SEARCH_DELAYS = (180_000_000, 900_000_000)
"""Microseconds after an unanswered call at which the router looks for what the vendor has done late."""


class Content(msgspec.Struct, frozen=True, array_like=True):
    """What is to be said: the severity, and the destination's own fields with every template rendered."""

    severity: severities.Severity
    fields: dict[str, Any]

    @property
    def digest(self) -> str:
        """A short hash: two contents with the same digest need no update between them."""
        packed = msgspec.msgpack.encode(self, order="sorted")
        return hashlib.blake2b(packed, digest_size=12).hexdigest()


class Desired(msgspec.Struct, frozen=True):
    """What a publication should be now. Times and durations in microseconds; 0 means never.

    ``present``: the incident should be open at the destination.
    ``public``: customers see it, so ``publish`` and ``verdict`` (a reviewer's decision on this episode) apply.
    ``may_adopt_draft``: the page may have drafted the post from the incident that it follows, whose ID at the vendor is
    ``linked_id``. ``follows_settled``: that incident won't get an ID any more.
    ``review_cause``: why a reviewer has to approve what the rule would publish automatically.
    ``frozen``: why nothing may be posted. ``suppressed``: why nothing is published, whatever the rule says.
    ``deadline``: how long a review lasts until ``at_deadline`` applies.
    ``min_update_interval``: the least time between two updates. ``observe_interval``: how often the vendor is read.
    ``redriven_at``, ``discarded_at``: when an operator last redrove or discarded a dead letter.
    ``note``: what the timeline says of the content.
    ``reopen_vendor_id``: the ID at the vendor of the last episode, which this one opens again.
    ``is_previous_closed``: false while the resolution of that episode is still to be sent.
    ``resumed_at``: when the account worked again, or an operator lifted its pauses. Older failures are retried at once.
    ``recheck_at``: when the vendor last reported a change.
    ``monitored``: all alerts are resolved, and the post says so before it is resolved.
    ``ends_by_review``: the resolution needs an approval.
    ``retracted``: the retraction of the post by an operator, whatever fires.
    ``began_at``, ``ended_at``: set if the incident closed before it was published, and may be published afterwards.
    ``correction``: what an operator wants a posted update to say instead.
    """

    present: bool
    content: Content
    public: bool = False
    publish: decisions.Publish = "review"
    verdict: reviews.Verdict | None = None
    may_adopt_draft: bool = False
    linked_id: str = ""
    follows_settled: bool = True
    review_cause: reasons.Cause | None = None
    frozen: reasons.Cause | None = None
    suppressed: reasons.Cause | None = None
    deadline: int = 0
    at_deadline: decisions.AtDeadline = "dismiss"
    min_update_interval: int = 0
    observe_interval: int = 0
    redriven_at: int = 0
    discarded_at: int = 0
    note: reasons.Cause | None = None
    reopen_vendor_id: str = ""
    is_previous_closed: bool = True
    resumed_at: int = 0
    recheck_at: int = 0
    monitored: bool = False
    ends_by_review: bool = False
    retracted: reviews.Retraction | None = None
    began_at: int = 0
    ended_at: int = 0
    correction: Content | None = None


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """An operation that was written down before its call: after a crash nobody knows whether it happened.

    ``again`` is what at the vendor is to be opened again by it. With ``ended_at`` it opens what is over already:
    it began at ``began_at``.
    """

    kind: Kind
    number: int
    begun_at: int
    content: Content
    again: str = ""
    began_at: int = 0
    ended_at: int = 0


class View(msgspec.Struct, frozen=True, array_like=True):
    """What a vendor showed of a publication: the base that later reads are compared with.

    ``fields`` are what it stored, in its own words: title, message (the first text of the timeline), impact, status,
    components by ID. ``titles`` are the titles that it has returned to us, the newest last, and ``entries`` the IDs of
    the updates in its timeline. ``asked`` are the statuses of components that we last sent, by ID. ``stamp`` is when
    the vendor last changed it, in microseconds by its clock; 0 if it doesn't say. ``is_unconfirmed`` if all of this is
    from the answers to our calls, and no read has shown it yet.
    """

    fields: dict[str, Any] = {}
    titles: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    asked: dict[str, str] = {}
    stamp: int = 0
    is_unconfirmed: bool = False

    @property
    def digest(self) -> str:
        """A short hash of what is shown; empty if nothing is known."""
        packed = msgspec.msgpack.encode((self.fields, self.entries), order="sorted")
        return hashlib.blake2b(packed, digest_size=6).hexdigest() if self.fields else ""


class Publication(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one episode at one destination.

    ``vendor_id`` is the id there, ``url`` a link for people. ``digest`` is that of the content last sent. ``number``
    counts the operations begun; it is part of their idempotency keys. ``content`` is what was last sent.
    ``retry_at`` is the earliest time of the next attempt, ``attempts`` how many have failed in a row. ``dead`` holds
    the vendor's message where the operation ``dead_of`` (kind and digest) was refused for good: it is not tried
    again, but another one is. ``adoption_tried`` says that no draft was found.

    ``waits_of`` is the digest of what waits for a person since ``waits_since``. ``taken_over`` says what a person has
    changed at the vendor: from then on people have the word. ``told`` are the marks of the texts in the vendor's
    timeline after our last operation, which was at ``acted_at``; the vendor was last asked at ``looked_at``, and it
    refused something for good at ``dead_at``. ``ended`` says that it was a call of ours that resolved it,
    ``reopened`` that it is what the episode before had there. It is held back since
    ``held_since`` by an alert storm; once its episode was ``admitted``, that is not asked again.

    The vendor has answered "not found" ``missing_answers`` times in a row since ``missing_since``. Once that is proof
    enough, the publication is ``gone``.

    ``condition`` is why the last attempt failed, at ``failed_at``, and will be repeated. An open that got no answer at
    ``unanswered_at`` may be carried out by the vendor much later: the vendor was last searched for a duplicate at
    ``searched_at``.
    ``view`` is what the vendor showed after our last operation, or when a person's change was noticed. ``differs`` is
    what it shows otherwise than we sent, and ``mismatches`` how many operations in a row have ended so. It was
    ``monitored`` once: if alerts fire again, its status has to be set back. ``says_monitored``: it says so now.
    It was ``retracted`` by a call of ours. ``retracted_ids`` are the IDs of earlier posts of this episode that were
    retracted before it was published again. ``review_ended``: its incident was over, or its time was up, before any
    reviewer decided, and nothing of it is published any more.
    ``corrected_at`` is when the newest correction that is done with was asked for. ``frozen_since`` is when a
    publishing freeze began to hold an operation back (0: none is held back).
    ``unanswered_change_at`` is when a change of what was open last got no answer: the vendor may carry it out after
    later changes, also after the resolution.
    ``resolves_by_review``: only a reviewer resolves it, also once its episode is no longer the newest one.

    Fields that have their defaults are not stored: a default can be changed only together with what is stored.
    """

    episode: str
    destination: str
    state: State = "absent"
    vendor_id: str = ""
    url: str = ""
    digest: str = ""
    content: Content | None = None
    number: int = 0
    intent: Intent | None = None
    retry_at: int = 0
    attempts: int = 0
    problem: str = ""
    dead: str = ""
    dead_of: str = ""
    adoption_tried: bool = False
    opened_at: int = 0
    waits_of: str = ""
    waits_since: int = 0
    taken_over: str = ""
    told: tuple[str, ...] = ()
    acted_at: int = 0
    looked_at: int = 0
    dead_at: int = 0
    ended: bool = False
    reopened: bool = False
    held_since: int = 0
    admitted: bool = False
    missing_since: int = 0
    missing_answers: int = 0
    gone: bool = False
    condition: Condition = ""
    failed_at: int = 0
    unanswered_at: int = 0
    searched_at: int = 0
    view: View = View()
    differs: str = ""
    mismatches: int = 0
    monitored: bool = False
    says_monitored: bool = False
    retracted: bool = False
    retracted_ids: tuple[str, ...] = ()
    review_ended: bool = False
    corrected_at: int = 0
    resolves_by_review: bool = False
    unanswered_change_at: int = 0
    frozen_since: int = 0

    @property
    def name(self) -> str:
        """What it is called among those of its incident."""
        return f"{self.episode}/{self.destination}"

    @property
    def settled(self) -> bool:
        """True where nothing will ever be done again for this publication."""
        return self.state in {"resolved", "dismissed"}

    @property
    def search_at(self) -> int:
        """When the vendor is searched next for what an unanswered open may have created late; 0 for never again."""
        return _after(self.unanswered_at, self.searched_at)

    @property
    def verify_at(self) -> int:
        """When the vendor is looked at next for what an unanswered change may have done late; 0 for never again."""
        if self.state not in {"open", "resolved"} or self.gone:
            return 0
        return _after(self.unanswered_change_at, self.looked_at)


def _after(unanswered_at: int, done_at: int) -> int:
    """The first moment after an unanswered call that comes after ``done_at``; 0 if there is none."""
    moments = (unanswered_at + delay for delay in SEARCH_DELAYS if unanswered_at)
    return next((moment for moment in moments if done_at < moment), 0)


def republished(publication: Publication) -> Publication:
    """The publication after its post was retracted and is to be published again: as if nothing had been posted yet.

    Operations are counted on, so that the new post has an idempotency key of its own.
    """
    return Publication(
        publication.episode,
        publication.destination,
        number=publication.number,
        opened_at=publication.opened_at,
        adoption_tried=True,
        admitted=publication.admitted,
        unanswered_at=publication.unanswered_at,
        searched_at=publication.searched_at,
        retracted_ids=(*publication.retracted_ids, *filter(None, (publication.vendor_id,))),
        corrected_at=publication.corrected_at,
    )
