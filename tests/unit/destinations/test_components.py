"""Component statuses: set by the rule, or derived from the severity."""

import pytest

from router.destinations import components, severity_mapping
from router.domain import severities


def test_statuses_set_by_the_rule_ignore_the_severity():
    said = {"API": "degraded_performance", "Website": "operational"}
    assert components.statuses(said, severities.Severity.CRITICAL, components.DEFAULT_STATUSES) == said


@pytest.mark.parametrize(
    ("severity", "status"),
    [
        ("critical", "major_outage"),
        ("major", "partial_outage"),
        ("minor", "degraded_performance"),
        ("info", "operational"),
    ],
)
def test_status_of_a_listed_component_follows_the_severity(severity, status):
    found = components.statuses(("API", "Website"), severities.parse(severity), components.DEFAULT_STATUSES)
    assert found == {"API": status, "Website": status}


def test_configured_severity_mapping_overrides_the_defaults():
    mapping = severity_mapping.fill_defaults(components.DEFAULT_STATUSES)({"critical": "partial_outage"})
    assert components.statuses(("API",), severities.Severity.CRITICAL, mapping) == {"API": "partial_outage"}


def test_severity_is_mapped_to_a_component_status():
    said = {"API": "critical", "Website": "operational"}
    found = components.statuses(said, severities.Severity.MINOR, components.DEFAULT_STATUSES)
    assert found == {"API": "major_outage", "Website": "operational"}
