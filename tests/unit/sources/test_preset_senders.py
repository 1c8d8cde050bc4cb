"""Behavior of single presets: alerts that belong together, alerts that don't, and the sender's vocabulary."""

import json

import pytest

from router.sources import base, registry
from tests.unit.sources import parsing


@pytest.mark.parametrize(
    ("kind", "found", "where"),
    [
        ("zabbix", {"event_value": "2", "event_id": "1"}, "status"),
        ("uptimerobot", {"alert_type": "4", "monitor_id": "1"}, "status"),
        ("dynatrace", {"State": "{State}", "ProblemTitle": "x"}, "status"),
        ("opsgenie", {"alert": {"alertId": "1"}}, "status"),
        ("betterstack", {"data": {"id": "1", "attributes": {}}}, "status"),
        ("nagios", {"notification_type": "PROBLEMS", "host_name": "x"}, "status"),
        ("icinga", {"incident": {"id": 1, "severity": "purple"}}, "status"),
        ("splunk-observability", {"status": "odd", "incidentId": "1", "rule": "x"}, "status"),
        ("checkly", {"alert_type": "ALERT_OF_NEXT_YEAR", "check_id": "1", "check_name": "x"}, "status"),
        ("statuscake", {"Status": "Down"}, "title"),
        ("statuscake", {"STATUS": "Paused", "NAME": "x"}, "status"),
        ("incident-io-alerts", {"status": "acked", "title": "x"}, "status"),
        ("devhelm", {"type": "incident.created", "data": {"id": "1", "title": "x"}}, "status"),
    ],
)
def test_payload_of_another_sender_is_unparsable(kind, found, where):
    with pytest.raises(base.Unparsable) as caught:
        parsing.parse(kind, found)
    assert caught.value.where == where


@pytest.mark.parametrize("state", ["OK", "up", "Ok"])
def test_healthy_nagios_state_has_no_severity(state):
    found = {**parsing.body("nagios", "service-recovery"), "service_state": state}
    assert parsing.parse_one("nagios", found).severity == ""


@pytest.mark.parametrize(
    ("event", "attributes", "at"),
    [
        ("", {"started_at": "2026-03-02T09:00:00Z"}, 1_772_442_000_000_000),
        ("acknowledged", {"started_at": "2026-03-02T09:00:00Z", "acknowledged_at": None}, parsing.NOW),
        ("reopened", {"started_at": "2026-03-02T09:00:00Z", "resolved_at": "2026-03-02T10:00:00Z"}, parsing.NOW),
    ],
)
def test_better_stack_start_depends_on_the_event(event, attributes, at):
    alert = parsing.parse_one(
        "betterstack", {"event": event, "data": {"id": "1", "attributes": {"name": "x", **attributes}}}
    )
    assert (alert.status, alert.starts_at) == ("firing", at)


