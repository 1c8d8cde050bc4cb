"""Azure's common alert schema, beyond the contract's cases."""

import pytest

from router.sources import azure, base, reading

NOW = 1_772_450_000_000_000


def parse(context: object = None, custom: object = None, **essentials) -> base.Parsed:
    whole = {"alertId": "/A/1", "alertRule": "r", "monitorCondition": "Fired", **essentials}
    data = {"essentials": whole, "alertContext": context, "customProperties": custom}
    return azure.read(reading.Reading("here", NOW), {"schemaId": "azureMonitorCommonAlertSchema", "data": data})


def parse_one(*arguments, **essentials):
    return parse(*arguments, **essentials).alerts[0]


def condition(**fields) -> dict:
    return {"condition": {"allOf": [fields]}}


@pytest.mark.parametrize(
    ("body", "where", "problem"),
    [
        ({}, "schemaId", "enable the common alert schema"),
        ({"schemaId": "AzureMonitorMetricAlert", "data": {}}, "schemaId", "enable the common alert schema"),
        ({"schemaId": "azureMonitorCommonAlertSchema"}, "data", "missing"),
        ({"schemaId": "azureMonitorCommonAlertSchema", "data": {}}, "data.essentials", "missing"),
    ],
)
def test_other_schema_is_refused_with_advice(body, where, problem):
    with pytest.raises(base.Unparsable) as caught:
        azure.read(reading.Reading("here", NOW), body)
    assert caught.value.where == where
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("essentials", "field", "problem"),
    [
        ({"monitorCondition": "Paused"}, "monitorCondition", "'Paused' is neither Fired nor Resolved"),
        ({"monitorCondition": None}, "monitorCondition", "'' is neither"),
        ({"alertId": ""}, "alertId", "missing or empty"),
    ],
)
def test_invalid_field_is_refused_with_its_name(essentials, field, problem):
    with pytest.raises(base.Unparsable) as caught:
        parse(**essentials)
    assert caught.value.where == f"data.essentials.{field}"
    assert problem in caught.value.problem


def test_alert_identity_ignores_the_case_of_its_id():
    assert parse_one(alertId="/Sub/A/Microsoft.X/1").identity == parse_one(alertId="/sub/a/microsoft.x/1").identity


def test_resolved_alert_without_end_ends_now():
    alert = parse_one(monitorCondition="resolved", firedDateTime="2026-03-02T09:15:30.0000001Z")
    assert (alert.starts_at, alert.ends_at) == (1_772_442_930_000_000, NOW)
    assert parse_one().starts_at == NOW


def test_labels_come_from_user_dimensions_and_azure():
    context = condition(dimensions=[{"name": "Motor", "value": "left"}, {"name": "rule", "value": "x"}])
    assert parse_one(context, {"team": "a", "Motor": "y"}, signalType="Metric").labels == {
        "team": "a",
        "Motor": "left",
        "rule": "r",
        "signal_type": "Metric",
    }


def test_resource_details_are_labels():
    found = parse_one(resourceType="vm", resourceGroupName="g", monitoringService="Platform", signalType="Log").labels
    assert found == {
        "rule": "r",
        "resource_type": "vm",
        "resource_group": "g",
        "monitoring_service": "Platform",
        "signal_type": "Log",
    }


def test_target_is_the_first_resource_in_lower_case():
    assert parse_one(alertTargetIDs=["/Sub/VM", "/Sub/Other"]).labels["target"] == "/sub/vm"
    for odd in (None, [], "x", [None], {}):
        assert "target" not in parse_one(alertTargetIDs=odd).labels


@pytest.mark.parametrize(
    "context",
    [None, "x", [], {}, {"condition": None}, {"condition": {"allOf": None}}, {"condition": {"allOf": [7, None]}}]
    + [condition(dimensions=odd) for odd in (None, "x", [None], [{}], [{"name": "a"}], [{"value": "b"}])],
)
def test_context_of_another_service_is_ignored(context):
    assert parse_one(context).labels == {"rule": "r"}


def test_values_are_those_of_the_first_condition():
    context = {"condition": {"allOf": [{"metricName": "m", "threshold": "1", "metricValue": 2}, {"metricName": "n"}]}}
    assert parse_one(context, description="d").annotations == {
        "description": "d",
        "metric": "m",
        "threshold": "1",
        "value": "2",
    }


def test_link_is_the_investigation_or_search_link():
    context = condition(linkToSearchResultsUI="s", linkToFilteredSearchResultsUI="f")
    assert parse_one(context, investigationLink="i").link == "i"
    assert parse_one(context).link == "f"
    assert parse_one(condition(linkToSearchResultsUI="s")).link == "s"
    assert parse_one().link == ""


@pytest.mark.parametrize("severity", ["Sev0", "Sev1", "Sev2", "Sev3", "Sev4"])
def test_severity_keeps_azure_s_name(severity):
    assert parse_one(severity=severity).severity == severity


def test_only_rule_properties_become_labels():
    rule = {"properties": {"team": "payments", "runbook": "https://wiki/x"}, **condition(metricName="m")}
    assert parse_one(rule, {"team": "web"}).labels == {"rule": "r", "team": "web", "runbook": "https://wiki/x"}
    assert parse_one({"properties": {"title": "an event"}}).labels == {"rule": "r"}
    assert parse_one({"properties": ["x"], **condition()}).labels == {"rule": "r"}


def test_details_of_older_log_alerts_are_read():
    context = {
        "Dimensions": [{"name": "Computer", "value": "vm-1"}],
        "LinkToSearchResults": "https://portal/all",
        "LinkToFilteredSearchResultsUI": "https://portal/filtered",
    }
    alert = parse_one(context)
    assert (alert.labels["Computer"], alert.link) == ("vm-1", "https://portal/filtered")
    assert parse_one({"LinkToSearchResults": "https://portal/all"}).link == "https://portal/all"
    assert parse_one(context, investigationLink="https://portal/i").link == "https://portal/i"
