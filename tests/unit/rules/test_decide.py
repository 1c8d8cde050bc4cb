import pytest

from router.domain import severities

OPEN = [{"at": "on-call"}]


def get_rule(ruleset, alert):
    decision = ruleset.decide(alert, 0)
    return decision.response.rule if decision.response else None


def test_first_matching_rule_decides(build, make_alert):
    ruleset = build({"when": {"labels.a": "2"}}, {"when": {"labels.a": "1"}}, {"when": {"labels.a": ["1", "2"]}})
    assert get_rule(ruleset, make_alert({"a": "1"})) == "r1"
    assert get_rule(ruleset, make_alert({"a": "2"})) == "r0"


def test_earlier_rule_of_another_field_wins(build, make_alert):
    ruleset = build({"when": {"labels.b": "1"}}, {"when": {"labels.a": "1"}}, {"when": {"labels.b": "2"}})
    assert get_rule(ruleset, make_alert({"a": "1", "b": "1"})) == "r0"
    assert get_rule(ruleset, make_alert({"a": "1", "b": "2"})) == "r1"


def test_alert_without_matching_rule_is_ignored_with_reason(build, make_alert):
    decision = build({"when": {"labels.a": "1"}}).decide(make_alert({"a": "2"}), 0)
    assert decision.response is None
    assert decision.ignored == "no rule matched"


def test_alert_is_ignored_without_any_rules(build, make_alert):
    assert build().decide(make_alert(), 0).ignored == "no rule matched"


def test_rule_without_conditions_matches_every_alert(build, make_alert):
    assert get_rule(build({}), make_alert()) == "r0"


def test_all_conditions_of_a_rule_must_hold(build, make_alert):
    ruleset = build({"when": {"labels.a": "1", "title": {"matches": "5xx"}, "source": {"not": "json"}}})
    assert get_rule(ruleset, make_alert({"a": "1"}, title="many 5xx")) == "r0"
    assert get_rule(ruleset, make_alert({"a": "1"}, title="fine")) is None
    assert get_rule(ruleset, make_alert({"a": "1"}, title="5xx", source="json")) is None
    assert get_rule(ruleset, make_alert({"a": "2"}, title="5xx")) is None


@pytest.mark.parametrize(
    ("field", "others"),
    [
        ("title", {"title": "x"}),
        ("source", {"source": "x"}),
        ("severity", {"severity": "x"}),
        ("labels.l", {"labels": {"l": "x"}}),
        ("labels.app.kubernetes.io/name", {"labels": {"app.kubernetes.io/name": "x"}}),
        ("annotations.n", {"annotations": {"n": "x"}}),
    ],
)
def test_every_field_can_be_used_in_conditions(build, make_alert, field, others):
    ruleset = build({"when": {field: "x"}}, {"when": {field: {"not": "x"}}})
    assert get_rule(ruleset, make_alert(**others)) == "r0"
    assert get_rule(ruleset, make_alert(title="t")) == "r1"


def test_absent_label_equals_the_empty_text(build, make_alert):
    ruleset = build({"when": {"labels.env": ""}}, {"when": {"labels.env": {"not": "staging"}}})
    assert get_rule(ruleset, make_alert()) == "r0"
    assert get_rule(ruleset, make_alert({"env": ""})) == "r0"
    assert get_rule(ruleset, make_alert({"env": "production"})) == "r1"
    assert get_rule(ruleset, make_alert({"env": "staging"})) is None


def test_list_condition_may_contain_the_empty_text(build, make_alert):
    ruleset = build({"when": {"labels.env": ["", "production"]}})
    assert get_rule(ruleset, make_alert()) == "r0"
    assert get_rule(ruleset, make_alert({"env": "production"})) == "r0"
    assert get_rule(ruleset, make_alert({"env": "x"})) is None


def test_response_object_is_shared_by_alerts(build, make_alert):
    ruleset = build({"open": OPEN})
    first, second = (ruleset.decide(make_alert(title=title), 0).response for title in ("a", "b"))
    assert first is second
    assert (first.rule, first.version, first.targets[0].destination) == ("r0", "v1", "on-call")


