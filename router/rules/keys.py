"""Incident keys: the rule's name and the values of the fields that it groups by, so that two never look the same.

``checkout-down{labels.service="checkout",labels.region="eu"}``; quotes, backslashes and control characters in a
value are escaped as in JSON. Without ``group_by`` the key is the rule's name alone.
"""

from collections.abc import Callable
from json import encoder

from router.domain import alert as alerts
from router.rules import fields, model

Group = Callable[[str, alerts.Alert], str]

# The function behind json.dumps, without what stands around it: an alert's key is made in 100 ns.
quoted: Callable[[str], str] = encoder.encode_basestring


def of(rule: model.Rule) -> tuple[str, Group | None]:
    """The whole key, or its beginning and the function that completes it for an alert."""
    if not rule.group_by:
        return rule.name, None
    fixed = _fixed(rule)
    if fixed is not None:
        pairs = ",".join(f"{field.name}={quoted(text)}" for field, text in zip(rule.group_by, fixed, strict=True))
        return f"{rule.name}{{{pairs}}}", None
    return f"{rule.name}{{{rule.group_by[0].name}=", _group(rule.group_by)


def _fixed(rule: model.Rule) -> list[str] | None:
    """The values of all group fields where the rule's own conditions leave only one each."""
    wanted = {
        field: next(iter(condition.values))
        for field, condition in rule.conditions
        if condition.values is not None and len(condition.values) == 1
    }
    if any(field not in wanted for field in rule.group_by):
        return None
    return [wanted[field] for field in rule.group_by]


def _group(group_by: tuple[fields.Field, ...]) -> Group:
    first, *others = group_by
    read = first.reader()
    if not others:
        return lambda beginning, alert: f"{beginning}{quoted(read(alert))}}}"
    rest = [(f",{field.name}=", field.reader()) for field in others]

    def group(beginning: str, alert: alerts.Alert) -> str:
        pairs = "".join([name + quoted(read_one(alert)) for name, read_one in rest])
        return f"{beginning}{quoted(read(alert))}{pairs}}}"

    return group
