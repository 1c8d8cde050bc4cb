"""`reviews show`: the fields of a post."""

import pytest

from router.cli import reviews


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (("title", "body"), "title, body"),
        (["title"], "title"),
        ({"API": "degraded", "Web": ["a", "b"]}, "API: degraded, Web: a, b"),
        (True, "true"),
        ("major", "major"),
        (3, "3"),
    ],
)
def test_field_is_printed_without_python_syntax(value, printed):
    assert reviews.plain_value(value) == printed
