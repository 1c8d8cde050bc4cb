"""Lint warnings: each names a real problem, and valid rules give none."""

import hypothesis
import pytest
from hypothesis import strategies as st

from router.rules import check, lint, lint_warnings, reachability
from router.rules.conditions import registry
from tests.unit.rules import strategies

OPEN = [{"at": "on-call"}]
WORLD = lint_warnings.LintContext(("alertmanager", "json"), frozenset({"service", "region"}))


def list_warnings(build, *rules, world=lint_warnings.NOTHING):
    return [(doubt.rule.name, doubt.message) for doubt in lint.lint(build(*rules).rules, world)]


def unreachable(build, *rules):
    return [(rule.name, before.name) for rule, before in reachability.unreachable_rules(build(*rules).rules)]


@hypothesis.settings(
    max_examples=300, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    rules=st.lists(strategies.rule, max_size=12), given=st.lists(strategies.alert, min_size=1, max_size=12)
)
def test_unreachable_rule_never_decides(rules, given, destinations):
    ruleset = strategies.build_ruleset(rules, destinations)
    named = {rule.name for rule, _ in reachability.unreachable_rules(ruleset.rules)}
    for one in given:
        response = ruleset.decide(one, 0).response
        assert not named & {because.rule for because in response.because} if response else True


@hypothesis.settings(max_examples=500, deadline=None)
@hypothesis.given(narrow=strategies.condition, broad=strategies.condition, text=st.sampled_from(strategies.TEXTS))
def test_implied_condition_holds_whenever_the_narrower_one_holds(narrow, broad, text):
    def read(written):
        return registry.read(write_scalars(written))

    for one in read(narrow):
        for other in read(broad):
            if reachability.implies(one, other) and one.holds(text):
                assert other.holds(text)


def write_scalars(value):
    """Convert numbers and Booleans to their YAML text."""
    if isinstance(value, dict):
        return {key: write_scalars(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [write_scalars(inner) for inner in value]
    return str(value).lower() if isinstance(value, bool | int | float) else value


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({}, {"labels.a": "1"}),
        ({"labels.a": "1"}, {"labels.a": "1", "labels.b": "2"}),
        ({"labels.a": ["1", "2"]}, {"labels.a": "2"}),
        ({"labels.a": {"not": "x"}}, {"labels.a": ["y", "z"]}),
        ({"labels.a": {"matches": "^c"}}, {"labels.a": "checkout"}),
        ({"labels.a": {"starts_with": "api-"}}, {"labels.a": {"starts_with": ["api-x", "api-y"]}}),
        ({"labels.a": {"contains": "disk"}}, {"labels.a": {"ends_with": "disk"}}),
        ({"labels.a": {"gte": 5}}, {"labels.a": {"gt": 5}}),
        ({"labels.a": {"lt": 5}}, {"labels.a": {"lte": 4}}),
        ({"labels.a": {"exists": True}}, {"labels.a": {"cidr": "10.0.0.0/8"}}),
        ({"labels.a": {"matches": "x"}}, {"labels.a": {"matches": "x"}, "title": "t"}),
    ],
)
def test_rule_behind_a_broader_one_is_unreachable(build, earlier, later):
    assert unreachable(build, {"when": earlier}, {"when": later}) == [("r1", "r0")]
    assert unreachable(build, {"when": later}, {"when": earlier}) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"when": {}, "continue": True}, {"when": {"labels.a": "1"}}),
        ({"when": {}, "expr": "true"}, {"when": {"labels.a": "1"}}),
        ({"when": {}, "during": {"weekdays": ["sunday"]}}, {"when": {"labels.a": "1"}}),
        ({"when": {}, "unless": {"labels.b": "1"}}, {"when": {"labels.a": "1"}}),
        ({"when": {"labels.a": {"gt": 5}}}, {"when": {"labels.a": {"gte": 5}}}),
        ({"when": {"labels.a": {"exists": True}}}, {"when": {"labels.a": {"matches": "^$"}}}),
    ],
)
def test_reachable_rule_gives_no_warning(build, first, second):
    assert unreachable(build, first, second) == []


def test_rule_behind_equal_schedule_and_expression_is_unreachable(build):
    night = {"during": {"times": [{"start_time": "22:00", "end_time": "06:00"}]}, "expr": "size(alert.labels) > 1"}
    assert unreachable(build, {"when": {}, **night}, {"when": {"labels.a": "1"}, **night}) == [("r1", "r0")]


