"""The rule files of the example deployment load with the real destinations and decide as intended."""

import pathlib

import pytest

from router.destinations import registry
from router.domain import severities
from router.rules import destination_info, load, templates
from router.yaml_source import documents

ROOT = pathlib.Path(__file__).parents[3]
CONFIGURED = documents.read(ROOT / "incident-router.yaml").data["destinations"]


@pytest.fixture(scope="module")
def ruleset():
    destinations = {
        name: destination_info.DestinationInfo(
            registry.KINDS[config["kind"]].opening, registry.KINDS[config["kind"]].public, config["kind"],
            config.get("defaults", {}),
        )
        for name, config in CONFIGURED.items()
    }  # fmt: skip
    return load.load(ROOT / "rules", destinations)


def targets(decision):
    return {target.destination: target.publish for target in decision.response.targets}


def test_failing_checkout_opens_everywhere_and_publishes_immediately(ruleset, make_alert):
    decision = ruleset.decide(make_alert({"service": "checkout", "region": "eu"}, severity="page", title="5xx"), 0)
    assert decision.response.rule == "checkout-down"
    assert decision.severity is severities.Severity.CRITICAL
    assert decision.incident_key == 'checkout-down{labels.service="checkout",labels.region="eu"}'
    public = {
        target.destination: target.publish for target in decision.response.targets if "page" in target.destination
    }
    assert set(targets(decision)) == set(CONFIGURED)
    assert public == {"public-page": "auto", "devhelm-page": "auto"}


def test_slow_checkout_waits_for_a_review(ruleset, make_alert):
    decision = ruleset.decide(make_alert({"service": "checkout"}, severity="warning", title="Checkout is slow"), 0)
    assert decision.response.rule == "checkout-slow"
    assert targets(decision)["public-page"] == "review"


@pytest.mark.parametrize(
    ("labels", "others", "rule"),
    [
        ({"job": "postgres", "cluster": "main", "env": "production"}, {"severity": "critical"}, "database-trouble"),
        ({"service": "api-orders", "region": "Europe", "error_rate": "0.5"}, {}, "api-errors"),
        ({"alertname": "CertificateExpires", "days_left": "20"}, {}, "certificate-expires"),
        ({"service": "search", "alertname": "SearchIndexStale"}, {}, "search-index-stale"),
        ({"service": "search", "alertname": "Other"}, {}, "other-named-alerts"),
        ({}, {}, "everything-else"),
    ],
)
def test_each_alert_matches_its_rule(ruleset, make_alert, labels, others, rule):
    assert ruleset.decide(make_alert(labels, **others), 0).response.rule == rule


def test_staging_alert_is_ignored(ruleset, make_alert):
    decision = ruleset.decide(make_alert({"env": "staging", "job": "postgres"}), 0)
    assert decision.ignored == "only alerts of production open incidents"


def test_every_text_renders_for_an_empty_alert(ruleset):
    for rule in ruleset.rules:
        for target in rule.targets:
            for name, value in templates.render(target.fields, templates.sample()).items():
                assert value not in {"", None} if isinstance(value, str) else True, (rule.name, name)


def test_catch_all_rule_separates_senders_and_alert_names(ruleset, make_alert):
    """Most source types send neither an alert name nor a service."""
    alerts = [make_alert({"alertname": name}, source=kind) for kind in ("a", "b") for name in ("", "Up")]
    assert len({ruleset.decide(alert, 0).incident_key for alert in alerts}) == 4
