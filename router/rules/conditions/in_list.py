"""In: the text is in a named list, which stands under ``lists`` in the same file or in its folder."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from router.rules.conditions import condition
from router.yaml_source import suggestions


@dataclass(frozen=True, slots=True)
class InList:
    """Holds for each text of the list."""

    summary: ClassVar[str] = "the text is in the list of this name under `lists`, or in one of several lists"

    names: tuple[str, ...]
    wanted: frozenset[str]

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:
        """Read the name of a list, or several."""
        names = condition.parts(value)
        for name in names:
            if name not in scope.lists:
                at = (value.index(name),) if isinstance(value, list) else ()
                raise condition.Unreadable(f'there is no list "{name}"{suggestions.hint(name, scope.lists)}', at)
        return cls(names, frozenset[str]().union(*(scope.lists[name] for name in names)))

    @property
    def values(self) -> frozenset[str]:
        """All of them."""
        return self.wanted

    def holds(self, text: str) -> bool:
        """Look it up, upper and lower case being different."""
        return text in self.wanted
