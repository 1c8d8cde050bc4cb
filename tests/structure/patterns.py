"""The regular expressions of the tree: their definitions, their uses, and their time for hostile texts.

Python's ``re`` backtracks. It may be used only for patterns without nested repetition whose time grows linearly with
the length of the text, which ``measure`` tests. All other patterns use RE2.

As a program, it measures the patterns from standard input. It prints the name of each pattern first, so that the test
can name a pattern that doesn't finish.
"""

import ast
import importlib
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from tests.structure import tree

SEARCHING = frozenset({"search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"})
LENGTH = 20_000
SECONDS = 0.025  # Processor time. A linear pattern takes less than a tenth of it, a quadratic one ten times as much.
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)


class CompiledPattern(NamedTuple):
    """A pattern that a module compiles and keeps under a name, with its uses."""

    place: str
    module: str
    name: str
    uses: tuple[str, ...]


def list_misplaced(paths: list[Path]) -> Iterator[str]:
    """Yield uses of ``re`` other than patterns that a module compiles once and keeps under a name."""
    for path in paths:
        module = ast.parse(path.read_text())
        kept = {id(value) for _, value in _kept(module)}
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and _is_of_re(node.func) and id(node) not in kept:
                yield tree.format_place(path, node.lineno)
            if isinstance(node, ast.ImportFrom) and node.module in {"re", "re2"}:
                yield tree.format_place(path, node.lineno)


def list_patterns(paths: list[Path]) -> list[CompiledPattern]:
    """Return all patterns that modules compile with ``re`` and keep."""
    modules = {path: ast.parse(path.read_text()) for path in paths}
    found = []
    for path, module in modules.items():
        for name, value in _kept(module):
            # A private name is used only in its own module; any other name may be used in all modules.
            where = [module] if name.startswith("_") else list(modules.values())
            uses = sorted({use for each in where for use in _uses(each, name)})
            parts = path.relative_to(tree.ROOT).with_suffix("").parts
            dotted = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(CompiledPattern(tree.format_place(path, value.lineno), dotted, name, tuple(uses)))
    return found


def _kept(module: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _is_of_re(node.value.func):
            assert isinstance(node.value.func, ast.Attribute)
            if node.value.func.attr == "compile" and isinstance(node.targets[0], ast.Name):
                yield node.targets[0].id, node.value


def _is_of_re(called: ast.expr) -> bool:
    return isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "re"


def _uses(module: ast.Module, name: str) -> Iterator[str]:
    """Return the uses of a pattern: methods called on it, or on an argument or attribute that it was passed to."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and node.attr in SEARCHING:
            holder = node.value
            if name in {getattr(holder, "id", ""), getattr(holder, "attr", "")}:
                yield node.attr


def get_text(compiled_pattern: CompiledPattern) -> str:
    """Return the text of a pattern."""
    pattern = getattr(importlib.import_module(compiled_pattern.module), compiled_pattern.name).pattern
    return pattern.decode("latin-1") if isinstance(pattern, bytes) else str(pattern)


def is_nested(pattern: str) -> bool:
    """Return whether an element that can repeat in several ways is itself repeated."""
    return any(_nested(item, within=False) for item in parser.parse(pattern))


def _nested(item: Any, *, within: bool) -> bool:
    operation, argument = item
    if operation in _REPEATS:
        low, high, body = argument
        # An element of fixed length repeats in only one way, and an optional part is no repetition.
        varies = low != high and high > 1
        return (varies and within) or any(_nested(inner, within=within or high > 1) for inner in body)
    return any(_nested(inner, within=within) for body in _bodies(operation, argument) for inner in body)


def _bodies(operation: Any, argument: Any) -> list[Any]:
    if operation is codes.SUBPATTERN:
        return [argument[-1]]
    if operation is codes.BRANCH:
        return list(argument[1])
    if operation in {codes.ASSERT, codes.ASSERT_NOT}:
        return [argument[1]]
    return [argument] if operation is codes.ATOMIC_GROUP else []


def list_letters(pattern: str) -> list[str]:
    """Return one letter for each class that a pattern distinguishes, and two that none of our patterns names."""
    found: dict[str, None] = {}

    def look(items: Any) -> None:
        for operation, argument in items:
            if operation in {codes.LITERAL, codes.NOT_LITERAL}:
                found[chr(argument)] = None
            elif operation is codes.IN:
                found.update(dict.fromkeys(_of_class(argument)))
            elif operation in _REPEATS:
                look(argument[2])
            else:
                for body in _bodies(operation, argument):
                    look(body)

    look(parser.parse(pattern))
    return [*itertools.islice(found, 40), " ", "\N{SNOWMAN}"]


def _of_class(members: Any) -> Iterator[str]:
    spoken = {codes.CATEGORY_DIGIT: "7", codes.CATEGORY_SPACE: " ", codes.CATEGORY_WORD: "w"}
    for operation, argument in members:
        if operation is codes.LITERAL:
            yield chr(argument)
        elif operation is codes.RANGE:
            yield chr(argument[0])
        elif operation is codes.CATEGORY:
            yield spoken.get(argument, "-")


def example(pattern: str) -> str:
    """Return a text that matches, at least nearly. Its prefixes reach every part of the pattern."""

    def write(items: Any) -> str:
        return "".join(one(operation, argument) for operation, argument in items)

    def one(operation: Any, argument: Any) -> str:
        if operation is codes.LITERAL:
            return chr(argument)
        if operation is codes.IN:
            return next(_of_class(argument), "x")
        if operation in _REPEATS:
            return write(argument[2]) * max(1, min(argument[0], 12))
        if operation in {codes.NOT_LITERAL, codes.ANY}:
            return "x"
        if operation is codes.BRANCH:
            return write(argument[1][0])
        return write(argument[-1]) if operation is codes.SUBPATTERN else ""

    return write(parser.parse(pattern))


def measure(pattern: "re.Pattern[Any]", uses: tuple[str, ...]) -> str:
    """Try hostile texts. Return, as code, the text that takes more than linear time; empty if there is none."""
    binary = isinstance(pattern.pattern, bytes)
    written = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else str(pattern.pattern)
    letters = list_letters(written)
    sample = example(written)
    beginnings = {sample[:end] for end in range(len(sample) + 1)}
    pumps = [*letters, *("".join(pair) for pair in itertools.permutations(letters[:14], 2)), *(beginnings - {""})]
    for begin, pump, end in itertools.product(beginnings, pumps, ("", "\0")):
        for length in (24, LENGTH):  # Exponential time is visible immediately; a longer text would never finish.
            text = begin + pump * (length // len(pump)) + end
            subject: Any = text.encode("utf-8") if binary else text
            for use in uses:
                # Measure again: the interpreter itself may have used the processor.
                if all(_seconds(pattern, use, subject) > SECONDS for _ in range(2)):
                    return f"{use}({begin!r} + {pump!r} * {length // len(pump)} + {end!r})"
    return ""


def _seconds(pattern: "re.Pattern[Any]", use: str, subject: Any) -> float:
    started = time.thread_time()
    found = getattr(pattern, use)(*([subject[:0], subject] if use in {"sub", "subn"} else [subject]))
    if use == "finditer":
        for _ in found:
            pass
    return time.thread_time() - started


def main() -> None:
    """Measure the patterns from standard input one after the other."""
    for line in sys.stdin:
        module, name, uses, written = json.loads(line)
        print(json.dumps(f"{module}.{name}"), flush=True)
        pattern = re.compile(written) if written else getattr(importlib.import_module(module), name)
        print(json.dumps(measure(pattern, tuple(uses))), flush=True)


if __name__ == "__main__":
    main()
