"""Conditions beyond single fields: groups, ``unless``, ``expr``, ``during``, and lists."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from router.domain import severities
from router.rules import load


def at(text, zone="UTC"):
    """Convert a readable time to microseconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1_000_000)


def is_matching(ruleset, alert, now=0):
    return ruleset.decide(alert, now).response is not None


@pytest.mark.parametrize(
    ("when", "holds", "fails"),
    [
        ({"any": [{"labels.a": "1"}, {"labels.b": "1"}]}, [{"a": "1"}, {"b": "1"}], [{}, {"c": "1"}]),
        ({"any": [{"labels.a": "1"}, {"labels.a": ["2", "3"]}]}, [{"a": "1"}, {"a": "3"}], [{}, {"a": "4"}]),
        ({"all": [{"labels.a": "1"}, {"labels.b": "1"}]}, [{"a": "1", "b": "1"}], [{"a": "1"}, {"b": "1"}]),
        ({"none": [{"labels.a": "1"}, {"labels.b": "1"}]}, [{}, {"c": "1"}], [{"a": "1"}, {"b": "1"}]),
        (
            {"labels.x": "1", "any": [{"labels.a": "1", "none": [{"labels.b": "1"}]}, {"labels.c": "1"}]},
            [{"x": "1", "a": "1"}, {"x": "1", "a": "1", "b": "1", "c": "1"}],
            [{"a": "1"}, {"x": "1", "a": "1", "b": "1"}, {"x": "1"}],
        ),
    ],
)
def test_any_all_and_none_groups_are_evaluated(build, make_alert, when, holds, fails):
    ruleset = build({"when": when})
    assert all(is_matching(ruleset, make_alert(labels)) for labels in holds)
    assert not any(is_matching(ruleset, make_alert(labels)) for labels in fails)


def test_alert_matching_all_unless_conditions_is_excluded(build, make_alert):
    ruleset = build({"when": {"labels.a": "1"}, "unless": {"labels.env": "staging", "title": {"contains": "test"}}})
    assert is_matching(ruleset, make_alert({"a": "1", "env": "staging"}, title="real"))
    assert is_matching(ruleset, make_alert({"a": "1"}, title="test"))
    assert not is_matching(ruleset, make_alert({"a": "1", "env": "staging"}, title="a test"))


def test_failing_expression_is_false(build, make_alert):
    ruleset = build({"when": {"labels.a": "1"}, "expr": "alert.labels.b == alert.title && size(alert.labels) == 2"})
    assert is_matching(ruleset, make_alert({"a": "1", "b": "t"}, title="t"))
    assert not is_matching(ruleset, make_alert({"a": "1", "b": "u"}, title="t"))
    assert not is_matching(ruleset, make_alert({"a": "1"}, title="t"))
    assert not is_matching(ruleset, make_alert({"a": "1", "b": "\ud800"}, title="\ud800"))


def test_expression_is_evaluated_only_after_other_conditions_match(build, make_alert, monkeypatch):
    ruleset = build({"when": {"labels.a": "1"}, "expr": "true"})
    (expression,) = ruleset.rules[0].other_conditions.cel_expressions
    asked = []
    monkeypatch.setattr(type(expression), "explain", lambda _, alert: asked.append(alert) or True)
    assert not is_matching(ruleset, make_alert({"a": "2"}))
    assert not asked
    assert is_matching(ruleset, make_alert({"a": "1"}))
    assert len(asked) == 1


OFFICE = {"weekdays": ["monday:friday"], "times": [{"start_time": "09:00", "end_time": "17:30"}]}


@pytest.mark.parametrize(
    ("during", "time", "holds"),
    [
        (OFFICE, "2030-03-04T09:00", True),  # A Monday.
        (OFFICE, "2030-03-04T17:29", True),
        (OFFICE, "2030-03-04T17:30", False),
        (OFFICE, "2030-03-04T08:59", False),
        (OFFICE, "2030-03-03T12:00", False),
        ([OFFICE, {"weekdays": ["sun"]}], "2030-03-03T12:00", True),
        ({"weekdays": ["sat:mon"]}, "2030-03-04T12:00", True),
        ({"weekdays": ["sat:mon"]}, "2030-03-05T12:00", False),
        ({"times": [{"start_time": "22:00", "end_time": "06:00"}], "weekdays": ["friday"]}, "2030-03-01T23:00", True),
        ({"times": [{"start_time": "22:00", "end_time": "06:00"}], "weekdays": ["friday"]}, "2030-03-02T05:59", True),
        ({"times": [{"start_time": "22:00", "end_time": "06:00"}], "weekdays": ["friday"]}, "2030-03-01T05:59", False),
        ({"times": [{"start_time": "20:00", "end_time": "24:00"}]}, "2030-03-01T23:59", True),
        ({"days_of_month": ["-1"]}, "2028-02-29T00:00", True),
        ({"days_of_month": ["-1"]}, "2028-02-28T00:00", False),
        ({"days_of_month": ["1:7"], "months": ["march"]}, "2030-03-07T00:00", True),
        ({"days_of_month": ["1:7"], "months": ["march"]}, "2030-04-07T00:00", False),
        ({"months": ["6:9", "dec"], "years": ["2030:2031"]}, "2030-12-07T00:00", True),
        ({"months": ["6:9", "dec"], "years": ["2030:2031"]}, "2032-12-07T00:00", False),
    ],
)
def test_rule_applies_only_during_its_times(build, make_alert, during, time, holds):
    now = at(time)
    assert is_matching(build({"during": during}), make_alert(), now) == holds
    assert is_matching(build({"except_during": during}), make_alert(), now) != holds


