"""Contains: this text stands somewhere in the field, or one of several does."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition


@dataclass(frozen=True, slots=True)
class Contains:
    """Holds where one of these stands anywhere in the text."""

    summary: ClassVar[str] = "the text contains this text, or one of a list"

    wanted: tuple[str, ...]

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - every condition takes the same
        """Read one text or a list of them."""
        return cls(condition.parts(value))

    @property
    def values(self) -> None:
        """They can't be listed."""
        return

    def holds(self, text: str) -> bool:
        """Look for each, upper and lower case being different."""
        return any(part in text for part in self.wanted)
