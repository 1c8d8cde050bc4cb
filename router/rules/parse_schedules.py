"""Parses ``during``, ``except_during``, and ``mute_during``, and the named intervals that they may use."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.domain import recurrence
from router.rules import describe, intervals, parse_context
from router.yaml_source import suggestions

Named = Mapping[str, tuple[recurrence.Interval, ...]]
"""The intervals of each name."""


def read(at: parse_context.Context, data: dict[str, Any], named: Named) -> Iterator[intervals.Schedule]:
    """Parse the times at which a rule is active, and report problems."""
    for key in ("during", "except_during"):
        if data.get(key) is not None:
            found = tuple(_listed(at.child(key), data[key], named))
            yield intervals.Schedule(found, outside=key == "except_during")


def mutes(at: parse_context.Context, data: dict[str, Any], named: Named) -> Iterator[intervals.Named]:
    """Parse the times that mute a rule's alerts. A schedule that always mutes is an error."""
    listed = data.get("mute_during")
    if listed is None:
        return
    if listed == []:
        at.report("an empty list of times is never; leave it out", "mute_during")
    several = isinstance(listed, list)
    for index, value in enumerate(listed if several else [listed]):
        inside = at.child("mute_during", *((index,) if several else ()))
        found = tuple(_one(inside, value, named))
        if any(interval.is_always for interval in found):
            inside.report("holds at all times: its alerts would be muted for good; use ignore to leave them out")
        elif found:
            yield intervals.Named(value if isinstance(value, str) else describe.describe_interval(found[0]), found)


def names(at: parse_context.Context, data: Any) -> dict[str, tuple[recurrence.Interval, ...]]:
    """Parse ``time_intervals``: one interval or a list of intervals for each name."""
    if data is None:
        return {}
    if not isinstance(data, dict):
        at.report('"time_intervals": a mapping of names to intervals is needed here')
        return {}
    return {name: tuple(_listed(at.child(name), value, {})) for name, value in data.items()}


def _listed(at: parse_context.Context, value: Any, named: Named) -> Iterator[recurrence.Interval]:
    if not isinstance(value, list):
        yield from _one(at, value, named)
        return
    if not value:
        at.report("an empty list of times is never; leave it out")
    for index, inner in enumerate(value):
        yield from _one(at.child(index), inner, named)


def _one(at: parse_context.Context, value: Any, named: Named) -> Iterator[recurrence.Interval]:
    if isinstance(value, str):
        if value not in named:
            at.report(f'there is no time interval "{value}"{suggestions.hint(value, named)}')
        yield from named.get(value, ())
        return
    shape = at.validate(intervals.Shape, value)
    if shape is not None:
        yield shape.interval()
