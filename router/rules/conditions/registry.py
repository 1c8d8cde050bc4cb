"""Every condition that rules know, by the word that rule files use; adding one is adding a line."""

from collections.abc import Mapping
from typing import Any

from router.documents import nearest
from router.rules.conditions import condition, equal, matches, negation, one_of

CONDITIONS: Mapping[str, type[condition.Condition]] = {
    "equal": equal.Equal,
    "one_of": one_of.OneOf,
    "not": negation.Not,
    "matches": matches.Matches,
}


def read(value: Any) -> tuple[condition.Condition, ...]:
    """Read what a rule asks of one field: a text, a list of texts, or a mapping of conditions, all to hold.

    Raises ``condition.Unreadable`` where it is written wrongly.
    """
    if isinstance(value, list):
        return (one_of.OneOf.read(value, read),)
    if not isinstance(value, dict):
        return (equal.Equal.read(value, read),)
    if not value:
        raise condition.Unreadable("there is no condition inside; write the text that the field has to have")
    return tuple(_read_one(name, inner) for name, inner in value.items())


def _read_one(name: str, value: Any) -> condition.Condition:
    kind = CONDITIONS.get(name)
    if kind is None:
        raise condition.Unreadable(f'unknown condition "{name}"{nearest.hint(name, CONDITIONS)}', (name,), at_key=True)
    try:
        return kind.read(value, read)
    except condition.Unreadable as error:
        raise condition.Unreadable(error.problem, (name, *error.path), at_key=error.at_key) from error
