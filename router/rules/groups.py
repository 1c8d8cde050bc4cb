"""Conditions on an alert as a whole: those on its fields, all to hold, and groups of such conditions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from router.rules import expressions, fields, intervals
from router.rules.conditions import condition

Asked = tuple[fields.Field, condition.Condition]
"""One condition and the field that it asks about."""


@dataclass(frozen=True, slots=True)
class When:
    """Holds where every condition and every group holds."""

    asked: tuple[Asked, ...] = ()
    groups: "tuple[Group, ...]" = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Holds where at least one member holds (``any``), or where no member does (``none``).

    There is no group ``all``: its members' conditions are simply those of what it stands in.
    """

    word: Literal["any", "none"]
    members: tuple[When, ...]


@dataclass(frozen=True, slots=True)
class OtherConditions:
    """What a rule asks for beside conditions on single fields; nothing of it can be indexed, all of it has to hold."""

    grouped: tuple[Group, ...] = ()
    schedules: tuple[intervals.Schedule, ...] = ()
    cel_expressions: tuple[expressions.Expression, ...] = ()


NO_OTHER_CONDITIONS = OtherConditions()
"""Nothing beside the conditions."""


def texts_of(field: fields.Field, asked: Iterable[Asked]) -> frozenset[str] | None:
    """The texts that conditions allow in a field; None if they can't be listed."""
    listed = [frozenset(one.values) for about, one in asked if about == field and one.values is not None]
    return frozenset.intersection(*listed) if listed else None
