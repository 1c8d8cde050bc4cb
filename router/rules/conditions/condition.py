"""What every condition offers the compiler: it reads itself from a rule file, and holds for a text or does not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self


class Unreadable(Exception):
    """A condition that is written wrongly: what is wrong, and the way to it from where the condition begins.

    ``at_key`` says that the last key on that way is what is wrong, and not its value.
    """

    def __init__(self, problem: str, path: Sequence[str | int] = (), *, at_key: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = tuple(path)
        self.at_key = at_key


class Condition(Protocol):
    """One condition on the text of one field; an absent label or annotation is the empty text.

    Instances are immutable, hashable, and equal where they mean the same. ``values`` are all the texts that the
    condition holds for, or None where they can't be listed; rules are indexed by them.
    """

    summary: ClassVar[str]

    @classmethod
    def read(cls, value: Any, scope: "Scope") -> Self:
        """Read the condition from what stands in the rule; ``Unreadable`` where it is written wrongly."""
        ...

    @property
    def values(self) -> frozenset[str] | None:
        """Every text that the condition holds for, or None."""
        ...

    def holds(self, text: str) -> bool:
        """Tell whether the condition holds."""
        ...


@dataclass(frozen=True, slots=True)
class Scope:
    """What a condition may need beside its own words: how others are read, and the file's named lists."""

    read: "Callable[[Any, Scope], tuple[Condition, ...]]"
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def nested(self, value: Any) -> tuple[Condition, ...]:
        """Read the conditions that stand inside another one."""
        return self.read(value, self)


def text(value: Any) -> str:
    """One text, as conditions compare with; ``Unreadable`` for anything else."""
    if isinstance(value, str):
        return value
    if value is None:
        raise Unreadable('there is no value; an absent label is the empty text, written ""')
    raise Unreadable("expected a text")


def parts(value: Any) -> tuple[str, ...]:
    """One text or several that are looked for inside another; the empty text would be found everywhere."""
    if not isinstance(value, list):
        return (_part(value),)
    if not value:
        raise Unreadable("an empty list never matches")
    found = []
    for index, item in enumerate(value):
        try:
            found.append(_part(item))
        except Unreadable as error:
            raise Unreadable(error.problem, (index,)) from error
    return tuple(dict.fromkeys(found))


def _part(value: Any) -> str:
    found = text(value)
    if not found:
        raise Unreadable("an empty text matches everything; leave the condition out")
    return found
