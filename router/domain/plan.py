"""Plans the next step for a publication from its desired and its observed state. Pure: ``now`` is an argument.

Each step has a reason code. The order of the checks is the order of importance: an operation that was begun is finished
before another one begins, a retraction comes before anything that alerts ask for, and a freeze stops everything else.
"""

import msgspec

from router.domain import corrections, publications, reviews, times
from router.domain.reasons import Cause, Reason
from router.domain.steps import Execute, Observe, ResumeIntent, Search, Step, Subject, Wait, WaitingOn
from router.domain.times import Duration, Timestamp

# Two workers' readings of the server's clock may differ by this time.
CLOCK_DRIFT = times.SECOND
# The interval of reads until one shows the content that was sent last.
UNCONFIRMED_OBSERVE_INTERVAL = Duration(15 * times.SECOND)
# The time before the first repeat of an update that the vendor doesn't show.
MISMATCH_RETRY_DELAY = Duration(15 * times.SECOND)
MAX_MISMATCHES = 5
# The time from an operation or a read to a read that a vendor's webhook asks for.
RECHECK_DELAY = Duration(3 * times.SECOND)
# The longest time between attempts while the vendor responds "not found".
MAX_MISSING_INTERVAL = Duration(20 * times.SECOND)
# The time after which a wait is checked if no event has ended it.
HELD_RECHECK_INTERVAL = Duration(10 * times.MINUTE)


def plan(desired: publications.Desired, observed: publications.Publication, *, now: Timestamp) -> Step:
    """Return the next step."""
    # The last attempt failed a moment ago. No other call is tried either: it would reach the same vendor. If no call is
    # needed, there is nothing to wait for.
    if _is_backing_off(desired, observed, now):
        backoff = Wait(Cause(Reason.BACKOFF, detail=observed.condition), observed.retry_at, WaitingOn.TIME)
        return _superseding_wait(desired, observed, now) or backoff
    # An operation was begun and its result is unknown. A second operation could open the incident twice.
    if observed.intent is not None:
        return _frozen(desired, now) or ResumeIntent(observed.intent)
    # A vendor may process an open minutes after it was sent. The resulting incident would stay open forever.
    if observed.search_at and observed.search_at <= now:
        return _frozen(desired, now) or Search()
    # A vendor may also process a change after the resolution. The post would show an outage that has ended.
    if observed.state == "resolved" and observed.verify_at and observed.verify_at <= now:
        return Observe(Cause(Reason.LATE_CHANGE_POSSIBLE))
    # Nothing is under way, so the desired state decides.
    return _limited_by_checks(_next_step(desired, observed, now), observed)


def _superseding_wait(desired: publications.Desired, observed: publications.Publication, now: Timestamp) -> Wait | None:
    """Return the wait of a publication whose failed operation is no longer needed; None if a call is still needed."""
    # The vendor may still process the last call, so its outcome has to be found out first.
    if observed.intent is not None or observed.search_at or observed.verify_at:
        return None
    # The desired state has changed since the failure, and no call would follow from it.
    step = _next_step(desired, observed, now)
    return step if isinstance(step, Wait) and step.waiting_on is WaitingOn.NOTHING else None


def is_superseded(observed: publications.Publication, step: Step) -> bool:
    """Return whether the last failure is of an operation that is no longer needed, so that it is not repeated."""
    # The vendor may still process the failed call, so its outcome counts.
    if observed.intent is not None or observed.search_at or observed.verify_at:
        return False
    # The plan needs no call any longer, and nothing is left to find out.
    return bool(observed.condition) and isinstance(step, Wait) and step.waiting_on is WaitingOn.NOTHING


