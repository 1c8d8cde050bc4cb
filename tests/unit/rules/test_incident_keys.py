import hypothesis
from hypothesis import strategies as st

from router.domain import alerts
from router.rules import fields, incident_keys, model


def key(labels, *group_by, conditions=()):
    shared = model.CommonFields(group_by=tuple(fields.parse(name) for name in group_by))
    rule = model.Rule("rule", "f:1", tuple(conditions), common=shared)
    beginning, group = incident_keys.incident_key(rule)
    alert = alerts.Alert("am", "f", "firing", 1, 0, title="t", labels=labels)
    return beginning if group is None else group(beginning, alert)


def test_key_without_group_by_is_the_rule_s_name():
    assert key({"a": "1"}) == "rule"


def test_incident_key_contains_fields_and_values():
    assert key({"service": "checkout"}, "labels.service") == 'rule{labels.service="checkout"}'
    assert key({"a": "1", "b": "2"}, "labels.b", "title", "labels.a") == 'rule{labels.b="2",title="t",labels.a="1"}'


def test_absent_label_has_an_empty_value():
    assert key({}, "labels.service", "labels.region") == 'rule{labels.service="",labels.region=""}'


def test_quotes_backslashes_and_line_ends_are_escaped():
    assert key({"a": 'x"\\\n'}, "labels.a") == 'rule{labels.a="x\\"\\\\\\n"}'
    assert key({"a": "Zürich"}, "labels.a") == 'rule{labels.a="Zürich"}'


@hypothesis.given(first=st.tuples(st.text(), st.text()), second=st.tuples(st.text(), st.text()))
@hypothesis.example(first=('1",labels.b="2', "3"), second=("1", '2",labels.b="3'))
@hypothesis.example(first=("1\\", "2"), second=("1", "\\2"))
def test_different_values_never_make_the_same_key(first, second):
    made = [key({"a": a, "b": b}, "labels.a", "labels.b") for a, b in (first, second)]
    assert (made[0] == made[1]) == (first == second)


def test_constant_key_equals_the_rendered_one(build, make_alert):
    labels = {"service": 'a"b', "region": "eu"}
    settled = build(
        {"name": "rule", "when": {"labels.service": 'a"b', "labels.region": ["eu"]},
         "group_by": ["labels.service", "labels.region"]}
    )  # fmt: skip
    assert settled.decide(make_alert(labels), 0).incident_key == key(labels, "labels.service", "labels.region")
    half = build({"name": "rule", "when": {"labels.service": 'a"b'}, "group_by": ["labels.service", "labels.region"]})
    assert half.decide(make_alert(labels), 0).incident_key == key(labels, "labels.service", "labels.region")


def test_label_set_or_copied_by_rule_groups_incidents(build, make_alert):
    made = build(
        {"name": "rule", "labels": {"team": "payments", "zone": {"from": "labels.aws_zone"}},
         "group_by": ["labels.team", "labels.zone", "title"]}
    )  # fmt: skip
    decision = made.decide(make_alert({"team": "theirs", "aws_zone": "eu-1"}, title="t"), 0)
    assert decision.incident_key == 'rule{labels.team="payments",labels.zone="eu-1",title="t"}'
