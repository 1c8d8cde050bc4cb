"""Computes the observed state of a publication after a vendor's response or a read. Pure functions."""

import msgspec

from router.domain import corrections, operations, plan, publications, times
from router.domain.times import Duration, Timestamp
from router.outbound import errors

# The first matching class names the condition.
_CONDITIONS: tuple[tuple[type[errors.Failure], publications.Condition], ...] = (
    (errors.Denied, "denied"),
    (errors.Conflict, "conflict"),
    (errors.Throttled, "throttled"),
    (errors.Queued, "queued"),
    (errors.Stale, "stale"),
    (errors.Temporary, "unreachable"),
    (errors.Unanswered, "unanswered"),
)


def after_call(
    publication: publications.Publication,
    operation: operations.Operation,
    seen: operations.VendorState | None,
    now: Timestamp,
) -> publications.Publication:
    """Return the publication after a response. "Nothing there" has a different meaning for each operation."""
    if operation.kind == "correct" and seen is not None:
        return _after_correction(publication, operation, seen, now)
    settled = msgspec.structs.replace(
        publication,
        intent=None,
        attempts=0,
        retry_at=0,
        problem="",
        rejection=None,
        acted_at=now,
        condition="",
        failed_at=0,
        frozen_since=None,
    )
    settled = _forget_missing(settled)
    # The destination found a person's change and sent nothing, so the content doesn't count as sent.
    if seen is not None and seen.edited:
        return after_observation(settled, seen, now)
    if seen is not None:
        return msgspec.structs.replace(
            settled,
            state=seen.state,
            vendor_id=seen.vendor_id,
            url=seen.url or publication.url,
            # An adopted draft has the page's own texts. Without a digest, the next step updates it.
            digest="" if operation.kind == "adopt" else operation.content.digest,
            content=operation.content,
            told=seen.told or publication.told,
            taken_over="",
            ended=seen.ended,
            view=seen.view if seen.view is not None else publication.view,
            differs=seen.differs,
            mismatches=publication.mismatches + 1 if seen.differs else 0,
            reopened=publication.reopened or (operation.kind == "open" and seen.vendor_id == operation.vendor_id),
            monitored=publication.monitored or operation.kind == "monitor",
            says_monitored=operation.kind == "monitor",
            acknowledged_at=_acknowledged_at(publication, seen, now),
            retracted=operation.kind == "retract" and seen.state != "open",
            uncertain=publication.uncertain if publications.may_change_late(publication, now) else (),
        )
    # The page hasn't drafted a post, so the router opens a post without asking again.
    if operation.kind == "adopt":
        return msgspec.structs.replace(settled, adoption_tried=True)
    if operation.kind == "open":
        # It never happened. The next attempt has the same number and key, and knows that it is not the first.
        return msgspec.structs.replace(settled, number=publication.number - 1, attempts=publication.attempts)
    raise AssertionError(f"a destination returns no result for {operation.kind}")


def _after_correction(
    publication: publications.Publication, operation: operations.Operation, seen: operations.VendorState, now: Timestamp
) -> publications.Publication:
    """Return the publication after a correction: one update has another text, and nothing else is known."""
    return msgspec.structs.replace(
        _forget_missing(publication),
        intent=None,
        attempts=0,
        retry_at=0,
        problem="",
        condition="",
        failed_at=0,
        acted_at=now,
        told=seen.told or publication.told,
        view=seen.view if seen.view is not None else publication.view,
        corrected_at=corrections.from_content(operation.content).at,
    )


def after_refused_correction(
    publication: publications.Publication, problem: errors.Permanent
) -> publications.Publication:
    """Return the publication after a permanently refused correction. The update stays, and the timeline reports it."""
    assert publication.intent is not None  # noqa: S101 - a running operation has a stored intent
    asked_at = corrections.from_content(publication.intent.content).at
    return msgspec.structs.replace(
        publication,
        intent=None,
        attempts=0,
        problem=str(problem),
        condition="",
        failed_at=0,
        corrected_at=asked_at,
    )


