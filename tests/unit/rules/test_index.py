"""The index is an optimisation: whatever the rules, it decides as a reader would who goes through them in order."""

import re

import hypothesis
import pytest
from hypothesis import strategies as st

from router.domain import alert as alerts
from router.domain import severity as severities
from router.rules import compile as compiling
from router.rules import decide, load
from router.rules.conditions import matches

TEXTS = ["", "a", "b", "c", "ab", "abc"]
PATTERNS = ["a", "^b", "c$", "^$", "a.c", "b|c"]
FIELDS = ["labels.x", "labels.y", "labels.z", "annotations.n", "title", "severity", "source"]

text = st.sampled_from(TEXTS)
simple = st.one_of(text, st.lists(text, min_size=1, max_size=3), st.fixed_dictionaries({"equal": text}))
pattern = st.fixed_dictionaries({"matches": st.sampled_from(PATTERNS)})
negated = st.fixed_dictionaries({"not": st.one_of(simple, pattern)})
several = st.fixed_dictionaries({"matches": st.sampled_from(PATTERNS), "not": simple})
condition = st.one_of(simple, simple, pattern, negated, several)
whens = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), condition, max_size=3),
    # Often enough several rules that share a set, and an equality that finds its rule before the set is asked.
    st.fixed_dictionaries({"title": pattern}),
    st.fixed_dictionaries({"labels.x": text}),
)
rule = st.fixed_dictionaries(
    {
        "when": whens,
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


def field_of(one, field):
    part, _, key = field.partition(".")
    return getattr(one, part).get(key, "") if key else getattr(one, part)


def holds(wanted, value):
    """The meaning of a condition, said a second time and without any of the program's own code."""
    if isinstance(wanted, str):
        return value == wanted
    if isinstance(wanted, list):
        return value in wanted
    results = {
        "equal": lambda inner: value == inner,
        "matches": lambda inner: re.search(inner, value) is not None,
        "not": lambda inner: not holds(inner, value),
    }
    return all(results[name](inner) for name, inner in wanted.items())


def naive(rules, one):
    """Every rule in order: (names of those that decide, severity, destinations with the rule each comes from)."""
    chain = []
    for entry in rules:
        if all(holds(wanted, field_of(one, field)) for field, wanted in entry["when"].items()):
            chain.append(entry)
            if not entry["continue"]:
                break
    targets = {}
    for entry in chain:
        for name in entry["open"]:
            targets.setdefault(name, entry["name"])
    words = [entry["severity"] or "minor" for entry in chain]
    return chain, max((severities.parse(word) for word in words), default=None), targets


def made(rules, destinations):
    """Rules as data; each target carries the name of its rule, so that it can be told where it came from."""
    data = []
    for number, entry in enumerate(rules):
        name = f"r{number}"
        entry["name"] = name
        data.append({**entry, "open": [{"at": at, "summary": name} for at in entry["open"]]})
    return load.build(data, destinations)


@hypothesis.settings(
    max_examples=400, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(rules=st.lists(rule, max_size=25), given=st.lists(alert, min_size=1, max_size=8))
def test_the_index_decides_as_a_reader_would_who_goes_through_the_rules_in_order(rules, given, destinations):
    ruleset = made(rules, destinations)
    for one in given:
        decision = ruleset.decide(one)
        chain, severity, targets = naive(rules, one)
        if not chain:
            assert decision.ignored
            continue
        assert decision.response.rule == chain[0]["name"]
        assert decision.severity is severity
        assert {target.destination: target.fields["summary"] for target in decision.response.targets} == targets
        pairs = [f'{field}="{field_of(one, field)}"' for field in chain[0]["group_by"]]
        assert decision.incident_key == chain[0]["name"] + (f"{{{','.join(pairs)}}}" if pairs else "")


@hypothesis.settings(
    max_examples=50, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(rules=st.lists(rule, max_size=15), given=st.lists(alert, min_size=2, max_size=6))
def test_the_same_alert_gets_the_same_decision_whatever_came_before_it(rules, given, destinations):
    ruleset = made(rules, destinations)
    forwards = [ruleset.decide(one) for one in given]
    backwards = [ruleset.decide(one) for one in reversed(given)]
    assert forwards == backwards[::-1]
    assert forwards == [made(rules, destinations).decide(one) for one in given]


def candidates_met(ruleset, one):
    """How many candidates the walk looks at for one alert."""
    met = 0
    walk = decide.walk

    def counted(candidate, *others):
        nonlocal met
        link = candidate
        while link is not None:
            met += 1
            link = link.after
        return walk(candidate, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decide, "walk", counted)
        ruleset.decide(one)
    return met


def test_an_alert_meets_only_rules_that_can_match_it(build, make_alert):
    ruleset = build(*({"when": {"labels.service": f"s{n}", "severity": ["a", "b"]}} for n in range(2000)))
    assert candidates_met(ruleset, make_alert({"service": "s1234"}, severity="a")) == 1
    assert candidates_met(ruleset, make_alert({"service": "unknown"}, severity="a")) == 0


def test_a_text_common_to_many_rules_is_parted_by_a_second_field_and_a_third(build, make_alert):
    rules = [
        {"when": {"labels.team": "t", "labels.service": f"s{n % 100}", "labels.region": f"r{n // 100}"}}
        for n in range(2000)
    ]
    ruleset = build(*rules)
    one = make_alert({"team": "t", "service": "s42", "region": "r7"})
    assert ruleset.decide(one).response.rule == "r742"
    assert candidates_met(ruleset, one) == 1


def test_rules_over_very_many_labels_are_found_by_the_alert_s_own_labels(build, make_alert):
    ruleset = build(*({"when": {f"labels.l{n}": "x"}} for n in range(500)), {"when": {"labels.other": ""}})
    one = make_alert({"l321": "x", "l400": "x"})
    assert ruleset.decide(one).response.rule == "r321"
    assert ruleset.decide(make_alert({"l1": "y"})).response.rule == "r500"
    assert candidates_met(ruleset, one) <= 3
    assert ruleset._root.wide is not None


def test_rules_with_nothing_but_patterns_share_sets(build, make_alert):
    ruleset = build(*({"when": {"title": {"matches": f"number {n}$"}}} for n in range(1000)))
    assert ruleset.decide(make_alert(title="this is number 777")).response.rule == "r777"
    assert ruleset.decide(make_alert(title="this is number 7777")).ignored
    assert ruleset._root.rest is None
    assert len(ruleset._root.sets) == 4


def test_patterns_come_before_and_behind_an_equality_as_the_rules_stand(build, make_alert):
    ruleset = build(
        {"when": {"title": {"matches": "first"}}},
        {"when": {"labels.a": "1"}},
        {"when": {"title": {"matches": "second"}}},
    )
    named = {title: ruleset.decide(make_alert({"a": "1"}, title=title)).response.rule for title in ("first", "second")}
    assert named == {"first": "r0", "second": "r1"}
    assert ruleset.decide(make_alert(title="second")).response.rule == "r2"


def test_patterns_below_a_common_text_share_sets_as_well(build, make_alert):
    ruleset = build(*({"when": {"labels.service": "shop", "title": {"matches": f"^error {n} "}}} for n in range(100)))
    assert ruleset.decide(make_alert({"service": "shop"}, title="error 63 again")).response.rule == "r63"
    assert ruleset.decide(make_alert({"service": "other"}, title="error 63 again")).ignored


def test_long_lists_in_many_rules_do_not_multiply(build, make_alert):
    wanted = {f"labels.l{field}": [f"v{n}" for n in range(200)] for field in range(4)}
    ruleset = build(*({"when": {**wanted, "labels.n": {"not": str(n)}}} for n in range(200)))
    assert ruleset.decide(make_alert({f"l{field}": "v5" for field in range(4)} | {"n": "0"})).response.rule == "r1"


def test_a_set_that_runs_out_of_memory_is_asked_pattern_by_pattern(monkeypatch):
    patterns = [matches.Matches.read(f"(?i)service{n}.*timed? ?out", lambda _: ()) for n in range(40)]
    monkeypatch.setattr(matches.Combined, "_MEMORY", 20_000)
    assert matches.Combined(patterns).found("Service17 timed out, service3 too: time out") == [1, 3, 17]


def test_a_set_that_finds_nothing_at_all_is_not_believed():
    class OutOfMemory:
        def Match(self, _):  # noqa: N802 - as RE2 calls it
            return None

    combined = matches.Combined([matches.Matches.read("b", lambda _: ())])
    assert combined.found("abc") == [0]
    combined._set = OutOfMemory()
    assert combined.found("abc") == [0]
    assert combined.found("acc") == []


def test_rules_that_ask_the_same_share_one_check(build):
    ruleset = build(*({"when": {"labels.service": f"s{n}", "severity": ["a", "b"]}} for n in range(10)))
    ((_, table),) = ruleset._root.tables
    assert len({id(candidate.check) for candidate in table.values()}) == 1


def test_an_index_over_nothing_is_empty():
    root = compiling.compile_rules([], "v")
    assert (root.tables, root.wide, root.sets, root.rest) == ((), None, (), None)
