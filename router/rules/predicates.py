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
        self._known: dict[tuple[tuple[groups.Asked, ...], groups.OtherConditions], Predicate | None] = {}

    def predicate(self, asked: Iterable[groups.Asked], beside: groups.OtherConditions) -> Predicate | None:
        """Return one function for all conditions, the fast ones first; None if there are none."""
        ordered = tuple(sorted(asked, key=lambda one: (one[1].values is None, one[0].name)))
        known = (ordered, beside)
        if known not in self._known:
            checks = [
                *(_check(*one) for one in ordered),
                *(_timed(schedule) for schedule in beside.schedules),
                *(self._group(one) for one in beside.grouped),
                *(_told(one) for one in beside.cel_expressions),
            ]
            self._known[known] = functools.reduce(_both, checks) if checks else None
        return self._known[known]

    def _group(self, group: groups.Group) -> Predicate:
        members = [
            self.predicate(member.asked, groups.OtherConditions(member.groups)) or _always for member in group.members
        ]
        if group.word == "none":
            return lambda alert, now: not any(check(alert, now) for check in members)
        return lambda alert, now: any(check(alert, now) for check in members)


def _always(_: alerts.Alert, __: int) -> bool:
    return True


def _both(first: Predicate, second: Predicate) -> Predicate:
    return lambda alert, now: first(alert, now) and second(alert, now)


def _timed(schedule: intervals.Schedule) -> Predicate:
    return lambda _, now: schedule(now)


def _told(asked: expressions.Expression) -> Predicate:
    holds = asked.holds
    return lambda alert, _: holds(alert)


def _check(field: fields.Field, asked: condition.Condition) -> Predicate:
    values = asked.values
    if values is not None and field.part == "labels":
        key = field.key
        return lambda alert, _: alert.labels.get(key, "") in values
    if field.name == "severity" and values is not None:
        return lambda alert, _: alert.severity in values
    read = field.reader()
    if values is not None:
        return lambda alert, _: read(alert) in values
    holds = asked.holds
    return lambda alert, _: holds(read(alert))
