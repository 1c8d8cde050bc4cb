"""Every condition that rules know, by the word that rule files use; adding one is adding a line."""

from collections.abc import Mapping
from typing import Any

from router.documents import nearest
from router.rules.conditions import (
    at_least,
    at_most,
    cidr,
    condition,
    contains,
    ends_with,
    equal,
    exists,
    greater,
    in_list,
    less,
    matches,
    negation,
    one_of,
    starts_with,
)

CONDITIONS: Mapping[str, type[condition.Condition]] = {
    "equal": equal.Equal,
    "one_of": one_of.OneOf,
    "in": in_list.InList,
    "not": negation.Not,
    "exists": exists.Exists,
    "starts_with": starts_with.StartsWith,
    "ends_with": ends_with.EndsWith,
    "contains": contains.Contains,
    "matches": matches.Matches,
    "gt": greater.Greater,
    "gte": at_least.AtLeast,
    "lt": less.Less,
    "lte": at_most.AtMost,
    "cidr": cidr.Cidr,
}

_NO_LISTS: Mapping[str, frozenset[str]] = {}


def read(value: Any, lists: Mapping[str, frozenset[str]] = _NO_LISTS) -> tuple[condition.Condition, ...]:
    """Read what a rule asks of one field: a text, a list of texts, or a mapping of conditions, all to hold.

    ``lists`` are the named lists of the file. Raises ``condition.Unreadable`` where it is written wrongly.
    """
    return _read(value, condition.Scope(_read, lists))


def _read(value: Any, scope: condition.Scope) -> tuple[condition.Condition, ...]:
    if isinstance(value, list):
        return (one_of.OneOf.read(value, scope),)
    if not isinstance(value, dict):
        return (equal.Equal.read(value, scope),)
    if not value:
        raise condition.Unreadable("there is no condition inside; write the text that the field has to have")
    return tuple(_read_one(name, inner, scope) for name, inner in value.items())


def _read_one(name: str, value: Any, scope: condition.Scope) -> condition.Condition:
    kind = CONDITIONS.get(name)
    if kind is None:
        raise condition.Unreadable(f'unknown condition "{name}"{nearest.hint(name, CONDITIONS)}', (name,), at_key=True)
    try:
        return kind.read(value, scope)
    except condition.Unreadable as error:
        raise condition.Unreadable(error.problem, (name, *error.path), at_key=error.at_key) from error
