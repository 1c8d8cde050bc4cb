"""Finding rules through the index: each alert is tested only against candidate rules."""

import pytest

from router.rules import decide
from router.rules.compile import compile_rules
from router.rules.conditions import condition, regex

SCOPE = condition.Scope(lambda _, __: ())


def chain(first):
    """Return the candidates of a chain, in order."""
    links = []
    while first is not None:
        links.append(first)
        first = first.next
    return links


def candidates_met(ruleset, one):
    """Count the candidates that the walk visits for one alert."""
    met = 0
    walk = decide.walk

    def counted(candidate, *others):
        nonlocal met
        link = candidate
        while link is not None:
            met += 1
            link = link.next
        return walk(candidate, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decide, "walk", counted)
        ruleset.decide(one, 0)
    return met


def test_alert_is_compared_only_with_candidate_rules(build, make_alert):
    ruleset = build(*({"when": {"labels.service": f"s{n}", "severity": ["a", "b"]}} for n in range(2000)))
    assert candidates_met(ruleset, make_alert({"service": "s1234"}, severity="a")) == 1
    assert candidates_met(ruleset, make_alert({"service": "unknown"}, severity="a")) == 0


def test_text_shared_by_many_rules_is_split_further(build, make_alert):
    rules = [
        {"when": {"labels.team": "t", "labels.service": f"s{n % 100}", "labels.region": f"r{n // 100}"}}
        for n in range(2000)
    ]
    ruleset = build(*rules)
    alert = make_alert({"team": "t", "service": "s42", "region": "r7"})
    assert ruleset.decide(alert, 0).response.rule == "r742"
    assert candidates_met(ruleset, alert) == 1


def test_rules_over_many_labels_are_indexed(build, make_alert):
    ruleset = build(*({"when": {f"labels.l{n}": "x"}} for n in range(500)), {"when": {"labels.other": ""}})
    alert = make_alert({"l321": "x", "l400": "x"})
    assert ruleset.decide(alert, 0).response.rule == "r321"
    assert ruleset.decide(make_alert({"l1": "y"}), 0).response.rule == "r500"
    assert candidates_met(ruleset, alert) <= 3
    assert ruleset._root.label_tables is not None


def test_rules_with_only_patterns_share_pattern_sets(build, make_alert):
    ruleset = build(*({"when": {"title": {"matches": f"number {n}$"}}} for n in range(1000)))
    assert ruleset.decide(make_alert(title="this is number 777"), 0).response.rule == "r777"
    assert ruleset.decide(make_alert(title="this is number 7777"), 0).ignored
    assert ruleset._root.rest is None
    assert len(ruleset._root.sets) == 4


def test_patterns_around_an_equality_keep_rule_order(build, make_alert):
    ruleset = build(
        {"when": {"title": {"matches": "first"}}},
        {"when": {"labels.a": "1"}},
        {"when": {"title": {"matches": "second"}}},
    )
    named = {
        title: ruleset.decide(make_alert({"a": "1"}, title=title), 0).response.rule for title in ("first", "second")
    }
    assert named == {"first": "r0", "second": "r1"}
    assert ruleset.decide(make_alert(title="second"), 0).response.rule == "r2"


def test_patterns_below_a_shared_text_share_sets(build, make_alert):
    ruleset = build(*({"when": {"labels.service": "shop", "title": {"matches": f"^error {n} "}}} for n in range(100)))
    assert ruleset.decide(make_alert({"service": "shop"}, title="error 63 again"), 0).response.rule == "r63"
    assert ruleset.decide(make_alert({"service": "other"}, title="error 63 again"), 0).ignored


def test_rules_with_only_prefixes_are_found_by_prefix(build, make_alert):
    ruleset = build(*({"when": {"title": {"starts_with": f"[{n:04}] disk"}}} for n in range(2000)))
    alert = make_alert(title="[1234] disk full")
    assert ruleset.decide(alert, 0).response.rule == "r1234"
    assert candidates_met(ruleset, alert) == 1
    assert ruleset.decide(make_alert(title="[1234] dis"), 0).ignored
    assert ruleset._root.rest is None


def test_prefixes_of_many_lengths_keep_rule_order(build, make_alert):
    ruleset = build(*({"when": {"title": {"starts_with": "x" * (50 - n)}}} for n in range(50)))
    for length in (1, 7, 50, 90):
        assert ruleset.decide(make_alert(title="x" * length), 0).response.rule == f"r{max(50 - length, 0)}"
    assert ruleset.decide(make_alert(title="y"), 0).ignored


