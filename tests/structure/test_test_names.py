"""Test names state the behavior in at most eight words."""

import re

import pytest

from tests.structure import tree

MOST = 8
_NAME = re.compile(r"^ *(?:async )?def test_(\w+)\(")
# In a name, "the_vendor_s_limit" is "the vendor's limit".
_POSSESSIVE = re.compile(r"_s(?=_|$)")


def count_words(name: str) -> int:
    """Return the number of words of a name. A possessive is one word."""
    return _POSSESSIVE.sub("", name).count("_") + 1


def test_test_names_have_at_most_eight_words():
    names = [
        (tree.format_place(path, number), name[1])
        for path in tree.list_python_files("tests")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (name := _NAME.match(line))
    ]
    assert names
    assert [(place, name) for place, name in names if count_words(name) > MOST] == []


@pytest.mark.parametrize(("name", "count"), [("a_b", 2), ("the_vendor_s_limit", 3), ("its_limit_is_the_vendor_s", 5)])
def test_possessive_counts_as_one_word(name, count):
    assert count_words(name) == count
