"""Compare the composer with ruamel.yaml, an independent parser of YAML 1.2 written in Python."""

import hypothesis
import pytest
from hypothesis import strategies
from ruamel.yaml import YAML, nodes
from ruamel.yaml import error as ruamel_errors

from router.yaml_source import composer, scalars
from router.yaml_source.nodes import Mapping, Sequence, plain
from tests.structure import tree

CORPUS = sorted(
    path
    for pattern in (
        "rules/**/*.yaml",
        "tests/data/**/*.yaml",
        "tests/chart/clusters/*.yaml",
        "router/**/*.yaml",
        "*.yaml",
    )
    for path in tree.ROOT.glob(pattern)
)


class Incomparable(Exception):
    """ruamel.yaml accepts a document that rule files must not contain, or refuses a valid rule file."""


def read_expected(text):
    """Return the document as ruamel.yaml reads it: kinds, texts, values, and positions."""
    try:
        return _expected(YAML(typ="safe", pure=True).compose(text))
    except (ruamel_errors.YAMLError, ruamel_errors.YAMLWarning, AssertionError, ValueError) as error:
        raise Incomparable from error


def _expected(node):
    if node is None:
        return None
    place = node.start_mark.line + 1, node.start_mark.column + 1
    match node:
        case nodes.MappingNode():
            return "mapping", place, [(_expected(key), _expected(value)) for key, value in node.value]
        case nodes.SequenceNode():
            return "sequence", place, [_expected(item) for item in node.value]
    value = scalars.value(node.value) if node.style is None else node.value
    # An empty scalar has no characters, so parsers place it differently.
    return "scalar", place if node.value or node.style else None, node.value, value


def read_actual(text):
    """Return the document as the router reads it."""
    problems = []
    root = composer.compose(text, lambda *problem: problems.append(problem))
    if problems:
        raise Incomparable(problems)
    return _actual(root)


def _actual(node):
    match node:
        case None:
            return None
        case Mapping():
            return (
                "mapping",
                (node.line, node.column),
                [(_actual(key), _actual(value)) for key, value in node.entries.values()],
            )
        case Sequence():
            return "sequence", (node.line, node.column), [_actual(item) for item in node.items]
    # The text of a quoted scalar is its value, so the value distinguishes an empty one from a plain one.
    placed = node.text or node.value is not None
    return "scalar", (node.line, node.column) if placed else None, node.text, node.value


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: str(path.relative_to(tree.ROOT)))
def test_repository_files_agree_with_the_other_parser(path):
    text = path.read_bytes().decode("utf-8-sig")
    try:
        expected = read_expected(text)
    except Incomparable:
        with pytest.raises(Incomparable):
            read_actual(text)
        return
    try:
        assert read_actual(text) == expected
    except Incomparable:
        assert path.name.endswith(".bad.yaml") or "!" in text or "---" in text or "<<" in text


# Without NEL, LS, and PS: ruamel.yaml treats them as line breaks in some places.
FRAGMENTS = [
    *"ab1-?:,[]{}#!|>'\"%@`~ \n",
    *(": ", "- ", "? ", "\n  ", "\n- ", "\n    ", "a: ", "b: ", "&x ", "*x", "|\n  ", ">-\n  ", "é", "😀", "''", '""'),
    *(
        "true",
        "null",
        "0x1F",
        "1.5",
        "no",
        "\r\n",
        " #",
        "# c\n",
        '"\\u00e9"',
        "http://x",
        "{}",
        "[]",
    ),
]


@hypothesis.settings(
    max_examples=500, deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.filter_too_much]
)
@hypothesis.given(strategies.lists(strategies.sampled_from(FRAGMENTS), max_size=25).map("".join))
def test_documents_that_both_parsers_accept_are_equal(text):
    if text.lstrip().startswith(("|", ">")):
        return  # In a top-level block scalar, libyaml treats a line that begins with # as a comment.
    try:
        wanted, found = read_expected(text), read_actual(text)
    except Incomparable:
        return
    assert found == wanted


_texts = strategies.text(
    strategies.characters(exclude_categories=["Cc", "Cs", "Cn"], exclude_characters="\ufeff"), max_size=12
)
_data = strategies.recursive(
    _texts
    | strategies.integers()
    | strategies.booleans()
    | strategies.none()
    | strategies.floats(allow_nan=False, allow_infinity=False),
    lambda inner: strategies.lists(inner, max_size=4) | strategies.dictionaries(_texts, inner, max_size=4),
    max_leaves=20,
)


def write_yaml(data, indent=0):
    """Write data as a YAML document in block style, with JSON's quotes."""
    pad = "  " * indent
    match data:
        case dict() if data:
            lines = [f"{pad}{quote(key)}:\n{write_yaml(value, indent + 1)}" for key, value in data.items()]
            return "\n".join(lines)
        case list() if data:
            return "\n".join(f"{pad}-\n{write_yaml(item, indent + 1)}" for item in data)
        case str():
            return pad + quote(data)
        case None:
            return f"{pad}null"
        case bool():
            return f"{pad}{data}"
        case dict() | list():
            return pad + str(data)
    return pad + repr(data)


def quote(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@hypothesis.settings(max_examples=150, deadline=None, derandomize=True)
@hypothesis.given(_data)
def test_data_survives_a_round_trip(data):
    problems = []
    text = write_yaml(data)
    root = composer.compose(text, lambda *problem: problems.append(problem))
    assert problems == []
    assert plain(root) == data
