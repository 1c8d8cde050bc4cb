"""Inhibition keys of decisions: which alerts mute which others."""

import pytest

from router.rules import load

BOTH = {"labels.severity": ["critical", "warning"]}
RULES = {"a": "rules: [{name: all, when: {}, group_by: [labels.x], open: [{at: on-call}]}]\n"}


@pytest.fixture
def inhibiting_rules(folder, destinations):
    """Load a file with ``inhibit_rules``."""

    def make(rules, **more):
        return load.load(folder(a=f"inhibit_rules:\n{rules}\n{RULES['a']}", **more), destinations)

    return make


def keys(ruleset, alert):
    decision = ruleset.decide(alert, 0)
    return decision.inhibits, decision.while_open


CLUSTER = (
    "  - {name: cluster, source_match: {labels.n: Down}, target_match: {labels.n: [Pod, Node]}, equal: [labels.c]}"
)


def test_source_supports_the_key_that_mutes_its_target(inhibiting_rules, make_alert):
    ruleset = inhibiting_rules(CLUSTER)
    assert keys(ruleset, make_alert({"n": "Down", "c": 'e"1'})) == (('inhibit:cluster{labels.c="e\\"1"}',), ())
    assert keys(ruleset, make_alert({"n": "Pod", "c": 'e"1'})) == ((), ('inhibit:cluster{labels.c="e\\"1"}',))
    assert keys(ruleset, make_alert({"n": "Other", "c": "1"})) == ((), ())


def test_absent_label_equals_an_absent_label(inhibiting_rules, make_alert):
    ruleset = inhibiting_rules(CLUSTER)
    assert keys(ruleset, make_alert({"n": "Down"}))[0] == keys(ruleset, make_alert({"n": "Node"}))[1]


def test_alert_on_both_sides_does_not_inhibit_itself(inhibiting_rules, make_alert):
    """As in Alertmanager, alerts that match both sides don't inhibit one another, and no alert inhibits itself."""
    ruleset = inhibiting_rules(
        "  - {name: worse, source_match: {labels.s: [critical, warning]}, target_match: {labels.s: [warning, info]}}"
    )
    assert keys(ruleset, make_alert({"s": "critical"})) == (("inhibit:worse",), ())
    assert keys(ruleset, make_alert({"s": "warning"})) == (("inhibit:worse:both",), ("inhibit:worse",))
    assert keys(ruleset, make_alert({"s": "info"})) == ((), ("inhibit:worse", "inhibit:worse:both"))


def test_resolved_source_names_the_key_that_it_supported(inhibiting_rules, make_alert):
    ruleset = inhibiting_rules(CLUSTER)
    assert keys(ruleset, make_alert({"n": "Down"}, status="resolved")) == keys(ruleset, make_alert({"n": "Down"}))


def test_test_alerts_mute_only_test_alerts(inhibiting_rules, make_alert):
    ruleset = inhibiting_rules(CLUSTER)
    ((real,), _) = keys(ruleset, make_alert({"n": "Down"}))
    ((tried,), _) = keys(ruleset, make_alert({"n": "Down", "test": "true"}))
    assert tried == f"{real} (test)"
    assert keys(ruleset, make_alert({"n": "Pod", "test": "true"}))[1] == (tried,)


def test_ignored_alert_mutes_others(folder, destinations, make_alert):
    text = f"inhibit_rules:\n{CLUSTER}\nrules:\n  - {{name: r, when: {{labels.n: Pod}}, open: []}}\n"
    ruleset = load.load(folder(a=text), destinations)
    decision = ruleset.decide(make_alert({"n": "Down"}), 0)
    assert (decision.ignored, decision.inhibits) == ("no rule matched", ('inhibit:cluster{labels.c=""}',))


def test_inhibit_rules_apply_only_to_their_file(folder, destinations, make_alert):
    path = folder(
        a="rules: [{name: one, when: {labels.n: Pod}, open: []}]",
        b=f"inhibit_rules:\n{CLUSTER}\nrules: [{{name: two, when: {{labels.n: Node}}, open: []}}]",
    )
    ruleset = load.load(path, destinations)
    assert keys(ruleset, make_alert({"n": "Pod"})) == ((), ())
    assert keys(ruleset, make_alert({"n": "Node"})) == ((), ('inhibit:cluster{labels.c=""}',))
    (path / "folder.yaml").write_text("inhibit_rules:\n" + CLUSTER.replace("name: cluster", "name: everywhere"))
    ruleset = load.load(path, destinations)
    assert keys(ruleset, make_alert({"n": "Pod"})) == ((), ('inhibit:everywhere{labels.c=""}',))


OVER = [
    {"name": "db", "when": {"labels.service": "postgres"}, "group_by": ["labels.service", "labels.region"]},
    {
        "name": "login",
        "when": {"labels.service": "login"},
        "inhibited_by": [{"rule": "db", "equal": ["labels.region"]}],
        "labels": {"region": {"from": "labels.zone"}},
    },
]


def test_rule_is_inhibited_by_another_with_equal_labels(build, make_alert):
    ruleset = build(*OVER)
    source = ruleset.decide(make_alert({"service": "postgres", "region": "eu"}), 0)
    target = ruleset.decide(make_alert({"service": "login", "zone": "eu", "region": "no"}), 0)
    assert source.inhibits == target.while_open == ('inhibit:db{labels.region="eu"}',)
    assert source.while_open == target.inhibits == ()


def test_alert_of_both_rules_does_not_mute_itself(build, make_alert):
    ruleset = build(
        {"name": "one", "when": {"labels.a": "1"}, "continue": True},
        {"name": "two", "when": {"labels.a": ["1", "2"]}, "inhibited_by": [{"rule": "one"}]},
    )
    assert keys(ruleset, make_alert({"a": "1"})) == (("inhibit:one",), ())
    assert keys(ruleset, make_alert({"a": "2"})) == ((), ("inhibit:one",))


def test_name_is_unique_over_rules_and_inhibit_rules(folder, destinations):
    path = folder(a=f"inhibit_rules:\n{CLUSTER}\nrules: [{{name: cluster, when: {{}}, open: []}}]")
    with pytest.raises(load.RulesRefused, match=r"the name is taken by the inhibit rule at a\.yaml:2"):
        load.load(path, destinations)


def test_inhibit_rule_cannot_be_named_by_inhibited_by(folder, destinations):
    text = f"inhibit_rules:\n{CLUSTER}\nrules: [{{name: r, when: {{}}, inhibited_by: [cluster], open: []}}]"
    with pytest.raises(load.RulesRefused, match='there is no rule "cluster"'):
        load.load(folder(a=text), destinations)


def test_isolated_folder_keeps_its_last_good_inhibitions(folder, destinations, make_alert):
    path = folder(a="rules: []")
    inner = path / "pay"
    inner.mkdir()
    (inner / "folder.yaml").write_text(f"isolate: true\ninhibit_rules:\n{CLUSTER}\n")
    (inner / "1.yaml").write_text("rules: [{name: r, when: {}, open: []}]")
    first = load.load_apart(path, destinations)
    (inner / "folder.yaml").write_text("isolate: true\ninhibit_rules: [{name: x}]\n")
    second = load.load_apart(path, destinations, first.good)
    assert list(second.refused) == ["pay"]
    for loaded in (first, second):
        assert keys(loaded.rules, make_alert({"n": "Pod"}))[1] == ('inhibit:cluster{labels.c=""}',)