def test_clock_ahead_does_not_end_a_firing_alert():
    ahead = str(parsing.NOW // 1_000_000 + 30)
    alert = parsing.parse_one("nagios", {**parsing.body("nagios", "service-problem"), "timet": ahead})
    assert (alert.starts_at, alert.ends_at) == (parsing.NOW + 30_000_000, 0)


def test_certificate_alert_differs_from_its_monitor_s():
    ends = parsing.parse_one("uptimerobot", parsing.body("uptimerobot", "certificate-ends"))
    down, up = (parsing.parse_one("uptimerobot", parsing.body("uptimerobot", case)) for case in ("down", "up"))
    assert ends.fingerprint != down.fingerprint == up.fingerprint


def test_splunk_search_is_one_alert_over_its_runs():
    first, again = (parsing.parse_one("splunk", parsing.body("splunk", case)) for case in ("search", "search-again"))
    assert first.fingerprint == again.fingerprint
    unnamed = {**parsing.body("splunk", "without-a-name"), "sid": "another"}
    assert (
        parsing.parse_one("splunk", unnamed).fingerprint
        == parsing.parse_one("splunk", parsing.body("splunk", "without-a-name")).fingerprint
    )
    began, over = (
        parsing.parse_one("splunk", parsing.body("splunk", case)) for case in ("row-with-a-key", "row-that-is-over")
    )
    assert (began.fingerprint, over.status) == (over.fingerprint, "resolved")


@pytest.mark.parametrize(
    ("word", "severity", "status"),
    [
        ("ALERT_FAILURE", "critical", "firing"),
        ("ALERT_FAILURE_REMAIN", "critical", "firing"),
        ("ALERT_DEGRADED_FAILURE", "critical", "firing"),
        ("ALERT_DEGRADED", "warning", "firing"),
        ("ALERT_DEGRADED_REMAIN", "warning", "firing"),
        ("ALERT_FAILURE_DEGRADED", "warning", "firing"),
        ("ALERT_SSL", "warning", "firing"),
        ("ALERT_RECOVERY", "", "resolved"),
        ("ALERT_DEGRADED_RECOVERY", "", "resolved"),
    ],
)
def test_every_checkly_alert_type_is_mapped(word, severity, status):
    alert = parsing.parse_one("checkly", {**parsing.body("checkly", "failure"), "alert_type": word})
    assert (alert.severity, alert.status) == (severity, status)


@pytest.mark.parametrize("dimensions", [None, "", [], "host=a"])
def test_splunk_observability_detector_may_lack_dimensions(dimensions):
    alert = parsing.parse_one("splunk-observability", {"status": "anomalous", "rule": "r", "dimensions": dimensions})
    assert alert.labels == {"rule": "r"}


@pytest.mark.parametrize("word", ["ok", "OK", "manually resolved", "stopped"])
def test_every_end_status_of_splunk_observability_resolves(word):
    found = {**parsing.body("splunk-observability", "anomalous"), "status": word}
    assert parsing.parse_one("splunk-observability", found).status == "resolved"


@pytest.mark.parametrize("case", [str.upper, str.lower, str.title])
def test_fields_of_statuscake_are_read_in_any_case(case):
    found = {case(name): value for name, value in parsing.body("statuscake", "down-with-an-id").items()}
    assert parsing.parse_one("statuscake", found) == parsing.parse_one(
        "statuscake", parsing.body("statuscake", "down-with-an-id")
    )


def test_incident_io_client_gets_incident_io_s_response():
    answer = registry.KINDS["incident-io-alerts"].answer
    found = parsing.parse("incident-io-alerts", {"title": "x", "status": "firing", "deduplication_key": "k"})
    assert answer(found, "delivery") == {
        "status": "success",
        "message": "Event accepted for processing",
        "deduplication_key": "k",
    }
    unnamed = parsing.parse("incident-io-alerts", {"title": "x", "status": "firing"})
    assert answer(unnamed, "delivery")["deduplication_key"] == unnamed.alerts[0].fingerprint
    assert answer(base.Parsed([]), "delivery")["deduplication_key"] == ""


@pytest.mark.parametrize(
    "envelope",
    [
        lambda incident: {"type": "incident.created", "data": incident},
        lambda incident: {"event": "incident.created", "data": {"incident": incident}},
        lambda incident: {"eventType": "incident.created", "incident": incident},
        lambda incident: {"payload": {"incident": incident, "attempt": 1}},
        lambda incident: incident,
    ],
)
def test_devhelm_incident_is_found_in_any_envelope(envelope):
    incident = parsing.body("devhelm", "created")["data"]
    alert = parsing.parse_one("devhelm", envelope(incident))
    assert (alert.fingerprint, alert.status, alert.title) == (incident["id"], "firing", "Tide gauge")


@pytest.mark.parametrize("event", ["monitor.created", "webhook.test", "service.status_changed"])
def test_other_devhelm_events_make_no_alert(event):
    found = parsing.parse("devhelm", {"type": event, "data": {"id": "1", "status": "TRIGGERED", "title": "x"}})
    assert (found.alerts, found.about) == ([], {"no_alert": f"{event} is not about an incident"})


def unnamed_search(sid: str = "s1", **row) -> str:
    """Return the fingerprint of a Splunk search without a name."""
    body = {"sid": sid, "search_name": None, "app": "search", "owner": "admin", "result": row}
    return parsing.parse_one("splunk", body).fingerprint


def test_unnamed_searches_of_splunk_are_different_alerts():
    found = [unnamed_search(host="db-1", count="8"), unnamed_search(host="web-7", error="disk")]
    found += [unnamed_search(host="db-2", count="8"), unnamed_search(host="db-1", users="8"), unnamed_search("s9")]
    assert len(set(found)) == len(found)


def test_unnamed_splunk_search_keeps_its_identity():
    assert unnamed_search("s1", host="db-1", count="8") == unnamed_search("s2", host="db-1", count="9")


@pytest.mark.parametrize("kind", ["checkly", "uptimerobot"])
def test_certificate_and_monitor_differ_without_ids(kind):
    certificate, up = {
        "checkly": (
            {"alert_type": "ALERT_SSL", "check_name": "shop"},
            {"alert_type": "ALERT_RECOVERY", "check_name": "shop"},
        ),
        "uptimerobot": (
            {"alert_type": "3", "monitor_name": "shop"},
            {"alert_type": "2", "monitor_name": "shop"},
        ),
    }[kind]
    assert parsing.parse_one(kind, certificate).fingerprint != parsing.parse_one(kind, up).fingerprint


def test_incident_io_events_without_key_stay_distinct():
    events = [
        {"title": "Disk full", "status": "firing", "metadata": {"host": "a"}},
        {"title": "Disk full", "status": "firing", "metadata": {"host": "b"}},
        {"title": "CPU busy", "status": "firing", "metadata": {"host": "a"}},
    ]
    assert len({parsing.parse_one("incident-io-alerts", event).fingerprint for event in events}) == 3
    turned = {**events[0], "metadata": {"z": "1", "host": "a"}}
    again = {**events[0], "metadata": {"host": "a", "z": "1"}}
    assert (
        parsing.parse_one("incident-io-alerts", turned).identity
        == parsing.parse_one("incident-io-alerts", again).identity
    )
    with pytest.raises(base.Unparsable):
        parsing.parse_one("incident-io-alerts", {"status": "resolved"})


@pytest.mark.parametrize(
    ("kind", "case", "fields", "severity"),
    [
        ("opsgenie", "create", {"priority": 1}, "P1"),
        ("opsgenie", "create", {"priority": "5"}, "P5"),
        ("opsgenie", "create", {"priority": "P3"}, "P3"),
        ("dynatrace", "open", {"ProblemSeverity": "AVAILABILITY"}, "critical"),
        ("dynatrace", "open", {"ProblemSeverity": "ERROR"}, "major"),
        ("dynatrace", "open", {"ProblemSeverity": "RESOURCE_CONTENTION"}, "minor"),
        ("dynatrace", "open", {"ProblemSeverity": "NEW_ONE"}, "NEW_ONE"),
        ("nagios", "service-unknown", {"service_state": "UNKNOWN"}, "major"),
        ("nagios", "host-unreachable", {"host_state": "UNREACHABLE"}, "major"),
        ("nagios", "service-problem", {"service_state": "WARNING"}, "WARNING"),
    ],
)
def test_each_sender_s_severity_is_mapped(kind, case, fields, severity):
    body = parsing.body(kind, case)
    body = {**body, "alert": {**body["alert"], **fields}} if kind == "opsgenie" else {**body, **fields}
    assert parsing.parse_one(kind, body).severity == severity


@pytest.mark.parametrize("event", ["comment", "commented", "Comment_Added"])
def test_better_stack_comment_makes_no_alert(event):
    body = {**parsing.body("betterstack", "started"), "event": event}
    assert parsing.parse("betterstack", body).alerts == []


def make_bodies(kind: str) -> tuple[dict, dict]:
    """Return a body of the kind, and a body with a lower severity of the same alert."""
    body = parsing.firing(kind)
    if kind == "newrelic":
        return {**body, "priority": "CRITICAL"}, {**body, "priority": "LOW", "trigger": "PRIORITY_CHANGED"}
    if kind == "zabbix":
        update = {"update_action": "changed severity from High to Warning", "event_severity": "Warning"}
        return {**body, "event_severity": "High"}, {**body, **update}
    alert = body["alert"]
    lower = {**alert, "priority": "P4", "oldPriority": "P1"}
    return {**body, "alert": {**alert, "priority": "P1"}}, {"action": "UpdatePriority", "alert": lower}


@pytest.mark.parametrize(
    ("kind", "words"), [("newrelic", "CRITICAL LOW"), ("zabbix", "High Warning"), ("opsgenie", "P1 P4")]
)
def test_changed_severity_keeps_alert_and_start(kind, words):
    before, after = (parsing.parse_one(kind, body) for body in make_bodies(kind))
    assert (before.identity, before.starts_at, before.status) == (after.identity, after.starts_at, after.status)
    assert [before.severity, after.severity] == words.split()


def test_preset_uses_the_zone_of_its_setting():
    body = {**parsing.body("zabbix", "problem"), "event_timestamp": "2026.03.02 13:00:00"}
    alert = parsing.parse_one("zabbix", body, mapping={"starts_at": {"zone": "Europe/Zurich"}})
    assert alert.starts_at == 1_772_452_800_000_000


def test_preset_mapping_may_name_headers_and_query():
    config = registry.KINDS["zabbix"].config(
        auth="none", mapping={"labels": {"site": {"header": "X-Site"}, "environment": {"query": "environment"}}}
    )
    assert config.reads_query
    assert not registry.KINDS["zabbix"].config(auth="none").reads_query
    body = json.dumps(parsing.body("zabbix", "problem")).encode()
    headers = {b"x-site": b"oslo", base.QUERY: b"environment=prod"}
    (alert,) = registry.build("here", config).source.parse(body, headers, parsing.NOW).alerts
    assert (alert.labels["site"], alert.labels["environment"]) == ("oslo", "prod")


@pytest.mark.parametrize(
    ("kind", "found", "name"),
    [
        ("pingdom", {"current_state": "DOWN", "check_id": 1}, "1"),
        ("nagios", {"notification_type": "PROBLEM", "service_desc": "x"}, "service=x"),
        ("icinga", {"incident": {"id": 1, "severity": "crit"}}, "1"),
        ("splunk-observability", {"status": "anomalous", "incidentId": "1"}, "1"),
        ("honeycomb", {"id": "1", "status": "TRIGGERED", "is_test": "no"}, "1"),
        ("devhelm", {"type": "incident.created", "data": {"id": "1", "status": "CONFIRMED"}}, "1"),
    ],
)
def test_untitled_alert_is_named_by_other_fields(kind, found, name):
    parsed = parsing.parse(kind, found)
    assert [alert.title for alert in parsed.alerts] == [name]
    assert [(notice.code, notice.where) for notice in parsed.notices] == [("field_ignored", "title")]
