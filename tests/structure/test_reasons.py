"""Programs compare reason codes. No code and no template branches on text that is rendered for people."""

import ast
import re
from collections.abc import Iterator

import pytest

from router.domain import messages, plan, publications, reasons, severities
from tests.structure import tree

PROSE = re.compile(r"[a-z]{2,}'?[a-z]* [a-z]{2,}|^= ")
RENDERED = {"next", "explanation"}
TAKE_APART = {"startswith", "endswith", "partition", "rpartition", "split", "removeprefix", "find", "index"}
TEMPLATE = re.compile(r"\.(next|explanation|text) *(==|!=| in )|\.(next|explanation)\.\w+\(")
FOREIGN = {
    "router/bootstrap/listeners.py",  # asyncio reports only as text why a port can't be bound.
    "router/sources/",  # Senders write "no severity", "no data".
    "router/store/client.py",  # Redis responds with texts, and redis-py wraps them in its own.
    "router/store/damage.py",
    "router/yaml_source/composer.py",  # libyaml's messages.
    "router/yaml_source/validation.py",  # pydantic's prefix of a message.
}
"""The modules that parse texts of other programs, because those programs offer no codes."""


def list_branches(source: str) -> Iterator[int]:
    """Yield the lines that compare or parse prose."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TAKE_APART:
            operands: list[ast.expr] = [node.func.value, *node.args]
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
        else:
            continue
        if any(is_rendered(operand) or is_prose(operand) for operand in operands):
            yield node.lineno


def is_rendered(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in RENDERED


def is_prose(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple | ast.Set | ast.List):
        return any(map(is_prose, node.elts))
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(PROSE.search(node.value))


def test_no_code_branches_on_rendered_text():
    ours = [path for path in tree.list_python_files("router") if not tree.format_place(path).startswith(tuple(FOREIGN))]
    assert [tree.format_place(path, line) for path in ours for line in list_branches(path.read_text())] == []


def test_no_template_branches_on_rendered_text():
    found = [
        tree.format_place(path, number)
        for path in tree.list_files("*.html")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if TEMPLATE.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        'step.reason.startswith("dead letter")',
        'one.next.startswith(("in step", "finished"))',
        'one.next == "finished"',
        '"waits for" in text',
        'words.startswith("= ")',
    ],
)
def test_branch_on_rendered_text_is_detected(line):
    assert list(list_branches(line)) == [1]


@pytest.mark.parametrize("line", ['url.startswith("https://")', 'state == "open"', 'word in {"open", "closed"}'])
def test_comparison_of_codes_and_formats_is_allowed(line):
    assert list(list_branches(line)) == []


@pytest.mark.parametrize("reason", list(reasons.Reason))
def test_every_reason_has_a_text(reason):
    text = messages.describe(reasons.Cause(reason, who="ann", detail="title_changed"))
    assert text
    assert "{" not in text


@pytest.mark.parametrize("edit", list(reasons.Edit))
def test_every_edit_has_a_text(edit):
    assert messages.describe_edit(edit).startswith("a person has ")


def test_reference_lists_every_reason_code():
    page = (tree.ROOT / "docs/reference/reasons.md").read_text()
    listed = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert listed == {*reasons.Reason, *reasons.Edit}


def test_reason_texts_of_earlier_versions_stay_readable():
    publication = publications.Publication("e1", "page", state="open", taken_over="a person has moved the post")
    desired = publications.Desired(
        present=True, content=publications.Content(severities.Severity.MAJOR, {}), public=True, publish="auto"
    )
    step = plan.plan(desired, publication, now=1)
    assert step.cause.code is reasons.Reason.EDITED_AT_VENDOR
    assert messages.describe_step(step, desired) == "awaiting approval: a person has moved the post"
