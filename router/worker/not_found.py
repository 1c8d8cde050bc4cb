"""Decides when to believe a vendor's "not found".

A gateway, a read that lags behind a write, a wrong base URL, and a key that lost a permission return 404, too. So "not
found" is believed only after ``ANSWERS`` of them over at least ``PROOF`` microseconds, each in the vendor's own error
format (``outbound.errors.NotFound``), returned twice in a row, and while another read of the account succeeds.

    0 s   GET 404, GET 404, probe 200   noted, 1
    1 s   GET 404, GET 404, probe 503   not noted: the account can't be read
    2 s   GET 404, GET 404, probe 200   noted, 2
    5 s   GET 404, GET 404, probe 200   noted, 3, but the first was less than a minute ago
    …
    74 s  GET 404, GET 404, probe 200   noted, 7: believed
"""

from collections.abc import Awaitable

import msgspec

from router.domain import operations, plan, publications, times
from router.domain.times import Timestamp
from router.outbound import errors
from router.worker import configured_destinations

ANSWERS = 3
PROOF = times.MINUTE
PROBLEM = "not found at the vendor"
MAX_STRAY_ANSWERS = 8  # Attempts to open, over about one minute, before the router trusts "not found".
_MAX_CONTRADICTIONS = 5  # Failed attempts after which a refusal counts although the object can be read.


class ConfirmedMissing(errors.Failure):
    """The vendor returned "not found" twice for the object, and another read of the account succeeded."""


async def confirm_missing(
    call: Awaitable[operations.VendorState | None],
    place: configured_destinations.ConfiguredDestination,
    operation: operations.Operation,
    attempts: int,
) -> operations.VendorState | None:
    """Make a call about a known object. On 404, read the object again and probe the account.

    Raises ``ConfirmedMissing`` if the object isn't there, ``Temporary`` if it is, or if the account can't be read.
    """
    try:
        return await call
    except errors.NotFound as problem:
        if not operation.vendor_id or operation.kind == "open":
            # The 404 is about a list of names, a page, or something else that the operation needs.
            # A refused name is final. Any other 404 may be temporary.
            if problem.field or attempts >= _MAX_CONTRADICTIONS:
                raise
            raise errors.Temporary(str(problem)) from problem
        try:
            await place.destination.observe(operation)
        except errors.NotFound:
            # A key that lost its permissions gets 404 for every object.
            await _probe(place)
            raise ConfirmedMissing(str(problem)) from problem
        # The object can be read, but the operation keeps failing. Without a limit, it would be retried forever.
        if attempts >= _MAX_CONTRADICTIONS:
            raise
        raise errors.Temporary(f"{problem}; but the vendor does show it") from problem


async def _probe(place: configured_destinations.ConfiguredDestination) -> None:
    try:
        await place.destination.probe()
    except errors.Permanent as problem:
        raise errors.Temporary(f"not found, and the account can't be read: {problem}") from problem


def may_be_stray(publication: publications.Publication) -> bool:
    """Return whether "not found" for an open may be temporary, as during a deployment of the vendor."""
    return (
        publication.intent is not None
        and publication.intent.kind == "open"
        and publication.attempts < MAX_STRAY_ANSWERS
    )


def record_missing(
    publication: publications.Publication, problem: ConfirmedMissing, now: Timestamp, *, keeps_intent: bool = False
) -> publications.Publication:
    """Count one more "not found". After enough of them, the publication is gone.

    ``keeps_intent`` is for an operation that was begun before: it may have happened.
    """
    before = publication.missing or publications.Missing(now, 0)
    since, answers = before.since, before.answers + 1
    counted = msgspec.structs.replace(publication, missing=publications.Missing(since, answers), looked_at=now)
    # ``dismissed`` and not ``absent``: an absent publication would be opened again, although a person may have deleted
    # it.
    if answers >= ANSWERS and now - since >= PROOF:
        return msgspec.structs.replace(
            counted,
            state="dismissed",
            gone=True,
            intent=None,
            retry_at=0,
            attempts=0,
            problem=PROBLEM,
            retracted=publication.intent is not None and publication.intent.kind == "retract",
        )
    if publication.intent is None:  # After a read, the plan says when the next one is.
        return counted
    # The operation isn't done. Its next attempt has the same number, and so the same idempotency key.
    return msgspec.structs.replace(
        counted,
        intent=publication.intent if keeps_intent else None,
        number=publication.number if keeps_intent else publication.number - 1,
        attempts=publication.attempts + 1,
        problem=str(problem),
        retry_at=now + plan.missing_interval(answers),
    )
