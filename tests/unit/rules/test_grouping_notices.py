"""One incident per alert, and alerts without any of the rule's grouping fields."""

import pytest

from router.rules import explain, grouping_notices, incident_keys


def test_alerts_of_one_source_differ_by_fingerprint(build, make_alert):
    ruleset = build({"name": "all", "group_by": ["fingerprint"]})
    assert ruleset.decide(make_alert(fingerprint="disk"), 0).incident_key == 'all{fingerprint="am/disk"}'


def test_equal_fingerprints_of_two_sources_are_two_incidents(build, make_alert):
    ruleset = build({"name": "all", "when": {"fingerprint": "x"}, "group_by": ["fingerprint"]})
    made = {ruleset.decide(make_alert(source=source, fingerprint="x"), 0).incident_key for source in "ab"}
    assert len(made) == 2


@pytest.mark.parametrize(
    "key",
    ['r{labels.a=""}', 'r{labels.a="",labels.b=""}', 'r{source="am",labels.a=""}', 'r{labels.a="",source="x\\"y"}',
     'r{labels.a=""} (test)'],
)  # fmt: skip
def test_key_of_empty_values_is_ungrouped(key):
    assert incident_keys.is_ungrouped(key)


@pytest.mark.parametrize(
    "key",
    ["r", 'r{labels.a="1"}', 'r{labels.a="",labels.b="1"}', 'r{labels.a="x=\\"\\""}', 'r{source="am"}',
     'r{fingerprint="am/1"}', 'r{labels.source="x",labels.a=""}'],
)  # fmt: skip
def test_key_with_a_value_is_grouped(key):
    assert not incident_keys.is_ungrouped(key)


def test_alert_without_any_group_field_gets_a_notice(build, make_alert):
    ruleset = build({"name": "all", "group_by": ["labels.a", "labels.b"]})
    bare, labeled, resolved = make_alert(), make_alert({"a": "1"}), make_alert(status="resolved")
    (notice,) = grouping_notices.notices([(one, ruleset.decide(one, 0)) for one in (bare, labeled, resolved)])
    assert (notice.code, notice.where, notice.fingerprint) == ("group_empty", "group_by", "f")
    assert "rule all" in notice.detail
    assert "group_by: [fingerprint]" in notice.detail
    assert explain.explain_alert(ruleset, bare, 0).why == notice.detail
    assert explain.explain_alert(ruleset, labeled, 0).why == ""