def _next_step(desired: publications.Desired, observed: publications.Publication, now: Timestamp) -> Step:
    """Return the next step of a publication that has no failed attempt and no operation under way."""
    # An operator corrects a text that customers read now, even if the post is resolved.
    if (
        desired.correction is not None
        and desired.retracted is None
        and observed.vendor_id
        and observed.state in {"open", "resolved"}
    ):
        return _frozen(desired, now) or Execute("correct", _correction_cause(desired.correction))
    # Resolved and dismissed posts are never touched again: a new episode has its own publication.
    if observed.settled:
        return Wait(_finished_cause(desired, observed))
    # In an alert storm an incident is neither opened nor sent to reviewers before its turn.
    if desired.present and observed.held_since is not None and desired.retracted is None:
        return Wait(Cause(Reason.STORM_QUEUED), Timestamp(now + HELD_RECHECK_INTERVAL), WaitingOn.STORM_QUEUE)
    # A retraction comes before anything that alerts ask for.
    if desired.retracted is not None:
        step = _towards_retracted(desired, observed, desired.retracted)
    elif desired.present:
        step = _towards_open(desired, observed, now)
    else:
        step = _towards_closed(desired, observed, now)
    # A call is due, but a refusal, an interval, or a freeze may hold it back.
    if isinstance(step, Execute):
        return _obstacle(desired, observed, step, now) or step
    # A person may change or end an open incident at the vendor, so it is read periodically.
    if isinstance(step, Wait) and observed.state in {"open", "draft"}:
        return _observed_while_waiting(desired, observed, step, now)
    # A read, or the wait of a publication that isn't at the vendor.
    return step


def _correction_cause(content: publications.Content) -> Cause:
    requested = corrections.from_content(content)
    return Cause(Reason.CORRECTION_REQUESTED, who=requested.who, detail=requested.reason)


def _finished_cause(desired: publications.Desired, observed: publications.Publication) -> Cause:
    # Readers want to know who took the post down.
    if desired.retracted is not None and observed.retracted:
        return Cause(Reason.FINISHED, detail=f"retracted by {desired.retracted.who}")
    return Cause(Reason.FINISHED, detail=observed.state)


def republish(desired: publications.Desired, observed: publications.Publication) -> publications.Publication:
    """Return the publication, or a new one if a retracted post is to be published again."""
    # A reviewer has withdrawn the retraction, and alerts still fire.
    if observed.settled and observed.retracted and desired.retracted is None and desired.present:
        return publications.republish(observed)
    return observed


def find_lost_correction(desired: publications.Desired, observed: publications.Publication) -> Cause | None:
    """Return why the pending correction of a posted update can no longer be made; None if it can, or none is pending.

    A retracted post keeps none of its updates, and neither does a post that is not at the vendor.
    """
    # The outcome of an operation that was begun comes first: it may be the correction.
    if desired.correction is None or observed.intent is not None:
        return None
    # The post is taken down with all of its updates.
    if desired.retracted is not None:
        return Cause(Reason.RETRACTED, desired.retracted.who)
    # Customers don't see the post, so they don't see the update either.
    if not observed.vendor_id or observed.state not in {"open", "resolved"}:
        return Cause(Reason.POST_NOT_PUBLIC)
    # Customers still see the update, so it can be corrected.
    return None


def note_ending(desired: publications.Desired, observed: publications.Publication) -> publications.Publication:
    """Return the publication with the fields that its end needs once its episode is no longer the newest one.

    If alerts fire again while the resolution waits for a reviewer, that review ends.
    """
    ends_by_review = observed.resolves_by_review or (desired.ends_by_review and not observed.settled)
    vendor_digest = observed.view.digest if observed.taken_over else ""
    waits = observed.state == "open" and publications.is_awaiting(
        observed, reviews.digest_of(reviews.RESOLUTION, vendor_digest)
    )
    # An alert fires again, so the resolution is no longer due, and neither is its review.
    if desired.present and waits:
        return msgspec.structs.replace(observed, resolves_by_review=ends_by_review, review=None)
    # The publication needs this once its episode isn't the newest one, because its rule isn't known then.
    if ends_by_review != observed.resolves_by_review:
        return msgspec.structs.replace(observed, resolves_by_review=ends_by_review)
    return observed


def _is_backing_off(desired: publications.Desired, observed: publications.Publication, now: Timestamp) -> bool:
    """Return whether the last failure is too recent for another attempt."""
    # The pause after the last failure is over, or there was no failure.
    if observed.retry_at <= now:
        return False
    # The account has worked since, or an operator lifted its pauses.
    resumed = desired.resumed_at > observed.failed_at
    # A failure in the future happened before the server's clock was set back. Its retry time is wrong, so retry now.
    set_back = observed.failed_at > now + CLOCK_DRIFT
    # Nothing suggests that the vendor works again, so the pause holds.
    return not (observed.failed_at and (resumed or set_back))


