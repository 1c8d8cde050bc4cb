"""Quiet hours of a notifier: hold events until a window ends, and deliver the ones that are still relevant then.

Example: quiet from 22:00 to 07:00, except for ``review.escalated``.

| time | event | result |
| --- | --- | --- |
| 01:00 | ``incident.opened``, ``review.waiting`` | held |
| 01:10, 01:20 | ``review.reminded`` | held |
| 01:25 | ``review.escalated`` | delivered at once, after ``incident.opened``, to keep the order |
| 03:00 | ``review.decided``, ``incident.resolved`` | held |
| 07:00 | | ``review.decided`` and ``incident.resolved`` are delivered |

``review.waiting`` and both reminders are dropped, because ``review.escalated`` has the same post and is newer. Windows
follow local time. If clocks are set back, both occurrences of a repeated time are quiet.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from router.domain import events, recurrence
from router.domain.times import Duration, Timestamp

_WAITING = frozenset({"review.waiting", "review.changed", "review.reminded", "review.escalated"})
_DECIDED = "review.decided"
# Event types that replace each other. An event of any other type replaces earlier events of the same type.
_GROUPS = {
    **dict.fromkeys(_WAITING, "waiting"),
    **dict.fromkeys(("incident.acknowledged", "incident.unacknowledged"), "acknowledgement"),
    **dict.fromkeys(("review.taken", "review.released"), "take"),
    "guard.tripped": "guard",
    "guard.reset": "guard",
    "freeze.started": "freeze",
    "freeze.ended": "freeze",
    "publication.delayed": "delay",
    "publication.recovered": "delay",
}


@dataclass(frozen=True)
class QuietHours:
    """The quiet hours of one notifier.

    An event passes if its incident has one of ``severities``, or if ``topics`` or ``types`` name its topic or type.
    """

    windows: tuple[recurrence.Interval, ...]
    severities: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()

    def until(self, now: Timestamp) -> int:
        """Return the end of the window that contains ``now``, both in microseconds since the epoch; 0 if none does."""
        for start, end in _occurrences(self.windows, now - now % recurrence.HOUR):
            if start <= now < end:
                return end
        return 0

    def passes(self, event: events.Event) -> bool:
        """Return whether an event ignores quiet hours. Test events do, because an operator waits for them."""
        topic, incident = events.topic_of(event), getattr(event, "incident", None)
        if topic is None or topic in self.topics or events.type_of(event) in self.types:
            return True
        return incident is not None and incident.severity in self.severities

    def retries_begin(self, at: Timestamp, within: Duration) -> int:
        """Return the time from which the retry period of an event that occurred at ``at`` counts.

        If a window delays the delivery, or a retry within ``within`` microseconds, the period counts from the window's
        end. Otherwise, an event of Friday evening would be too old on Monday morning.
        """
        for start, end in _occurrences(self.windows, at - at % recurrence.HOUR):
            if start < at + within and end > at:
                return end
        return at


@functools.lru_cache(maxsize=1024)
def _occurrences(windows: tuple[recurrence.Interval, ...], hour: Timestamp) -> tuple[recurrence.Span, ...]:
    """Return the windows' occurrences. Computing them is slow, so they are cached for an hour."""
    return recurrence.occurrences(windows, hour)


def deliverable(
    quiet: QuietHours, pending: Sequence[events.Recorded], now: Timestamp
) -> tuple[Sequence[events.Recorded], int]:
    """Return the events to deliver now, in order, and the time until which later events are held; 0 if none is held.

    Events before a passing event are delivered with it, because a notifier receives an incident's events in order.
    """
    quiet_until = quiet.until(now)
    passing = [place for place, recorded in enumerate(pending, 1) if not quiet_until or quiet.passes(recorded.event)]
    count = passing[-1] if passing else 0
    return coalesce(quiet, pending[:count]), quiet_until if count < len(pending) else 0


def coalesce(quiet: QuietHours, pending: Sequence[events.Recorded]) -> list[events.Recorded]:
    """Drop held events that a later event replaces. Always keep the last event."""
    recorded_events: list[events.Recorded] = []
    later: set[tuple[str, str, str]] = set()
    for recorded in reversed(pending):
        destination = _destination(recorded.event)
        group = _GROUPS.get(recorded.type, recorded.type)
        is_replaced = (recorded.scope, group, destination) in later
        later.add((recorded.scope, group, destination))
        if recorded.type == _DECIDED:
            # The review is decided, so earlier requests for a review are obsolete.
            later.add((recorded.scope, "waiting", destination))
        if not (is_replaced and quiet.until(recorded.at) and not quiet.passes(recorded.event)):
            recorded_events.append(recorded)
    return recorded_events[::-1]


def _destination(event: events.Event) -> str:
    """Return the destination that an event names, so that only events about one destination replace each other."""
    review = getattr(event, "review", None)
    if review is not None:
        return str(review.destination)
    publications: Sequence[events.Publication] = getattr(event, "publications", ())
    return str(getattr(event, "destination", "")) or " ".join(publication.destination for publication in publications)
