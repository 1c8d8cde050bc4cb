"""Matches: an RE2 regular expression is found in the text, in time linear in the text's length."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

import re2

from router.rules.conditions import condition

_NO_LOOKAROUND = '; RE2 has no lookaround: combine conditions, as {matches: down, not: {matches: "^test"}}'


class _Compiled(Protocol):
    def search(self, text: bytes) -> object: ...


@dataclass(frozen=True, slots=True)
class Matches:
    """Holds where the pattern is found anywhere in the text; ``^`` and ``$`` tie it to the ends."""

    summary: ClassVar[str] = "the RE2 regular expression matches a part of the text (`^` and `$` anchor it)"

    pattern: str
    _compiled: _Compiled = field(repr=False, compare=False)

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - every condition takes the same
        """Read a pattern; ``Unreadable`` with RE2's own words where it is none."""
        pattern = condition.text(value)
        if not pattern:
            raise condition.Unreadable("an empty pattern matches everything; leave the condition out")
        try:
            return cls(pattern, re2.compile(encoded(pattern), options()))
        except re2.error as error:
            said = _words(error)
            advice = _NO_LOOKAROUND if any(group in said for group in ("(?!", "(?=", "(?<")) else ""
            raise condition.Unreadable(f"not an RE2 pattern: {said}{advice}") from error

    @property
    def values(self) -> None:
        """They can't be listed."""
        return

    def holds(self, text: str) -> bool:
        """Search; RE2 never runs out of time, and falls back by itself when it runs out of memory."""
        return self._compiled.search(encoded(text)) is not None


class Combined:
    """Many patterns that are looked for in one pass over a text."""

    _MEMORY = 64 * 1024 * 1024  # Bytes, at most, that RE2 keeps for the automaton of one set.

    def __init__(self, patterns: Sequence[Matches]) -> None:
        """Compile the patterns together."""
        self._patterns = patterns
        chosen = options()
        chosen.max_mem = self._MEMORY
        self._set: Any = re2.Set.SearchSet(chosen)
        for one in patterns:
            self._set.Add(encoded(one.pattern))
        # Found in every text: where it is missing, RE2 has run out of memory and found nothing for that reason.
        self._always = self._set.Add(b"")
        try:
            self._set.Compile()
        except re2.error:
            self._set = None

    def found(self, text: str) -> list[int]:
        """The positions of the patterns that the text holds, in order."""
        hits = self._set.Match(encoded(text)) if self._set is not None else None
        if not hits or self._always not in hits:
            return [index for index, one in enumerate(self._patterns) if one.holds(text)]
        hits.remove(self._always)
        return sorted(hits)


def encoded(text: str) -> bytes:
    """The bytes that RE2 reads. Half a surrogate pair, which no UTF-8 holds, becomes a question mark."""
    return text.encode("utf-8", "replace")


def options() -> Any:
    """RE2's options: its messages are ours to show, so it writes none itself."""
    chosen = re2.Options()
    chosen.log_errors = False
    return chosen


def _words(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