def _limited_by_checks(step: Step, observed: publications.Publication) -> Step:
    """End a wait when the vendor is due for a search, or a read, for calls that it may have processed late."""
    moments = [moment for moment in (observed.search_at, observed.verify_at) if moment]
    # A call is due anyway, or no call may be processed late.
    if not isinstance(step, Wait) or not moments:
        return step
    return msgspec.structs.replace(step, observe_at=min(filter(None, (step.observe_at, *moments))))


def is_unopened(observed: publications.Publication) -> bool:
    """Return whether no vendor ID of a publication is known, and no call that could open it was begun."""
    return observed.state == "absent" and observed.intent is None and not observed.unanswered_at


def operation_fingerprint(kind: publications.Kind, content: publications.Content) -> str:
    """Identify a permanently refused operation by its kind and content."""
    return f"{kind}:{content.digest}"


def _obstacle(
    desired: publications.Desired, observed: publications.Publication, step: Execute, now: Timestamp
) -> Wait | None:
    """Return why an operation that is due can't begin now; None if it can."""
    rejection = observed.rejection
    # Another operation was refused, or none was.
    if rejection is not None and rejection.operation != operation_fingerprint(step.kind, desired.content):
        rejection = None
    # An operator has discarded the dead letter.
    if rejection is not None and desired.discarded_at > max(rejection.at, desired.redriven_at):
        return Wait(Cause(Reason.DISCARDED, detail=rejection.message))
    # The vendor permanently refuses this operation, so an operator must act. Other operations still run: a page whose
    # update was refused still has to be resolved.
    if rejection is not None and desired.redriven_at <= rejection.at:
        return Wait(Cause(Reason.DEAD_LETTER, detail=rejection.message), waiting_on=WaitingOn.OPERATOR)
    # Adopting only reads, so no freeze stops it.
    if step.kind == "adopt":
        return None
    # Each update notifies subscribers. Changes within the interval are posted together.
    is_update = step.kind in {"update", "monitor"} and observed.state == "open" and observed.digest
    if is_update and now < observed.acted_at + desired.min_update_interval:
        return Wait(
            Cause(Reason.UPDATE_INTERVAL),
            Timestamp(observed.acted_at + desired.min_update_interval),
            WaitingOn.TIME,
        )
    return _frozen(desired, now)


def missing_interval(answers: int) -> Duration:
    """Return the time to the next attempt after ``answers`` responses "not found" in a row: 1, 3, 9, 20, 20, … seconds.

    Most vendors only lag behind a write, often by less than a second, and a resolution should not wait longer.
    """
    # The exponent is limited, because the count isn't.
    return min(Duration(times.SECOND * 3 ** min(answers - 1, 9)), MAX_MISSING_INTERVAL)


def _frozen(desired: publications.Desired, now: Timestamp) -> Wait | None:
    # A freeze keeps false posts off the page. A retraction takes one down, so it isn't stopped.
    if not desired.public or desired.frozen is None or desired.retracted is not None:
        return None
    # Unfreezing wakes the incident. The time limit covers a wake that is lost.
    return Wait(desired.frozen, Timestamp(now + HELD_RECHECK_INTERVAL), WaitingOn.UNFREEZE)


def _observed_while_waiting(
    desired: publications.Desired, observed: publications.Publication, wait: Wait, now: Timestamp
) -> Step:
    """Return a read of the vendor if one is due, else the wait with the time of the next one."""
    last_contact = max(observed.looked_at, observed.acted_at)
    moments = []
    if desired.observe_interval:
        interval = desired.observe_interval
        # "Not found" is believed only after several responses, so read again soon.
        if observed.missing is not None:
            interval = min(missing_interval(observed.missing.answers), interval)
        # Customers may see other content than was sent, so read soon.
        elif observed.view.is_unconfirmed and desired.public:
            interval = min(UNCONFIRMED_OBSERVE_INTERVAL, interval)
        moments.append(last_contact + interval)
    # The vendor's webhook reports a change. It also reports the router's own calls, so several reports share one read.
    # A request in the future was made before the server's clock was set back.
    if observed.looked_at < desired.recheck_at <= now + CLOCK_DRIFT:
        moments.append(last_contact + RECHECK_DELAY)
    # The vendor may have processed an unanswered change late.
    if observed.verify_at:
        moments.append(observed.verify_at)
    # The destination isn't read regularly, and no change is reported.
    if not moments:
        return wait
    observe_at = min(moments)
    # A person may have changed the post since the last read.
    if now >= observe_at:
        return Observe()
    return msgspec.structs.replace(wait, observe_at=observe_at)


