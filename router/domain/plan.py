"""The next step for a publication, from what it should be and what it is: pure, and every answer has its reason."""

from typing import Literal

import msgspec

from router.domain import correction, review
from router.domain import publication as publications


class Act(msgspec.Struct, frozen=True):
    """Make this call next."""

    kind: publications.Kind
    reason: str


class Recover(msgspec.Struct, frozen=True):
    """An operation was begun and its answer never recorded: find out whether it happened before anything else."""

    intent: publications.Intent
    reason: str = "an operation was begun and its outcome is not known"


class Rest(msgspec.Struct, frozen=True):
    """Do nothing, or nothing before ``until`` (microseconds; 0 is: until something changes).

    ``look_at`` is when the vendor is asked meanwhile; 0 is never.
    """

    reason: str
    until: int = 0
    waits_for: Literal["nothing", "time", "person", "sibling", "thaw", "turn"] = "nothing"
    look_at: int = 0

    @property
    def due(self) -> int:
        """When the publication has to be planned again (microseconds); 0 if only after a change."""
        return min(filter(None, (self.until, self.look_at)), default=0)


class Look(msgspec.Struct, frozen=True):
    """Ask the vendor what has become of the publication; nothing is changed by it."""

    reason: str = "the vendor has not been asked for a while"


class Search(msgspec.Struct, frozen=True):
    """Search the vendor for what an unanswered open created late, and end every duplicate."""

    reason: str = "an open that got no answer may have been carried out late"


Step = Act | Recover | Look | Search | Rest

CLOCK_DRIFT = 1_000_000  # Microseconds by which two workers' readings of the server's clock may differ.
UNCONFIRMED_LOOK = 15_000_000  # Microseconds between looks until one shows what the last operation has sent.
MISMATCH_APART = 15_000_000  # Microseconds until what the vendor shows otherwise is sent again; then twice as many.
MOST_MISMATCHES = 5
RECHECKS_APART = 3_000_000  # Microseconds from an operation or a look to a look that a vendor's webhook asks for.
MISSING_LOOK = 20_000_000  # Microseconds between looks at what the vendor has answered "not found" to.
HELD_LOOK = 600_000_000  # Microseconds after which what is held back is looked at, should nobody call it before.


def plan(desired: publications.Desired, observed: publications.Publication, *, now: int) -> Step:
    """Decide the next step. The order of the questions is the order of importance."""
    # A failed attempt is not repeated before its time, whatever else is wanted.
    if _waits(desired, observed, now):
        return Rest(_waiting(observed), observed.retry_at, "time")
    # What was begun is brought to its end before anything new is begun.
    if observed.intent is not None:
        return _frozen(desired, now) or Recover(observed.intent)
    # A vendor may carry out an open minutes after it was sent. What it created would stay open for ever.
    if observed.search_at and observed.search_at <= now:
        return _frozen(desired, now) or Search()
    # The same holds for a change: carried out after the resolution, it would show for ever what is over.
    if observed.state == "resolved" and observed.verify_at and observed.verify_at <= now:
        return Look("a change that got no answer may have been carried out late")
    return _searched(_next(desired, observed, now), observed)


def _next(desired: publications.Desired, observed: publications.Publication, now: int) -> Step:
    """The next step of what is neither waiting nor under way."""
    if (
        desired.correction is not None
        and desired.retracted is None
        and observed.vendor_id
        and observed.state in {"open", "resolved"}
    ):
        return _frozen(desired, now) or Act("correct", correction.of(desired.correction).told)
    if observed.settled:
        return Rest(_finished(desired, observed))
    # In an alert storm nothing of it is opened, or shown to anybody for approval, before its turn.
    if desired.present and observed.held_since and desired.retracted is None:
        return Rest("alert storm: waits for its turn", now + HELD_LOOK, "turn")
    if desired.retracted is not None:
        step = _towards_retracted(desired, observed, desired.retracted)
    elif desired.present:
        step = _towards_open(desired, observed, now)
    else:
        step = _towards_closed(desired, observed, now)
    if isinstance(step, Act):
        return _hindrance(desired, observed, step, now) or step
    if isinstance(step, Rest) and observed.state in {"open", "draft"}:
        return _watched(desired, observed, step, now)
    return step


def _finished(desired: publications.Desired, observed: publications.Publication) -> str:
    if desired.retracted is not None and observed.retracted:
        return f"finished: retracted by {desired.retracted.who}"
    return f"finished: {observed.state}"


def renewed(desired: publications.Desired, observed: publications.Publication) -> publications.Publication:
    """Return what is planned for: the publication, or, if a retracted post is to be published again, a new one."""
    if observed.settled and observed.retracted and desired.retracted is None and desired.present:
        return publications.renewed(observed)
    return observed