def _forget_missing(publication: publications.Publication) -> publications.Publication:
    """Forget earlier "not found" responses, because the vendor shows the publication."""
    return msgspec.structs.replace(publication, missing=None)


def after_observation(
    publication: publications.Publication, seen: operations.VendorState, now: Timestamp
) -> publications.Publication:
    """Return the publication after a read of the vendor without a call that changes it."""
    if seen.is_stale:
        return msgspec.structs.replace(_forget_missing(publication), looked_at=now)
    view = seen.view if seen.view is not None else publication.view
    return msgspec.structs.replace(
        _forget_missing(publication),
        state=seen.state,
        vendor_id=publication.vendor_id or seen.vendor_id,
        url=seen.url or publication.url,
        taken_over=seen.edited or publication.taken_over,
        looked_at=now,
        view=view,
        told=seen.told or publication.told,
        differs=seen.differs,
        acknowledged_at=_acknowledged_at(publication, seen, now),
    )


def _acknowledged_at(
    publication: publications.Publication, seen: operations.VendorState, now: Timestamp
) -> Timestamp | None:
    """Return when a responder's acknowledgement at the vendor was first seen; None if none was."""
    return publication.acknowledged_at or (now if seen.is_acknowledged else None)


def after_adoption(
    publication: publications.Publication,
    operation: operations.Operation,
    seen: operations.VendorState,
    item: operations.OpenItem,
    now: Timestamp,
) -> publications.Publication:
    """Return the publication after it has adopted an open incident."""
    return msgspec.structs.replace(
        publication,
        state=seen.state,
        vendor_id=seen.vendor_id,
        url=seen.url or item.url,
        digest=operation.content.digest,
        content=operation.content,
        told=seen.told,
        view=seen.view if seen.view is not None else publication.view,
        opened_at=min(filter(None, (item.opened_at, publication.opened_at)), default=now),
        looked_at=now,
        adoption_tried=True,
        held_since=None,
        review=None,
        problem="",
        condition="",
        failed_at=0,
        retry_at=0,
    )


def condition_of(problem: errors.Failure) -> publications.Condition:
    """Return the condition of a failure that is retried. For an unknown outcome, it is that of the last call."""
    cause = problem.__cause__
    failure = cause if isinstance(problem, errors.Unanswered) and isinstance(cause, errors.Temporary) else problem
    return next((code for kind, code in _CONDITIONS if isinstance(failure, kind)), "")


def after_refusal(
    publication: publications.Publication, problem: errors.Permanent, now: Timestamp
) -> publications.Publication:
    """Return the publication after a permanent refusal: a dead letter.

    An open that was refused immediately created nothing, so a redriven open has the same number, and the same
    idempotency key: if the vendor did create something, it responds with that.
    """
    intent = publication.intent
    assert intent is not None  # noqa: S101 - a running operation has a stored intent
    kind = intent.kind
    # An earlier attempt got no response, and may have changed a part.
    publication = record_partial(publication, problem)
    is_uncertain = intent.content in publication.uncertain
    return msgspec.structs.replace(
        publication,
        differs=HALF_DONE if is_uncertain else publication.differs,
        monitored=publication.monitored or (is_uncertain and kind == "monitor"),
        says_monitored=publication.says_monitored or (is_uncertain and kind == "monitor"),
        intent=None,
        number=publication.number - 1 if kind == "open" else publication.number,
        rejection=publications.Rejection(str(problem), plan.operation_fingerprint(kind, intent.content), now),
        problem=str(problem),
        attempts=0,
        condition="",
        failed_at=0,
    )


def clear_failure(publication: publications.Publication) -> publications.Publication:
    """Return the publication once the operation that failed last is no longer needed: it isn't retried."""
    return msgspec.structs.replace(publication, attempts=0, retry_at=0, problem="", condition="", failed_at=0)