def _towards_open(desired: publications.Desired, observed: publications.Publication, now: Timestamp) -> Step:
    if observed.state == "open":
        # This content was sent, but the vendor may show other content.
        if observed.digest == desired.content.digest:
            return _as_sent(desired, observed, now)
        # The content has changed since it was sent.
        return _refusal(desired, observed, now) or _change(desired, observed)
    # Nothing is posted for a test alert, in shadow mode, or if no alert asks for the page any longer.
    if (reason := _suppression_cause(desired)) is not None:
        return Wait(reason)
    if observed.state == "draft":
        return _towards_published(desired, observed, now)
    # The page may draft the post itself from its own incident, so that incident has to exist first.
    if desired.may_adopt_draft and not desired.linked_id and not desired.follows_settled:
        return Wait(Cause(Reason.FOLLOWED_INCIDENT), waiting_on=WaitingOn.OTHER_PUBLICATION)
    # The vendor can't reopen an incident before it has the resolution of the last episode.
    if not desired.is_previous_closed:
        return Wait(Cause(Reason.PREVIOUS_EPISODE), waiting_on=WaitingOn.OTHER_PUBLICATION)
    # A draft of the page's own would be a second post beside the router's.
    if desired.may_adopt_draft and desired.linked_id and not observed.adoption_tried:
        return Execute("adopt", Cause(Reason.DRAFT_POSSIBLE))
    # There is nothing at the vendor yet, or only the resolved incident of the last episode.
    reason = Cause(Reason.REOPENING if desired.reopen_vendor_id else Reason.NOT_OPENED)
    return _refusal(desired, observed, now) or Execute("open", reason)


def _suppression_cause(desired: publications.Desired) -> Cause | None:
    """Return why nothing may be posted at a public page; None if a post may be made."""
    # Destinations that customers don't see also show tests.
    if not desired.public:
        return None
    # The alert is a test, or no firing alert asks for this page.
    if desired.suppressed is not None:
        return desired.suppressed
    # In shadow mode, only the timeline shows the post.
    return Cause(Reason.SHADOW) if desired.publish == "shadow" else None


def _change(desired: publications.Desired, observed: publications.Publication, differs: str = "") -> Execute:
    """Return the change of a post. ``differs`` is the vendor's content if it differs from the sent content."""
    mismatch = Cause(Reason.VENDOR_DIFFERS, detail=differs) if differs else None
    # Monitoring is a separate operation, which rules and timelines name.
    if desired.monitored:
        return Execute("monitor", mismatch or Cause(Reason.ALERTS_RESOLVED))
    # The post says that it is monitored. That is false now, whatever else differs.
    if is_monitoring_outdated(desired, observed):
        return Execute("update", Cause(Reason.FIRING_AGAIN))
    # The alerts or a reviewer have changed the content, or the vendor shows other content.
    return Execute("update", mismatch or Cause(Reason.CONTENT_CHANGED))


def is_monitoring_outdated(desired: publications.Desired, observed: publications.Publication) -> bool:
    """Return whether a post says that it is monitored although alerts fire."""
    return observed.says_monitored and desired.present and not desired.monitored


def _as_sent(desired: publications.Desired, observed: publications.Publication, now: Timestamp) -> Step:
    """Return the next step of a post whose desired content was sent. The vendor's view decides."""
    # A person's edit stays, so the difference that it makes is no mismatch.
    if not observed.differs or observed.taken_over:
        return Wait(Cause(Reason.IN_SYNC))
    # Repeating further would only notify subscribers again.
    if observed.mismatches >= MAX_MISMATCHES:
        return Wait(Cause(Reason.VENDOR_DIFFERS_STILL, detail=observed.differs))
    # The first repeat is immediate. The delay then doubles: the vendor may only be slow.
    delay = MISMATCH_RETRY_DELAY * 2 ** (observed.mismatches - 1) if observed.mismatches else 0
    retry_at = Timestamp(observed.acted_at + delay)
    if delay and now < retry_at:
        return Wait(Cause(Reason.VENDOR_DIFFERS, detail=observed.differs), retry_at, WaitingOn.TIME)
    return _refusal(desired, observed, now) or _change(desired, observed, observed.differs)


