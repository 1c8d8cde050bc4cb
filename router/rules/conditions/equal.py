"""Equality: the text is exactly this one."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition


@dataclass(frozen=True, slots=True)
class Equal:
    """Holds for one text."""

    summary: ClassVar[str] = "the text is exactly this one"

    wanted: str

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - every condition takes the same
        """Read one text."""
        return cls(condition.text(value))

    @property
    def values(self) -> frozenset[str]:
        """The one text."""
        return frozenset((self.wanted,))

    def holds(self, text: str) -> bool:
        """Compare, upper and lower case being different."""
        return text == self.wanted
