"""Component statuses that follow alerts: validated on load, and kept separate from the post."""

import pytest

from router.destinations import registry
from router.domain import affected_components, decisions
from router.rules import destination_info, explain, load

PARTS = {"labels.service": {"pay": "Checkout API"}}
KINDS = ("devhelm-status-page", "incident-io-status-page")


def rules(own, *, kind=KINDS[0], defaults=None):
    at = {"page": destination_info.DestinationInfo(registry.KINDS[kind].opening, True, kind, defaults or {})}
    opening = {"at": "page", "title": "Down", "message": "Sorry.", **own}
    return load.build([{"name": "r", "when": {}, "open": [opening]}], at, "v1")


@pytest.mark.parametrize("kind", KINDS)
def test_affected_components_are_not_sent_to_the_page(kind):
    (target,) = rules({"components_from": PARTS}, kind=kind).rules[0].targets
    assert target.parts == PARTS
    assert target.fields == {"title": "Down", "message": "Sorry."}


def test_rule_overrides_the_destination_defaults():
    defaults = {"components_from": {"labels.team": {"web": "Website"}}}
    assert rules({}, defaults=defaults).rules[0].targets[0].parts == defaults["components_from"]
    assert rules({"components_from": PARTS}, defaults=defaults).rules[0].targets[0].parts == PARTS
    assert rules({}).rules[0].targets[0].parts == {}


def test_decision_contains_the_affected_components(make_alert):
    alert = make_alert({"service": "pay"})
    decided = rules({"components_from": PARTS}).decide(alert, 0)
    assert affected_components.find_affected(decisions.Routed(alert, decided)) == (("page", "Checkout API"),)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"service": {"pay": "A"}}, "must be a field: labels"),
        ({"labels.a b": {"pay": "A"}}, "must be a field: labels"),
        ({"labels.service": {"pay": ""}}, "must not be empty"),
        ({"labels.service": "A"}, "mapping"),
    ],
)
def test_invalid_mapping_is_refused_with_its_position(said, wrong):
    with pytest.raises(load.RulesRefused) as refused:
        rules({"components_from": said})
    assert wrong in str(refused.value)


def test_explanation_shows_the_component_mapping(make_alert):
    told = explain.explain_alert(
        rules({"components_from": PARTS}), make_alert({"service": "pay"}), 0, frozenset({"page"})
    )
    (post,) = told.posts
    assert post.fields["components_from"] == PARTS
