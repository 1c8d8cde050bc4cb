"""Numbers in texts, as labels carry them: what the comparing conditions read, in rules and in alerts alike."""

import math
from typing import Any

from router.rules.conditions import condition


def of(text: str) -> float | None:
    """The number that a text is, in decimal notation with or without an exponent; None where it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    # Python reads more than people write: infinities, digits parted by underscores, digits of other scripts.
    return number if math.isfinite(number) and "_" not in text and text.isascii() else None


def read(value: Any) -> float:
    """The number that a rule compares with; ``Unreadable`` for anything else."""
    number = of(value) if isinstance(value, str) else None
    if number is None:
        raise condition.Unreadable("a number is needed here")
    return number
