"""At most: the text is a number that is at most this one."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition, number


@dataclass(frozen=True, slots=True)
class AtMost:
    """Holds where the text is a number that is at most the limit."""

    summary: ClassVar[str] = "the text is a number that is at most this one; any other text never matches"

    limit: float

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - every condition takes the same
        """Read a number."""
        return cls(number.read(value))

    @property
    def values(self) -> None:
        """They can't be listed."""
        return

    def holds(self, text: str) -> bool:
        """Compare as numbers; a text that is none does not hold."""
        found = number.of(text)
        return found is not None and found <= self.limit
