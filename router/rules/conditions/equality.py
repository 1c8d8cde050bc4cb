"""Conditions on the whole text of a field: equal to a text, one of several, in a named list, present, or negated.

An absent label or annotation is the empty text. So ``exists`` doesn't hold for an empty label, and ``not: staging``
holds for an alert without the label.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition
from router.yaml_source import suggestions

_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Equal:
    """Holds for one text; the comparison is case-sensitive."""

    summary: ClassVar[str] = "the text is exactly this one"

    wanted: str

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - all conditions share the signature
        """Parse one text."""
        return cls(condition.text(value))

    @property
    def values(self) -> frozenset[str]:
        """Return a set of the one text."""
        return frozenset((self.wanted,))

    def holds(self, text: str) -> bool:
        """Return whether the text is equal to the condition's text."""
        return text == self.wanted


@dataclass(frozen=True, slots=True)
class OneOf:
    """Holds for each text of a set; the comparison is case-sensitive."""

    summary: ClassVar[str] = "the text is one of these"

    wanted: frozenset[str]

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - all conditions share the signature
        """Parse a list of texts. An empty list is an error, since it never matches."""
        if not isinstance(value, list):
            raise condition.InvalidCondition("expected a list of texts")
        if not value:
            raise condition.InvalidCondition("an empty list never matches")
        texts = []
        for index, item in enumerate(value):
            try:
                texts.append(condition.text(item))
            except condition.InvalidCondition as error:
                raise condition.InvalidCondition(error.problem, (index,)) from error
        return cls(frozenset(texts))

    @property
    def values(self) -> frozenset[str]:
        """Return the texts of the set."""
        return self.wanted

    def holds(self, text: str) -> bool:
        """Return whether the text is in the set."""
        return text in self.wanted


@dataclass(frozen=True, slots=True)
class InList:
    """Holds for each text of a list under ``lists`` in the same file or in its folder."""

    summary: ClassVar[str] = "the text is in the list of this name under `lists`, or in one of several lists"

    names: tuple[str, ...]
    wanted: frozenset[str]

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:
        """Parse the name of a list, or several names."""
        names = condition.parts(value)
        for name in names:
            if name not in scope.lists:
                at = (value.index(name),) if isinstance(value, list) else ()
                raise condition.InvalidCondition(f'there is no list "{name}"{suggestions.hint(name, scope.lists)}', at)
        return cls(names, frozenset[str]().union(*(scope.lists[name] for name in names)))

    @property
    def values(self) -> frozenset[str]:
        """Return the texts of all lists."""
        return self.wanted

    def holds(self, text: str) -> bool:
        """Return whether the text is in one of the lists."""
        return text in self.wanted


@dataclass(frozen=True, slots=True)
class Exists:
    """Holds for every text except the empty one, or only for the empty one."""

    summary: ClassVar[str] = "`true`: the field is present and not empty; `false`: it is absent or empty"

    wanted: bool

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - all conditions share the signature
        """Parse ``true`` or ``false``."""
        expected = _BOOLEANS.get(value.lower()) if isinstance(value, str) else None
        if expected is None:
            raise condition.InvalidCondition("expected true or false")
        return cls(expected)

    @property
    def values(self) -> frozenset[str] | None:
        """Return the empty text if the field must be absent, else None."""
        return None if self.wanted else frozenset(("",))

    def holds(self, text: str) -> bool:
        """Return whether the text is present or absent, as the condition requires."""
        return (text != "") is self.wanted


@dataclass(frozen=True, slots=True)
class Not:
    """Holds unless all of the inner conditions hold."""

    summary: ClassVar[str] = "the inner condition does not match: a text, a list, or a condition"

    inside: tuple[condition.Condition, ...]

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:
        """Parse any value that a field's condition can have."""
        return cls(scope.parse_nested(value))

    @property
    def values(self) -> None:
        """Return None, since the texts can't be listed."""
        return

    def holds(self, text: str) -> bool:
        """Return whether at least one inner condition fails."""
        return not all(inner.holds(text) for inner in self.inside)
