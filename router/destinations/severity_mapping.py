"""From the one severity ladder to a vendor's words; each configuration may say its own."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar, cast

from router.domain import severities

Word = Literal["critical", "major", "minor", "info"]
Value = TypeVar("Value")


def fill_defaults(default: Mapping[Word, Value]) -> Callable[[dict[Word, Value]], dict[Word, Value]]:
    """Make a validator for a configured mapping: the steps it leaves out are taken from ``default``."""

    def fill(given: dict[Word, Value]) -> dict[Word, Value]:
        return {**default, **given}

    return fill


def map_severity(mapping: Mapping[Word, Value], severity: severities.Severity) -> Value:
    """Look up what stands for ``severity``; the mapping names every step."""
    return mapping[cast("Word", severity.word)]
