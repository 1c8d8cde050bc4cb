"""Finds rules that can't be reached: whenever they would match, an earlier rule has matched and ended the search.

Every rule that is reported is unreachable, but not every unreachable rule is found.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from router.rules import fields, groups, model
from router.rules.conditions import cidr, condition, equality, numeric, substring

_MAX_TEXTS = 1000
_FLOORS = (numeric.Greater, numeric.AtLeast)
_CEILINGS = (numeric.Less, numeric.AtMost)
_OF_TEXTS = (
    *_FLOORS, *_CEILINGS, substring.StartsWith, substring.EndsWith, substring.Contains, cidr.Cidr
)  # fmt: skip
"""Conditions that never hold for the empty text."""

_Key = tuple[fields.Field | None, str | None]


def unreachable_rules(rules: Sequence[model.Rule]) -> Iterator[tuple[model.Rule, model.Rule]]:
    """Yield each rule that can't be reached, with the earlier rule that covers it."""
    earlier: dict[_Key, list[model.Rule]] = defaultdict(list)
    for rule in rules:
        before = next(
            (candidate for key in _lookup_keys(rule) for candidate in earlier.get(key, ()) if covers(candidate, rule)),
            None,
        )
        # An unreachable rule covers nothing that its coverer doesn't cover, so it isn't stored.
        if before is not None:
            yield rule, before
        # A rule with `continue` ends no search, so it makes no later rule unreachable.
        elif not rule.should_continue:
            for key in _storage_keys(rule):
                earlier[key].append(rule)


def covers(rule: model.Rule, other: model.Rule) -> bool:
    """Return whether ``rule`` provably matches whenever ``other`` does."""
    beside, wider = rule.other_conditions, other.other_conditions
    return (
        set(beside.grouped) <= set(wider.grouped)
        and set(beside.cel_expressions) <= set(wider.cel_expressions)
        # Only equal schedules are compared. Whether one contains another isn't decided here.
        and {_times(schedule) for schedule in beside.schedules} <= {_times(schedule) for schedule in wider.schedules}
        and all(_is_required_by(requirement, other.conditions) for requirement in rule.conditions)
    )


def _times(schedule: object) -> tuple[object, object]:
    return (getattr(schedule, "intervals", None), getattr(schedule, "outside", None))


def _is_required_by(needed: groups.Asked, conditions: Iterable[groups.Asked]) -> bool:
    field, broad = needed
    return any(narrow_field == field and implies(narrow, broad) for narrow_field, narrow in conditions)


def implies(narrow: condition.Condition, broad: condition.Condition) -> bool:
    """Return whether the broad condition provably holds for every text that the narrow one holds for."""
    if narrow == broad:
        return True
    # A listed text can be tried out. Long lists aren't, since all pairs of rules would be compared.
    if narrow.values is not None:
        return len(narrow.values) <= _MAX_TEXTS and all(broad.holds(text) for text in narrow.values)
    return _implied_text(narrow, broad) or _implied_number(narrow, broad)


def excludes(requirement: groups.Asked, other: groups.Asked) -> bool:
    """Return whether provably no alert can meet both conditions."""
    (field, first), (other_field, second) = requirement, other
    # An alert may have any pair of texts in two fields.
    if field != other_field:
        return False
    # Either condition may be the one with listed texts.
    for text_list, needed in ((first, second), (second, first)):
        if text_list.values is not None and len(text_list.values) <= _MAX_TEXTS:
            return not any(needed.holds(text) for text in text_list.values)
    return False


def never_both(first_conditions: Iterable[groups.Asked], others: Iterable[groups.Asked]) -> bool:
    """Return whether provably no alert can meet all of these conditions."""
    others = list(others)
    return any(excludes(requirement, other) for requirement in first_conditions for other in others)


def _implied_text(narrow: condition.Condition, broad: condition.Condition) -> bool:
    match narrow, broad:
        case (
            substring.StartsWith() | substring.EndsWith() | substring.Contains() as narrow_test,
            substring.Contains(),
        ):
            return all(any(part in text for part in broad.wanted) for text in narrow_test.wanted)
        case substring.StartsWith(), substring.StartsWith():
            return all(text.startswith(broad.wanted) for text in narrow.wanted)
        case substring.EndsWith(), substring.EndsWith():
            return all(text.endswith(broad.wanted) for text in narrow.wanted)
        case _, equality.Exists():
            # An absent label is the empty text, for which these conditions never hold.
            return broad.wanted and isinstance(narrow, _OF_TEXTS)
    return False


def _implied_number(narrow: condition.Condition, broad: condition.Condition) -> bool:
    """Return whether each number within the narrow bound is also within the broad bound.

    If the bounds are equal and only the narrow one includes the number itself, it isn't.
    """
    if isinstance(narrow, _FLOORS) and isinstance(broad, _FLOORS):
        looser = isinstance(narrow, numeric.AtLeast) and isinstance(broad, numeric.Greater)
        return narrow.limit > broad.limit or (narrow.limit == broad.limit and not looser)
    if isinstance(narrow, _CEILINGS) and isinstance(broad, _CEILINGS):
        looser = isinstance(narrow, numeric.AtMost) and isinstance(broad, numeric.Less)
        return narrow.limit < broad.limit or (narrow.limit == broad.limit and not looser)
    return False


def _storage_keys(rule: model.Rule) -> list[_Key]:
    """Return the keys under which a rule is stored: each text of one of its conditions, or a field, or none."""
    # A rule without conditions may cover every rule.
    if not rule.conditions:
        return [(None, None)]
    text_list = [(field, test.values) for field, test in rule.conditions if test.values is not None]
    if text_list:
        # The shortest list of texts stores the rule under the fewest keys.
        field, values = min(text_list, key=lambda pair: len(pair[1]))
        return [(field, text) for text in values]
    return [(rule.conditions[0][0], None)]


def _lookup_keys(rule: model.Rule) -> Iterator[_Key]:
    """Yield the keys of rules that could cover a rule. One text is enough, since a covering rule covers every text."""
    yield (None, None)
    for field, test in rule.conditions:
        yield (field, None)
        if test.values:
            yield (field, next(iter(test.values)))
