"""Maps severities to a vendor's words. Each destination can configure its own mapping."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar, cast

from router.domain import severities

Word = Literal["critical", "major", "minor", "info"]
Value = TypeVar("Value")


def fill_defaults(default: Mapping[Word, Value]) -> Callable[[dict[Word, Value]], dict[Word, Value]]:
    """Return a validator of a configured mapping that takes missing severities from ``default``."""

    def fill(values: dict[Word, Value]) -> dict[Word, Value]:
        return {**default, **values}

    return fill


def map_severity(mapping: Mapping[Word, Value], severity: severities.Severity) -> Value:
    """Return the vendor's word for ``severity``. The mapping has all severities."""
    return mapping[cast("Word", severity.word)]
