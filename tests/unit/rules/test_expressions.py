"""CEL expressions: checked against the alert schema on load, and never a cause of errors at evaluation."""

import hypothesis
import pytest
from hypothesis import strategies as st

from router.rules import expressions


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("alert.title == 'Boom'", True),
        ("alert.source == 'am' && alert.severity == 'page'", True),
        ("size(alert.labels) == 2", True),
        ("has(alert.labels.none)", False),
        ("alert.labels['a.b'] == '1'", True),
        ("alert.labels.all(name, name.startsWith('a'))", True),
        ("alert.labels.exists(name, alert.labels[name] == '9')", False),
        ("int(alert.labels.a) + 1 == 6", True),
        ("double(alert.labels.a) / 2.0 > 2.4", True),
        ("alert.title.matches('^B.+m$')", True),
        ("alert.annotations.summary in ['x', 'y']", True),
        ("'z' in alert.labels || alert.title.contains('oo')", True),
    ],
)
def test_expression_reads_the_fields_of_the_alert(make_alert, text, holds):
    alert = make_alert({"a": "5", "a.b": "1"}, title="Boom", severity="page", annotations={"summary": "x"})
    expression = expressions.Expression(text)
    assert expression.holds(alert) is holds
    assert expression.explain(alert) is holds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("alert.labels.none == 'x'", "Key not found"),
        ("int(alert.labels.a) > 1", "cannot convert"),
        ("1 / int(alert.labels.zero) > 1", "divide by zero"),
        ("alert.title.matches(alert.labels.a)", "invalid regular expression"),
    ],
)
def test_failing_expression_does_not_match_and_explains_why(make_alert, text, why):
    expression = expressions.Expression(text)
    alert = make_alert({"a": "[", "zero": "0"})
    assert expression.holds(alert) is False
    assert why in expression.explain(alert)


@pytest.mark.parametrize(
    ("text", "problem", "line", "column"),
    [
        ("alert.titel == ''", 'unknown name "alert.titel"; did you mean "alert.title"?', 1, 1),
        ("true &&\n  alert.lables.a == ''", 'unknown name "alert.lables.a"', 2, 3),
        ("sise(alert.labels) > 1", 'unknown name "sise"; did you mean "size"?', 1, 1),
        ("alert.title > 5", "found no matching overload for '_>_' applied to '(string, int)'", 1, 13),
        ("alert.labels", "the expression is a map<string, string>; it must be true or false", 1, 1),
        ("'text'", "the expression is a string; it must be true or false", 1, 1),
        ("alert.title ==", "Syntax error", 1, 15),
    ],
)
def test_expression_error_has_its_position(text, problem, line, column):
    with pytest.raises(expressions.InvalidExpression) as wrong:
        expressions.Expression(text)
    assert wrong.value.problem.startswith(problem)
    assert wrong.value.line == line
    if "lables" not in text:
        assert wrong.value.column == column


def test_equal_texts_are_equal_expressions():
    one, same, other = (expressions.Expression(text) for text in ("true", "true", "false"))
    assert one == same != other
    assert len({one, same, other}) == 2
    assert one != "true"


@hypothesis.settings(
    max_examples=200, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    texts=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3), title=st.text(max_size=5)
)
def test_expression_never_raises_for_any_alert(make_alert, texts, title):
    alert = make_alert(texts, title=title, annotations=texts)
    for text in (
        "alert.labels.exists(k, alert.labels[k] == alert.title)",
        "size(alert.title) > 2",
        "alert.labels.a == ''",
    ):
        assert expressions.Expression(text).explain(alert) is not None


def read(text):
    try:
        return expressions.Expression(text)
    except expressions.InvalidExpression as wrong:
        return wrong


@hypothesis.given(text=st.text(max_size=30))
def test_any_text_is_parsed_or_refused(text):
    found = read(text)
    if isinstance(found, expressions.Expression):
        assert found.text == text
    else:
        assert found.problem
        assert found.line >= 1
