"""Recurring intervals in a time zone, and their occurrences.

``occurrences`` finds them without a formula for time zones. It collects every instant at which an interval may begin or
end: the local midnights, the intervals' own times on each local day (both readings of a time that the clock shows
twice), and the instant at which the clocks change. Between two neighboring instants nothing changes, so one check at
the first of them decides for the whole span. For 22:00 to 06:00 on a Saturday in Zurich the instants are 00:00, 06:00,
and 22:00 of each day; the spans that hold are Saturday 22:00 to Sunday 00:00 and Sunday 00:00 to 06:00, which join.
"""

import calendar
import datetime as dt
import itertools
import zoneinfo
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from router.domain.times import Timestamp

Range = tuple[int, int]
Span = tuple[Timestamp, Timestamp]
"""Start and end in microseconds since the epoch; the end is exclusive."""

HOUR = 60 * 60 * 1_000_000
DAY = 24 * HOUR
AHEAD = 14 * DAY
"""Occurrences that begin later than this aren't listed."""
_FARTHEST = 366 * DAY  # A longer occurrence is cut here.
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECOND = 1_000_000
_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Interval:
    """One interval. A ``Range`` includes both its ends; ``times`` are minutes of the day and exclude their ends.

    A time that ends before it begins spans midnight and belongs to the day on which it begins. An empty tuple does not
    restrict the interval.
    """

    times: tuple[Range, ...]
    weekdays: tuple[Range, ...]
    days_of_month: tuple[Range, ...]
    months: tuple[Range, ...]
    years: tuple[Range, ...]
    zone: zoneinfo.ZoneInfo

    @property
    def is_always(self) -> bool:
        """Return whether the interval has no restriction."""
        return not (self.times or self.weekdays or self.days_of_month or self.months or self.years)

    def holds(self, now: Timestamp) -> bool:
        """Return whether a time, in microseconds since the epoch, is within the interval."""
        local = _local(now, self.zone)
        today, minute = local.date(), local.hour * 60 + local.minute
        if not self.times:
            return self._has(today)
        return any(
            (start <= minute < end and self._has(today))
            if start < end
            else (minute >= start and self._has(today)) or (minute < end and self._has(today - dt.timedelta(days=1)))
            for start, end in self.times
        )

    def _has(self, day: dt.date) -> bool:
        length = calendar.monthrange(day.year, day.month)[1]
        from_end = day.day - length - 1
        return (
            _within(day.month, self.months)
            and _within(day.year, self.years)
            and (not self.weekdays or any(_on(day.weekday(), ends) for ends in self.weekdays))
            and (not self.days_of_month or any(_is(day.day, from_end, ends) for ends in self.days_of_month))
        )


def occurrences(intervals: Sequence[Interval], now: Timestamp) -> tuple[Span, ...]:
    """Return the current occurrence and those that begin in the next ``AHEAD``, in order. Adjacent ones are merged.

    They are computed once an hour, so that equal deliveries get equal results: ``AHEAD`` counts from the full hour.
    """
    base = now - now % HOUR
    horizon = Timestamp(base + AHEAD)
    spans = _join(_spans(intervals, Timestamp(base - DAY), horizon))
    # An occurrence that extends beyond the horizon, such as a whole month, gets its true end.
    while spans and spans[-1][1] >= horizon < base + _FARTHEST:
        following = _join(_spans(intervals, horizon, Timestamp(horizon + AHEAD)))
        horizon = Timestamp(horizon + AHEAD)
        if not following or following[0][0] > spans[-1][1]:
            break
        spans[-1] = (spans[-1][0], following[0][1])
    return tuple(span for span in spans if span[1] > now)


def _spans(intervals: Sequence[Interval], start: Timestamp, end: Timestamp) -> Iterator[Span]:
    instants = sorted({start, end, *(instant for each in intervals for instant in _instants(each, start, end))})
    for begins, ends in itertools.pairwise(instants):
        if any(interval.holds(begins) for interval in intervals):
            yield begins, ends


def _join(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in spans:
        if joined and joined[-1][1] >= start:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _instants(interval: Interval, start: Timestamp, end: Timestamp) -> Iterator[Timestamp]:
    """Return every instant from ``start`` to ``end`` at which the interval may begin or end."""
    zone = interval.zone
    minutes = sorted({0, *(minute % _MINUTES for times in interval.times for minute in times)})
    day, last = _local(start, zone).date(), _local(end, zone).date()
    while day <= last:
        midnight = dt.datetime.combine(day, dt.time(), zone)
        for minute in minutes:
            local = midnight.replace(hour=minute // 60, minute=minute % 60)
            for instant in (_instant(local), _instant(local.replace(fold=1))):
                if start < instant < end:
                    yield instant
        day += dt.timedelta(days=1)
        following = dt.datetime.combine(day, dt.time(), zone)
        if following.utcoffset() != midnight.utcoffset():
            change = _change(_instant(midnight), _instant(following), zone)
            if start < change < end:
                yield change


def _change(before: Timestamp, after: Timestamp, zone: zoneinfo.ZoneInfo) -> Timestamp:
    """Return the second at which the offset from UTC changes between two instants."""
    first = _local(before, zone).utcoffset()
    while after - before > _SECOND:
        middle = Timestamp((before + after) // 2 // _SECOND * _SECOND)
        if _local(middle, zone).utcoffset() == first:
            before = middle
        else:
            after = middle
    return after


def _local(moment: Timestamp, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    return (_EPOCH + dt.timedelta(microseconds=moment)).astimezone(zone)


def _instant(local: dt.datetime) -> Timestamp:
    return Timestamp(int(local.timestamp()) * _SECOND)


def _within(value: int, ranges: tuple[Range, ...]) -> bool:
    return not ranges or any(first <= value <= last for first, last in ranges)


def _on(weekday: int, ends: Range) -> bool:
    first, last = ends
    return first <= weekday <= last if first <= last else weekday >= first or weekday <= last


def _is(day: int, from_end: int, ends: Range) -> bool:
    first, last = ends
    return first <= (day if first > 0 else from_end) <= last