def record_freeze(publication: publications.Publication, now: Timestamp, *, is_held: bool) -> publications.Publication:
    """Return the publication while a publishing freeze holds an operation back, or once it no longer holds one back.

    Return the same object if that is already recorded.
    """
    if is_held == (publication.frozen_since is not None):
        return publication
    return msgspec.structs.replace(publication, frozen_since=now if is_held else None)


def drop_correction(publication: publications.Publication, asked_at: Timestamp) -> publications.Publication:
    """Return the publication once a correction, requested at ``asked_at``, can no longer be made."""
    return msgspec.structs.replace(publication, corrected_at=asked_at)


def resolve_conflict(publication: publications.Publication, problem: errors.Failure) -> errors.Failure:
    """Return the failure to record. A persistent conflict means that the vendor did not make the update.

    Otherwise, an object that accepts no updates could never be resolved.
    """
    is_conflict = isinstance(problem, errors.Unanswered) and isinstance(problem.__cause__, errors.Conflict)
    of_update = publication.intent is not None and publication.intent.kind in _UPDATES
    if is_conflict and of_update and publication.attempts >= _MAX_CONFLICTS:
        assert isinstance(problem.__cause__, errors.Failure)  # noqa: S101 - checked above
        return problem.__cause__
    return problem


def after_failure(
    publication: publications.Publication,
    problem: errors.Failure,
    *,
    now: Timestamp,
    retry_at: Timestamp,
    repeatable: bool,
) -> publications.Publication:
    """Return the publication after a failure that is retried at ``retry_at``.

    ``repeatable`` says that the vendor stores idempotency keys, so that an open never happens twice.
    """
    after = msgspec.structs.replace(
        record_partial(publication, problem),
        attempts=publication.attempts + 1,
        problem=str(problem),
        retry_at=retry_at,
        condition=condition_of(problem),
        failed_at=now,
    )
    if isinstance(problem, errors.Unanswered):
        of_open = publication.intent is not None and publication.intent.kind == "open"
        # With idempotency keys, the repeated call returns the first result. Otherwise, a late duplicate has to be
        # searched for.
        if of_open:
            return after if repeatable else msgspec.structs.replace(after, unanswered_at=now)
        # The vendor may still process the change, so the post is read again minutes later.
        return msgspec.structs.replace(_with_uncertain(after), unanswered_change_at=now)
    # The operation was not completed, so it is no longer under way. The next attempt has the same number and key.
    return msgspec.structs.replace(after, intent=None, number=publication.number - 1)


HALF_DONE = "an earlier change was carried out in part"
_UPDATES = frozenset({"update", "monitor", "publish"})  # The operations whose content the vendor shows afterwards.


def record_partial(publication: publications.Publication, problem: errors.Failure) -> publications.Publication:
    """Return the publication after its operation failed, recording what earlier calls changed at the vendor.

    If the desired content reverts before the next attempt, or the vendor rejects the operation permanently, the router
    has to revert the changed part.
    """
    intent, left = publication.intent, _find_partial(problem)
    is_refused = isinstance(problem, errors.Permanent)
    # At some vendors, an earlier call than the failed one changes the status. If alerts fire again before the next
    # attempt, the router has to revert the status.
    if intent is not None and intent.kind == "monitor" and (left is not None or not is_refused):
        publication = msgspec.structs.replace(publication, monitored=True, says_monitored=True)
    if left is None or intent is None or intent.kind not in _UPDATES:
        return publication
    view = left.view if left.view is not None else publication.view
    return msgspec.structs.replace(_with_uncertain(publication), view=view, differs=HALF_DONE)


def _find_partial(problem: BaseException | None) -> operations.VendorState | None:
    """Return the vendor's state after the successful earlier calls of a failed operation, if any."""
    while isinstance(problem, errors.Failure):
        if isinstance(problem.partial_state, operations.VendorState):
            return problem.partial_state
        problem = problem.__cause__
    return None


def _with_uncertain(publication: publications.Publication) -> publications.Publication:
    intent = publication.intent
    if intent is None or intent.kind not in _UPDATES:
        return publication
    return publications.with_uncertain(publication, intent.content)


