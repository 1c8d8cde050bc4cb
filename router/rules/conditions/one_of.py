"""One of: the text is among these."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition


@dataclass(frozen=True, slots=True)
class OneOf:
    """Holds for each text of a set."""

    summary: ClassVar[str] = "the text is one of these"

    wanted: frozenset[str]

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - every condition takes the same
        """Read a list of texts; an empty one could never hold."""
        if not isinstance(value, list):
            raise condition.Unreadable("expected a list of texts")
        if not value:
            raise condition.Unreadable("an empty list never matches")
        wanted = []
        for index, item in enumerate(value):
            try:
                wanted.append(condition.text(item))
            except condition.Unreadable as error:
                raise condition.Unreadable(error.problem, (index,)) from error
        return cls(frozenset(wanted))

    @property
    def values(self) -> frozenset[str]:
        """All of them."""
        return self.wanted

    def holds(self, text: str) -> bool:
        """Look it up, upper and lower case being different."""
        return text in self.wanted
