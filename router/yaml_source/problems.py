"""One mistake in a file, with its place: what people read when a rule file or the configuration is refused."""

from dataclasses import dataclass
from typing import Literal

_WIDTH = 160  # Longer lines are cut around the column, so that the caret stays in sight.


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where.

    ``line`` and ``column`` count from 1; a ``line`` of 0 means the file as a whole. ``text`` is the offending line
    with its secrets already masked. A warning keeps nothing from being used. Sorted, problems stand in the order in
    which the file is read.
    """

    file: str
    line: int
    column: int
    message: str
    text: str = ""
    level: Literal["error", "warning"] = "error"

    @property
    def place(self) -> str:
        """The place as editors understand it: ``file:line:column``, or the file alone."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def order(self) -> tuple[str, int, int, str]:
        """What sorts problems into the order in which the files are read."""
        return (self.file, self.line, self.column, self.message)

    def __str__(self) -> str:
        """The problem for a terminal: place and message, the offending line, a caret under the column."""
        head = f"{self.place}: {'warning: ' if self.level == 'warning' else ''}{self.message}"
        if not self.line or not self.text.strip():
            return head
        text, column = _window(self.text, self.column)
        # Tabs are kept below tabs, so that the caret stands under its column whatever their width.
        indent = "".join("\t" if letter == "\t" else " " for letter in text[: column - 1])
        return f"{head}\n    {_printable(text)}\n    {indent}^"


def _window(text: str, column: int) -> tuple[str, int]:
    """Cut a long line around its column; the column is counted anew in what is left."""
    start = max(0, min(column - 1 - _WIDTH // 2, len(text) - _WIDTH))
    return text[start : start + _WIDTH], column - start


def _printable(text: str) -> str:
    """Keep control characters of a broken file away from the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "\ufffd" for letter in text)