def noted(desired: publications.Desired, observed: publications.Publication) -> publications.Publication:
    """Return the publication with what has to be known of its end when its episode is no longer the newest one.

    Should alerts fire again while its resolution waits for a reviewer, that review is over.
    """
    ends_by_review = observed.resolves_by_review or (desired.ends_by_review and not observed.settled)
    shown = observed.view.digest if observed.taken_over else ""
    waits = observed.state == "open" and observed.waits_of == review.digest_of(review.RESOLUTION, shown)
    if desired.present and waits:
        return msgspec.structs.replace(observed, resolves_by_review=ends_by_review, waits_of="", waits_since=0)
    if ends_by_review != observed.resolves_by_review:
        return msgspec.structs.replace(observed, resolves_by_review=ends_by_review)
    return observed


def _waits(desired: publications.Desired, observed: publications.Publication, now: int) -> bool:
    """Whether the last failure is too young for another attempt."""
    if observed.retry_at <= now:
        return False
    # The account has worked since, or an operator lifted its pauses. A failure in the future is one before the
    # server's clock was set back: when it is to be repeated can't be known, so it is now.
    set_back = observed.failed_at > now + CLOCK_DRIFT
    return not (observed.failed_at and (desired.resumed_at > observed.failed_at or set_back))


def _waiting(observed: publications.Publication) -> str:
    """Why an attempt waits, for people."""
    why = {
        "denied": "the account is refused",
        "conflict": "the vendor reported a conflict",
        "throttled": "the vendor limits calls",
        "queued": "the account has no call left for now",
        "stale": "the vendor does not show the last change yet",
        "unreachable": "the vendor cannot be reached",
        "unanswered": "the outcome of the last attempt is not known",
    }.get(observed.condition, "")
    return f"waits before the next attempt: {why}" if why else "waits before the next attempt"


def _searched(step: Step, observed: publications.Publication) -> Step:
    """Rest no longer than until the vendor is searched, or looked at, for what it may have done late."""
    moments = [moment for moment in (observed.search_at, observed.verify_at) if moment]
    if not isinstance(step, Rest) or not moments:
        return step
    return msgspec.structs.replace(step, look_at=min([*moments, *([step.look_at] if step.look_at else ())]))


def is_unopened(observed: publications.Publication) -> bool:
    """Whether nothing of a publication is known at the vendor, and no call that could open it was begun."""
    return observed.state == "absent" and observed.intent is None and not observed.unanswered_at


def death(kind: publications.Kind, content: publications.Content) -> str:
    """What marks an operation that was refused for good: its kind and what it would have said."""
    return f"{kind}:{content.digest}"


def _hindrance(desired: publications.Desired, observed: publications.Publication, step: Act, now: int) -> Rest | None:
    """What stands in the way of an operation that is wanted."""
    # What the vendor refused for good is not tried again; a person has to look. Anything else still is: a page whose
    # update was refused must be resolved all the same.
    refused = observed.dead_of == death(step.kind, desired.content)
    if refused and desired.abandoned_at > max(observed.dead_at, desired.pardoned_at):
        return Rest(f"given up: {observed.dead}")
    if refused and desired.pardoned_at <= observed.dead_at:
        return Rest(f"dead letter: {observed.dead}", waits_for="person")
    if step.kind == "adopt":  # It only reads.
        return None
    # Subscribers are not told of every turn: what changes meanwhile is told together.
    said = step.kind in {"update", "monitor"} and observed.state == "open" and observed.digest
    if said and now < observed.acted_at + desired.apart:
        return Rest("updates are kept apart", observed.acted_at + desired.apart, "time")
    return _frozen(desired, now)


def _frozen(desired: publications.Desired, now: int) -> Rest | None:
    # A freeze keeps false things off the page. What takes one down is let through.
    frozen = desired.public and desired.frozen and desired.retracted is None
    return Rest(f"frozen: {desired.frozen}", now + HELD_LOOK, "thaw") if frozen else None


def _watched(desired: publications.Desired, observed: publications.Publication, rest: Rest, now: int) -> Step:
    """What is open or a draft is looked at every so often: a person may have changed or ended it."""
    moment = max(observed.looked_at, observed.acted_at)
    moments = []
    if desired.looks:
        every = desired.looks
        if observed.missing_since:
            every = min(MISSING_LOOK, every)
        elif observed.view.is_unconfirmed and desired.public:
            every = min(UNCONFIRMED_LOOK, every)
        moments.append(moment + every)
    # The vendor says that something has changed. The router's own calls are told, too: they are looked at together.
    # A request in the future is one before the server's clock was set back.
    if observed.looked_at < desired.recheck_at <= now + CLOCK_DRIFT:
        moments.append(moment + RECHECKS_APART)
    if observed.verify_at:
        moments.append(observed.verify_at)
    if not moments:
        return rest
    look_at = min(moments)
    if now >= look_at:
        return Look()
    return msgspec.structs.replace(rest, look_at=look_at)


