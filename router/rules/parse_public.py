"""Parses ``public``: the permitted values of a public variable, as a list, as texts, or as a bounded pattern."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.domain import decisions
from router.rules import parse_context, public_patterns, templates
from router.rules.conditions import condition
from router.yaml_source import suggestions

MAX_VALUES = 1_000
"""Texts of one variable; they are kept with each incident."""

_WORDS = ("in", "values", "pattern")
_EXAMPLE = "write {alert.labels.region: {in: regions}}, or {values: [eu, us]}, or {pattern: '^[a-z]{2}-[a-z]+-[0-9]$'}"


def read(
    context: parse_context.Context, data: Any, lists: Mapping[str, frozenset[str]]
) -> Iterator[tuple[templates.Variable, decisions.Allowed]]:
    """Parse ``public`` and report its problems."""
    if isinstance(data, list):
        context.report(f"each public variable needs its allowed values: {_EXAMPLE}")
    for name, value in data.items() if isinstance(data, dict) else ():
        try:
            variable = templates.variable(str(name))
        except templates.UnknownVariable as error:
            context.report(str(error), name, key=True)
            continue
        # An invalid declaration is reported once, here, and not for each text that uses it.
        yield variable, _parse_allowed(context.child(name), value, lists) or decisions.Allowed()


def _parse_allowed(
    context: parse_context.Context, value: Any, lists: Mapping[str, frozenset[str]]
) -> decisions.Allowed | None:
    if not isinstance(value, dict):
        return None  # Already reported with the rule's shape.
    words = [word for word in _WORDS if word in value]
    # With two of them, it would be unclear whether both must hold or either.
    if len(words) != 1:
        context.report(f"set exactly one of in, values, and pattern: {_EXAMPLE}")
        return None
    match words[0]:
        case "in":
            return _parse_list(context, value["in"], lists)
        case "values":
            return _parse_values(context, _texts(context, value["values"]))
        case _:
            return _parse_pattern(context, value["pattern"])


def _parse_list(
    context: parse_context.Context, name: Any, lists: Mapping[str, frozenset[str]]
) -> decisions.Allowed | None:
    if not isinstance(name, str):
        return None
    if name not in lists:
        context.report(f'there is no list "{name}"{suggestions.hint(name, lists)}', "in")
        return None
    return _parse_values(context, sorted(lists[name]))


def _texts(context: parse_context.Context, values: Any) -> list[str]:
    texts = []
    for index, value in enumerate(values if isinstance(values, list) else ()):
        try:
            texts.append(condition.text(value))
        except condition.InvalidCondition as error:
            context.report(error.problem, "values", index)
    return texts


def _parse_values(context: parse_context.Context, texts: list[str]) -> decisions.Allowed | None:
    if len(texts) > MAX_VALUES:
        context.report(f"{len(texts)} texts are more than the limit of {MAX_VALUES} for a public variable")
        return None
    return decisions.Allowed(tuple(dict.fromkeys(texts))) if texts else None


def _parse_pattern(context: parse_context.Context, pattern: Any) -> decisions.Allowed | None:
    if not isinstance(pattern, str):
        return None
    try:
        public_patterns.check(pattern)
    except public_patterns.PatternRefused as refused:
        context.report(str(refused), "pattern")
        return None
    return decisions.Allowed(pattern=pattern)
