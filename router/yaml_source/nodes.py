"""A YAML document as nodes that know their line and column, both counted from 1."""

from dataclasses import dataclass, field
from typing import Any

from router.yaml_source import scalars


@dataclass(slots=True)
class Scalar:
    """One value: ``text`` in its original form, ``value`` as defined by YAML (quoted text is always text)."""

    text: str
    value: scalars.Value
    line: int
    column: int


@dataclass(slots=True)
class Mapping:
    """Keys with their values. Each key keeps its scalar, which has the position."""

    line: int
    column: int
    entries: "dict[str, tuple[Scalar, Node]]" = field(default_factory=dict)


@dataclass(slots=True)
class Sequence:
    """A list of nodes."""

    line: int
    column: int
    items: "list[Node]" = field(default_factory=list)


Node = Scalar | Mapping | Sequence


def plain(node: Node | None) -> Any:
    """Return the document as dictionaries, lists, and values."""
    # Most nodes are scalars. Checking for them inline saves a call.
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Mapping):
        return {key: child.value if type(child) is Scalar else plain(child) for key, (_, child) in node.entries.items()}
    if isinstance(node, Sequence):
        return [child.value if type(child) is Scalar else plain(child) for child in node.items]
    return None


def to_raw_text(node: Node | None) -> Any:
    """Return the document with every number and Boolean as text in its original form: ``007`` stays ``"007"``."""
    match node:
        case Scalar():
            return None if node.value is None else node.text
        case Mapping():
            return {key: to_raw_text(child) for key, (_, child) in node.entries.items()}
        case Sequence():
            return [to_raw_text(child) for child in node.items]
    return None
