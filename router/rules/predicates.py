"""Builds the functions that check the conditions of a rule that the index hasn't checked."""

import functools
from collections.abc import Callable, Iterable

from router.domain import alerts
from router.domain.times import Timestamp
from router.rules import expressions, fields, groups, intervals
from router.rules.conditions import condition

Predicate = Callable[[alerts.Alert, Timestamp], bool]
"""Takes the alert, and the time (microseconds since the epoch) for rules that hold at certain times only."""


class PredicateFactory:
    """Builds predicates. Equal conditions share one function, which stays in the processor's caches."""

    def __init__(self) -> None:
        self._cache: dict[tuple[tuple[groups.Asked, ...], groups.OtherConditions], Predicate | None] = {}

    def predicate(self, conditions: Iterable[groups.Asked], beside: groups.OtherConditions) -> Predicate | None:
        """Return one function for all conditions, the fast ones first; None if there are none."""
        ordered = tuple(
            # Comparing listed texts is fast and often fails, so patterns are rarely reached.
            sorted(conditions, key=lambda requirement: (requirement[1].values is None, requirement[0].name))
        )
        key = (ordered, beside)
        if key not in self._cache:
            checks = [
                *(_make_check(*requirement) for requirement in ordered),
                *(_make_schedule_check(schedule) for schedule in beside.schedules),
                *(self._group(group) for group in beside.grouped),
                # Expressions come last, because they cost more than all other conditions.
                *(_make_expression_check(expression) for expression in beside.cel_expressions),
            ]
            self._cache[key] = functools.reduce(_both, checks) if checks else None
        return self._cache[key]

    def _group(self, group: groups.ConditionGroup) -> Predicate:
        members = [
            self.predicate(member.asked, groups.OtherConditions(member.groups)) or _always for member in group.members
        ]
        # `unless` excludes alerts; the other groups require one member to match.
        if group.word == "none":
            return lambda alert, now: not any(check(alert, now) for check in members)
        return lambda alert, now: any(check(alert, now) for check in members)


def _always(_: alerts.Alert, __: int) -> bool:
    return True


def _both(first: Predicate, second: Predicate) -> Predicate:
    return lambda alert, now: first(alert, now) and second(alert, now)


def _make_schedule_check(schedule: intervals.Schedule) -> Predicate:
    return lambda _, now: schedule(now)


def _make_expression_check(expression: expressions.Expression) -> Predicate:
    holds = expression.holds
    return lambda alert, _: holds(alert)


def _make_check(field: fields.Field, test: condition.Condition) -> Predicate:
    values = test.values
    # Labels with listed texts are a frequent condition, so their check avoids the call of a reader.
    if values is not None and field.part == "labels":
        key = field.key
        return lambda alert, _: alert.labels.get(key, "") in values
    if field.name == "severity" and values is not None:
        return lambda alert, _: alert.severity in values
    read = field.reader()
    if values is not None:
        return lambda alert, _: read(alert) in values
    holds = test.holds
    return lambda alert, _: holds(read(alert))
