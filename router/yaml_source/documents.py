"""Reads a YAML file into plain data with the position of every key and value: rule files and the configuration.

Reading never raises an error for the file's content: the document collects its problems, so that all are reported
together.
"""

import errno
import functools
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from router.yaml_source import composer, masking, nodes, problems

MAX_BYTES = 1024 * 1024
_MAX_PROBLEMS = 100  # Maximum number of reported problems, so that an invalid file doesn't fill a log.
_LINE_END = re.compile(r"\r\n|\r|\n")

Where = Sequence[str | int]
"""The way to a value: keys and list positions from the top, for example ``("rules", 0, "when")``."""

# Within the class, a property has the same name as the module.
Problem = problems.LocatedProblem


class _Composed(NamedTuple):
    root: nodes.Node | None
    data: Any
    problems: list[Problem]


class Document:
    """A file's data with positions.

    ``file`` is the name that problems show, ``name`` its last part, ``content`` the bytes that were read.

    The text is composed when its data, problems, or positions are first needed. ``release`` frees them.
    """

    def __init__(self, file: str, text: str = "", data: Any = None, *, holds_secrets: bool = False) -> None:
        """Store the text of a file, or data without a file, which has no positions."""
        self.file = file
        self.name = PurePath(file).name
        self.content = b""
        self._text = text
        self._data = data
        self._holds_secrets = holds_secrets
        self._unreadable: list[Problem] = []

    @classmethod
    def unreadable(cls, file: str, message: str, line: int = 0, column: int = 0) -> "Document":
        """Return the document of an unreadable file."""
        document = cls(file)
        document._unreadable.append(Problem(file, line, column, message))
        return document

    @property
    def data(self) -> Any:
        """Return the content as plain data; None if the document is empty or invalid."""
        return self._composed.data

    @property
    def problems(self) -> list[Problem]:
        """Return the problems of the file's YAML syntax."""
        return self._composed.problems

    @functools.cached_property
    def _composed(self) -> _Composed:
        if not self._text:
            return _Composed(None, self._data, self._unreadable)
        all_problems: list[Problem] = []

        def report(line: int, column: int, message: str) -> None:
            if len(all_problems) < _MAX_PROBLEMS:
                all_problems.append(self._problem(line, column, message))

        root = composer.compose(self._text, report)
        return _Composed(root, nodes.plain(root), all_problems)

    def release(self) -> None:
        """Free the nodes and the data, which take ten times as much memory as the text."""
        self.__dict__.pop("_composed", None)
        self.__dict__.pop("_lines", None)

    def problem(self, message: str, path: Where = (), *, key: bool = False) -> Problem:
        """Return a problem at the value that ``path`` leads to, or at its key.

        If the path doesn't exist, the position is that of its last existing part.
        """
        line, column = self.position(path, key=key)
        return self._problem(line, column, message)

    def position(self, path: Where = (), *, key: bool = False) -> tuple[int, int]:
        """Return the line and column (from 1) of the value, or of its key; (0, 0) for data without a file."""
        if self._composed.root is None:
            return 0, 0
        at, node, complete = _walk(self._composed.root, path)
        # A missing value is reported at its parent's key, where the author has to add it.
        node_at = at if at is not None and (key or not complete) else node
        return node_at.line, node_at.column

    def raw_text(self, path: Where = ()) -> Any:
        """Return the data below ``path``, with numbers and Booleans as text in their original form."""
        if self._composed.root is not None:
            _, node, complete = _walk(self._composed.root, path)
            return nodes.to_raw_text(node) if complete else None
        data = self.data
        for step in path:
            data = data[step]
        return _as_text(data)

    def _problem(self, line: int, column: int, message: str) -> Problem:
        lines = self._lines
        text = lines.masked_line(line - 1) if 0 < line <= len(lines) else ""
        return Problem(self.file, line, column, message, text)

    @functools.cached_property
    def _lines(self) -> masking.Lines:
        """Return the lines of the text. Only problems need them."""
        return masking.Lines(_LINE_END.split(self._text), holds_secrets=self._holds_secrets)


def read(path: Path, *, holds_secrets: bool = False) -> Document:
    """Read a file. If the file can't be read, the document has exactly one problem.

    If the file ``holds_secrets``, the lines in problems show only keys and harmless values.
    """
    try:
        return parse(content(path), str(path), holds_secrets=holds_secrets)
    except OSError as error:
        return Document.unreadable(str(path), f"can't be read: {error.strerror or error}")


def content(path: Path) -> bytes:
    """Read the bytes of a file, at most ``MAX_BYTES`` + 1. Raises ``OSError`` if it isn't a regular file.

    A pipe or a device never blocks the caller: it is opened without blocking, and isn't read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        # One byte more than the limit is enough to see that the file is too large.
        return opened.read(MAX_BYTES + 1)


def parse(content: bytes, file: str, *, holds_secrets: bool = False) -> Document:
    """Parse a file's bytes, which must be UTF-8 and at most 1 MiB. Problems show the name ``file``."""
    if len(content) > MAX_BYTES:
        return Document.unreadable(file, "is larger than 1 MiB; split it into several files")
    try:
        # Windows editors write a byte order mark, which isn't part of the text.
        document = Document(file, content.decode("utf-8-sig"), holds_secrets=holds_secrets)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Document.unreadable(file, "is not UTF-8 text", line, error.start - content.rfind(b"\n", 0, error.start))
    document.content = content
    return document


def from_data(data: Any, file: str = "data") -> Document:
    """Wrap data without a file. Its problems have no positions."""
    return Document(file, data=data)


def _walk(root: nodes.Node, path: Where) -> tuple[nodes.Scalar | None, nodes.Node, bool]:
    """Return the key and the node at the path, and whether the whole path exists."""
    node = root
    key: nodes.Scalar | None = None
    for step in path:
        if isinstance(node, nodes.Mapping) and step in node.entries:
            key, node = node.entries[str(step)]
        elif isinstance(node, nodes.Sequence) and isinstance(step, int) and step < len(node.items):
            key, node = None, node.items[step]
        else:
            return key, node, False
    return key, node, True


def _as_text(data: Any) -> Any:
    match data:
        case dict():
            return {key: _as_text(value) for key, value in data.items()}
        case list() | tuple():
            return [_as_text(value) for value in data]
        # This case precedes int, because True is an int in Python.
        case bool():
            return "true" if data else "false"
        case int() | float():
            return str(data)
    return data
