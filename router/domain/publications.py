"""Publications: an incident at one destination, with its desired state and its last observed state."""

import hashlib
from typing import Any, Literal

import msgspec

from router.domain import decisions, reasons, reviews, severities, times
from router.domain.times import Duration, Timestamp

State = Literal["absent", "draft", "open", "resolved", "dismissed"]
Kind = Literal["adopt", "open", "update", "publish", "monitor", "resolve", "dismiss", "retract", "correct"]
Condition = Literal["", "denied", "conflict", "throttled", "queued", "stale", "unreachable", "unanswered"]
"""Why the last attempt has to be repeated: a condition of the account or of the moment, never of the content."""


SEARCH_DELAYS = (Duration(3 * times.MINUTE), Duration(15 * times.MINUTE))
"""Microseconds after an unanswered call at which the router looks for what the vendor has done late."""


# Microseconds after an unanswered change in which the router looks for it, and corrects what it finds.
_LATEST = Duration(SEARCH_DELAYS[-1] + 2 * times.MINUTE)
_MAX_UNCERTAIN_CONTENTS = 3
# Earlier versions store the episode under its own name. So they refuse a document of this version, instead of
# overwriting it without the parts that they don't know.
_STORED_NAMES = {"episode": "of_episode"}


class Content(msgspec.Struct, frozen=True, array_like=True):
    """The content to send: the severity, and the destination's own fields with every template rendered."""

    severity: severities.Severity
    fields: dict[str, Any]

    @property
    def digest(self) -> str:
        """Return a short hash. Two contents with the same digest need no update between them."""
        packed = msgspec.msgpack.encode(self, order="sorted")
        return hashlib.blake2b(packed, digest_size=12).hexdigest()


class Desired(msgspec.Struct, frozen=True):
    """The desired state of a publication. Times and durations in microseconds; 0 means never.

    ``present``: the incident should be open at the destination. ``public``: customers see it, so ``publish`` and
    ``verdict`` (a reviewer's decision on this episode) apply. ``may_adopt_draft``: the page may have drafted the post
    from the incident that it follows, whose ID at the vendor is ``linked_id``. ``follows_settled``: that incident won't
    get an ID in the future. ``review_cause``: why a reviewer has to approve what the rule would publish automatically.
    ``frozen``: why nothing may be posted. ``suppressed``: why nothing is published, whatever the rule says.
    ``deadline``: how long a review lasts until ``at_deadline`` applies. ``min_update_interval``: the least time between
    two updates. ``observe_interval``: how often the vendor is read. ``redriven_at``, ``discarded_at``: when an operator
    last redrove or discarded a dead letter. ``note``: a note about the content for the timeline. ``reopen_vendor_id``:
    the ID at the vendor of the last episode, which this one reopens. ``is_previous_closed``: false while the resolution
    of that episode is still to be sent. ``resumed_at``: when the account worked again, or an operator lifted its
    pauses. Older failures are retried at once. ``recheck_at``: when the vendor last reported a change. ``monitored``:
    all alerts are resolved, and the post says so before it is resolved. ``ends_by_review``: the resolution needs an
    approval. ``retracted``: the retraction of the post by an operator, whatever fires. ``began_at``, ``ended_at``: set
    if the incident closed before it was published, and may be published afterwards. ``correction``: the text and status
    that an operator sets for a posted update.
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
    deadline: Duration = Duration(0)
    at_deadline: decisions.AtDeadline = "dismiss"
    min_update_interval: Duration = Duration(0)
    observe_interval: Duration = Duration(0)
    redriven_at: Timestamp = Timestamp(0)
    discarded_at: Timestamp = Timestamp(0)
    note: reasons.Cause | None = None
    reopen_vendor_id: str = ""
    is_previous_closed: bool = True
    resumed_at: Timestamp = Timestamp(0)
    recheck_at: Timestamp = Timestamp(0)
    monitored: bool = False
    ends_by_review: bool = False
    retracted: reviews.Retraction | None = None
    began_at: Timestamp = Timestamp(0)
    ended_at: Timestamp = Timestamp(0)
    correction: Content | None = None


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """An operation that is recorded before its call, because after a crash its outcome is unknown.

    ``again`` is the ID at the vendor of the incident that it reopens. With ``ended_at`` it opens an incident that is
    already over and began at ``began_at``.
    """

    kind: Kind
    number: int
    begun_at: Timestamp
    content: Content
    again: str = ""
    began_at: Timestamp = Timestamp(0)
    ended_at: Timestamp = Timestamp(0)


class View(msgspec.Struct, frozen=True, array_like=True):
    """A publication as a vendor showed it: the base that later reads are compared with.

    ``fields`` are the vendor's values, in its own words: title, message (the first text of the timeline), impact,
    status, components by ID. ``titles`` are the titles that it has returned to the router, the newest last, and
    ``entries`` the IDs of the updates in its timeline. ``asked`` are the statuses of components that the router last
    sent, by ID. ``stamp`` is when the vendor last changed it, in microseconds by its clock; 0 if it doesn't say.
    ``is_unconfirmed`` is set if this view is from the responses to the router's calls, and no read has shown it yet.
    """

    fields: dict[str, Any] = {}
    titles: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    asked: dict[str, str] = {}
    stamp: Timestamp = Timestamp(0)
    is_unconfirmed: bool = False

    @property
    def digest(self) -> str:
        """Return a short hash of the view; empty if nothing is known."""
        packed = msgspec.msgpack.encode((self.fields, self.entries), order="sorted")
        return hashlib.blake2b(packed, digest_size=6).hexdigest() if self.fields else ""


class Rejection(msgspec.Struct, frozen=True, array_like=True):
    """A permanent refusal by the vendor. The refused operation isn't tried again, but others are.

    ``message`` is the vendor's, ``operation`` has the kind and the digest of the refused operation.
    """

    message: str
    operation: str
    at: Timestamp


class PendingReview(msgspec.Struct, frozen=True, array_like=True):
    """A review that waits for a reviewer since a time. ``digest`` is that of the reviewer's subject."""

    digest: str
    since: Timestamp


