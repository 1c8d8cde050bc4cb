"""The router imports its own modules and names under their own names."""

import ast

from tests.structure import tree


def test_router_imports_its_modules_without_aliases():
    aliases = [
        f"{tree.place(path, node.lineno)}: {name.name} as {name.asname}"
        for path in tree.python("router")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
        if name.asname is not None
        and (node.module if isinstance(node, ast.ImportFrom) else name.name or "").split(".")[0] == "router"
    ]
    assert aliases == []
