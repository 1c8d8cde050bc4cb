"""The tree as the structure tests see it: its files, and what can be read off a Python file without importing it."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_MADE = {"build", "dist", "data", "benchmark-results"}  # At the root; a folder of ours may have such a name elsewhere.
_OURS_THOUGH_HIDDEN = {".ci", ".github"}


class Function(NamedTuple):
    """One function: where it is, how many lines it has, how many arguments may be given by position."""

    place: str
    name: str
    lines: int
    positional: int


def files(*patterns: str, root: Path = ROOT) -> list[Path]:
    """The tree's own files that match one of the patterns (as ``Path.match`` reads them), in order."""
    return sorted(path for path in _walk(root, root) if any(path.match(pattern) for pattern in patterns))


def python(*folders: str, root: Path = ROOT) -> list[Path]:
    """The Python files under these folders."""
    return [path for path in files("*.py", root=root) if path.relative_to(root).parts[0] in folders]


def place(path: Path, line: int = 0, root: Path = ROOT) -> str:
    """A file, and a line where there is one, as a message names it."""
    relative = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    return f"{relative}:{line}" if line else relative


def line_count(path: Path) -> int:
    """How many lines a file has."""
    return len(path.read_text().splitlines())


def functions(path: Path) -> tuple[Function, ...]:
    """Every function of a file, also methods and functions within functions."""
    return _functions(path, path.read_text())


@functools.cache
def _functions(path: Path, text: str) -> tuple[Function, ...]:
    return tuple(_found(path, ast.parse(text)))


def _found(path: Path, module: ast.Module) -> Iterator[Function]:
    statements = list(_statements(module))
    methods = {id(child) for node in statements if isinstance(node, ast.ClassDef) for child in node.body}
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            bound = id(node) in methods and not _is_static(node)
            positional = len(node.args.posonlyargs) + len(node.args.args) - bound
            yield Function(place(path, node.lineno), node.name, lines, positional)


def _statements(within: ast.AST) -> Iterator[ast.AST]:
    """No expression holds a function, and most of a tree are expressions."""
    for node in ast.iter_child_nodes(within):
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            yield node
            yield from _statements(node)


def _is_static(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(name, ast.Name) and name.id == "staticmethod" for name in node.decorator_list)


def _walk(folder: Path, root: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            made = entry.name == "__pycache__" or (folder == root and entry.name in _MADE)
            if not made and (not entry.name.startswith(".") or entry.name in _OURS_THOUGH_HIDDEN):
                yield from _walk(entry, root)
        elif entry.is_file() and entry.name != ".git":  # In a work tree of its own, it is a file.
            yield entry
