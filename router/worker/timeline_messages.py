"""Timeline events about operations, and about people's changes at the vendors."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from router.domain import corrections, messages, operations, publications, steps, timeline, times
from router.domain.reasons import Cause, Reason
from router.domain.times import Duration, Timestamp
from router.yaml_source import quantities

_DONE = {
    "adopt": "Adopted the page's draft",
    "open": "Opened",
    "update": "Updated",
    "publish": "Published",
    "monitor": "Set to monitoring",
    "resolve": "Resolved",
    "dismiss": "Dismissed",
    "retract": "Retracted",
    "correct": "Corrected an update",
}
_MAX_FAILURES = 3  # Failures in a row in the timeline; the log has all of them.


class Ended(NamedTuple):
    """The result of an operation, why it was begun, and the vendor's notes."""

    result: str
    causes: tuple[Cause, ...]
    notes: tuple[str, ...] = ()


def with_explanation(step: steps.Execute, desired: publications.Desired, *, lapsed: bool) -> steps.Execute:
    """Return the step with every reason that the timeline reports for it."""
    # A correction has an operator's reason. Verdicts and deadlines are about the post's content.
    if step.kind == "correct":
        return step
    also: list[Cause] = []
    verdict = desired.verdict
    is_decided = desired.present or (desired.ends_by_review and verdict is not None and bool(verdict.digest))
    if verdict is not None and verdict.kind == "approved" and is_decided:
        also.append(Cause(Reason.APPROVED, who=verdict.who))
    if lapsed:
        also.append(Cause(Reason.DEADLINE_REACHED, detail=desired.at_deadline))
    if desired.note is not None:
        also.append(desired.note)
    return msgspec.structs.replace(step, also=tuple(also))


def end_events(
    before: publications.Publication,
    after: publications.Publication,
    operation: operations.Operation,
    ended: Ended,
    now: Timestamp,
) -> list[timeline.Event]:
    """Return the events for the end of an operation."""
    result = ended.result
    reason = "; ".join([messages.describe_all(ended.causes), *ended.notes])
    # The page hasn't drafted a post, and the open that follows is reported.
    if operation.kind == "adopt" and after.state == "absent":
        return []
    if result in {"temporary", "unanswered"} and after.attempts > _MAX_FAILURES:
        return []
    # The destination found a person's change and sent nothing.
    if result == "done" and after.taken_over and not before.taken_over:
        return person_events(before, after, now, present=operation.kind != "resolve")
    detail = {
        "operation": operation.kind,
        "result": result,
        "number": operation.number,
        "key": operation.key,
        "vendor_id": after.vendor_id,
        "url": after.url,
        "reasons": [cause.code for cause in ended.causes],
        "fields": operation.content.fields,
    }
    if result == "not_found":
        return missing_events(before, after, now, f"Could not {operation.kind} at {operation.destination}")
    if result == "done" and operation.ended_at:
        text = (
            f"Published a retrospective incident at {operation.destination} ({describe_period(operation)}): {reason}."
        )
    elif result == "done" and operation.kind == "open" and after.state == "resolved":
        text = f"Resolved at {operation.destination} without opening it: {reason}."
    elif result == "done":
        text = f"{_DONE[operation.kind]} at {operation.destination}: {reason}."
    else:
        text = f"Could not {operation.kind} at {operation.destination} ({result}): {after.problem}"
    return [timeline.Event(now, "operation", text, operation.destination, detail=detail)]


def describe_period(operation: operations.Operation) -> str:
    """Return when a retrospective incident began and ended, for people."""
    return f"started {_minute(operation.began_at)}, ended {_minute(operation.ended_at)}"


def _minute(micros: Timestamp) -> str:
    return times.to_datetime(micros).strftime("%Y-%m-%d %H:%M UTC")


def person_events(
    before: publications.Publication, after: publications.Publication, now: Timestamp, *, present: bool
) -> list[timeline.Event]:
    """Return the event for a person's change at the vendor."""
    at = after.destination
    if after.taken_over and not before.taken_over:
        text = f"At {at} {messages.describe_edit(after.taken_over)}. Further changes there require approval."
        return [timeline.Event(now, "person", text, at, detail={"edit": after.taken_over})]
    # The router ends nothing that alerts ask for, so a person did.
    if after.settled and not before.settled and present:
        verb = "resolved" if after.state == "resolved" else "deleted"
        return [
            timeline.Event(now, "person", f"It was {verb} at {at} by a person. The router does not change it back.", at)
        ]
    if before.state == "draft" and after.state == "open":
        return [timeline.Event(now, "person", f"The draft was published at {at} by a person.", at)]
    return []


def missing_events(
    before: publications.Publication, after: publications.Publication, now: Timestamp, unfinished: str = ""
) -> list[timeline.Event]:
    """Return the event for a "not found" that is believed. ``unfinished`` is what could not be done."""
    # A single response proves nothing, so the event is reported once, when the router believes it.
    if before.gone or not after.gone:
        return []
    missing = after.missing or publications.Missing(now, 0)
    seconds = (now - missing.since) // times.SECOND
    text = f"Not found at {after.destination}: {missing.answers} answers within {seconds} s"
    text += ", while the account's other reads succeeded. It was deleted, or the key may not see it."
    text += f" {unfinished}." if unfinished else ""
    text += " The router no longer changes it."
    return [timeline.Event(now, "missing", text, after.destination, detail={"vendor_id": after.vendor_id})]


