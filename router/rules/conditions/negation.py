"""Not: what stands inside does not hold. An absent label is the empty text, so ``not: staging`` holds for it."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where the conditions inside do not all hold."""

    summary: ClassVar[str] = "the inner condition does not match: a text, a list, or a condition"

    inside: tuple[condition.Condition, ...]

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:
        """Read whatever a field's condition can be."""
        return cls(scope.nested(value))

    @property
    def values(self) -> None:
        """They can't be listed."""
        return

    def holds(self, text: str) -> bool:
        """Tell whether at least one of those inside fails."""
        return not all(one.holds(text) for one in self.inside)
