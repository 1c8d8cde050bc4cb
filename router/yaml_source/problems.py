"""One mistake in a file, with its position, as shown when a rule file or the configuration is refused."""

from dataclasses import dataclass
from typing import Literal

_WIDTH = 160  # Characters. Longer lines are cut around the column, so that the caret stays visible.


@dataclass(frozen=True, slots=True)
class LocatedProblem:
    """A message and its position.

    ``line`` and ``column`` count from 1; a ``line`` of 0 means the whole file. ``text`` is the line at fault, with its
    secrets already masked. A warning doesn't prevent the file from being used. Problems sort in the order in which the
    files are read.
    """

    file: str
    line: int
    column: int
    message: str
    text: str = ""
    level: Literal["error", "warning"] = "error"

    @property
    def place(self) -> str:
        """Return the position in the form that editors use: ``file:line:column``, or only the file."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def order(self) -> tuple[str, int, int, str]:
        """Return the sort key for the order in which the files are read."""
        return (self.file, self.line, self.column, self.message)

    def __str__(self) -> str:
        """Return the problem for a terminal: position and message, the line at fault, and a caret under the column."""
        head = f"{self.place}: {'warning: ' if self.level == 'warning' else ''}{self.message}"
        if not self.line or not self.text.strip():
            return head
        text, column = _window(self.text, self.column)
        # Tabs are kept below tabs, so that the caret is under its column for any tab width.
        indent = "".join("\t" if letter == "\t" else " " for letter in text[: column - 1])
        return f"{head}\n    {_printable(text)}\n    {indent}^"


def _window(text: str, column: int) -> tuple[str, int]:
    """Cut a long line around its column. Return the rest and the column in it."""
    start = max(0, min(column - 1 - _WIDTH // 2, len(text) - _WIDTH))
    return text[start : start + _WIDTH], column - start


def _printable(text: str) -> str:
    """Replace control characters, which an invalid file could otherwise send to the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "\ufffd" for letter in text)
