"""All conditions, by their names in rule files. A new condition needs one line here."""

from collections.abc import Mapping
from typing import Any

from router.domain import patterns
from router.rules.conditions import cidr, condition, equality, numeric, regex, substring
from router.yaml_source import suggestions

CONDITIONS: Mapping[str, type[condition.Condition]] = {
    "equal": equality.Equal,
    "one_of": equality.OneOf,
    "in": equality.InList,
    "not": equality.Not,
    "exists": equality.Exists,
    "starts_with": substring.StartsWith,
    "ends_with": substring.EndsWith,
    "contains": substring.Contains,
    "matches": regex.Matches,
    "gt": numeric.Greater,
    "gte": numeric.AtLeast,
    "lt": numeric.Less,
    "lte": numeric.AtMost,
    "cidr": cidr.Cidr,
}

_OPERATORS: Mapping[str, str] = {
    "!=": "not",
    "!~": "not",
    "=~": "matches",
    ">=": "gte",
    "<=": "lte",
    ">": "gt",
    "<": "lt",
    "==": "equal",
}
"""Operators of other languages, and the condition that means the same."""
_FIRST_CHARACTERS = tuple({operator[0] for operator in _OPERATORS})
_COMPARISONS = frozenset({"gt", "gte", "lt", "lte"})
_NUMBER = patterns.compile(r"\s*-?[0-9.]+\s*")

_NO_LISTS: Mapping[str, frozenset[str]] = {}


def read(value: Any, lists: Mapping[str, frozenset[str]] = _NO_LISTS) -> tuple[condition.Condition, ...]:
    """Parse the conditions on one field: a text, a list of texts, or a mapping of conditions that must all hold.

    ``lists`` are the named lists of the file. Raises ``condition.InvalidCondition`` if the value is invalid.
    """
    return _read(value, condition.Scope(_read, lists))


def _read(value: Any, scope: condition.Scope) -> tuple[condition.Condition, ...]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check_literal(item, index)
        return (equality.OneOf.read(value, scope),)
    if not isinstance(value, dict):
        _check_literal(value)
        return (equality.Equal.read(value, scope),)
    if not value:
        raise condition.InvalidCondition("the condition is empty; write the text that the field must have")
    return tuple(_read_one(name, inner, scope) for name, inner in value.items())


def _check_literal(value: Any, *path: int) -> None:
    """Raise ``Unreadable`` for an operator of another language at the beginning: it would be compared literally."""
    if not isinstance(value, str) or not value.startswith(_FIRST_CHARACTERS):
        return
    operator = next((prefix for prefix in _OPERATORS if value.startswith(prefix)), None)
    if operator is None:
        return
    rest, word = value.removeprefix(operator).strip(), _OPERATORS[operator]
    if word in _COMPARISONS and _NUMBER.fullmatch(patterns.encode(rest)) is None:
        return  # For example, "<none>".
    correction = f'{{matches: "^(?:{rest})$"}}' if operator.endswith("~") else rest
    instead = correction if operator == "=~" else f"{{{word}: {correction}}}"
    raise condition.InvalidCondition(
        f'"{value}" is compared as a text; write {instead}, or {{equal: "{value}"}} for the text itself', path
    )


def _read_one(name: str, value: Any, scope: condition.Scope) -> condition.Condition:
    kind = CONDITIONS.get(name)
    if kind is None:
        raise condition.InvalidCondition(
            f'unknown condition "{name}"{suggestions.hint(name, CONDITIONS)}', (name,), at_key=True
        )
    try:
        return kind.read(value, scope)
    except condition.InvalidCondition as error:
        raise condition.InvalidCondition(error.problem, (name, *error.path), at_key=error.at_key) from error