def _towards_open(desired: publications.Desired, observed: publications.Publication, now: int) -> Step:
    digest = desired.content.digest
    if observed.state == "open":
        if observed.digest == digest:
            return _as_sent(desired, observed, now)
        return _refusal(desired, observed, now) or _change(desired, observed)
    if desired.public and (desired.silent or desired.publish == "shadow"):
        return Rest(desired.silent or "shadow: what would be posted is only written down")
    if observed.state == "draft":
        return _towards_published(desired, observed, digest, now)
    # The page may have drafted the post itself, so its own incident has to be there first.
    if desired.adopts and not desired.linked_id and not desired.follows_settled:
        return Rest("waits for the incident that the page follows", waits_for="sibling")
    if not desired.again_settled:
        return Rest("waits for the end of what it takes up again", waits_for="sibling")
    if desired.adopts and desired.linked_id and not observed.adoption_tried:
        return Act("adopt", "the page may have drafted this post itself")
    why = "it fires again soon after its end" if desired.again else "the incident is open and nothing is there yet"
    return _refusal(desired, observed, now) or Act("open", why)


def _change(desired: publications.Desired, observed: publications.Publication, differs: str = "") -> Act:
    """The change of a post; ``differs`` is what the vendor shows otherwise than was sent."""
    reason = f"the vendor shows something else: {differs}" if differs else ""
    # The post is shown as monitored only by an operation of its own, which rules and timelines name.
    if desired.monitored:
        return Act("monitor", reason or "nothing fires any more")
    if is_taken_back(desired, observed):
        return Act("update", "it fires again")
    return Act("update", reason or "what should be shown has changed")


def is_taken_back(desired: publications.Desired, observed: publications.Publication) -> bool:
    """Whether a post says that it is monitored while alerts fire: that isn't true any more."""
    return observed.says_monitored and desired.present and not desired.monitored


def _as_sent(desired: publications.Desired, observed: publications.Publication, now: int) -> Step:
    """What was sent is what should be shown; what the vendor shows is what counts."""
    if not observed.differs or observed.taken_over:
        return Rest("in step")
    if observed.mismatches >= MOST_MISMATCHES:
        return Rest(f"the vendor does not show what was sent: {observed.differs}")
    # The first time at once; then later and later, for it may only be slow.
    again = observed.acted_at + MISMATCH_APART * 2 ** (observed.mismatches - 1) if observed.mismatches else 0
    if now < again:
        return Rest(f"the vendor shows something else: {observed.differs}", again, "time")
    return _refusal(desired, observed, now) or _change(desired, observed, observed.differs)


def _towards_published(
    desired: publications.Desired, observed: publications.Publication, digest: str, now: int
) -> Step:
    refusal = _refusal(desired, observed, now)
    if refusal is None:
        return Act("publish", "the draft may be published")
    if refusal.waits_for == "nothing":
        return Act("dismiss", refusal.reason)
    if observed.digest != digest and not observed.taken_over:
        return Act("update", "the draft should say what the rule says")
    return refusal


def _towards_closed(desired: publications.Desired, observed: publications.Publication, now: int) -> Step:
    if observed.state == "open":
        return _unresolved(desired, observed, now) or Act("resolve", "the incident is over")
    if observed.state == "draft":
        return Act("dismiss", "the incident was over before its draft was published")
    if desired.ended_at:
        return _towards_retrospective(desired, observed, now)
    return Rest("the incident was over before anything was opened")


def _towards_retrospective(desired: publications.Desired, observed: publications.Publication, now: int) -> Step:
    """What was over before it was published may be published as over. It needs an approval of its own."""
    if desired.silent or desired.publish == "shadow":
        return Rest(desired.silent or "shadow: what would be posted is only written down")
    refusal = _refusal(desired, observed, now)
    if refusal is None:
        return Act("open", "the incident was over before anything was published")
    if refusal.waits_for == "person":
        return msgspec.structs.replace(refusal, reason=f"retrospective incident: {refusal.reason}")
    return refusal