def test_ten_thousand_rules_are_linted_quickly(build):
    rules = [{"when": {"labels.service": f"s{number}"}} for number in range(10_000)]
    assert unreachable(build, *rules, {"when": {"labels.service": "s17", "title": "x"}}) == [("r10000", "r17")]


def test_rule_with_one_incident_for_everything_gives_warning(build):
    said = "makes one incident of all alerts"
    assert said in list_warnings(build, {"open": OPEN})[0][1]
    assert said in list_warnings(build, {"when": {"source": "json", "severity": "page"}, "open": OPEN})[0][1]
    for fine in (
        {"open": OPEN, "group_by": ["fingerprint"]},
        {"when": {"labels.a": "1"}, "open": OPEN},
        {"open": []},
        {"open": OPEN, "expr": "alert.title == 'x'", "when": {"title": {"matches": "x"}}},
    ):
        assert list_warnings(build, fine) == []


def test_expression_without_other_conditions_gives_a_warning(build):
    (doubt,) = list_warnings(build, {"expr": "true", "open": OPEN})
    assert "evaluated for every alert" in doubt[1]
    assert list_warnings(build, {"expr": "true", "when": {"title": {"matches": "x"}}}) == []
    assert len(list_warnings(build, {"expr": "true", "when": {"title": {"contains": "x"}}})) == 1


def test_unconfigured_source_gives_a_warning(build):
    rule = {"when": {"source": ["json", "alertmanger"]}}
    assert list_warnings(build, rule, world=WORLD) == [
        ("r0", 'there is no source "alertmanger"; did you mean "alertmanager"?')
    ]
    assert list_warnings(build, rule) == []


def test_label_absent_from_recorded_alerts_gives_a_warning(build):
    rule = {
        "when": {"labels.servce": "x", "labels.region": "eu"},
        "labels": {"team": "a", "zone": {"from": "labels.az"}},
        "group_by": ["labels.team", "labels.host"],
    }
    assert sorted(message for _, message in list_warnings(build, rule, world=WORLD)) == [
        "no recorded alert carries the label az",
        "no recorded alert carries the label host",
        'no recorded alert carries the label servce; did you mean "labels.service"?',
    ]
    assert list_warnings(build, rule) == []


def test_warnings_have_positions_and_errors_hide_them(folder, destinations):
    path = folder(a="rules:\n  - {name: x, when: {}, open: []}\n  - {name: y, when: {source: z}, open: []}\n")
    report = check.check_folder(path, destinations, WORLD)
    assert [(problem.line, problem.column, problem.level) for problem in report.problems] == [
        (3, 5, "warning"),
        (3, 30, "warning"),
    ]
    assert (
        str(report.problems[0])
        .splitlines()[0]
        .endswith('a.yaml:3:5: warning: rule "y": can\'t be reached: rule "x" at a.yaml:2 matches all its alerts')
    )
    assert (report.count("error"), report.count("warning")) == (0, 2)
    (path / "b.yaml").write_text("rules: 5")
    assert check.check_folder(path, destinations, WORLD).count("warning") == 0


def test_broad_rule_with_empty_group_gives_a_warning(build):
    said = "alerts that have none of labels.a, annotations.b become one incident"
    assert said in list_warnings(build, {"open": OPEN, "group_by": ["source", "labels.a", "annotations.b"]})[0][1]
    for fine in (
        {"open": OPEN, "group_by": ["labels.a", "fingerprint"]},
        {"open": OPEN, "group_by": ["labels.a"], "when": {"labels.a": {"exists": True}}},
        {"open": OPEN, "group_by": ["labels.a"], "labels": {"a": "x"}},
        {"open": [], "group_by": ["labels.a"]},
    ):
        assert list_warnings(build, fine) == []


@pytest.mark.parametrize(
    ("title", "warned"),
    [
        ("{{ alert.title }}", True),
        ("Down: {{ alert.annotations.summary }}", True),
        ("{{ alert.title | truncate: 100 }}", False),
        ("Down in {{ alert.labels.region }}", False),
        ("Down", False),
    ],
)
def test_possibly_too_long_text_gives_a_warning(build, title, warned):
    world = lint_warnings.LintContext(limits={"on-call": {"name": 200}})
    rule = {"name": "a", "when": {"labels.service": "web"}, "open": [{"at": "on-call", "name": title}]}
    warnings = list_warnings(build, rule, world=world)
    said = "may render to more than the 200 characters that on-call accepts, and is then truncated"
    assert any(said in message for _, message in warnings) is warned
    assert not any(said in message for _, message in list_warnings(build, rule))
