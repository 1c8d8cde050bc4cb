"""The labels that rules reference are kept when an alert has too many labels."""

import pytest

from router.rules import load, referenced_labels

RULES = """
lists:
  teams: [web, api]
rules:
  - name: earlier
    when: {labels.earlier: x}
    group_by: [labels.cause]
    open: [{at: on-call, name: n}]
  - name: all
    when:
      labels.condition: {starts_with: a}
      any: [{labels.grouped: b}, {none: [{labels.nested: c}]}]
    unless: {annotations.unwanted: {exists: true}}
    expr: '"in.it" in alert.labels && alert.labels["by-name"] == "x" && alert.labels.dotted != ""'
    severity: {from: labels.level, map: {high: critical}}
    group_by: [labels.cluster, source]
    labels: {copy: {from: labels.copied}, set: "fixed"}
    inhibited_by: [earlier]
    public: {alert.labels.region: {values: [eu]}}
    open:
      - at: on-call
        name: "x {{ alert.labels.titled | default: alert.annotations['quoted.name'] }}"
"""


@pytest.fixture
def label_names(folder, destinations):
    return load.load(folder(rules=RULES), destinations).labels_named()


@pytest.mark.parametrize(
    "name",
    [
        *("earlier", "cause", "condition", "grouped", "nested", "unwanted", "in.it", "by-name", "dotted", "level"),
        *("cluster", "copied", "region", "titled", "quoted.name"),
    ],
)
def test_labels_are_found_anywhere_in_rules(label_names, name):
    assert name in label_names


def test_unreferenced_labels_are_not_found(label_names):
    assert not {"instance", "web", "fixed"} & label_names


def test_mappings_in_tuples_are_searched_for_labels():
    """Only a tuple of texts is a public variable. Other tuples are searched like lists."""
    assert set(referenced_labels._names_in_parts(("x", {"title": "{{ alert.labels.region }}"}, 3))) == {"region"}
    assert set(referenced_labels._names_in_parts(("alert", "labels", "region"))) == {"region"}
