"""Exists: the field is there. An absent label is the empty text, so a label that is there and empty is not."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition

_WORDS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Exists:
    """Holds for every text but the empty one, or for that alone."""

    summary: ClassVar[str] = "`true`: the field is present and not empty; `false`: it is absent or empty"

    wanted: bool

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - every condition takes the same
        """Read ``true`` or ``false``."""
        wanted = _WORDS.get(value.lower()) if isinstance(value, str) else None
        if wanted is None:
            raise condition.Unreadable("true or false is needed here")
        return cls(wanted)

    @property
    def values(self) -> frozenset[str] | None:
        """The empty text, where the field must not be there."""
        return None if self.wanted else frozenset(("",))

    def holds(self, text: str) -> bool:
        """Tell whether there is a text, or none."""
        return (text != "") is self.wanted
