"""Composes YAML text into nodes with positions, and reports every construct that rule files must not use.

libyaml scans and parses. The nodes are built here from its events, for three reasons: libyaml's own composer recurses
in C, so a deeply nested file would crash the process. It drops the positions of tags and aliases. And it resolves
scalars by YAML 1.1, in which ``no`` is a Boolean.

Tags, cycles, aliases that expand without bound, duplicate keys, merge keys, and second documents are problems.
"""

import contextlib
import re
from collections.abc import Callable
from typing import Any

import yaml

from router.yaml_source import nodes, scalars

try:
    from yaml.cyaml import CParser
except ImportError as error:  # pragma: no cover - the wheels of PyYAML contain libyaml
    raise ImportError(
        "PyYAML was built without libyaml; install a wheel, or build it with libyaml's headers"
    ) from error

MAX_DEPTH = 64
MAX_NODES = 1_000_000
"""Nodes in a document, with each alias counted at the size of the node that it refers to."""

Report = Callable[[int, int, str], None]
"""Takes line and column (both from 1) and a message."""

# libyaml refuses these characters too, but counts the position in bytes. A byte order mark inside a file is invisible,
# and a key or a value with one never equals the intended text.
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
# Line breaks in YAML 1.1, and so in libyaml; ordinary characters in YAML 1.2.
_OLD_LINE_BREAKS = re.compile("[\x85\u2028\u2029]")
_PRIVATE_USE = range(0xE000, 0xF900)


def compose(text: str, report: Report) -> nodes.Node | None:
    """Return the document's root node, or None if the document is empty or has a syntax error.

    Problems are reported. The nodes of a document with problems are incomplete, but positions in it stay usable.
    """
    if (wrong := _NOT_ALLOWED.search(text)) is not None:
        line, column = _position(text, wrong.start())
        report(line, column, f"a character that YAML does not allow: U+{ord(wrong[0]):04X}")
        return None
    text, substitutes = _protect_old_line_breaks(text)
    builder = _Builder(report, substitutes)
    parser = CParser(text)
    try:
        builder.build(parser.get_event)
    except yaml.MarkedYAMLError as error:
        _report_syntax(error, text.translate(substitutes), report)
        return None
    except yaml.YAMLError as error:
        report(0, 0, f"this is not YAML: {error}")
        return None
    finally:
        parser.dispose()
    return None if builder.is_stopped else builder.root


def _position(text: str, index: int) -> tuple[int, int]:
    """Return the line and column, from 1, of a character."""
    before = text[:index].replace("\r\n", " \n").replace("\r", "\n")
    return before.count("\n") + 1, index - before.rfind("\n")


def _protect_old_line_breaks(text: str) -> tuple[str, dict[int, int]]:
    """Replace characters that are line breaks only in YAML 1.1 by characters that the text doesn't contain.

    Return the text and the table that ``str.translate`` needs to restore the original characters. Each character is
    replaced by exactly one, so all positions stay the same.
    """
    if not (breaks := set(_OLD_LINE_BREAKS.findall(text))):
        return text, {}
    # A file that contains all 6,400 characters of the private use area leaves none, and is then read as YAML 1.1.
    unused = (code for code in _PRIVATE_USE if chr(code) not in text)
    table = dict(zip((ord(letter) for letter in sorted(breaks)), unused, strict=False))
    return text.translate(table), {substitute: original for original, substitute in table.items()}


_ADVICE = {
    "tab character": "YAML can't be indented with tabs; use spaces",
    "mapping values are not allowed": 'a text with a colon and a space needs quotes, such as "Checkout: down"',
    "unknown directive": "only the directives %YAML and %TAG exist; a text that begins with % needs quotes",
    "incompatible YAML document": "only YAML 1.1 and 1.2 can be read; delete the line that begins with %YAML",
    "exceeded maximum nesting depth": f"nested deeper than {MAX_DEPTH} levels",
    "unexpected document indicator": "--- and ... at the beginning of a line end the document, even inside quotes",
}
"""What to do about the most common mistakes, by a part of libyaml's message."""


def _report_syntax(error: Any, text: str, report: Report) -> None:
    """Report a syntax error with advice, or with libyaml's message."""
    mark = error.problem_mark or error.context_mark
    message = (error.problem or "this is not YAML").replace("did not find expected", "expected")
    if message == "found character that cannot start any token":
        letter = text[mark.index : mark.index + 1]
        message = "found a tab character" if letter == "\t" else f"found character '{letter}' that can't start a value"
    if advice := next((advice for part, advice in _ADVICE.items() if part in message), ""):
        message = advice
    elif error.context:
        start = error.context_mark
        message += f" ({error.context} that begins at line {start.line + 1})" if start else f" ({error.context})"
    report(mark.line + 1 if mark else 0, mark.column + 1 if mark else 0, message)


class _Stopped(Exception):
    """The rest of the document is not read."""


