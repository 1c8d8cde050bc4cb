"""Parses ``when`` and ``unless`` of a rule: conditions on fields, and groups of conditions."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from router.rules import fields, groups, parse_context
from router.rules.conditions import condition, equality, registry

GROUPS = {
    "any": "at least one of these matches",
    "all": "each of these matches",
    "none": "none of these matches",
}
"""The groups by their keys in rule files, with their meanings."""

_DEPTH = 8  # Deeper groups are unreadable and probably a mistake.
_BESIDE = frozenset({"unless", "expr", "during", "except_during"})

Lists = Mapping[str, frozenset[str]]
"""The named lists of a file."""


def when(context: parse_context.Context, lists: Lists) -> groups.When:
    """Parse a mapping of conditions. Invalid conditions are reported and left out."""
    data = context.raw_text()
    return _WhenParser(lists).when(context, data, 0) if isinstance(data, dict) else groups.When()


def unless(context: parse_context.Context, lists: Lists) -> groups.ConditionGroup | None:
    """Parse the conditions of which at least one must not match."""
    data = context.raw_text()
    if not isinstance(data, dict):
        return None
    if not data:
        context.report('"unless" without conditions excludes every alert; remove it')
    return groups.ConditionGroup("none", (_WhenParser(lists).when(context, data, 0),))


def field(context: parse_context.Context, name: str, *path: str | int, key: bool = False) -> fields.Field | None:
    """Parse a field's name. If there is no such field, report that at the path and return None."""
    try:
        return fields.parse(name)
    except fields.UnknownField as error:
        context.report(str(error), *path, key=key)
        return None


class _WhenParser:
    def __init__(self, lists: Lists) -> None:
        self._lists = lists

    def when(self, context: parse_context.Context, data: Mapping[str, Any], depth: int) -> groups.When:
        conditions: list[groups.Asked] = []
        nested_groups: list[groups.ConditionGroup] = []
        for name, value in data.items():
            if name in GROUPS:
                members = tuple(self._members(context, name, value, depth))
                inner = _simplify(name, members)
                conditions += inner.asked
                nested_groups += inner.groups
            elif name in _BESIDE:
                context.report(f'"{name}" belongs beside "when", not inside it', name, key=True)
            else:
                conditions += self._parse_conditions(context, name, value)
        return groups.When(tuple(conditions), tuple(nested_groups))

    def _members(self, context: parse_context.Context, name: str, value: Any, depth: int) -> Iterator[groups.When]:
        if depth >= _DEPTH:
            context.report(f"groups are nested deeper than {_DEPTH} levels", name, key=True)
        elif not isinstance(value, list):
            context.report(f'"{name}": expected a list, each entry with conditions as under "when"', name)
        elif not value:
            context.report(f'"{name}": an empty list never matches', name)
        else:
            for index, member in enumerate(value):
                if isinstance(member, dict) and member:
                    yield self.when(context.child(name, index), member, depth + 1)
                else:
                    context.report(f'"{name}": expected a mapping with conditions as under "when"', name, index)

    def _parse_conditions(self, context: parse_context.Context, name: str, value: Any) -> Iterator[groups.Asked]:
        parsed = field(context, name, name, key=True)
        # Parse the conditions one by one, so that a mistake in one condition doesn't hide mistakes in the next.
        several = isinstance(value, dict) and len(value) > 1
        for each in [{word: inner} for word, inner in value.items()] if several else [value]:
            try:
                for test in registry.read(each, self._lists):
                    if parsed is not None:
                        yield parsed, test
            except condition.InvalidCondition as error:
                context.report(f'"{name}": {error.problem}', name, *error.path, key=error.at_key)


def _simplify(word: str, members: tuple[groups.When, ...]) -> groups.When:
    """Simplify a group that consists of conditions on fields: return these, since they can be indexed."""
    if word == "none":
        return groups.When(groups=(groups.ConditionGroup("none", members),))
    # The conditions move up into the enclosing `when`, where the index can use them.
    if word == "all" or len(members) == 1:
        return groups.When(
            tuple(requirement for member in members for requirement in member.asked),
            tuple(group for member in members for group in member.groups),
        )
    text_list = _as_one_of(members)
    return (
        groups.When((text_list,))
        if text_list is not None
        else groups.When(groups=(groups.ConditionGroup("any", members),))
    )


def _as_one_of(members: Iterable[groups.When]) -> groups.Asked | None:
    """Return the ``OneOf`` that is equivalent to an ``any`` of texts of one field; None if there is none."""
    texts: set[str] = set()
    listed_fields: set[fields.Field] = set()
    for member in members:
        if len(member.asked) != 1 or member.groups or member.asked[0][1].values is None:
            return None
        listed_fields.add(member.asked[0][0])
        texts |= member.asked[0][1].values or set()
    # Texts of two fields are no list: the index has one field for each table.
    return (listed_fields.pop(), equality.OneOf(frozenset(texts))) if len(listed_fields) == 1 else None
