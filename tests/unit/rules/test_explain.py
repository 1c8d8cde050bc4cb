"""Explanations match decisions and name every condition with the observed value."""

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from router.rules import explain
from tests.unit.rules import strategies


@hypothesis.settings(
    max_examples=150, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    rules=st.lists(strategies.rule, max_size=12), given=st.lists(strategies.alert, min_size=1, max_size=4)
)
def test_explanation_agrees_with_the_decision(rules, given, destinations):
    ruleset = strategies.build_ruleset(rules, destinations)
    for one in given:
        said = explain.explain_alert(ruleset, one, 0)
        decision = ruleset.decide(one, 0)
        matched = [looked.rule for looked in said.looked_at if looked.matches]
        assert matched == ([because.rule for because in decision.response.because] if decision.response else [])
        assert said.ignored == decision.ignored
        assert len(said.looked_at) + said.not_reached == len(rules)
        assert [post.destination for post in said.posts] == [
            target.destination for target in (decision.response.targets if decision.response else ())
        ]


def test_explanation_shows_each_condition_and_observed_value(build, make_alert):
    ruleset = build(
        {"when": {"labels.a": "1", "title": {"matches": "5xx"}}},
        {"when": {"labels.b": {"not": ["x", "y"]}}, "owner": "team", "runbook": "look"},
    )
    said = explain.explain_alert(ruleset, make_alert({"a": "1", "b": "z"}, title="fine"), 0)
    first, second = said.looked_at
    assert [(told.field, told.asks, told.holds, told.value) for told in first.conditions] == [
        ("labels.a", '= "1"', True, "1"),
        ("title", 'matches "5xx"', False, "fine"),
    ]
    assert (first.result, second.result) == ("does not match", "decides")
    assert [(told.asks, told.value) for told in second.conditions] == [('not (one of "x", "y")', "z")]
    assert (second.owner, second.runbook) == ("team", "look")


def test_explanation_shows_parts_of_groups_times_and_expressions(build, make_alert):
    night = {"times": [{"start_time": "22:00", "end_time": "06:00"}], "weekdays": ["mon:fri"], "location": "UTC"}
    ruleset = build(
        {
            "when": {"any": [{"labels.a": "1"}, {"labels.b": "1", "labels.c": {"gt": 5}}]},
            "unless": {"labels.env": "staging"},
            "during": night,
            "expr": "alert.labels.no == 'x'",
        }
    )
    (looked,) = explain.explain_alert(ruleset, make_alert({"b": "1", "c": "7", "env": "staging"}), 0).looked_at
    times, either, unless, expression = looked.conditions
    assert (times.asks, times.holds) == ("during mon:fri 22:00-06:00 UTC", True)
    assert (either.asks, either.holds, [part.holds for part in either.inside]) == ("any", True, [False, True])
    assert [part.asks for part in either.inside[1].inside] == ['= "1"', "gt 5"]
    assert (unless.asks, unless.holds, unless.inside[0].value) == ("none", False, "staging")
    assert expression.holds is False
    assert "Key not found" in expression.value
    assert not looked.matches


def test_explanation_renders_the_fields_to_send(build, make_alert):
    ruleset = build(
        {
            "severity": "critical",
            "labels": {"team": "shop"},
            "timing": {"open_after": "1m"},
            "open": [
                {"at": "on-call", "name": "{{ alert.labels.team }}: {{ alert.title }}"},
                {"at": "page", "title": "t"},
            ],
        }
    )
    said = explain.explain_alert(ruleset, make_alert(title="5xx"), 0, {"page"})
    assert (said.severity, said.incident_key, said.timing.open_after) == ("critical", "r0", 60_000_000)
    on_call, page = said.posts
    assert (on_call.fields, on_call.publish) == ({"name": "shop: 5xx"}, "")
    assert (page.fields, page.publish) == ({"title": "t"}, "review")
    assert msgspec.json.decode(msgspec.json.encode(said), type=explain.Explanation) == said


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"equal": "x"}, '= "x"'),
        ([str(number) for number in range(10)], 'one of "0", "1", "2", "3", "4", "5", "6", "7" and 2 more'),
        ({"starts_with": ["a", "b"]}, 'starts_with "a", "b"'),
        ({"ends_with": "a"}, 'ends_with "a"'),
        ({"contains": "a"}, 'contains "a"'),
        ({"exists": "false"}, "does not exist"),
        ({"gte": "0.5"}, "gte 0.5"),
        ({"lt": 0}, "lt 0"),
        ({"cidr": ["10.0.0.0/8", "::1"]}, "cidr 10.0.0.0/8, ::1/128"),
        ({"not": {"matches": "^x$"}}, 'not (matches "^x$")'),
    ],
)
def test_conditions_are_explained_in_rule_file_terms(build, make_alert, asked, words):
    (looked,) = explain.explain_alert(build({"when": {"labels.a": asked}}), make_alert(), 0).looked_at
    assert looked.conditions[0].asks == words


def test_response_contains_the_matched_conditions(build, make_alert):
    ruleset = build(
        {"when": {"labels.a": "1"}, "continue": True},
        {"when": {"any": [{"labels.b": "1"}, {"labels.c": "1"}], "title": {"contains": "x"}}, "expr": "true"},
    )
    because = ruleset.decide(make_alert({"a": "1", "b": "1"}, title="x"), 0).response.because
    assert [(one.rule, one.asked) for one in because] == [
        ("r0", (("", 'labels.a = "1"'),)),
        ("r1", (("title", 'contains "x"'), ("", 'any of (labels.b = "1"; labels.c = "1")'), ("", "expr true"))),
    ]


def test_explanation_shows_review_timeout_and_its_action(build, make_alert):
    review = {"timeout": "15m", "on_timeout": "publish"}
    ruleset = build({"open": [{"at": "page", "title": "t", "review": review}, {"at": "on-call"}]})
    page, on_call = explain.explain_alert(ruleset, make_alert(), 0, ["page"]).posts
    assert (page.publish, page.timeout, page.on_timeout) == ("review", "15m", "publish")
    assert (on_call.timeout, on_call.on_timeout) == ("", "")


def test_explanation_shows_inhibitions_and_mute_windows(build, make_alert):
    night = {"times": [{"start_time": "22:00", "end_time": "06:00"}]}
    ruleset = build(
        {"name": "db", "when": {"labels.a": "db"}},
        {"name": "app", "inhibited_by": ["db", {"rule": "db", "equal": ["labels.r"]}], "mute_during": [night]},
    )
    assert explain.explain_alert(ruleset, make_alert({"a": "db", "r": "eu"}), 0).inhibits == (
        'inhibit:db{labels.r="eu"}',
    )
    said = explain.explain_alert(ruleset, make_alert({"a": "app", "r": "eu"}), 0)
    assert said.muted_while == ("db", 'inhibit:db{labels.r="eu"}')
    assert said.mute_windows[0] == (-2 * 3_600_000_000, 6 * 3_600_000_000, "22:00-06:00 UTC")
