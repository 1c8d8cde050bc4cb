"""What an operation calls at its vendor, and what is made of a call whose outcome is not known."""

from collections.abc import Awaitable, Callable

from router.domain import operation as operations
from router.domain import publication as publications
from router.outbound import errors
from router.worker import bound, breaker


def of(place: bound.Bound, operation: operations.Operation) -> Awaitable[operations.Seen | None]:
    """The call of an operation."""
    calls: dict[publications.Kind, Callable[[operations.Operation], Awaitable[operations.Seen | None]]] = {
        "adopt": place.destination.adopt,
        "open": place.destination.open,
        "update": place.destination.update,
        "publish": place.destination.publish,
        "resolve": place.destination.resolve,
        "dismiss": place.destination.dismiss,
    }
    return calls[operation.kind](operation)


async def still_unknown(call: Awaitable[operations.Seen | None]) -> operations.Seen | None:
    """Find out what has become of an operation: where that fails, it may have happened all the same.

    To take such a failure for "surely not done" would be to forget what is open at the vendor.
    """
    try:
        return await call
    except errors.Temporary as failure:
        raise errors.Unanswered(str(failure), failure.retry_after) from failure
    except errors.Permanent as failure:
        if failure.status not in breaker.NOT_LET_IN:
            raise
        raise errors.Unanswered(str(failure)) from failure


async def opened_again(place: bound.Bound, operation: operations.Operation) -> operations.Seen | None:
    """Open where an earlier attempt was not answered: should both have happened, the older one stays."""
    seen = await place.destination.open(operation)
    return await still_unknown(place.destination.find(operation)) or seen


async def published(place: bound.Bound, operation: operations.Operation) -> operations.Seen | None:
    """Publish what is a draft still; a publication that was not answered may have been done."""
    seen = await place.destination.observe(operation)
    if seen.state == "draft":
        return await place.destination.publish(operation)
    return seen
