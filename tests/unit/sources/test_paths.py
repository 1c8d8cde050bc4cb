"""Expressions of a mapping are validated at load time, and evaluated as JMESPath specifies on any body."""

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.sources import paths

names = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 0.0, "", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
steps = names.map(".{}".format) | st.integers(-3, 3).map("[{}]".format)
plain = st.builds(lambda first, more: first + "".join(more), names, st.lists(steps, max_size=3))
alternatives = st.lists(plain, min_size=1, max_size=3).map(" || ".join)


@given(expression=alternatives, body=values)
def test_fast_path_agrees_with_jmespath(expression, body):
    found, expected = paths.compile(expression)(body), jmespath.search(expression, body)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("a", {"b": [1, 2]}),
        ("a.b", [1, 2]),
        (" a.b ", [1, 2]),
        ("a.b[1]", 2),
        ("a.c", None),
        ("a.b.c", None),
        ("missing || a.b", [1, 2]),
        ("missing||zero", 0),
        ("'constant'", "constant"),
        ("missing || 'default'", "default"),
        ("join('-', list)", "x-y"),
        ('"with space"', "w"),
        ("@.zero", 0),
    ],
)
def test_expression_finds_its_value(expression, found):
    body = {"a": {"b": [1, 2]}, "zero": 0, "list": ["x", "y"], "with space": "w"}
    assert paths.compile(paths.check(expression))(body) == found


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "cannot be empty"),
        ("a[", "incomplete expression"),
        ("$.a", "Unknown token"),
        ("a..b", "is not a JMESPath expression"),
        ("nope(a)", r"calls nope\(\)"),
        ("a[?nope(@)]", r"calls nope\(\)"),
        ("sort_by(a, &nope(b))", r"calls nope\(\)"),
        ("a[:" + "9" * 5000 + "]", "is not a JMESPath expression"),
    ],
)
def test_invalid_expression_is_refused_on_load(expression, says):
    with pytest.raises(ValueError, match=says) as caught:
        paths.check(expression)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("expression", ["a" + ".[b" * 5_000, "(" * 5_000 + "a", "a" + "[?a" * 2_000, "!" * 5_000 + "a"])
def test_deeply_nested_expression_is_refused(expression):
    with pytest.raises(ValueError, match=r"is nested too deeply|is not a JMESPath expression") as caught:
        paths.check(expression)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("expression", ["max(a)", "abs(@)", "abs()", "a[::`0`]", "floor(to_number('1e999'))", "b[::0]"])
def test_evaluation_error_text_is_limited(expression):
    try:
        get = paths.compile(expression)
    except ValueError:
        return
    with pytest.raises(paths.EvaluationError) as caught:
        get({"a": "text" * 1000, "b": [1]})
    assert 0 < len(str(caught.value)) <= 300


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (None, ""),
        (True, "true"),
        (7, "7"),
        (0.5, "0.5"),
        (10**25, "1" + "0" * 25),
        ([1, "a"], '[1,"a"]'),
        ({"a": None}, '{"a":null}'),
    ],
)
def test_value_is_converted_to_text(value, text):
    assert paths.text(value) == text
