"""From YAML text to nodes that know their place. Everything that YAML allows and a careful reader fears is refused.

Tags, cycles, aliases that grow without bound, keys given twice, merge keys and second documents are problems.
"""

from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML, events
from ruamel.yaml import error as yaml_errors

from router.yaml_source import nodes, scalars

MAX_DEPTH = 64
MAX_NODES = 1_000_000  # With every alias counted at the size of what it stands for.

Report = Callable[[int, int, str], None]
"""Takes line and column (from 1) and what is wrong there."""


def compose(text: str, report: Report) -> nodes.Node | None:
    """Build the document's node, or None where it is empty or its syntax is broken; mistakes are reported."""
    builder = _Builder(report)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            if not builder.take(event):
                return None
    except yaml_errors.MarkedYAMLError as error:
        _report_syntax(error, report)
        return None
    except yaml_errors.YAMLError as error:
        _report_characters(text, error, report)
        return None
    return builder.root


_ADVICE = {
    "found character '\\t'": "YAML can't be indented by tabs; use spaces",
    "mapping values are not allowed": 'a text with a colon and a space in it needs quotes, as "Checkout: down"',
}
"""What to say of the commonest mistakes, by a part of the parser's words."""


def _report_syntax(error: Any, report: Report) -> None:
    mark = error.problem_mark or error.context_mark
    message = error.problem or "this is not YAML"
    if advice := next((said for words, said in _ADVICE.items() if words in message), ""):
        message = advice
    elif error.context:
        message += f" ({error.context}"
        start = error.context_mark
        message += f" that begins at line {start.line + 1})" if start is not None else ")"
    report(mark.line + 1 if mark else 0, mark.column + 1 if mark else 0, message.replace("'\\t'", "tab"))


def _report_characters(text: str, error: yaml_errors.YAMLError, report: Report) -> None:
    position = getattr(error, "position", 0)
    before = text[:position]
    code = getattr(error, "character", None)
    shown = f"U+{code if isinstance(code, int) else ord(str(code)):04X}" if code is not None else str(error)
    line = before.count("\n") + 1
    report(line, position - before.rfind("\n"), f"a character that YAML does not allow: {shown}")


class _Builder:
    """Puts nodes together from the parser's events, without recursion, so that depth is no danger."""

    def __init__(self, report: Report) -> None:
        self.root: nodes.Node | None = None
        self._report = report
        self._open: list[tuple[nodes.Mapping | nodes.Sequence, str | None, int]] = []
        self._keys: list[nodes.Scalar | None] = []
        self._anchors: dict[str, nodes.Node] = {}
        self._sizes: dict[str, int] = {}
        self._count = 0
        self._documents = 0

    def take(self, event: Any) -> bool:
        """Take one event; False where reading on makes no sense."""
        kind = type(event)
        if kind is events.ScalarEvent:
            self._scalar(event)
        elif kind is events.MappingStartEvent or kind is events.SequenceStartEvent:
            self._begin(event)
        elif kind is events.MappingEndEvent or kind is events.SequenceEndEvent:
            self._end()
        elif kind is events.AliasEvent:
            self._alias(event)
        elif kind is events.DocumentStartEvent:
            return self._document(event)
        return self._bounded(event)

    def _document(self, event: Any) -> bool:
        self._documents += 1
        if self._documents > 1:
            self._say(event, "a file holds one YAML document; this begins a second one")
        return self._documents == 1

    def _bounded(self, event: Any) -> bool:
        if len(self._open) > MAX_DEPTH:
            self._say(event, f"nested deeper than {MAX_DEPTH} levels")
            return False
        if self._count > MAX_NODES:
            self._say(event, f"the document has more than {MAX_NODES:,} values once its aliases are followed")
            return False
        return True

    def _scalar(self, event: Any) -> None:
        self._check_tag(event)
        text = event.value
        plain = event.implicit[0] and event.style is None
        mark = event.start_mark
        node = nodes.Scalar(text, scalars.value(text) if plain else text, mark.line + 1, mark.column + 1)
        self._count += 1
        if event.anchor is not None:
            self._anchors[event.anchor], self._sizes[event.anchor] = node, 1
        self._place(node, event)

    def _begin(self, event: Any) -> None:
        self._check_tag(event)
        kind = nodes.Mapping if type(event) is events.MappingStartEvent else nodes.Sequence
        node = kind(event.start_mark.line + 1, event.start_mark.column + 1)
        self._count += 1
        self._place(node, event)
        self._open.append((node, event.anchor, self._count))
        self._keys.append(None)

    def _end(self) -> None:
        node, anchor, begun = self._open.pop()
        self._keys.pop()
        # Only now: an alias to something that is not finished would make a cycle.
        if anchor is not None:
            self._anchors[anchor], self._sizes[anchor] = node, self._count - begun + 1

    def _alias(self, event: Any) -> None:
        known = self._anchors.get(event.anchor)
        if known is None or event.anchor in {anchor for _, anchor, _ in self._open}:
            self._say(event, f'the alias "{event.anchor}" stands for nothing that was finished before it')
            known = nodes.Scalar("", None, event.start_mark.line + 1, event.start_mark.column + 1)
        self._count += self._sizes.get(event.anchor, 1)
        self._place(known, event)

    def _place(self, node: nodes.Node, event: Any) -> None:
        """Put a node where the document stands: as root, as list item, as key or as a key's value."""
        if not self._open:
            self.root = node
            return
        parent = self._open[-1][0]
        if isinstance(parent, nodes.Sequence):
            parent.items.append(node)
        elif self._keys[-1] is None:
            self._keys[-1] = self._key(node, event)
        else:
            key, self._keys[-1] = self._keys[-1], None
            if key.text in parent.entries:
                first = parent.entries[key.text][0].line
                self._report(key.line, key.column, f'"{key.text}" stands here twice; first in line {first}')
            else:
                parent.entries[key.text] = (key, node)

    def _key(self, node: nodes.Node, event: Any) -> nodes.Scalar:
        if not isinstance(node, nodes.Scalar):
            # The likeliest reason by far: {{ … }} is a mapping in YAML unless it is quoted.
            self._say(event, 'a key is plain text; a text with {{ … }} needs quotes: "{{ alert.title }}"')
            return nodes.Scalar(f"\0{node.line}:{node.column}", None, node.line, node.column)
        if node.text == "<<" and node.value == "<<":
            self._say(event, "merge keys (<<) are not supported; write the keys out")
        return node

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None:
            self._say(event, f"tags such as {event.tag} are not allowed; text that looks like a number needs quotes")

    def _say(self, event: Any, message: str) -> None:
        self._report(event.start_mark.line + 1, event.start_mark.column + 1, message)
