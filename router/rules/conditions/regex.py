"""The condition ``matches``: an RE2 regular expression matches a part of the text, in time linear in its length."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

import re2

from router.rules.conditions import condition

_NO_LOOKAROUND = '; RE2 has no lookaround: combine conditions, such as {matches: down, not: {matches: "^test"}}'


class _Compiled(Protocol):
    def search(self, text: bytes) -> object: ...


@dataclass(frozen=True, slots=True)
class Matches:
    """Holds if the pattern matches anywhere in the text. ``^`` and ``$`` anchor it."""

    summary: ClassVar[str] = "the RE2 regular expression matches a part of the text (`^` and `$` anchor it)"

    pattern: str
    _compiled: _Compiled = field(repr=False, compare=False)

    @classmethod
    def read(cls, value: Any, scope: condition.Scope) -> Self:  # noqa: ARG003 - all conditions share the signature
        """Parse a pattern. Raises ``Unreadable`` with RE2's message if the pattern is invalid."""
        pattern = condition.text(value)
        if not pattern:
            raise condition.InvalidCondition("an empty pattern matches everything; remove the condition")
        try:
            return cls(pattern, re2.compile(encode(pattern), options()))
        except re2.error as error:
            message = _words(error)
            advice = _NO_LOOKAROUND if any(group in message for group in ("(?!", "(?=", "(?<")) else ""
            raise condition.InvalidCondition(f"not an RE2 pattern: {message}{advice}") from error

    @property
    def values(self) -> None:
        """Return None, since the texts can't be listed."""
        return

    def holds(self, text: str) -> bool:
        """Search the text. The time is linear, and RE2 uses a slower method if it runs out of memory."""
        return self._compiled.search(encode(text)) is not None


class CombinedPatterns:
    """Many patterns that are searched for in one pass over a text."""

    _MEMORY = 64 * 1024 * 1024  # Maximum size in bytes of RE2's automaton for one set.

    def __init__(self, patterns: Sequence[Matches]) -> None:
        """Compile the patterns together."""
        self._patterns = patterns
        re2_options = options()
        re2_options.max_mem = self._MEMORY
        self._set: Any = re2.Set.SearchSet(re2_options)
        for pattern in patterns:
            self._set.Add(encode(pattern.pattern))
        # The empty pattern matches every text. If it isn't among the matches, RE2 ran out of memory.
        self._always = self._set.Add(b"")
        try:
            self._set.Compile()
        except re2.error:
            self._set = None

    def find_matches(self, text: str) -> list[int]:
        """Return the positions of the patterns that match the text, in order."""
        hits = self._set.Match(encode(text)) if self._set is not None else None
        if not hits or self._always not in hits:
            return [index for index, pattern in enumerate(self._patterns) if pattern.holds(text)]
        hits.remove(self._always)
        return sorted(hits)


def encode(text: str) -> bytes:
    """Return the text as bytes for RE2. Unpaired surrogates, which UTF-8 can't encode, become question marks."""
    return text.encode("utf-8", "replace")


def options() -> Any:
    """Return RE2's options. RE2 logs no errors, since the caller reports them."""
    re2_options = re2.Options()
    re2_options.log_errors = False
    return re2_options


def _words(error: Exception) -> str:
    message = error.args[0] if error.args else ""
    return message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
