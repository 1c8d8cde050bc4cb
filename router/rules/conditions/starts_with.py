"""Starts with: the text begins with this one, or with one of several."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition


@dataclass(frozen=True, slots=True)
class StartsWith:
    """Holds where the text begins with one of these."""

    summary: ClassVar[str] = "the text begins with this one, or with one of a list"

    wanted: tuple[str, ...]

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - every condition takes the same
        """Read one text or a list of them."""
        return cls(condition.parts(value))

    @property
    def values(self) -> None:
        """They can't be listed; rules are indexed by how long the shortest of the beginnings is."""
        return

    def holds(self, text: str) -> bool:
        """Compare the beginning, upper and lower case being different."""
        return text.startswith(self.wanted)
