"""Parses ``during``, ``except_during``, and ``mute_during``, and the named intervals that they may use."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.domain import recurrence
from router.rules import describe, intervals, parse_context
from router.yaml_source import suggestions

Named = Mapping[str, tuple[recurrence.Interval, ...]]
"""The intervals of each name."""


def read(context: parse_context.Context, data: dict[str, Any], named_intervals: Named) -> Iterator[intervals.Schedule]:
    """Parse the times at which a rule is active, and report problems."""
    for key in ("during", "except_during"):
        if data.get(key) is not None:
            parsed_intervals = tuple(_parse_list(context.child(key), data[key], named_intervals))
            yield intervals.Schedule(parsed_intervals, outside=key == "except_during")


def mutes(
    context: parse_context.Context, data: dict[str, Any], named_intervals: Named
) -> Iterator[intervals.NamedIntervals]:
    """Parse the times that mute a rule's alerts. A schedule that always mutes is an error."""
    entries = data.get("mute_during")
    if entries is None:
        return
    if entries == []:
        context.report("an empty list never applies; remove it", "mute_during")
    several = isinstance(entries, list)
    for index, value in enumerate(entries if several else [entries]):
        inside = context.child("mute_during", *((index,) if several else ()))
        parsed_intervals = tuple(_parse_one(inside, value, named_intervals))
        if any(interval.is_always for interval in parsed_intervals):
            inside.report("applies at all times, so its alerts would always be muted; to drop them, use ignore")
        elif parsed_intervals:
            yield intervals.NamedIntervals(
                value if isinstance(value, str) else describe.describe_interval(parsed_intervals[0]), parsed_intervals
            )


def names(context: parse_context.Context, data: Any) -> dict[str, tuple[recurrence.Interval, ...]]:
    """Parse ``time_intervals``: one interval or a list of intervals for each name."""
    if data is None:
        return {}
    if not isinstance(data, dict):
        context.report('"time_intervals": expected a mapping of names to intervals')
        return {}
    return {name: tuple(_parse_list(context.child(name), value, {})) for name, value in data.items()}


def _parse_list(context: parse_context.Context, value: Any, named_intervals: Named) -> Iterator[recurrence.Interval]:
    if not isinstance(value, list):
        yield from _parse_one(context, value, named_intervals)
        return
    if not value:
        context.report("an empty list never applies; remove it")
    for index, inner in enumerate(value):
        yield from _parse_one(context.child(index), inner, named_intervals)


def _parse_one(context: parse_context.Context, value: Any, named_intervals: Named) -> Iterator[recurrence.Interval]:
    if isinstance(value, str):
        if value not in named_intervals:
            context.report(f'there is no time interval "{value}"{suggestions.hint(value, named_intervals)}')
        yield from named_intervals.get(value, ())
        return
    shape = context.validate(intervals.Shape, value)
    if shape is not None:
        yield shape.interval()
