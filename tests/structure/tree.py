"""The files of the tree, and data read from Python files without importing them."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_MADE = {"build", "dist", "data", "benchmark-results"}  # At the root; any other folder may have such a name.
_OURS_THOUGH_HIDDEN = {".ci", ".github"}


class Function(NamedTuple):
    """A function: its place, its number of lines, and its number of positional arguments."""

    place: str
    name: str
    lines: int
    positional: int


def list_files(*patterns: str, root: Path = ROOT) -> list[Path]:
    """Return the tree's own files that match one of the patterns of ``Path.match``, in order."""
    return sorted(path for path in _walk(root, root) if any(path.match(pattern) for pattern in patterns))


def list_python_files(*folders: str, root: Path = ROOT) -> list[Path]:
    """Return the Python files under these folders."""
    return [path for path in list_files("*.py", root=root) if path.relative_to(root).parts[0] in folders]


def format_place(path: Path, line: int = 0, root: Path = ROOT) -> str:
    """Format a file, with a line if there is one, for messages."""
    relative = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    return f"{relative}:{line}" if line else relative


def count_lines(path: Path) -> int:
    """Return the number of lines of a file."""
    return len(path.read_text().splitlines())


def list_functions(path: Path) -> tuple[Function, ...]:
    """Yield every function of a file, including methods and nested functions."""
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
            yield Function(format_place(path, node.lineno), node.name, lines, positional)


def _statements(within: ast.AST) -> Iterator[ast.AST]:
    """Skip expressions: they contain no functions, and are most of a syntax tree."""
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
        elif entry.is_file() and entry.name != ".git":  # In a separate work tree, it is a file.
            yield entry
