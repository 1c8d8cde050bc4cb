import pytest

from router.domain import alerts
from router.rules import fields

ALERT = alerts.Alert(
    "am", "f", "firing", 1, 0, title="t", labels={"a": "1", "x.y": "2"}, annotations={"n": "3"}, severity="s"
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", "t"),
        ("source", "am"),
        ("severity", "s"),
        ("labels.a", "1"),
        ("labels.x.y", "2"),
        ("labels.none", ""),
        ("annotations.n", "3"),
        ("annotations.none", ""),
    ],
)
def test_field_reads_its_value(name, value):
    assert fields.parse(name).reader()(ALERT) == value


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("titel", 'did you mean "title"?'),
        ("service", 'did you mean "labels.service"?'),
        ("label.service", 'did you mean "labels.service"?'),
        ("annotation.x", 'did you mean "annotations.x"?'),
        ("labels", '"labels" needs a name: labels.<name>'),
        ("annotations.", '"annotations." needs a name'),
        ("status", "a resolved alert must reach the incident that it opened"),
        ("alert.title", "Fields are: title, source, severity"),
        ("fingerprints", 'did you mean "fingerprint"?'),
        ("", "Fields are:"),
    ],
)
def test_unknown_field_is_refused_with_a_suggestion(name, said):
    with pytest.raises(fields.UnknownField) as raised:
        fields.parse(name)
    assert said in str(raised.value)


@pytest.mark.parametrize("key", ['a"b', "a=b", "a,b", "a{b", "a}b", "a b", "a\nb"])
def test_names_that_would_make_keys_ambiguous_are_refused(key):
    with pytest.raises(fields.UnknownField):
        fields.parse(f"labels.{key}")
