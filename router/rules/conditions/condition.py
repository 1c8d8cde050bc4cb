"""The interface of conditions: a condition parses itself from a rule file, and holds for a text or doesn't."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self


class InvalidCondition(Exception):
    """An invalid condition, with the problem and the path from the beginning of the condition.

    ``at_key`` means that the last key of the path is invalid, and not its value.
    """

    def __init__(self, problem: str, path: Sequence[str | int] = (), *, at_key: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = tuple(path)
        self.at_key = at_key


class Condition(Protocol):
    """One condition on the text of one field. An absent label or annotation is the empty text.

    Instances are immutable and hashable, and are equal if they mean the same. ``values`` are all texts that the
    condition holds for, or None if they can't be listed. Rules are indexed by ``values``.
    """

    summary: ClassVar[str]

    @classmethod
    def read(cls, value: Any, scope: "Scope") -> Self:
        """Parse the condition from its value in the rule. Raises ``InvalidCondition`` if the value is invalid."""
        ...

    @property
    def values(self) -> frozenset[str] | None:
        """Return every text that the condition holds for, or None if the texts can't be listed."""
        ...

    def holds(self, text: str) -> bool:
        """Return whether the condition holds for a text."""
        ...


@dataclass(frozen=True, slots=True)
class Scope:
    """The context of a condition: the parser for nested conditions, and the file's named lists."""

    read: "Callable[[Any, Scope], tuple[Condition, ...]]"
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def parse_nested(self, value: Any) -> tuple[Condition, ...]:
        """Parse the conditions inside another condition."""
        return self.read(value, self)


def text(value: Any) -> str:
    """Return the value as a text to compare with. Raises ``InvalidCondition`` for anything but a text."""
    if isinstance(value, str):
        return value
    if value is None:
        raise InvalidCondition('the value is missing; for an absent label, write ""')
    raise InvalidCondition("expected a text")


def parts(value: Any) -> tuple[str, ...]:
    """Return the texts to search for. Raises ``InvalidCondition`` for an empty text, which every text contains."""
    if not isinstance(value, list):
        return (_part(value),)
    if not value:
        raise InvalidCondition("an empty list never matches")
    pieces = []
    for index, item in enumerate(value):
        try:
            pieces.append(_part(item))
        except InvalidCondition as error:
            raise InvalidCondition(error.problem, (index,)) from error
    return tuple(dict.fromkeys(pieces))


def _part(value: Any) -> str:
    rendered = text(value)
    if not rendered:
        raise InvalidCondition("an empty text matches everything; remove the condition")
    return rendered
