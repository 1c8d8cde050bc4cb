"""The vendor calls of an operation, and the handling of calls whose outcome is unknown."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from router.domain import operations, publications, reviews, times
from router.domain.times import Duration, Timestamp
from router.outbound import errors
from router.worker import configured_destinations

# The state that each kind of operation leads to. A conflict with a vendor that has this state already is a success.
_RESULTING_STATES: dict[publications.Kind, frozenset[publications.State]] = {
    "publish": frozenset({"open", "resolved"}),
    "resolve": frozenset({"resolved", "dismissed"}),
    "dismiss": frozenset({"resolved", "dismissed"}),
    "retract": frozenset({"resolved", "dismissed"}),
}
LAG = Duration(2 * times.MINUTE)  # The time after an operation in which a read may show the state before it.


async def call_vendor(
    place: configured_destinations.ConfiguredDestination, operation: operations.Operation
) -> operations.VendorState | None:
    """Make the call of an operation. After a conflict, read the state: if it is the desired one, the call succeeded."""
    calls: dict[publications.Kind, Callable[[operations.Operation], Awaitable[operations.VendorState | None]]] = {
        "adopt": place.destination.adopt,
        "open": place.destination.open,
        "update": place.destination.update,
        "monitor": place.destination.update,  # An update whose content has the status and the text for monitoring.
        "publish": place.destination.publish,
        "resolve": place.destination.resolve,
        "dismiss": place.destination.dismiss,
        "retract": place.destination.retract,
        "correct": place.destination.correct,
    }
    try:
        return await calls[operation.kind](operation)
    except errors.Conflict as conflict:
        # The conflict may mean "already open" or "a call with this key is under way". The vendor's incident may exist.
        if operation.kind == "open":
            raise errors.Unanswered(str(conflict), conflict.retry_after) from conflict
        # The vendor may have posted the update. The repeated call reads first, and posts only if the update isn't
        # there. It is made later, because an immediate read may still show the state before the update.
        if operation.kind in {"update", "monitor"}:
            raise errors.Unanswered(str(conflict), conflict.retry_after) from conflict
        expected_states = _RESULTING_STATES.get(operation.kind)
        if expected_states is None:
            raise
        seen = await place.destination.observe(operation)
        if seen.state not in expected_states:
            raise
        return msgspec.structs.replace(seen, note=f"it was {seen.state} already ({conflict.message})")


async def keep_unknown(call: Awaitable[operations.VendorState | None]) -> operations.VendorState | None:
    """Find out the outcome of an open. If that fails, the outcome stays unknown.

    Only the vendor's response to the open proves its outcome. "A request with this key is in progress" (409), "this key
    was used for another request" (422), and a refused API key (401) don't. If the router took one of them for "not
    done", it would forget an incident that is open at the vendor.
    """
    try:
        return await call
    except (errors.Temporary, errors.Permanent) as failure:
        raise errors.Unanswered(str(failure), getattr(failure, "retry_after", None)) from failure


async def keep_unanswered(call: Awaitable[operations.VendorState | None]) -> operations.VendorState | None:
    """Repeat an operation that reads first. If the call can't be made, the outcome stays unknown.

    A permanent refusal is about the repeated call, which was made only because the read showed that it is needed.
    """
    try:
        return await call
    except errors.Temporary as failure:
        raise errors.Unanswered(str(failure), failure.retry_after) from failure


@dataclass(frozen=True)
class Repeat:
    """The circumstances under which an open of unknown outcome is repeated.

    ``look_first``: the vendor may have forgotten the idempotency key. ``is_settled``: the first call can no longer be
    under way. ``taken`` returns the IDs that belong to other publications at the same destination.
    """

    look_first: bool
    is_settled: bool
    taken: Callable[[], Awaitable[frozenset[str]]]


async def repeat_open(
    place: configured_destinations.ConfiguredDestination, operation: operations.Operation, repeat: Repeat
) -> operations.VendorState | None:
    """Repeat an open with its idempotency key. Return None if it certainly never happened.

    The vendor stores keys for a limited time. After that, or if it refuses the repeated call, the router searches for
    what the open may have created. If nothing is found, it opens with the same key. A permanent refusal is believed
    only once the first call is over and the search found nothing.
    """
    if repeat.look_first and (seen := await _find_opened(place, operation, repeat)):
        return msgspec.structs.replace(seen, note="it was found at the vendor")
    try:
        return await keep_unknown(place.destination.open(operation))
    except errors.Unanswered as failure:
        # The vendor hasn't refused the key, so the next attempt repeats it.
        if not isinstance(failure.__cause__, errors.Permanent | errors.Conflict):
            raise
        seen = await _find_opened(place, operation, repeat)
        # The first call created it, although the vendor refuses the repeated one.
        if seen is not None:
            note = f"it was found at the vendor, which refused the repeated call: {failure}"
            return msgspec.structs.replace(seen, note=note)
        # The first call can no longer be under way, and the search found nothing, so the refusal is true.
        if repeat.is_settled and isinstance(failure.__cause__, errors.Permanent):
            return None
        raise


async def _find_opened(
    place: configured_destinations.ConfiguredDestination, operation: operations.Operation, repeat: Repeat
) -> operations.VendorState | None:
    search = msgspec.structs.replace(operation, taken=await repeat.taken())
    return await keep_unknown(place.destination.find(search))


async def open_again(
    place: configured_destinations.ConfiguredDestination, operation: operations.Operation
) -> operations.VendorState | None:
    """Open after an unanswered attempt. If both calls created an incident, the older one stays."""
    seen = await place.destination.open(operation)
    return await keep_unknown(place.destination.find(operation)) or seen


async def look_up(
    place: configured_destinations.ConfiguredDestination,
    operation: operations.Operation,
    lookup: Awaitable[operations.VendorState | None],
) -> operations.VendorState | None:
    """Find out the outcome of an operation that is no longer needed, without repeating it.

    ``lookup`` searches for what an open has created.
    """
    if operation.kind == "open":
        return await keep_unknown(lookup)
    return await keep_unanswered(place.destination.observe(operation))


async def publish_draft(
    place: configured_destinations.ConfiguredDestination, operation: operations.Operation
) -> operations.VendorState | None:
    """Publish a draft. An unanswered publication may have happened, so read the state first."""
    seen = await place.destination.observe(operation)
    if seen.state == "draft":
        return await call_vendor(place, operation)
    # The unanswered call, or a person, has published or ended it.
    return seen


def operation_of(
    publication: publications.Publication, intent: publications.Intent, desired: publications.Desired, now: Timestamp
) -> operations.Operation:
    """Return the operation for an intent of the publication at ``now``.

    If a reviewer has approved a post that another person has changed at the vendor, the post replaces that change: the
    change is in the view, because the reviewer has seen it. A later change is not.
    """
    verdict = desired.verdict
    digest = intent.content.digest if desired.present else reviews.RESOLUTION
    vendor_digest = publication.view.digest if publication.taken_over else ""
    insists = (
        verdict is not None
        and verdict.kind == "approved"
        and verdict.digest == reviews.digest_of(digest, vendor_digest)
    )
    if desired.retracted is not None:
        insists = desired.retracted.digest == reviews.digest_of(reviews.RETRACTION, vendor_digest)
    return operations.Operation(
        kind=intent.kind,
        episode=publication.episode,
        destination=publication.destination,
        number=intent.number,
        content=intent.content,
        opened_at=publication.opened_at,
        vendor_id=publication.vendor_id or intent.again,
        linked_id=desired.linked_id,
        before=publication.content if publication.digest and not (insists and not publication.view.fields) else None,
        told=publication.told,
        view=publication.view,
        lags=now < publication.acted_at + LAG,
        uncertain=publication.uncertain,
        message=desired.retracted.message if desired.retracted is not None else "",
        began_at=intent.began_at,
        ended_at=intent.ended_at,
        is_over=not desired.present,
        failures=publication.attempts,
    )
