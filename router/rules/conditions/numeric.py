"""Conditions that compare numbers. Labels are texts, so a text that isn't a number never matches."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition


def parse(text: str) -> float | None:
    """Parse a number in decimal notation, with or without an exponent. Return None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    # Python also accepts infinities, underscores between digits, and digits of other scripts.
    return number if math.isfinite(number) and "_" not in text and text.isascii() else None


@dataclass(frozen=True, slots=True)
class _Limit:
    """Base class with the number that the text is compared with."""

    limit: float

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - all conditions share the signature
        """Parse a number."""
        number = parse(value) if isinstance(value, str) else None
        if number is None:
            raise condition.InvalidCondition("expected a number")
        return cls(number)

    @property
    def values(self) -> None:
        """Return None, since the texts can't be listed."""
        return


@dataclass(frozen=True, slots=True)
class Greater(_Limit):
    """Holds if the text is a number above the limit."""

    summary: ClassVar[str] = "the text is a number that is greater than this one; any other text never matches"

    def holds(self, text: str) -> bool:
        """Compare the text with the limit as numbers."""
        number = parse(text)
        return number is not None and number > self.limit


@dataclass(frozen=True, slots=True)
class AtLeast(_Limit):
    """Holds if the text is a number that is not below the limit."""

    summary: ClassVar[str] = "the text is a number that is at least this one; any other text never matches"

    def holds(self, text: str) -> bool:
        """Compare the text with the limit as numbers."""
        number = parse(text)
        return number is not None and number >= self.limit


@dataclass(frozen=True, slots=True)
class Less(_Limit):
    """Holds if the text is a number below the limit."""

    summary: ClassVar[str] = "the text is a number that is less than this one; any other text never matches"

    def holds(self, text: str) -> bool:
        """Compare the text with the limit as numbers."""
        number = parse(text)
        return number is not None and number < self.limit


@dataclass(frozen=True, slots=True)
class AtMost(_Limit):
    """Holds if the text is a number that is not above the limit."""

    summary: ClassVar[str] = "the text is a number that is at most this one; any other text never matches"

    def holds(self, text: str) -> bool:
        """Compare the text with the limit as numbers."""
        number = parse(text)
        return number is not None and number <= self.limit
