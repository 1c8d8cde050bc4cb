"""The descriptions in values.yaml: as in helm-docs, the comment `# -- ` above a key, up to the key."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.chart import helm

_KEY = re.compile(r"^( *)(\w+):")
_BEGINS = "# -- "


class Value(NamedTuple):
    """A value: its path, its default, and its description."""

    path: str
    default: Any
    text: str


def values() -> list[Value]:
    """Return every described value in the order of the file."""
    source = (helm.CHART / "values.yaml").read_text()
    defaults = helm.read(source)
    return [Value(path, _at(defaults, path), text) for path, text in _explained(source)]


def leaves(data: Any, path: str = "") -> Iterator[str]:
    """Return the paths of all values without nested values; an empty map counts as one."""
    if not isinstance(data, dict) or not data:
        yield path
        return
    for key, inner in data.items():
        yield from leaves(inner, f"{path}.{key}" if path else key)


def table() -> str:
    """Return a Markdown table of all values."""
    rows = [f"| `{value.path}` | {_shown(value.default)} | {value.text.replace('|', '/')} |\n" for value in values()]
    return "".join(["| value | default | what it is |\n", "| --- | --- | --- |\n", *rows])


def _explained(source: str) -> Iterator[tuple[str, str]]:
    above: list[str] = []
    text: list[str] = []
    for line in source.splitlines():
        said = line.strip()
        if said.startswith(_BEGINS):
            text = [said.removeprefix(_BEGINS)]
        elif said.startswith("# ") and text:
            text.append(said.removeprefix("# "))
        elif found := _KEY.match(line):
            above = [*above[: len(found[1]) // 2], found[2]]
            if text:
                yield ".".join(above), " ".join(text)
            text = []


def _at(data: Any, path: str) -> Any:
    for key in path.split("."):
        data = data[key]
    return data


def _shown(default: Any) -> str:
    return f"`{json.dumps(default)}`"
