"""Regular expressions over untrusted text with RE2, whose time is linear in the text's length.

Python's ``re`` backtracks and blocks the interpreter: one short text can stop a process.
"""

import functools
from collections.abc import Iterator
from typing import Any, Protocol, cast

import re2


class Pattern(Protocol):
    """A compiled pattern. It takes bytes; ``encode`` makes them."""

    def search(self, text: bytes) -> Any:
        """Find the first match anywhere in the text; None if there is none."""
        ...

    def fullmatch(self, text: bytes) -> Any:
        """Match the whole text; None if it doesn't match."""
        ...

    def finditer(self, text: bytes) -> Iterator[Any]:
        """Yield all matches that don't overlap, in order."""
        ...

    def findall(self, text: bytes) -> list[Any]:
        """Return all matches that don't overlap, in order."""
        ...

    def sub(self, replacement: bytes, text: bytes, count: int = 0) -> bytes:
        """Replace the first ``count`` matches, or every match if ``count`` is 0."""
        ...


class InvalidPattern(ValueError):
    """The text isn't an RE2 pattern. The message is RE2's own."""


@functools.lru_cache(maxsize=1024)
def compile(pattern: str, *, ignore_case: bool = False) -> Pattern:  # noqa: A001 - as in re.compile
    """Compile an RE2 pattern. Raises ``InvalidPattern`` if the text isn't one."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    try:
        return cast("Pattern", re2.compile(encode(pattern), options))
    except re2.error as error:
        message = error.args[0] if error.args else ""
        raise InvalidPattern(
            message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
        ) from error


def encode(text: str) -> bytes:
    """Encode a text for a pattern. Half a surrogate pair, which UTF-8 can't hold, becomes a question mark."""
    return text.encode("utf-8", "replace")