def _towards_published(desired: publications.Desired, observed: publications.Publication, now: Timestamp) -> Step:
    refusal = _refusal(desired, observed, now)
    # The rule, a reviewer, or a deadline permits the post.
    if refusal is None:
        return Execute("publish", Cause(Reason.PUBLISHING_ALLOWED))
    # A refusal that nothing can end is final. Otherwise the draft would stay on the page forever.
    if refusal.waiting_on is WaitingOn.NOTHING:
        return Execute("dismiss", refusal.cause)
    # Reviewers who work at the vendor see the draft there, so it must show the post that would be published.
    if observed.digest != desired.content.digest and not observed.taken_over:
        return Execute("update", Cause(Reason.DRAFT_OUTDATED))
    # The draft shows the content that waits, or a person's content.
    return refusal


def _towards_closed(desired: publications.Desired, observed: publications.Publication, now: Timestamp) -> Step:
    # Customers see an outage that has ended.
    if observed.state == "open":
        return _resolution_wait(desired, observed, now) or Execute("resolve", Cause(Reason.INCIDENT_CLOSED))
    # Publishing the draft now would announce an outage that has ended.
    if observed.state == "draft":
        return Execute("dismiss", Cause(Reason.CLOSED_BEFORE_PUBLISHING))
    # The rule asks for a retrospective incident.
    if desired.ended_at:
        return _towards_retrospective(desired, observed, now)
    return Wait(Cause(Reason.CLOSED_BEFORE_OPENING))


def _towards_retrospective(desired: publications.Desired, observed: publications.Publication, now: Timestamp) -> Step:
    """Return the next step towards publishing an ended incident. It needs a separate approval."""
    # A test, and a rule in shadow mode, publishes nothing afterwards either.
    if (reason := _suppression_cause(desired)) is not None:
        return Wait(reason)
    refusal = _refusal(desired, observed, now)
    # The post needs no approval, or a reviewer has approved it as a retrospective one.
    if refusal is None:
        return Execute("open", Cause(Reason.RETROSPECTIVE))
    # Reviewers must see that they decide on an incident that has ended.
    return msgspec.structs.replace(refusal, subject=Subject.RETROSPECTIVE)


def _towards_retracted(
    desired: publications.Desired, observed: publications.Publication, retraction: reviews.Retraction
) -> Step:
    # No post was published, so there is no post to take down.
    if observed.state == "absent":
        return Wait(Cause(Reason.RETRACTED_BEFORE_PUBLISHING, who=retraction.who))
    # The operator hasn't seen another person's later change of the post.
    if observed.taken_over and retraction.digest != review_digest(desired, observed):
        return Wait(_edit_cause(observed), waiting_on=WaitingOn.REVIEWER, subject=Subject.RETRACTION)
    # The operator retracted the post as it is now.
    return Execute("retract", Cause(Reason.RETRACTED, who=retraction.who, detail=retraction.reason))


def _edit_cause(observed: publications.Publication) -> Cause:
    return Cause(Reason.EDITED_AT_VENDOR, detail=observed.taken_over)


def _resolution_wait(desired: publications.Desired, observed: publications.Publication, now: Timestamp) -> Wait | None:
    """Return why a post isn't resolved although its incident is closed; None if it may be resolved."""
    # No person has edited the post, and the rule lets the router resolve it.
    if not observed.taken_over and not desired.ends_by_review:
        return None
    reason = _edit_cause(observed) if observed.taken_over else Cause(Reason.REVIEW_REQUIRED)
    digest = review_digest(desired, observed)
    verdict = desired.verdict
    # A reviewer has decided on this resolution. One who dismisses it resolves the post at the vendor.
    if verdict is not None and verdict.digest == digest:
        return Wait(Cause(Reason.LEFT_TO_REVIEWER, who=verdict.who)) if verdict.kind == "dismissed" else None
    # An approval of the whole episode includes its end, but not the replacement of a person's change at the vendor.
    if verdict is not None and not observed.taken_over and verdict.kind == "approved" and not verdict.digest:
        return None
    wait = Wait(reason, waiting_on=WaitingOn.REVIEWER, subject=Subject.RESOLUTION)
    # A deadline that dismisses is for posts that aren't public yet. A public post can't stay forever, so its review
    # continues.
    if observed.taken_over or not desired.deadline or desired.at_deadline != "publish":
        return wait
    due = _deadline(desired, observed, digest) or Timestamp(now + desired.deadline)
    # The deadline has the approval of the rule, so the post is resolved then.
    return msgspec.structs.replace(wait, until=due) if now < due else None


