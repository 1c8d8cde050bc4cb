"""The mute windows of a decision: when the schedules of the matched rules occur, now and next."""

import functools
from collections.abc import Sequence

from router.domain import decisions, recurrence
from router.rules import intervals

MOST = 8
"""Mute windows of a decision; later ones are left out, since the alert is processed when the last of them ends."""


def mute_windows(schedules: Sequence[intervals.Named], now: int) -> tuple[decisions.MuteWindow, ...]:
    """The current and the next windows at a time in microseconds; windows that touch are one with all their names."""
    if not schedules:
        return ()
    hour = now - now % recurrence.HOUR
    found = [
        (start, end, schedule.name)
        for schedule in schedules
        for start, end in _occurrences(schedule, hour)
        if end > now
    ]
    merged: list[decisions.MuteWindow] = []
    for start, end, name in sorted(found):
        if merged and merged[-1][1] >= start:
            begun, ends, names = merged[-1]
            listed = names if name in names.split(", ") else f"{names}, {name}"
            merged[-1] = (begun, max(ends, end), listed)
        else:
            merged.append((start, end, name))
    return tuple(merged[:MOST])


@functools.lru_cache(maxsize=1024)
def _occurrences(schedule: intervals.Named, hour: int) -> tuple[recurrence.Span, ...]:
    """Looking for them takes longer than a decision may, so it is done once an hour."""
    return recurrence.occurrences(schedule.intervals, hour)