class Missing(msgspec.Struct, frozen=True, array_like=True):
    """The vendor's "not found" responses: their number in a row, and the time of the first."""

    since: Timestamp
    answers: int


class OpeningDelay(msgspec.Struct, frozen=True, array_like=True):
    """The vendor keeps the publication from opening since a time. Its failover was announced at ``announced_at``."""

    since: Timestamp
    announced_at: Timestamp | None = None


class Publication(msgspec.Struct, frozen=True, omit_defaults=True, rename=_STORED_NAMES):
    """The observed state of one episode at one destination.

    ``vendor_id`` is the ID there, ``url`` a link for people. ``digest`` is that of the content last sent. ``number``
    counts the operations begun; it is part of their idempotency keys. ``content`` is what was last sent. ``retry_at``
    is the earliest time of the next attempt, ``attempts`` how many have failed in a row. ``rejection`` is the vendor's
    latest permanent refusal. ``adoption_tried`` says that no draft was found.

    ``review`` is the review that waits for a reviewer. ``taken_over`` says what a person has changed at the vendor:
    from then on people decide. ``told`` are the marks of the texts in the vendor's timeline after the router's last
    operation, which was at ``acted_at``; the vendor was last read at ``looked_at``. ``ended`` says that a call of the
    router resolved it, ``reopened`` that it is the vendor incident of the previous episode. An alert storm holds it
    since ``held_since``; once its episode is ``admitted``, that is not checked again.

    ``missing`` counts the vendor's "not found" responses. Once they are proof enough, the publication is ``gone``.

    ``condition`` is why the last attempt failed, at ``failed_at``, and will be repeated. The vendor may process an open
    that got no response at ``unanswered_at`` much later: the vendor was last searched for a duplicate at
    ``searched_at``. ``view`` is what the vendor showed after the router's last operation, or when a person's change was
    noticed. ``differs`` is what it shows differently from what was sent, and ``mismatches`` how many operations in a
    row have ended so. It was ``monitored`` once: if alerts fire again, its status has to be set back.
    ``says_monitored``: it says so now. It was ``retracted`` by a call of the router. ``retracted_ids`` are the IDs of
    earlier posts of this episode that were retracted before it was published again. ``review_ended``: its incident was
    over, or its time was up, before any reviewer decided, and nothing of it is published later. ``corrected_at`` is
    when the newest completed correction was requested. ``frozen_since`` is when a publishing freeze began to hold an
    operation back. ``unanswered_change_at`` is when a change of an open publication last got no
    response: the vendor may process it after later changes, also after the resolution. ``resolves_by_review``: only a
    reviewer resolves it, also once its episode is no longer the newest one. ``delay`` is set while the vendor keeps it
    from opening. It ``stands_in_for`` another destination, at which the incident could not be opened.
    ``acknowledged_at`` is when the router first saw that a responder has acknowledged it at the vendor. ``uncertain``
    are the contents of the newest updates that the vendor may have carried out in part, or may carry out late, the
    newest last.

    Fields that have their defaults are not stored: a default can be changed only together with the stored documents.
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
    retry_at: Timestamp = Timestamp(0)
    attempts: int = 0
    problem: str = ""
    rejection: Rejection | None = None
    adoption_tried: bool = False
    opened_at: Timestamp = Timestamp(0)
    review: PendingReview | None = None
    taken_over: str = ""
    told: tuple[str, ...] = ()
    acted_at: Timestamp = Timestamp(0)
    looked_at: Timestamp = Timestamp(0)
    ended: bool = False
    reopened: bool = False
    held_since: Timestamp | None = None
    admitted: bool = False
    missing: Missing | None = None
    gone: bool = False
    condition: Condition = ""
    failed_at: Timestamp = Timestamp(0)
    unanswered_at: Timestamp = Timestamp(0)
    searched_at: Timestamp = Timestamp(0)
    view: View = View()
    differs: str = ""
    mismatches: int = 0
    monitored: bool = False
    says_monitored: bool = False
    retracted: bool = False
    retracted_ids: tuple[str, ...] = ()
    review_ended: bool = False
    corrected_at: Timestamp | None = None
    resolves_by_review: bool = False
    unanswered_change_at: Timestamp = Timestamp(0)
    frozen_since: Timestamp | None = None
    delay: OpeningDelay | None = None
    stands_in_for: str = ""
    acknowledged_at: Timestamp | None = None
    uncertain: tuple[Content, ...] = ()

    @property
    def name(self) -> str:
        """Return its name among the publications of its incident."""
        return f"{self.episode}/{self.destination}"

    @property
    def is_begun(self) -> bool:
        """Return whether it is at the vendor, or an operation on it was begun."""
        return self.state != "absent" or self.intent is not None

    @property
    def refusal(self) -> str:
        """Return the vendor's message if an operation was refused for good; empty if none was."""
        return self.rejection.message if self.rejection is not None else ""

    @property
    def settled(self) -> bool:
        """Return whether no further operation is possible for this publication."""
        return self.state in {"resolved", "dismissed"}

    @property
    def search_at(self) -> Timestamp:
        """Return when to search the vendor next for what an unanswered open may have created late; 0 for never."""
        return _after(self.unanswered_at, self.searched_at)

    @property
    def verify_at(self) -> Timestamp:
        """Return when to read the vendor next for what an unanswered change may have done late; 0 for never."""
        if self.state not in {"open", "resolved"} or self.gone:
            return Timestamp(0)
        return _after(self.unanswered_change_at, self.looked_at)