def late_open_events(
    before: publications.Publication, after: publications.Publication, now: Timestamp
) -> list[timeline.Event]:
    """Return the event for an unanswered open that the vendor processed late."""
    if after.state == before.state:
        return []
    text = f"At {after.destination} the vendor carried out an unanswered open late. The router uses its result."
    return [timeline.Event(now, "operation", text, after.destination, detail={"vendor_id": after.vendor_id})]


def late_change_events(
    before: publications.Publication, after: publications.Publication, now: Timestamp
) -> list[timeline.Event]:
    """Return the event for an unanswered change that the vendor processed after the resolution."""
    if after.state == before.state:
        return []
    text = f"At {after.destination} the vendor carried out an unanswered change late. The router reverts it."
    return [timeline.Event(now, "operation", text, after.destination, detail={"vendor_id": after.vendor_id})]


def adoption_event(after: publications.Publication, item: operations.OpenItem, now: Timestamp) -> timeline.Event:
    """Return the event for an open incident that was adopted after Redis had lost its data."""
    how = f"its reference {item.reference}" if item.reference else "its title and text"
    text = f"Found open at {after.destination} by {how} after the data in Redis was lost. The router uses it."
    return timeline.Event(now, "operation", text, after.destination, detail={"vendor_id": after.vendor_id})


def duplicate_events(at: str, ended: Sequence[str], now: Timestamp) -> list[timeline.Event]:
    """Return the event for ended duplicates, with their IDs at the vendor."""
    if not ended:
        return []
    count = "a duplicate was" if len(ended) == 1 else f"{len(ended)} duplicates were"
    text = f"At {at} {count} ended, because the vendor carried out an open late, after the router had repeated it."
    return [timeline.Event(now, "operation", text, at, detail={"vendor_ids": list(ended)})]


def delay_event(after: publications.Publication, stand_ins: Sequence[str], now: Timestamp) -> timeline.Event:
    """Return the event for an incident whose opening the vendor has delayed beyond the failover limit."""
    seconds = (now - after.delay.since) // times.SECOND if after.delay is not None else 0
    lasted = f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"
    instead = f" It is opened at {', '.join(stand_ins)} instead." if stand_ins else ""
    text = f"At {after.destination}: not opened for {lasted}. Its failover announces it.{instead}"
    detail = {"failover": list(stand_ins), "reason": after.refusal or after.problem}
    return timeline.Event(now, "operation", text, after.destination, detail=detail)


def wait_event(at: str, wait: steps.Wait, content: publications.Content, now: Timestamp) -> timeline.Event:
    """Return the event for a post that waits for a reviewer, or is recorded in shadow mode."""
    is_reviewed = wait.waiting_on is steps.WaitingOn.REVIEWER
    text = messages.describe_review(wait.subject, wait.cause) if is_reviewed else messages.describe(wait.cause)
    detail = {"reason": wait.cause.code, "digest": content.digest, "fields": content.fields}
    return timeline.Event(now, "review", f"At {at}: {text}.", at, "", detail)


def lost_correction(
    publication: publications.Publication, correction: corrections.Correction, cause: Cause, now: Timestamp
) -> timeline.Event:
    """Return the event for a correction of a posted update that was not made."""
    text = f"The correction by {correction.who} at {publication.destination} was not made: {messages.describe(cause)}."
    detail = {"reason": cause.code, "update": correction.update, "body": correction.body}
    return timeline.Event(now, "correction", text, publication.destination, correction.who, detail)


def freeze_event(destination: str, cause: Cause, now: Timestamp) -> timeline.Event:
    """Return the event for an operation that a publishing freeze holds back."""
    text = f"At {destination}: {messages.describe(cause)}."
    return timeline.Event(now, "freeze", text, destination, detail={"reason": cause.code})


def review_end_event(publication: publications.Publication, now: Timestamp) -> timeline.Event:
    """Return the event for a review that ended without a decision."""
    at = publication.destination
    return timeline.Event(now, "review", f"At {at}: the incident ended before anyone acted. Nothing is published.", at)


def queued_event(max_incidents: int, within: Duration, now: Timestamp) -> timeline.Event:
    """Return the event for a queued episode: at most ``max_incidents`` incidents open per ``within`` microseconds."""
    limit = f"{max_incidents} incidents have opened within {quantities.format_duration(within)}"
    text = f"Queued in an alert storm: {limit}. The most severe incidents open first."
    return timeline.Event(now, "storm", text)


def dequeued_event(since: Timestamp, now: Timestamp) -> timeline.Event:
    """Return the event for an episode that leaves the queue."""
    waited = round((now - since) / 1_000_000)
    return timeline.Event(now, "storm", f"Released from the queue of the alert storm after {waited} s.")


def storm_end_event(now: Timestamp) -> timeline.Event:
    """Return the event for an episode that was over before its turn."""
    return timeline.Event(
        now, "storm", "The alerts resolved while the incident was queued in an alert storm. No incident was opened."
    )
