"""The mute windows of a decision: the current and the next occurrences of the matched rules' schedules."""

import functools
from collections.abc import Sequence

from router.domain import decisions, recurrence
from router.domain.times import Timestamp
from router.rules import intervals

MAX_WINDOWS = 8
"""Mute windows of a decision; later ones are omitted, since the alert is processed when the last of them ends."""


def mute_windows(schedules: Sequence[intervals.NamedIntervals], now: Timestamp) -> tuple[decisions.MuteWindow, ...]:
    """Return the current and the next windows at a time in microseconds.

    Adjacent windows are merged with all their names.
    """
    if not schedules:
        return ()
    # Rounding down lets all alerts of an hour use one cached computation.
    hour = now - now % recurrence.HOUR
    windows = [
        (start, end, schedule.name)
        for schedule in schedules
        for start, end in _occurrences(schedule, hour)
        if end > now
    ]
    merged: list[decisions.MuteWindow] = []
    for start, end, name in sorted(windows):
        # Without merging, the end of a window would look like the end of muting, although the next window has begun.
        if merged and merged[-1][1] >= start:
            begins, ends, names = merged[-1]
            all_names = names if name in names.split(", ") else f"{names}, {name}"
            merged[-1] = (begins, max(ends, end), all_names)
        else:
            merged.append((start, end, name))
    return tuple(merged[:MAX_WINDOWS])


@functools.lru_cache(maxsize=1024)
def _occurrences(schedule: intervals.NamedIntervals, hour: Timestamp) -> tuple[recurrence.Span, ...]:
    """Return a schedule's occurrences. Computing them is slow, so they are cached for an hour."""
    return recurrence.occurrences(schedule.intervals, hour)