def _refusal(desired: publications.Desired, observed: publications.Publication, now: Timestamp) -> Wait | None:
    """Return why public content may not change now; None if it may. A wait for no event is final."""
    # Only public pages need an approval.
    if not desired.public:
        return None
    digest = review_digest(desired, observed)
    verdict = desired.verdict
    # An approval of the whole episode doesn't cover a person's changes at the vendor: no reviewer had seen them.
    is_blind = verdict is not None and verdict.kind == "approved" and not verdict.digest and bool(observed.taken_over)
    # A reviewer has decided on exactly this content.
    if verdict is not None and verdict.covers(digest) and not is_blind:
        return None if verdict.kind == "approved" else Wait(Cause(Reason.REVIEW_DISMISSED, who=verdict.who))
    reason = _edit_cause(observed) if observed.taken_over else desired.review_cause
    # The rule publishes automatically, and there is no objection. Taking back "monitoring" needs no approval either,
    # because the page shows a false status until then.
    if reason is None and (desired.publish == "auto" or is_monitoring_outdated(desired, observed)):
        return None
    # A deadline decides only if there is no objection: a leak or a person's edit waits for a reviewer without limit.
    due = _deadline(desired, observed, digest)
    if reason is None and due is not None:
        if now < due:
            return Wait(Cause(Reason.REVIEW_REQUIRED), due, WaitingOn.REVIEWER)
        return None if desired.at_deadline == "publish" else Wait(Cause(Reason.REVIEW_EXPIRED))
    # Only a reviewer can end this wait.
    return Wait(reason or Cause(Reason.REVIEW_REQUIRED), waiting_on=WaitingOn.REVIEWER)


def is_decided_by_deadline(
    desired: publications.Desired, observed: publications.Publication, *, now: Timestamp
) -> bool:
    """Return whether the deadline of a review, and no reviewer, permits a post."""
    digest = review_digest(desired, observed)
    due = _deadline(desired, observed, digest)
    # There is no deadline yet, or an operator has decided.
    if desired.retracted is not None or due is None or now < due:
        return False
    # An earlier decision was about something else.
    return desired.verdict is None or (not desired.present and not desired.verdict.covers(digest))


def is_review_expired(desired: publications.Desired, observed: publications.Publication, *, now: Timestamp) -> bool:
    """Return whether a review has ended at its deadline without a publication."""
    due = _deadline(desired, observed, review_digest(desired, observed))
    return desired.at_deadline == "dismiss" and due is not None and now >= due


def _deadline(desired: publications.Desired, observed: publications.Publication, digest: str) -> Timestamp | None:
    """Return when the pending review of a subject ends; None if it doesn't wait, or may wait without limit."""
    # The rule has no deadline, or this content doesn't wait yet.
    if not desired.deadline or observed.review is None or observed.review.digest != digest:
        return None
    return Timestamp(observed.review.since + desired.deadline)


def is_retrospective(desired: publications.Desired, observed: publications.Publication) -> bool:
    """Return whether the incident to publish has already ended."""
    return bool(desired.ended_at) and not desired.present and observed.state == "absent"


def review_digest(desired: publications.Desired, observed: publications.Publication) -> str:
    """Return the digest of a reviewer's subject: the content to send, and a person's change that it replaces."""
    if desired.retracted is not None:
        content = reviews.RETRACTION
    elif desired.present:
        content = desired.content.digest
    elif is_retrospective(desired, observed):
        content = reviews.retrospective_of(desired.content.digest, desired.began_at, desired.ended_at)
    else:
        content = reviews.RESOLUTION
    return reviews.digest_of(content, observed.view.digest if observed.taken_over else "")


def pending_review_digest(desired: publications.Desired, observed: publications.Publication, step: Step) -> str:
    """Return the digest of the content that waits for a reviewer in this step; empty if none does."""
    if not isinstance(step, Wait) or step.waiting_on is not WaitingOn.REVIEWER or not desired.public:
        return ""
    return review_digest(desired, observed)