def holds_components(publication: Publication) -> bool:
    """Return whether the post may set statuses of components: it is at the vendor, or its outcome is unknown."""
    return publication.state in {"open", "draft"} or publication.intent is not None


def is_awaiting(publication: Publication, digest: str) -> bool:
    """Return whether a subject waits for a reviewer."""
    return publication.review is not None and publication.review.digest == digest


def _after(unanswered_at: Timestamp, done_at: Timestamp) -> Timestamp:
    """Return the first check after an unanswered call that is later than ``done_at``; 0 if there is none."""
    moments = (Timestamp(unanswered_at + delay) for delay in SEARCH_DELAYS if unanswered_at)
    return next((moment for moment in moments if done_at < moment), Timestamp(0))


def may_change_late(publication: Publication, now: Timestamp) -> bool:
    """Return whether the vendor may still carry out a change that got no response."""
    return publication.unanswered_change_at > 0 and now <= publication.unanswered_change_at + _LATEST


def with_uncertain(publication: Publication, content: Content) -> Publication:
    """Return the publication after an update of unknown or partial effect."""
    contents = (*(earlier for earlier in publication.uncertain if earlier != content), content)
    return msgspec.structs.replace(publication, uncertain=contents[-_MAX_UNCERTAIN_CONTENTS:])


def republish(publication: Publication) -> Publication:
    """Return a new publication for a retracted post that a reviewer has approved again.

    The operation number continues, so that the new post has a new idempotency key.
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
