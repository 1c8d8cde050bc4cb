"""What is known of a publication after an answer, or after a look at the vendor: pure."""

import msgspec

from router.domain import operation as operations
from router.domain import publication as publications


def done(
    publication: publications.Publication, operation: operations.Operation, seen: operations.Seen | None, now: int
) -> publications.Publication:
    """What stands after an answer. 'Nothing there' means different things to different operations."""
    settled = msgspec.structs.replace(
        publication, intent=None, attempts=0, retry_at=0, problem="", dead="", dead_of="", dead_at=0, acted_at=now
    )
    settled = _there(settled)
    if seen is not None and seen.edited:
        return seen_as(settled, seen, now)
    if seen is not None:
        return msgspec.structs.replace(
            settled,
            state=seen.state,
            vendor_id=seen.vendor_id,
            url=seen.url or publication.url,
            digest="" if operation.kind == "adopt" else operation.content.digest,
            content=operation.content,
            told=seen.told,
            taken_over="",
            ended=seen.ended,
            reopened=publication.reopened or (operation.kind == "open" and seen.vendor_id == operation.vendor_id),
        )
    if operation.kind == "adopt":
        return msgspec.structs.replace(settled, adoption_tried=True)
    if operation.kind == "open":
        # It never happened: the next attempt has the same number and key, and knows that it is not the first.
        return msgspec.structs.replace(settled, number=publication.number - 1, attempts=publication.attempts)
    raise AssertionError(f"a destination answers nothing to {operation.kind}")


def _there(publication: publications.Publication) -> publications.Publication:
    """Forget earlier answers of "not found": the vendor shows it."""
    return msgspec.structs.replace(publication, missing_since=0, missing_answers=0)


def seen_as(publication: publications.Publication, seen: operations.Seen, now: int) -> publications.Publication:
    """What stands after a look at the vendor, where nothing was sent."""
    return msgspec.structs.replace(
        _there(publication), state=seen.state, taken_over=seen.edited or publication.taken_over, looked_at=now
    )