def test_rule_with_several_prefixes_is_found_once(build, make_alert):
    ruleset = build(
        {"when": {"title": {"starts_with": ["a", "ab", "cde"]}}, "continue": True, "open": [{"at": "on-call"}]},
        {"when": {"title": {"starts_with": ["ab", "cd"]}}, "open": [{"at": "second"}]},
    )
    found = {
        title: [target.destination for target in decision.response.targets]
        for title in ("abc", "ac", "cde", "cdx")
        if (decision := ruleset.decide(make_alert(title=title), 0)).response
    }
    assert found == {"abc": ["on-call", "second"], "ac": ["on-call"], "cde": ["on-call", "second"], "cdx": ["second"]}


def test_prefix_shared_by_many_rules_is_split_further(build, make_alert):
    ruleset = build(
        *({"when": {"title": {"starts_with": "[shop]"}, "labels.service": f"s{n}"}} for n in range(1000)),
        *({"when": {"title": {"starts_with": "[shop]"}, "labels.host": {"starts_with": f"h{n}-"}}} for n in range(500)),
    )
    alert = make_alert({"service": "s77"}, title="[shop] down")
    assert ruleset.decide(alert, 0).response.rule == "r77"
    assert candidates_met(ruleset, alert) == 1
    assert ruleset.decide(make_alert({"host": "h499-a"}, title="[shop] down"), 0).response.rule == "r1499"
    assert ruleset.decide(make_alert({"host": "h499-a"}, title="[shop"), 0).ignored


def test_rules_with_several_long_lists_are_indexed(build, make_alert):
    wanted = {f"labels.l{field}": [f"v{n}" for n in range(200)] for field in range(4)}
    ruleset = build(*({"when": {**wanted, "labels.n": {"not": str(n)}}} for n in range(200)))
    assert ruleset.decide(make_alert({f"l{field}": "v5" for field in range(4)} | {"n": "0"}), 0).response.rule == "r1"


def test_set_out_of_memory_falls_back_to_patterns(monkeypatch):
    patterns = [regex.Matches.read(f"(?i)service{n}.*timed? ?out", SCOPE) for n in range(40)]
    monkeypatch.setattr(regex.CombinedPatterns, "_MEMORY", 20_000)
    assert regex.CombinedPatterns(patterns).find_matches("Service17 timed out, service3 too: time out") == [1, 3, 17]


def test_pattern_set_without_a_match_is_verified():
    class OutOfMemory:
        def Match(self, _):  # noqa: N802 - as RE2 calls it
            return None

    combined = regex.CombinedPatterns([regex.Matches.read("b", SCOPE)])
    assert combined.find_matches("abc") == [0]
    combined._set = OutOfMemory()
    assert combined.find_matches("abc") == [0]
    assert combined.find_matches("acc") == []


def test_equal_conditions_share_one_predicate(build):
    ruleset = build(*({"when": {"labels.service": f"s{n}", "severity": ["a", "b"]}} for n in range(10)))
    ((_, table),) = ruleset._root.tables
    assert len({id(candidate.predicate) for candidate in table.values()}) == 1


def test_index_without_rules_is_empty():
    root = compile_rules([], "v")
    assert (root.tables, root.label_tables, root.sets, root.rest) == ((), None, (), None)


def test_worked_example_of_the_compiler_is_correct(build, make_alert):
    rules = build(
        {"name": "r0", "when": {"labels.service": "checkout", "severity": "critical"}},
        {"name": "r1", "when": {"labels.service": ["checkout", "orders"]}},
        {"name": "r2", "when": {"title": {"matches": "timed? ?out"}}},
        {"name": "r3", "when": {}},
    )
    root = rules._root
    ((_, table),) = root.tables
    assert {text: [link.number for link in chain(first)] for text, first in table.items()} == {
        "checkout": [0, 1],
        "orders": [1],
    }
    assert [link.predicate is None for link in chain(table["checkout"])] == [False, True]
    assert (root.sets, [link.number for link in chain(root.rest)]) == ((), [2, 3])
    assert rules.decide(make_alert({"service": "orders"}), 0).response.rule == "r1"
    assert rules.decide(make_alert(title="timeout"), 0).response.rule == "r2"