def mark_resumed(
    publication: publications.Publication, intent: publications.Intent, *, repeatable: bool
) -> publications.Publication:
    """Return the publication when an operation of unknown outcome is resumed: it has got no response.

    The worker that began it may have been killed before it recorded that. The vendor may process the request after the
    router has searched for it, or has repeated it.
    """
    if intent.kind != "open":
        begun_at = max(publication.unanswered_change_at, intent.begun_at)
        return msgspec.structs.replace(_with_uncertain(publication), unanswered_change_at=begun_at)
    # A repeated open has the same idempotency key, and returns the first result.
    if repeatable:
        return publication
    return msgspec.structs.replace(publication, unanswered_at=max(publication.unanswered_at, intent.begun_at))


LATE = "an earlier change was carried out late"


def is_carried_out_late(publication: publications.Publication, seen: operations.VendorState) -> bool:
    """Return whether a read shows a change by the router that it did not show after the router's last operation.

    A text that the router has not posted before is a person's. A change of the status alone adds no text: it counts as
    the router's if it reopens a resolved post, or says that a post is monitored which no longer is.
    """
    # Every change got a response, or a person has edited the post.
    if not publication.unanswered_change_at or seen.edited or seen.view is None or not seen.told:
        return False
    # It has a text that the router has never posted.
    if not set(seen.told) <= set(publication.told):
        return False
    # It has an update that the last read lacked, and the router wrote its text.
    if not set(seen.view.entries) <= set(publication.view.entries):
        return True
    is_reopened = publication.state == "resolved" and seen.state == "open"
    status = str(seen.view.fields.get("status", "")).lower()
    return is_reopened or (publication.monitored and not publication.says_monitored and status == "monitoring")


def verify(
    publication: publications.Publication, seen: operations.VendorState, now: Timestamp, *, is_reopened: bool
) -> publications.Publication:
    """Return the publication after a read of a resolved one: it is open again only if a change by the router came late.

    ``is_reopened`` says that a later episode has reopened it. Otherwise, a person has.
    """
    # It is still resolved, or a person or a later episode has reopened it.
    if seen.state != "open" or is_reopened or not is_carried_out_late(publication, seen):
        return msgspec.structs.replace(publication, looked_at=now)
    return after_observation(publication, seen, now)


def after_failed_read(
    publication: publications.Publication, problem: Exception, now: Timestamp
) -> publications.Publication:
    """Return the publication after a failed read.

    The next regular read follows. That of a resolved one is repeated soon.
    """
    if publication.state != "resolved":
        return msgspec.structs.replace(publication, looked_at=now)
    condition = condition_of(problem) if isinstance(problem, errors.Failure) else "unreachable"
    return msgspec.structs.replace(
        publication, condition=condition, failed_at=now, problem=str(problem), retry_at=now + SEARCHED_AGAIN
    )


_MAX_CONFLICTS = 2  # Attempts of an update that may get a conflict although the vendor made the update.
SEARCHED_AGAIN = Duration(30 * times.SECOND)  # The time after a search that failed.


def after_failed_search(
    publication: publications.Publication, problem: errors.Failure, now: Timestamp
) -> publications.Publication:
    """Return the publication after a failed search for duplicates: the search is due again soon."""
    return msgspec.structs.replace(
        publication,
        searched_at=0,
        problem=str(problem),
        condition=condition_of(problem),
        failed_at=now,
        retry_at=now + SEARCHED_AGAIN,
    )


def number_step(publication: publications.Publication, kind: publications.Kind, content: publications.Content) -> int:
    """Return by how much the operation number increases. The idempotency key contains it.

    An open that was refused and is redriven has its previous key. With other content it is another request: vendors
    refuse a known key with an unknown body, and some repeat their refusal of the first one.
    """
    rejected = publication.rejection.operation if publication.rejection is not None else ""
    is_refused = rejected.partition(":")[0] == kind == "open"
    return 2 if is_refused and rejected != plan.operation_fingerprint(kind, content) else 1
