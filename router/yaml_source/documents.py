"""Reads a YAML file into plain data that knows where every key and value stands: rule files and the configuration.

Reading never raises for what is in the file: the document carries its problems, so that all are told at once.
"""

import errno
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from router.yaml_source import composer, masking, nodes, problems

MAX_BYTES = 1024 * 1024
_MOST_PROBLEMS = 100  # A file that is broken throughout must not fill a log.
_LINE_END = re.compile(r"\r\n|\r|\n")

Where = Sequence[str | int]
"""The way to a value: keys and list positions from the top, for example ``("rules", 0, "when")``."""


class Document:
    """A file's data with places.

    ``data`` is the content as plain data (None where it is empty or broken), ``problems`` what is wrong with it as
    YAML. ``file`` is the name that problems show, ``name`` its last part,
    ``content`` the bytes that were read.
    """

    def __init__(self, file: str, text: str = "", data: Any = None, *, holds_secrets: bool = False) -> None:
        """Take the text of a file, or plain data that stands in no file and so has no places."""
        self.file = file
        self.name = PurePath(file).name
        self.content = b""
        self.problems: list[problems.Problem] = []
        self._lines = _LINE_END.split(text)
        self._masked = masking.Lines(self._lines, holds_secrets=holds_secrets)
        self._root = composer.compose(text, self._report) if text else None
        self.data = nodes.plain(self._root) if text else data

    def problem(self, message: str, path: Where = (), *, key: bool = False) -> problems.Problem:
        """Make a problem at the value that ``path`` leads to, or at its key.

        Where the path leads nowhere, the place is that of the last part that is there.
        """
        line, column = self.place(path, key=key)
        return self._problem(line, column, message)

    def place(self, path: Where = (), *, key: bool = False) -> tuple[int, int]:
        """Line and column (from 1) of the value, or of its key; (0, 0) in data that stands in no file."""
        if self._root is None:
            return 0, 0
        at, node, complete = _walk(self._root, path)
        shown = at if at is not None and (key or not complete) else node
        return shown.line, shown.column

    def written(self, path: Where = ()) -> Any:
        """The data below ``path`` with numbers and truth values as the text that they were written as."""
        if self._root is not None:
            _, node, complete = _walk(self._root, path)
            return nodes.written(node) if complete else None
        data = self.data
        for step in path:
            data = data[step]
        return _as_text(data)

    def _problem(self, line: int, column: int, message: str) -> problems.Problem:
        text = self._masked.shown(line - 1) if 0 < line <= len(self._lines) else ""
        return problems.Problem(self.file, line, column, message, text)

    def _report(self, line: int, column: int, message: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(self._problem(line, column, message))


def read(path: Path, *, holds_secrets: bool = False) -> Document:
    """Read a file; what cannot be read at all becomes the document's one problem.

    Of the lines of one that ``holds_secrets`` problems show the keys, and no value that might be a secret.
    """
    try:
        return parse(content(path), str(path), holds_secrets=holds_secrets)
    except OSError as error:
        return _broken(str(path), f"can't be read: {error.strerror or error}")


def content(path: Path) -> bytes:
    """Read a file's bytes, of a longer one one byte more than ``MAX_BYTES``; ``OSError`` for what is no file.

    A pipe or a device never lets anybody wait: it is opened without blocking, and not read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return opened.read(MAX_BYTES + 1)


def parse(content: bytes, file: str, *, holds_secrets: bool = False) -> Document:
    """Read a file's bytes, UTF-8 and at most 1 MiB; ``file`` is the name that problems show."""
    if len(content) > MAX_BYTES:
        return _broken(file, "is larger than 1 MiB; split it into several files")
    try:
        document = Document(file, content.decode("utf-8-sig"), holds_secrets=holds_secrets)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _broken(file, "is not UTF-8 text", line, error.start - content.rfind(b"\n", 0, error.start))
    document.content = content
    return document


def from_data(data: Any, file: str = "data") -> Document:
    """Wrap data that was never in a file; its problems have no places."""
    return Document(file, data=data)


def _walk(root: nodes.Node, path: Where) -> tuple[nodes.Scalar | None, nodes.Node, bool]:
    """The key and the node that the path leads to, and whether all of it could be walked."""
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


def _broken(file: str, message: str, line: int = 0, column: int = 0) -> Document:
    document = Document(file)
    document.problems.append(problems.Problem(file, line, column, message))
    return document


def _as_text(data: Any) -> Any:
    match data:
        case dict():
            return {key: _as_text(value) for key, value in data.items()}
        case list() | tuple():
            return [_as_text(value) for value in data]
        case bool():
            return "true" if data else "false"
        case int() | float():
            return str(data)
    return data
