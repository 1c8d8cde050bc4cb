"""The index is an optimization: for any rules, it decides like a sequential evaluation."""

import hypothesis
from hypothesis import strategies as st

from router.domain import alerts
from router.rules import load
from router.rules.conditions import registry
from tests.unit.rules import naive

TEXTS = ["", "a", "b", "c", "ab", "abc", "5", "-0.5", "10.0.0.1"]
PARTS = ["a", "b", "ab", "bc", "abc", "10.", "5"]
PATTERNS = ["a", "^b", "c$", "^$", "a.c", "b|c"]
FIELDS = ["labels.x", "labels.y", "labels.z", "annotations.n", "title", "severity", "source"]

text = st.sampled_from(TEXTS)
simple = st.one_of(text, st.lists(text, min_size=1, max_size=3), st.fixed_dictionaries({"equal": text}))
pattern = st.fixed_dictionaries({"matches": st.sampled_from(PATTERNS)})
negated = st.fixed_dictionaries({"not": st.one_of(simple, pattern)})
several = st.fixed_dictionaries({"matches": st.sampled_from(PATTERNS), "not": simple})
part = st.one_of(st.sampled_from(PARTS), st.lists(st.sampled_from(PARTS), min_size=1, max_size=3))
prefixed = st.fixed_dictionaries({"starts_with": part})
compared = st.sampled_from(
    [
        {"exists": True}, {"exists": False}, {"gt": -1}, {"gte": 5}, {"lt": 5}, {"lte": "-0.5"},
        {"cidr": "10.0.0.0/8"}, {"cidr": ["10.0.0.0/30", "::1"]}, {"gt": -1, "lt": 7},
    ]
)  # fmt: skip
parted = st.one_of(st.fixed_dictionaries({"ends_with": part}), st.fixed_dictionaries({"contains": part}))
condition = st.one_of(simple, simple, pattern, negated, several, prefixed, prefixed, compared, parted)
whens = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), condition, max_size=3),
    # Make shared sets frequent, and equalities that match a rule before its set is tested.
    st.fixed_dictionaries({"title": pattern}),
    st.fixed_dictionaries({"labels.x": text}),
    st.fixed_dictionaries({"title": prefixed}),
)
member = st.dictionaries(st.sampled_from(FIELDS), condition, min_size=1, max_size=2)
members = st.lists(member, min_size=1, max_size=3)
grouped = st.one_of(
    whens,
    st.builds(
        lambda when, word, inside: {**when, word: inside}, whens, st.sampled_from(["any", "all", "none"]), members
    ),
    st.builds(lambda inside: {"any": [{"all": inside}, {"none": inside[:1]}]}, members),
)
rule = st.fixed_dictionaries(
    {
        "when": st.one_of(whens, whens, grouped),
        "unless": st.one_of(st.none(), st.none(), member),
        "continue": st.sampled_from([False, False, True]),
        "severity": st.sampled_from([None, "info", "minor", "major", "critical"]),
        "group_by": st.lists(st.sampled_from(FIELDS), max_size=2, unique=True),
        "open": st.lists(st.sampled_from(["on-call", "second"]), max_size=2, unique=True),
    }
)
labels = st.dictionaries(st.sampled_from(["x", "y", "z"]), text)
alert = st.builds(
    alerts.Alert,
    source=text,
    fingerprint=st.just("f"),
    status=st.sampled_from(["firing", "resolved"]),
    starts_at=st.just(1),
    ends_at=st.just(0),
    title=text,
    labels=labels,
    annotations=st.dictionaries(st.just("n"), text),
    severity=text,
)


def made(rules, destinations):
    """Build a rule set. Each target's summary is its rule's name, so that tests can identify its source."""
    data = []
    for number, entry in enumerate(rules):
        name = f"r{number}"
        entry["name"] = name
        given = {key: value for key, value in entry.items() if value is not None}
        data.append({**given, "open": [{"at": at, "summary": name} for at in entry["open"]]})
    return load.build(data, destinations)


@hypothesis.settings(
    max_examples=400, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(rules=st.lists(rule, max_size=25), given=st.lists(alert, min_size=1, max_size=8))
def test_index_agrees_with_a_linear_scan(rules, given, destinations):
    ruleset = made(rules, destinations)
    for one in given:
        decision = ruleset.decide(one, 0)
        chain, severity, targets = naive.decide(rules, one)
        if not chain:
            assert decision.ignored
            continue
        assert decision.response.rule == chain[0]["name"]
        assert decision.severity is severity
        assert {target.destination: target.fields["summary"] for target in decision.response.targets} == targets
        pairs = [f'{field}="{naive.field_of(one, field)}"' for field in chain[0]["group_by"]]
        assert decision.incident_key == chain[0]["name"] + (f"{{{','.join(pairs)}}}" if pairs else "")


@hypothesis.settings(
    max_examples=50, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(rules=st.lists(rule, max_size=15), given=st.lists(alert, min_size=2, max_size=6))
def test_equal_alerts_get_equal_decisions(rules, given, destinations):
    ruleset = made(rules, destinations)
    forwards = [ruleset.decide(one, 0) for one in given]
    backwards = [ruleset.decide(one, 0) for one in reversed(given)]
    assert forwards == backwards[::-1]
    assert forwards == [made(rules, destinations).decide(one, 0) for one in given]


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
        for value in TEXTS:
            assert asked.holds(value) == naive.holds({word: inner}, value), (word, value)