def test_decision_contains_its_target_s_fields(build, make_alert):
    ruleset = build({"open": [{"at": "page", "publish": "auto", "title": "Down"}, {"at": "on-call", "name": "n"}]})
    page, on_call = ruleset.decide(make_alert(), 0).response.targets
    assert (page.publish, page.fields) == ("auto", {"title": "Down"})
    assert (on_call.publish, on_call.fields) == ("review", {"name": "n"})


def test_later_rules_add_targets_after_continue(build, make_alert):
    ruleset = build(
        {"continue": True, "open": [{"at": "on-call", "name": "first"}]},
        {"when": {"labels.a": "1"}, "open": [{"at": "on-call", "name": "later"}, {"at": "second"}]},
    )
    decision = ruleset.decide(make_alert({"a": "1"}), 0)
    assert decision.response.rule == "r0"
    assert decision.incident_key == "r0"
    assert [(target.destination, target.fields) for target in decision.response.targets] == [
        ("on-call", {"name": "first"}),
        ("second", {}),
    ]


def test_first_rule_without_continue_ends_the_chain(build, make_alert):
    ruleset = build(
        {"continue": True, "open": OPEN}, {"open": []}, {"open": [{"at": "second"}], "severity": "critical"}
    )
    decision = ruleset.decide(make_alert(), 0)
    assert [target.destination for target in decision.response.targets] == ["on-call"]
    assert decision.severity < severities.Severity.CRITICAL


def test_continuing_rule_without_a_later_match_decides(build, make_alert):
    ruleset = build({"continue": True, "open": OPEN}, {"when": {"labels.a": "1"}})
    assert ruleset.decide(make_alert(), 0).response.rule == "r0"


def test_rule_order_is_independent_of_the_index(build, make_alert):
    ruleset = build(
        {"when": {"title": {"not": "x"}}, "continue": True, "open": [{"at": "on-call", "name": "0"}]},
        {"when": {"labels.a": "1"}, "continue": True, "open": [{"at": "second", "name": "1"}]},
        {"when": {"labels.b": "1"}, "continue": True, "open": [{"at": "second", "name": "2"}]},
        {"when": {"title": {"matches": "t"}}, "open": [{"at": "page", "title": "3"}]},
    )
    decision = ruleset.decide(make_alert({"a": "1", "b": "1"}, title="t"), 0)
    assert [list(target.fields.values()) for target in decision.response.targets] == [["0"], ["1"], ["3"]]


@pytest.mark.parametrize(
    ("first", "second", "highest"),
    [("minor", "critical", "critical"), ("critical", "minor", "critical"), ("info", None, "major")],
)
def test_later_rules_only_raise_the_severity(build, make_alert, first, second, highest):
    ruleset = build({"continue": True, "severity": first}, {"severity": second} if second else {})
    decision = ruleset.decide(make_alert(severity="error"), 0)
    assert decision.severity is severities.parse(highest)


def test_combined_responses_are_shared_by_alerts(build, make_alert):
    ruleset = build({"continue": True, "open": OPEN}, {"open": [{"at": "second"}]})
    first, second = (ruleset.decide(make_alert(title=title), 0).response for title in ("a", "b"))
    assert first is second


def test_severity_is_the_rule_s_or_the_sender_s(build, make_alert):
    ruleset = build({"when": {"labels.a": "1"}, "severity": "info"}, {})
    assert ruleset.decide(make_alert({"a": "1"}, severity="page"), 0).severity is severities.Severity.INFO
    assert ruleset.decide(make_alert(severity="page"), 0).severity is severities.Severity.CRITICAL


def test_resolved_alert_gets_the_firing_alert_s_decision(build, make_alert):
    ruleset = build({"when": {"labels.a": "1"}, "group_by": ["labels.a"], "open": OPEN})
    firing = ruleset.decide(make_alert({"a": "1"}), 0)
    resolved = ruleset.decide(make_alert({"a": "1"}, status="resolved", ends_at=5), 0)
    assert firing == resolved


def test_alert_with_invalid_utf_8_gets_a_decision(build, make_alert):
    ruleset = build({"when": {"title": {"matches": "5xx"}}}, {"when": {"title": {"matches": "nothing"}}}, {})
    assert get_rule(ruleset, make_alert(title="5xx \ud800")) == "r0"
    assert get_rule(ruleset, make_alert(title="\udfff")) == "r2"
