"""Conditions on a part of a field's text: its beginning, its end, or any part. All are case-sensitive."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition


@dataclass(frozen=True, slots=True)
class _Parts:
    """Base class with one or several texts, of which at least one must occur."""

    wanted: tuple[str, ...]

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - all conditions share the signature
        """Parse one text or a list of texts."""
        return cls(condition.parts(value))

    @property
    def values(self) -> None:
        """Return None, since the texts can't be listed."""
        return


@dataclass(frozen=True, slots=True)
class StartsWith(_Parts):
    """Holds if the text begins with one of the given texts. Rules are indexed by the length of the shortest one."""

    summary: ClassVar[str] = "the text begins with this one, or with one of a list"

    def holds(self, text: str) -> bool:
        """Compare the beginning of the text."""
        return text.startswith(self.wanted)


@dataclass(frozen=True, slots=True)
class EndsWith(_Parts):
    """Holds if the text ends with one of the given texts."""

    summary: ClassVar[str] = "the text ends with this one, or with one of a list"

    def holds(self, text: str) -> bool:
        """Compare the end of the text."""
        return text.endswith(self.wanted)


@dataclass(frozen=True, slots=True)
class Contains(_Parts):
    """Holds if one of the given texts occurs anywhere in the text."""

    summary: ClassVar[str] = "the text contains this text, or one of a list"

    def holds(self, text: str) -> bool:
        """Search for each of the given texts."""
        return any(part in text for part in self.wanted)