class _Builder:
    """Builds nodes from libyaml's events, with an explicit stack instead of recursion."""

    def __init__(self, report: Report, substitutes: dict[int, int]) -> None:
        self.root: nodes.Node | None = None
        self.is_stopped = False
        """Whether the rest of the document was skipped, because its problems would be misleading."""
        self._report = report
        self._substitutes = substitutes
        self._texts: dict[str, tuple[str, scalars.Value]] = {}
        """Each text once, with its value as a plain scalar: keys, labels, and severities are the same in many rules."""
        self._parent: nodes.Mapping | nodes.Sequence | None = None
        self._key: nodes.Scalar | None = None
        """The key of ``_parent`` whose value comes next."""
        self._outer: list[tuple[nodes.Mapping | nodes.Sequence | None, nodes.Scalar | None, str | None, int]] = []
        """For each open collection: its parent, the parent's key, its own anchor, and the nodes before it."""
        self._anchors: dict[str, tuple[nodes.Node, int]] = {}
        """The complete nodes that have an anchor, each with the number of nodes in it."""
        self._count = 0
        self._documents = 0

    def build(self, next_event: Callable[[], Any]) -> None:
        """Process events up to the end of the stream, or up to the first one after which reading on is pointless."""
        take: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._begin,
            yaml.SequenceStartEvent: self._begin,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
            yaml.DocumentEndEvent: lambda _event: None,
            yaml.StreamStartEvent: lambda _event: None,
        }
        with contextlib.suppress(_Stopped):
            while type(event := next_event()) is not yaml.StreamEndEvent:
                take[type(event)](event)

    def _document(self, event: Any) -> None:
        self._documents += 1
        # Rules in a second document would be ignored without a message.
        if self._documents > 1:
            self._stop(event, "a file contains one YAML document; this begins a second one")

    def _scalar(self, event: Any) -> None:
        text = event.value.translate(self._substitutes) if self._substitutes else event.value
        cached = self._texts.get(text)
        if cached is None:
            cached = self._texts[text] = text, scalars.value(text)
        text, value = cached
        mark = event.start_mark
        # Only a plain scalar without a tag is implicit. Any other scalar is text.
        node = nodes.Scalar(text, value if event.implicit[0] else text, mark.line + 1, mark.column + 1)
        self._count += 1
        if event.tag is not None:
            self._refuse_tag(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = node, 1
        self._place(node, event)

    def _begin(self, event: Any) -> None:
        mark = event.start_mark
        kind = nodes.Mapping if type(event) is yaml.MappingStartEvent else nodes.Sequence
        node = kind(mark.line + 1, mark.column + 1)
        if event.tag is not None:
            self._refuse_tag(event)
        self._place(node, event)
        self._outer.append((self._parent, self._key, event.anchor, self._count))
        self._count += 1
        self._parent, self._key = node, None
        # Other code walks the data recursively, so the depth is limited here.
        if len(self._outer) > MAX_DEPTH:
            self._stop(event, f"nested deeper than {MAX_DEPTH} levels")

    def _end(self, _event: Any) -> None:
        node = self._parent
        self._parent, self._key, anchor, before = self._outer.pop()
        # An anchor is recorded only at the end: an alias to an incomplete collection would make a cycle.
        if anchor is not None and node is not None:
            self._anchors[anchor] = node, self._count - before

    def _alias(self, event: Any) -> None:
        mark = event.start_mark
        node, size = self._anchors.get(event.anchor, (None, 1))
        if node is None or any(anchor == event.anchor for _, _, anchor, _ in self._outer):
            self._say(event, f'the alias "{event.anchor}" refers to no complete earlier value')
            node = nodes.Scalar("", None, mark.line + 1, mark.column + 1)
        # Counting an alias at full size limits what plain data of the document can take: a few lines can expand to
        # billions.
        self._count += size
        # Without aliases, a document of 1 MiB has no more than half as many nodes.
        if self._count > MAX_NODES:
            self._stop(event, f"the document has more than {MAX_NODES:,} values with its aliases expanded")
        self._place(node, event)

    def _place(self, node: nodes.Node, event: Any) -> None:
        """Add a node to its parent: as a root, list item, key, or value."""
        parent = self._parent
        if parent is None:
            self.root = node
        elif isinstance(parent, nodes.Sequence):
            parent.items.append(node)
        elif self._key is None:
            self._key = self._as_key(node, event)
        else:
            key, self._key = self._key, None
            # A duplicate key keeps its first value. A document with problems isn't used anyway.
            first, _ = parent.entries.setdefault(key.text, (key, node))
            if first is not key:
                self._report(key.line, key.column, f'duplicate key "{key.text}"; the first one is in line {first.line}')

    def _as_key(self, node: nodes.Node, event: Any) -> nodes.Scalar:
        if not isinstance(node, nodes.Scalar):
            # The most likely cause: {{ … }} is a mapping in YAML unless it is quoted.
            self._say(event, 'a key is plain text; a text with {{ … }} needs quotes: "{{ alert.title }}"')
            return nodes.Scalar(f"\0{node.line}:{node.column}", None, node.line, node.column)
        if node.text == "<<" and node.value == "<<" and event.implicit[0]:
            self._say(event, "merge keys (<<) are not supported; write the keys out")
        return node

    def _refuse_tag(self, event: Any) -> None:
        self._say(event, f"tags such as {event.tag} are not allowed; put a text that looks like a number in quotes")

    def _stop(self, event: Any, message: str) -> None:
        self.is_stopped = True
        self._say(event, message)
        raise _Stopped

    def _say(self, event: Any, message: str) -> None:
        mark = event.start_mark
        self._report(mark.line + 1, mark.column + 1, message)