def test_times_use_the_named_zone_with_dst(build, make_alert):
    ruleset = build({"during": {**OFFICE, "location": "Europe/Zurich"}})
    assert is_matching(ruleset, make_alert(), at("2030-01-07T09:00", "Europe/Zurich"))
    assert is_matching(ruleset, make_alert(), at("2030-07-01T09:00", "Europe/Zurich"))
    assert is_matching(ruleset, make_alert(), at("2030-07-01T07:00"))
    assert not is_matching(ruleset, make_alert(), at("2030-01-07T07:00"))


def test_named_lists_and_times_apply_to_their_file(folder, destinations, make_alert):
    made = folder(
        a="""
lists: {tier-1: [checkout, payments]}
time_intervals: {nights: {times: [{start_time: "22:00", end_time: "06:00"}]}}
rules:
  - {name: night, when: {labels.service: {in: tier-1}}, during: nights, severity: info, open: []}
  - {name: day, when: {labels.service: {in: tier-1}}, severity: critical, open: []}
""",
        b="rules: [{name: other, when: {labels.service: {in: tier-1}}, open: []}]",
    )
    with pytest.raises(load.RulesRefused, match='there is no list "tier-1"'):
        load.load(made, destinations)
    (made / "b.yaml").unlink()
    ruleset = load.load(made, destinations)
    payments = make_alert({"service": "payments"})
    assert ruleset.decide(payments, at("2030-03-04T03:00")).severity is severities.Severity.INFO
    assert ruleset.decide(payments, at("2030-03-04T13:00")).severity is severities.Severity.CRITICAL
    assert not is_matching(ruleset, make_alert({"service": "search"}))


def test_mapped_severity_follows_label_default_and_sender(build, make_alert):
    mapping = {"from": "labels.priority", "map": {"P1": "critical", "P2": "major"}}
    with_default = build({"severity": {**mapping, "default": "info"}})
    assert with_default.decide(make_alert({"priority": "P1"}), 0).severity is severities.Severity.CRITICAL
    assert with_default.decide(make_alert({"priority": "P9"}, severity="page"), 0).severity is severities.Severity.INFO
    without = build({"severity": mapping})
    assert without.decide(make_alert({}, severity="page"), 0).severity is severities.Severity.CRITICAL


def test_ignored_alert_has_the_rule_s_reason(build, make_alert):
    ruleset = build(
        {"when": {"labels.a": "1"}, "continue": True, "open": [{"at": "on-call"}]},
        {"when": {"labels.env": "staging"}, "ignore": "nobody is woken for staging", "open": ...},
        {},
    )
    assert ruleset.decide(make_alert({"env": "staging"}), 0).ignored == "nobody is woken for staging"
    decision = ruleset.decide(make_alert({"a": "1", "env": "staging"}), 0)
    assert [target.destination for target in decision.response.targets] == ["on-call"]
    assert ruleset.decide(make_alert(), 0).response.rule == "r2"


def test_response_prefers_the_rule_to_the_file(folder, destinations, make_alert):
    made = folder(
        a="""
defaults:
  severity: major
  owner: team-shop
  timing: {open_after: 1m, resolve_after: 5m}
  labels: {team: shop, tier: "2"}
  publish: auto
  open: {page: {components: {API: outage}}}
rules:
  - name: r
    when: {}
    timing: {open_after: 2m}
    labels: {tier: "1", zone: {from: labels.region}}
    open: [{at: page, title: Down}]
"""
    )
    decision = load.load(made, destinations).decide(make_alert({}), 0)
    response = decision.response
    assert decision.severity is severities.Severity.MAJOR
    assert (response.timing.open_after, response.timing.resolve_after) == (120_000_000, 300_000_000)
    assert (response.labels, response.copied) == ({"team": "shop", "tier": "1"}, {"zone": "labels.region"})
    assert response.owner == "team-shop"
    assert response.targets[0].fields == {"title": "Down", "components": {"API": "outage"}}
    assert response.targets[0].publish == "auto"


def test_later_rules_add_labels_and_change_none(build, make_alert):
    ruleset = build({"continue": True, "labels": {"team": "a"}}, {"labels": {"team": "b", "tier": "1"}})
    assert ruleset.decide(make_alert(), 0).response.labels == {"team": "a", "tier": "1"}
