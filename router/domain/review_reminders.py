"""Reminds reviewers of posts that wait, and escalates a review if no reviewer decides.

Example: ``review: {remind_every: 10m, escalate_after: 25m, escalate_to: [leads]}``, and a post that waits since 10:00.

| time | event |
| --- | --- |
| 10:10 | ``review.reminded`` |
| 10:20 | ``review.reminded`` |
| 10:25 | ``review.escalated``, also to ``leads`` |
| 10:30 | ``review.reminded``, also to ``leads`` |

If no worker runs from 10:05 to 10:22, one reminder is sent at 10:22. While a person has taken the review, nothing is
sent. When the time of that person is up, one event is sent if any was due meanwhile.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from router.domain import decisions, events
from router.domain.times import Timestamp


class Reminder(msgspec.Struct, frozen=True, array_like=True):
    """The announced reminders of a review that waits since ``since`` (microseconds)."""

    since: Timestamp
    count: int = 0
    is_escalated: bool = False


class Waiting(NamedTuple):
    """A review that waits since a time (microseconds), and the target whose rule says when to remind.

    ``taken_until`` is when the time of the person who has taken it is up (microseconds; 0: no person has).
    """

    review: events.Review
    target: decisions.Target
    since: Timestamp
    taken_until: Timestamp = Timestamp(0)


@dataclass(frozen=True)
class ReviewReminders:
    """The events, the state to store by destination, and when to look again (microseconds; 0 for never)."""

    found: tuple[events.Event, ...]
    after: Mapping[str, Reminder]
    due: int


def remind(
    before: Mapping[str, Reminder], waiting: Iterable[Waiting], incident: events.Incident, now: Timestamp
) -> ReviewReminders:
    """Return the reminders and escalations that are due."""
    reminders: list[events.Event] = []
    after: dict[str, Reminder] = {}
    moments: list[int] = []
    for waiting_publication in waiting:
        target, destination = waiting_publication.target, waiting_publication.target.destination
        if not target.remind_every and not target.escalate_after:
            continue
        was = before.get(destination)
        if was is None or was.since != waiting_publication.since:
            was = Reminder(waiting_publication.since)  # The post has another version, so its review starts again.
        # The reviewer who has taken it needs no reminder, and no other reviewer has to act yet.
        if now < waiting_publication.taken_until:
            after[destination] = was
            continue
        waited = max(0, now - waiting_publication.since)
        count = max(was.count, waited // target.remind_every) if target.remind_every else 0
        is_escalated = was.is_escalated or bool(target.escalate_after and waited >= target.escalate_after)
        if is_escalated and not was.is_escalated:
            reminders.append(events.ReviewEscalated(incident, waiting_publication.review, waited // 1_000_000))
        elif count > was.count:
            reminders.append(events.ReviewReminded(incident, waiting_publication.review, waited // 1_000_000))
        after[destination] = Reminder(waiting_publication.since, count, is_escalated)
        if target.remind_every:
            moments.append(waiting_publication.since + (count + 1) * target.remind_every)
        if target.escalate_after and not is_escalated:
            moments.append(waiting_publication.since + target.escalate_after)
    return ReviewReminders(tuple(reminders), after, min(moments, default=0))
