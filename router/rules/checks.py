"""Makes the functions that test what the index has not: one call tells whether a rule's other conditions hold."""

import functools
from collections.abc import Callable, Iterable

from router.domain import alert as alerts
from router.rules import fields
from router.rules.conditions import condition

Check = Callable[[alerts.Alert], bool]
Asked = tuple[fields.Field, condition.Condition]
"""One condition and the field that it asks about."""


class Checks:
    """Makes checks, the same function for the same conditions: rules are alike, and what is shared stays cached."""

    def __init__(self) -> None:
        self._known: dict[tuple[Asked, ...], Check | None] = {(): None}

    def of(self, asked: Iterable[Asked]) -> Check | None:
        """One function for all the conditions, the cheap ones first; None where there are none."""
        ordered = tuple(sorted(asked, key=lambda one: (one[1].values is None, one[0].name)))
        if ordered not in self._known:
            self._known[ordered] = functools.reduce(_both, (_check(*one) for one in ordered))
        return self._known[ordered]


def _both(first: Check, second: Check) -> Check:
    return lambda alert: first(alert) and second(alert)


def _check(field: fields.Field, asked: condition.Condition) -> Check:
    values = asked.values
    if values is not None and field.part == "labels":
        key = field.key
        return lambda alert: alert.labels.get(key, "") in values
    if field.name == "severity" and values is not None:
        return lambda alert: alert.severity in values
    read = field.reader()
    if values is not None:
        return lambda alert: read(alert) in values
    holds = asked.holds
    return lambda alert: holds(read(alert))