def _towards_retracted(
    desired: publications.Desired, observed: publications.Publication, retraction: review.Retraction
) -> Step:
    by = f"retracted by {retraction.who}"
    if observed.state == "absent":
        return Rest(f"{by}: nothing of it is shown")
    # The operator hasn't seen what somebody else has made of the post since.
    if observed.taken_over and retraction.digest != asked(desired, observed):
        return Rest(f"{observed.taken_over}: the retraction waits for a person", waits_for="person")
    return Act("retract", f"{by}: {retraction.reason}" if retraction.reason else by)


def _unresolved(desired: publications.Desired, observed: publications.Publication, now: int) -> Rest | None:
    """Why a post isn't resolved though its incident is over; None if it may be."""
    reason = observed.taken_over or ("review" if desired.ends_by_review else "")
    if not reason:
        return None
    verdict = desired.verdict
    if verdict is not None and verdict.digest == asked(desired, observed):
        return Rest(f"{verdict.who} will end it at the vendor") if verdict.kind == "dismissed" else None
    # Who approves a whole episode approves its end, but not that a person's change at the vendor is replaced.
    if verdict is not None and not observed.taken_over and verdict.kind == "approved" and not verdict.digest:
        return None
    # A deadline that dismisses is for what isn't shown yet. What is shown can't stay for ever, so the review goes on.
    if observed.taken_over or not desired.deadline or desired.at_deadline != "publish":
        return Rest(f"{reason}: the resolution waits for a person", waits_for="person")
    due = (observed.waits_since if observed.waits_of == asked(desired, observed) else now) + desired.deadline
    return Rest(f"{reason}: the resolution waits for a person", due, "person") if now < due else None


def _refusal(desired: publications.Desired, observed: publications.Publication, now: int) -> Rest | None:
    """Why what customers see may not be changed now; None where it may. Resting for nothing is for good."""
    if not desired.public:
        return None
    verdict = desired.verdict
    # Who approves a whole episode has not seen what a person made or changed at the vendor.
    is_blind = verdict is not None and verdict.kind == "approved" and not verdict.digest and bool(observed.taken_over)
    if verdict is not None and verdict.covers(asked(desired, observed)) and not is_blind:
        return None if verdict.kind == "approved" else Rest(f"dismissed by {verdict.who}")
    reason = observed.taken_over or desired.careful
    if not reason and (desired.publish == "auto" or is_taken_back(desired, observed)):
        return None
    # A deadline is for what nobody has objected to.
    due = observed.waits_since + desired.deadline
    if not reason and desired.deadline and observed.waits_of == asked(desired, observed):
        if now < due:
            return Rest("review: waits for a person to approve", due, "person")
        return None if desired.at_deadline == "publish" else Rest("dismissed: nobody approved it in time")
    return Rest(f"{reason or 'review'}: waits for a person to approve", waits_for="person")


def by_deadline(desired: publications.Desired, observed: publications.Publication, *, now: int) -> bool:
    """Whether it is the end of its review that lets something be posted, and no person's word."""
    waited_of = asked(desired, observed)
    if (
        desired.retracted is not None
        or not desired.deadline
        or observed.waits_of != waited_of
        or now < observed.waits_since + desired.deadline
    ):
        return False
    # What a person has decided before was about something else.
    return desired.verdict is None or (not desired.present and not desired.verdict.covers(waited_of))


def is_lapsed(desired: publications.Desired, observed: publications.Publication, *, now: int) -> bool:
    """Whether a review has ended at its deadline with nothing published."""
    lapses = (
        bool(desired.deadline) and desired.at_deadline == "dismiss" and observed.waits_of == asked(desired, observed)
    )
    return lapses and now >= observed.waits_since + desired.deadline


def is_retrospective(desired: publications.Desired, observed: publications.Publication) -> bool:
    """Whether what is to be published is over already."""
    return bool(desired.ended_at) and not desired.present and observed.state == "absent"


def asked(desired: publications.Desired, observed: publications.Publication) -> str:
    """The digest of what a reviewer decides upon: what would be sent, and a person's change that it would replace."""
    if desired.retracted is not None:
        content = review.RETRACTION
    elif desired.present:
        content = desired.content.digest
    elif is_retrospective(desired, observed):
        content = review.retrospective_of(desired.content.digest, desired.began_at, desired.ended_at)
    else:
        content = review.RESOLUTION
    return review.digest_of(content, observed.view.digest if observed.taken_over else "")


def review_of(desired: publications.Desired, observed: publications.Publication, step: Step) -> str:
    """The digest of what waits for a person's approval by this step; empty where nothing does."""
    if not isinstance(step, Rest) or step.waits_for != "person" or not desired.public or step.reason.startswith("dead"):
        return ""
    return asked(desired, observed)
