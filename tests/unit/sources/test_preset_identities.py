"""The fingerprint of a preset's alert depends on its monitor and not on its values, so it lasts until resolution."""

import copy
from typing import Any

import pytest

from tests.unit.sources import parsing

Change = tuple[str, Any]


def replace_members(body: dict[str, Any], changes: list[Change]) -> dict[str, Any]:
    """Return the body with replaced members: ``a/b`` is the member ``b`` of ``a``, and None removes it."""
    body = copy.deepcopy(body)
    for path, value in changes:
        *above, last = path.split("/")
        holder = body
        for name in above:
            holder = holder[name]
        if value is None:
            holder.pop(last, None)
        else:
            holder[last] = value
    return body


def key(kind: str, case: str, changes: list[Change]) -> str:
    return parsing.parse_one(kind, replace_members(parsing.body(kind, case), changes)).fingerprint


INCIDENT = "public_incident.incident_created_v2"
# Members that change during one alert, or that only change its wording.
SAME = [
    ("argocd", "degraded", [("message", "another one"), ("revision", "1a2b"), ("sync", "OutOfSync")]),
    ("axiom", "open", [("event/value", 99), ("event/title", "Booking errors: 99"), ("event/body", "99 is above")]),
    ("checkmk", "service-problem", [("service_output", "Flow 3 l/min"), ("service_state", "CRITICAL")]),
    ("checkmk", "service-problem", [("host_alias", "The pump"), ("host_address", "10.0.0.9")]),
    ("cloudflare", "start", [("text", "more of it"), ("name", "Renamed"), ("policy_name", "Renamed")]),
    ("coralogix", "trigger", [("alert_id", "an edited one"), ("description", "12 errors"), ("priority", "P1")]),
    ("cronitor", "alert", [("rule", "another rule"), ("description", "ran for 97 s"), ("monitor", "Renamed")]),
    ("gatus", "triggered", [("errors", "EOF"), ("description", "another"), ("endpoint_url", "https://b.example")]),
    ("github", "workflow-failure", [("workflow_run/id", 9), ("workflow_run/name", "Renamed")]),
    ("github", "workflow-failure", [("workflow_run/head_sha", "beef"), ("workflow_run/run_attempt", 2)]),
    ("github", "deployment-error", [("deployment_status/id", 9), ("deployment/ref", "fix")]),
    ("gitlab", "pipeline-failed", [("object_attributes/id", 99), ("object_attributes/sha", "beef")]),
    ("gitlab", "deployment-failed", [("deployment_id", 99), ("ref", "fix"), ("commit_title", "Another")]),
    ("gitlab", "alert", [("title", "Queue is 97% full"), ("hosts", ["q-3"]), ("severity", "low")]),
    ("healthchecks", "down", [("name", "Renamed"), ("tags", "other"), ("exit_status", "7")]),
    ("incident-io", "created", [(f"{INCIDENT}/name", "Renamed"), (f"{INCIDENT}/severity", {"name": "Minor"})]),
    ("kibana", "active", [("reason", "97%"), ("value", "97"), ("rule_name", "Renamed"), ("alert_uuid", "new")]),
    ("kibana", "active", [("action_group", "metrics.threshold.warning")]),
    ("librenms", "alert", [("title", "97% used"), ("state", "3"), ("elapsed", "9m"), ("uid", "new")]),
    ("netdata", "critical", [("message", "97%"), ("severity", "warning"), ("alert_url", "https://x.example/2")]),
    ("prtg", "down", [("lastvalue", "7 %"), ("message", "other"), ("sensor", "Renamed"), ("status", "Warning")]),
    ("site24x7", "down", [("INCIDENT_REASON", "other"), ("STATUS", "TROUBLE"), ("MONITORNAME", "Renamed")]),
    ("statuspage", "investigating", [("incident/name", "Renamed"), ("incident/impact", "minor")]),
    ("thousandeyes", "trigger", [("alert/violationCount", 9), ("alert/agents", []), ("alert/severity", "Minor")]),
]
# Members that distinguish monitors, hosts, groups, or places.
OTHER = [
    ("argocd", "degraded", [("app", "fares")]),
    ("argocd", "degraded", [("namespace", "argocd-2")]),
    ("argocd", "degraded", [("argocd_url", "https://argocd.eu.example.com")]),
    ("axiom", "open", [("event/monitorID", "another")]),
    ("axiom", "open-of-a-group", [("event/groupValues", ["booking", "south"])]),
    ("checkmk", "service-problem", [("service_desc", "Pressure")]),
    ("checkmk", "service-problem", [("host_name", "pump-4")]),
    ("checkmk", "service-problem", [("site", "south")]),
    ("checkmk", "service-problem", [("service_desc", ""), ("host_state", "DOWN")]),
    ("cloudflare", "start", [("alert_correlation_id", "another")]),
    ("cloudflare", "health-check-unhealthy", [("data/health_check_id", "another")]),
    ("cloudflare", "without-states", [("data/zone_name", "lake.example.com")]),
    ("cloudflare", "without-states", [("alert_type", "another")]),
    ("coralogix", "trigger", [("unique_identifier", "another")]),
    ("coralogix", "trigger-of-a-group", [("group_by_labels", "host:web-2")]),
    ("cronitor", "alert", [("id", "another")]),
    ("cronitor", "alert", [("environment", "staging")]),
    ("gatus", "triggered", [("endpoint_name", "fares")]),
    ("gatus", "triggered", [("endpoint_group", "lake")]),
    ("github", "workflow-failure", [("workflow_run/workflow_id", 9)]),
    ("github", "workflow-failure", [("workflow_run/head_branch", "next")]),
    ("github", "workflow-failure", [("workflow_run/head_repository/full_name", "ben/ferry")]),
    ("github", "workflow-failure", [("repository/full_name", "acme/lake")]),
    ("github", "deployment-error", [("deployment_status/environment", "staging")]),
    ("gitlab", "pipeline-failed", [("object_attributes/ref", "next")]),
    ("gitlab", "pipeline-failed", [("object_attributes/tag", True)]),
    ("gitlab", "pipeline-failed", [("object_attributes/source", "push")]),
    ("gitlab", "pipeline-failed", [("object_attributes/source", "parent_pipeline")]),
    ("gitlab", "pipeline-failed", [("object_attributes/name", "Nightly")]),
    ("gitlab", "pipeline-failed", [("project/path_with_namespace", "acme/lake")]),
    ("gitlab", "deployment-failed", [("environment", "staging")]),
    ("gitlab", "alert-without-fingerprint", [("hosts", ["q-3"])]),
    ("healthchecks", "down", [("code", "another")]),
    ("incident-io", "created", [(f"{INCIDENT}/id", "another")]),
    ("kibana", "active", [("alert_id", "web-2")]),
    ("kibana", "active", [("rule_id", "another")]),
    ("librenms", "alert", [("alert_id", "72")]),
    ("netdata", "critical", [("host", "lighthouse-2")]),
    ("netdata", "critical", [("chart", "disk_space._")]),
    ("netdata", "critical", [("alert", "another")]),
    ("netdata", "unreachable", [("host", "lighthouse-2")]),
    ("prtg", "down", [("sensorid", "9")]),
    ("site24x7", "down", [("MONITOR_ID", "9")]),
    ("statuspage", "investigating", [("incident/id", "another")]),
    ("statuspage", "investigating", [("page/id", "another")]),
    ("statuspage", "component-down", [("component/id", "another")]),
    ("thousandeyes", "trigger", [("alert/alertId", 9)]),
]


def name(value: object) -> str:
    return ",".join(path for path, _ in value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize(("kind", "case", "changes"), SAME, ids=name)
def test_changing_details_keep_the_fingerprint(kind, case, changes):
    assert key(kind, case, changes) == key(kind, case, [])


@pytest.mark.parametrize(("kind", "case", "changes"), OTHER, ids=name)
def test_another_monitor_has_another_fingerprint(kind, case, changes):
    assert key(kind, case, changes) != key(kind, case, [])
