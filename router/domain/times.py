"""Times and durations. Both are integers in microseconds, and mypy keeps them apart.

``Timestamp`` counts from the Unix epoch, so timestamps of different processes are comparable. Arithmetic yields a plain
integer, which the caller names again::

    due = Timestamp(now + timing.open_after)
    waited = Duration(now - since)
"""

import datetime as dt
from typing import NewType

Timestamp = NewType("Timestamp", int)
"""A point in time, in microseconds since the Unix epoch."""

Duration = NewType("Duration", int)
"""A length of time, in microseconds."""

SECOND = Duration(1_000_000)
MINUTE = Duration(60 * SECOND)
HOUR = Duration(60 * MINUTE)
DAY = Duration(24 * HOUR)


def from_seconds(seconds: float) -> Duration:
    """Convert seconds to a duration, rounded down to a microsecond."""
    return Duration(int(seconds * SECOND))


def to_seconds(duration: int) -> float:
    """Return the length of a duration in seconds."""
    return duration / SECOND


def to_datetime(moment: Timestamp) -> dt.datetime:
    """Return a timestamp as an exact datetime in UTC, for APIs and texts."""
    return dt.datetime.fromtimestamp(moment // SECOND, dt.UTC).replace(microsecond=moment % SECOND)


def from_datetime(moment: dt.datetime) -> Timestamp:
    """Return the timestamp of a datetime with a time zone."""
    return Timestamp((moment - _EPOCH) // dt.timedelta(microseconds=1))


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
