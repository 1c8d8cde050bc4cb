"""Quiet hours of a notifier: which events are held until the end of a window, and which of them are delivered then.

Example: quiet from 22:00 to 07:00, except for ``review.escalated``.

| time | event | what happens |
| --- | --- | --- |
| 01:00 | ``incident.opened``, ``review.waiting`` | held |
| 01:10, 01:20 | ``review.reminded`` | held |
| 01:25 | ``review.escalated`` | delivered at once, after ``incident.opened``, so that the order stays |
| 03:00 | ``review.decided``, ``incident.resolved`` | held |
| 07:00 | | ``review.decided`` and ``incident.resolved`` are delivered |

``review.waiting`` and both reminders are left out: ``review.escalated`` has the same post, and is newer. Windows follow
the local time. If the clocks are set back, a time that comes twice is quiet twice.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from router.domain import events, recurrence

_WAITING = frozenset({"review.waiting", "review.changed", "review.reminded", "review.escalated"})
_DECIDED = "review.decided"
# Events that replace each other, by type; an event of any other type replaces earlier ones of its type.
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

    def until(self, now: int) -> int:
        """Return the end of the window that a time is in (both in microseconds since the epoch); 0 if it is in none."""
        for start, end in _occurrences(self.windows, now - now % recurrence.HOUR):
            if start <= now < end:
                return end
        return 0

    def passes(self, event: events.Event) -> bool:
        """Return whether an event is delivered at any time. A test event is: an operator waits for it."""
        topic, incident = events.topic_of(event), getattr(event, "incident", None)
        if topic is None or topic in self.topics or events.type_of(event) in self.types:
            return True
        return incident is not None and incident.severity in self.severities

    def retries_begin(self, at: int, within: int) -> int:
        """Return from when the retries of an event count that occurred at a time.

        If a window holds up its delivery, or its retries within ``within`` microseconds, they count from the window's
        end. Otherwise, an event of a Friday evening would be too old on Monday morning.
        """
        for start, end in _occurrences(self.windows, at - at % recurrence.HOUR):
            if start < at + within and end > at:
                return end
        return at


@functools.lru_cache(maxsize=1024)
def _occurrences(windows: tuple[recurrence.Interval, ...], hour: int) -> tuple[recurrence.Span, ...]:
    """Return the windows' occurrences. Computing them is slow, so they are cached for an hour."""
    return recurrence.occurrences(windows, hour)


def deliverable(
    quiet: QuietHours, pending: Sequence[events.Recorded], now: int
) -> tuple[Sequence[events.Recorded], int]:
    """Return the events to deliver now, in order, and until when the later ones are held; 0 if none is held.

    Events before one that passes go with it: a notifier receives the events of an incident in order.
    """
    until = quiet.until(now)
    passing = [place for place, one in enumerate(pending, 1) if not until or quiet.passes(one.event)]
    count = passing[-1] if passing else 0
    return coalesce(quiet, pending[:count]), until if count < len(pending) else 0


def coalesce(quiet: QuietHours, pending: Sequence[events.Recorded]) -> list[events.Recorded]:
    """Return the events without those that were held and that a later one replaces. The last event always stays."""
    kept: list[events.Recorded] = []
    later: set[tuple[str, str, str]] = set()
    for one in reversed(pending):
        destination = _destination(one.event)
        group = _GROUPS.get(one.type, one.type)
        is_replaced = (one.scope, group, destination) in later
        later.add((one.scope, group, destination))
        if one.type == _DECIDED:
            # A reviewer has decided, so nobody needs to see what waited before.
            later.add((one.scope, "waiting", destination))
        if not (is_replaced and quiet.until(one.at) and not quiet.passes(one.event)):
            kept.append(one)
    return kept[::-1]


def _destination(event: events.Event) -> str:
    """Return what an event is about besides its incident: the destinations that it names."""
    review = getattr(event, "review", None)
    if review is not None:
        return str(review.destination)
    publications: Sequence[events.Publication] = getattr(event, "publications", ())
    return str(getattr(event, "destination", "")) or " ".join(one.destination for one in publications)
