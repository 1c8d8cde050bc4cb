"""Conditions on an alert as a whole: conditions on its fields, and groups of such conditions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from router.rules import expressions, fields, intervals
from router.rules.conditions import condition

Asked = tuple[fields.Field, condition.Condition]
"""One condition and the field that it asks about."""


@dataclass(frozen=True, slots=True)
class When:
    """Matches if every condition and every group matches."""

    asked: tuple[Asked, ...] = ()
    groups: "tuple[ConditionGroup, ...]" = ()


@dataclass(frozen=True, slots=True)
class ConditionGroup:
    """Matches if at least one member matches (``any``), or if no member matches (``none``).

    There is no group ``all``: its members' conditions become those of the enclosing ``When``.
    """

    word: Literal["any", "none"]
    members: tuple[When, ...]


@dataclass(frozen=True, slots=True)
class OtherConditions:
    """The requirements of a rule beyond conditions on single fields. They can't be indexed, and all must hold."""

    grouped: tuple[ConditionGroup, ...] = ()
    schedules: tuple[intervals.Schedule, ...] = ()
    cel_expressions: tuple[expressions.Expression, ...] = ()


NO_OTHER_CONDITIONS = OtherConditions()
"""Nothing beside the conditions."""


def texts_of(field: fields.Field, conditions: Iterable[Asked]) -> frozenset[str] | None:
    """Return the texts that conditions allow in a field; None if they can't be listed."""
    text_sets = [
        frozenset(test.values) for tested_field, test in conditions if tested_field == field and test.values is not None
    ]
    return frozenset.intersection(*text_sets) if text_sets else None
