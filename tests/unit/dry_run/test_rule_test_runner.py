"""Rule tests: met expectations pass, and each unmet one is reported with its position."""

import re

import pytest

from tests.unit.dry_run import scenarios

RULES = """rules:
  - name: held
    when: {labels.a: held}
    timing: {open_after: 1m, resolve_after: 2m}
    open: [{at: on-call, name: "{{ alert.title }}"}]
  - name: public
    when: {labels.a: public}
    severity: critical
    group_by: [labels.b]
    open: [{at: on-call}, {at: page, title: Down, notify: false, components: {API: outage}}]
  - {name: no, when: {labels.a: no}, ignore: not in production}
tests:
"""


def is_passing(test):
    return scenarios.list_problems(RULES + test) == []


def test_operations_happen_at_their_due_times():
    assert is_passing("""
  - name: t
    alerts: [{labels: {a: held}, title: Boom}, {at: 5m, status: resolved, labels: {a: held}}]
    until: 8m
    expect: {incidents: 1, operations: [{at: 1m, open: on-call, name: Boom}, {at: 7m, resolve: on-call}]}
""")


def test_only_approved_posts_are_published():
    test = """
  - name: t
    alerts: [{labels: {a: public}}, {at: 5m, status: resolved, labels: {a: public}}]
    people: [PEOPLE]
    expect: {operations: [{at: 0s, open: on-call}, POST{at: 5m, resolve: on-call}MORE]}
"""
    post = "{at: 2m, open: page, title: Down, notify: false, components: {API: outage}}, "
    approved = test.replace("PEOPLE", "{at: 2m, approve: page}").replace("POST", post)
    assert is_passing(approved.replace("MORE", ", {at: 5m, resolve: page}"))
    assert is_passing(test.replace("PEOPLE", "").replace("POST", "").replace("MORE", ""))
    assert not is_passing(test.replace("PEOPLE", "").replace("POST", post).replace("MORE", ""))


def test_numbers_in_labels_keep_their_written_form():
    assert is_passing(
        "\n  - {name: t, alerts: [{labels: {a: public, b: 007}}], expect: {key: 'public{labels.b=\"007\"}'}}\n"
    )


def test_each_alert_may_have_its_own_expectation():
    assert is_passing("""
  - name: t
    alerts:
      - {labels: {a: public}, expect: {rule: public, severity: critical, at: [page, on-call]}}
      - {labels: {a: no}, expect: {ignored: production}}
""")


def test_test_expectation_applies_to_each_firing_alert():
    test = "\n  - {name: t, alerts: [{labels: {a: public}}, {labels: {a: held}}], expect: {rule: public}}\n"
    assert scenarios.list_problems(RULES + test) == ["14:84: alert 2: expected rule public, got rule held"]


@pytest.mark.parametrize(
    ("expected", "complaint"),
    [
        ("rule: other", "expected rule other, got rule public"),
        ("severity: minor", "expected minor, got critical"),
        ("key: other", 'expected incident other, got public{labels.b=""}'),
        ("at: [page]", "expected at page, got on-call, page"),
        ("at: []", "expected at nowhere, got on-call, page"),
        ("ignored: production", 'expected to be ignored for "production", got rule public'),
        ("incidents: 2", "expected 2 incidents, got 1"),
        ("operations: []", "open at on-call after 0s was not expected"),
        ("operations: [{at: 1m, open: on-call}]", "expected open at on-call after 1m, got it after 0s"),
        ("operations: [{open: on-call}, {open: page}]", "expected open at page, but there was none"),
        (
            "operations: [{open: on-call}, {resolve: on-call}]",
            "resolve at on-call, but there was none (there were: open)",
        ),
        ("operations: [{open: on-call, name: x}]", "open at on-call: expected name 'x', got None"),
    ],
)
def test_every_unmet_expectation_is_reported(expected, complaint):
    (problem,) = scenarios.list_problems(
        RULES + f"\n  - {{name: t, alerts: [{{labels: {{a: public}}}}], expect: {{{expected}}}}}\n"
    )
    assert complaint in problem
    assert re.match(r"14:\d+: ", problem)


@pytest.mark.parametrize(
    ("expected", "complaints"),
    [
        ("severity: critical", ["expected critical, got ignored: "]),
        ("key: x", ["expected x, got ignored: "]),
        ("at: [page, on-call]", ["expected on-call, page, got ignored: "]),
        ("severity: critical, at: [page]", ["expected critical, got ignored: ", "expected page, got ignored: "]),
        ("rule: public, severity: critical, at: [page]", ["expected rule public, got ignored: "]),
        ("at: []", []),
        ("ignored: production", []),
    ],
)
def test_ignored_alert_has_no_properties_of_an_incident(expected, complaints):
    """A test that expects destinations fails if a typo lets another rule ignore the alert."""
    test = f"\n  - {{name: t, alerts: [{{labels: {{a: no}}}}], expect: {{{expected}}}}}\n"
    found = scenarios.list_problems(RULES + test)
    assert len(found) == len(complaints)
    assert all(text in complaint for complaint, text in zip(found, complaints, strict=True))


def test_approval_without_a_pending_review_is_reported():
    test = "\n  - {name: t, alerts: [{labels: {a: held}}], people: [{approve: page}]}\n"
    assert scenarios.list_problems(RULES + test) == ['14:65: nothing awaits approval at "page" at that time']


def test_simultaneous_operations_may_be_in_any_order():
    test = "\n  - {name: t, alerts: [{labels: {a: public}}], people: [{approve: page}], expect: {operations: [OPS]}}\n"
    assert is_passing(test.replace("OPS", "{open: page}, {open: on-call}"))
    assert is_passing(test.replace("OPS", "{open: on-call}, {open: page}"))


def test_operations_are_printed_as_expectations():
    test = "\n  - {name: t, alerts: [{labels: {a: held}, title: Boom}], until: 1m}\n"
    (result,) = scenarios.list_results(RULES + test)
    (said,) = scenarios.rule_test_runner.format_calls(result.calls, result.started_at)
    assert is_passing(test.replace("until: 1m", f"expect: {{operations: [{said}]}}"))


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        ("{name: t, alerts: [{lables: {a: x}}]}", 'unknown key "lables"; did you mean "labels"?'),
        ("{name: t, alerts: []}", "at least 1 entry"),
        ("{name: t, alerts: [{at: soon}]}", "expected a duration"),
        ("{name: t, alerts: [{}], expect: {at: [pag]}}", 'there is no destination "pag"; did you mean "page"?'),
        ("{name: t, alerts: [{}], people: [{approve: x}]}", 'there is no destination "x"'),
        ("{name: t, alerts: [{}], expect: {operations: [{at: 1m}]}}", "an operation names one destination"),
        ("{name: t, alerts: [{}], expect: {operations: [{open: pag}]}}", 'there is no destination "pag"'),
        ("{alerts: [{}]}", '"name" is missing'),
        ("text", "expected a mapping of keys to values"),
    ],
)
def test_invalid_rule_test_is_refused_with_advice(test, problem):
    _, read, found = scenarios.rules(f"{RULES}\n  - {test}\n")
    assert read == []
    assert len(found) == 1
    assert problem in found[0].message
    assert found[0].line == 14
