"""The reference of log events lists every event of the code with its level, and no other."""

import ast
import re

from tests.structure import tree

PAGE = tree.ROOT / "docs/reference/log.md"
LEVELS = {"exception": "error"}  # ``exception`` logs at the level error.
LOGGER = re.compile(r"(?:\b_?log(?:ger)?\b.*?|^get\(.*\))\.(debug|info|warning|error|exception|critical)\b")
ELSEWHERE = ("router/simulator/",)  # Development tools.


def events(source: str) -> dict[str, set[str]]:
    """Return the levels of each event that a module logs; a logger's method may have a local name."""
    module = ast.parse(source)
    local = {
        target.id: set(LOGGER.findall(ast.unparse(node.value)))
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: dict[str, set[str]] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = ast.unparse(node.func)
            levels = set(LOGGER.findall(function)) | local.get(function, set())
            if levels:
                found.setdefault(str(node.args[0].value), set()).update(LEVELS.get(level, level) for level in levels)
    return found


def list_logged() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in tree.list_python_files("router"):
        if not tree.format_place(path).startswith(ELSEWHERE):
            for name, levels in events(path.read_text()).items():
                found.setdefault(name, set()).update(levels)
    return found


def list_documented() -> dict[str, set[str]]:
    table = PAGE.read_text().partition("\n## All events\n")[2]
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", table, re.MULTILINE)
    return {name: set(levels.split(", ")) for name, levels in rows}


def test_reference_lists_every_event_with_its_levels():
    assert list_documented() == list_logged()


def test_listed_events_are_sorted():
    assert list(list_documented()) == sorted(list_documented())


def test_events_of_renamed_logger_methods_are_found():
    source = """
say = _log.info if quiet else _log.error
say("a", x=1)
self._log.warning("b")
log.get("worker").exception("c")
(self._log.info if done else self._log.warning)("d")
print("e")
"""
    expected = {"a": {"info", "error"}, "b": {"warning"}, "c": {"error"}, "d": {"info", "warning"}}
    assert events(source) == expected
