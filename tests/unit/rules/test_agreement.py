"""The index is an optimization: for any rules, it decides like a sequential evaluation."""

import hypothesis
from hypothesis import strategies as st

from router.rules.conditions import registry
from tests.unit.rules import naive, strategies


@hypothesis.settings(
    max_examples=400, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    rules=st.lists(strategies.rule, max_size=25), given=st.lists(strategies.alert, min_size=1, max_size=8)
)
def test_index_agrees_with_a_linear_scan(rules, given, destinations):
    ruleset = strategies.build_ruleset(rules, destinations)
    for one in given:
        decision = ruleset.decide(one, 0)
        chain, severity, targets = naive.decide(rules, one)
        if not chain:
            assert decision.ignored
            continue
        assert decision.response.rule == chain[0]["name"]
        assert decision.severity is severity
        assert {target.destination: target.fields["summary"] for target in decision.response.targets} == targets
        pairs = [f'{field}="{naive.get_field(one, field)}"' for field in chain[0]["group_by"]]
        assert decision.incident_key == chain[0]["name"] + (f"{{{','.join(pairs)}}}" if pairs else "")


@hypothesis.settings(
    max_examples=50, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    rules=st.lists(strategies.rule, max_size=15), given=st.lists(strategies.alert, min_size=2, max_size=6)
)
def test_equal_alerts_get_equal_decisions(rules, given, destinations):
    ruleset = strategies.build_ruleset(rules, destinations)
    forwards = [ruleset.decide(one, 0) for one in given]
    backwards = [ruleset.decide(one, 0) for one in reversed(given)]
    assert forwards == backwards[::-1]
    assert forwards == [strategies.build_ruleset(rules, destinations).decide(one, 0) for one in given]


def test_every_condition_agrees_with_the_naive_evaluation():
    wanted = {
        "equal": "a",
        "one_of": ["a"],
        "not": "a",
        "matches": "a",
        "exists": True,
        "cidr": "::1",
        "in": ["a", "b"],
    }
    wanted |= dict.fromkeys(("starts_with", "ends_with", "contains"), "a")
    wanted |= dict.fromkeys(("gt", "gte", "lt", "lte"), 5)
    assert set(wanted) == set(registry.CONDITIONS)
    for word, inner in wanted.items():
        written = "letters" if word == "in" else inner if isinstance(inner, list) else str(inner).lower()
        (asked,) = registry.read({word: written}, {"letters": frozenset("ab")})
        for value in strategies.TEXTS:
            assert asked.holds(value) == naive.holds({word: inner}, value), (word, value)
