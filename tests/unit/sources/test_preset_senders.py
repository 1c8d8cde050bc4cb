"""Each preset's own: what belongs together, what does not, and what its sender's words mean."""

import pytest

from router.sources import base, registry
from tests.unit.sources import delivering


@pytest.mark.parametrize(
    ("kind", "found", "where"),
    [
        ("zabbix", {"event_value": "2", "event_id": "1"}, "status"),
        ("uptimerobot", {"alert_type": "4", "monitor_id": "1"}, "status"),
        ("pingdom", {"current_state": "DOWN", "check_id": 1}, "title"),
        ("dynatrace", {"State": "{State}", "ProblemTitle": "x"}, "status"),
        ("opsgenie", {"alert": {"alertId": "1"}}, "status"),
        ("betterstack", {"data": {"id": "1", "attributes": {}}}, "status"),
        ("nagios", {"notification_type": "PROBLEM", "service_desc": "x"}, "title"),
        ("nagios", {"notification_type": "PROBLEMS", "host_name": "x"}, "status"),
        ("icinga", {"incident": {"id": 1, "severity": "purple"}}, "status"),
        ("icinga", {"incident": {"id": 1, "severity": "crit"}}, "title"),
        ("splunk", {"result": {"count": "1"}}, "title"),
        ("splunk-observability", {"status": "odd", "incidentId": "1", "rule": "x"}, "status"),
        ("splunk-observability", {"status": "anomalous", "incidentId": "1"}, "title"),
        ("checkly", {"alert_type": "ALERT_OF_NEXT_YEAR", "check_id": "1", "check_name": "x"}, "status"),
        ("honeycomb", {"id": "1", "status": "TRIGGERED", "is_test": "no"}, "title"),
        ("statuscake", {"Status": "Down"}, "title"),
        ("statuscake", {"STATUS": "Paused", "NAME": "x"}, "status"),
        ("incident-io-alerts", {"status": "acked", "title": "x"}, "status"),
        ("devhelm", {"type": "incident.created", "data": {"id": "1", "title": "x"}}, "status"),
        ("devhelm", {"type": "incident.created", "data": {"id": "1", "status": "CONFIRMED"}}, "title"),
    ],
)
def test_what_another_sender_sends_is_not_taken_for_an_alert(kind, found, where):
    with pytest.raises(base.Unparsable) as caught:
        delivering.parse(kind, found)
    assert caught.value.where == where


@pytest.mark.parametrize("state", ["OK", "up", "Ok"])
def test_what_is_well_in_nagios_has_no_severity(state):
    found = {**delivering.body("nagios", "service-recovery"), "service_state": state}
    assert delivering.one("nagios", found).severity == ""


@pytest.mark.parametrize(
    ("event", "attributes", "at"),
    [
        ("", {"started_at": "2026-03-02T09:00:00Z"}, 1_772_442_000_000_000),
        ("acknowledged", {"started_at": "2026-03-02T09:00:00Z", "acknowledged_at": None}, delivering.NOW),
        ("reopened", {"started_at": "2026-03-02T09:00:00Z", "resolved_at": "2026-03-02T10:00:00Z"}, delivering.NOW),
    ],
)
def test_an_incident_of_better_stack_is_as_old_as_what_happened_to_it(event, attributes, at):
    alert = delivering.one(
        "betterstack", {"event": event, "data": {"id": "1", "attributes": {"name": "x", **attributes}}}
    )
    assert (alert.status, alert.starts_at) == ("firing", at)


def test_what_fires_by_a_clock_that_is_ahead_does_not_end_by_itself():
    ahead = str(delivering.NOW // 1_000_000 + 30)
    alert = delivering.one("nagios", {**delivering.body("nagios", "service-problem"), "timet": ahead})
    assert (alert.starts_at, alert.ends_at) == (delivering.NOW + 30_000_000, 0)


def test_a_certificate_that_ends_is_another_alert_than_a_monitor_that_is_down():
    ends = delivering.one("uptimerobot", delivering.body("uptimerobot", "certificate-ends"))
    down, up = (delivering.one("uptimerobot", delivering.body("uptimerobot", case)) for case in ("down", "up"))
    assert ends.fingerprint != down.fingerprint == up.fingerprint


def test_a_search_of_splunk_is_the_same_alert_with_each_run_and_ends_where_a_row_says_so():
    first, again = (delivering.one("splunk", delivering.body("splunk", case)) for case in ("search", "search-again"))
    assert first.fingerprint == again.fingerprint
    unnamed = {**delivering.body("splunk", "without-a-name"), "sid": "another"}
    assert (
        delivering.one("splunk", unnamed).fingerprint
        == delivering.one("splunk", delivering.body("splunk", "without-a-name")).fingerprint
    )
    began, over = (
        delivering.one("splunk", delivering.body("splunk", case)) for case in ("row-with-a-key", "row-that-is-over")
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
def test_every_type_of_checkly_s_is_known(word, severity, status):
    alert = delivering.one("checkly", {**delivering.body("checkly", "failure"), "alert_type": word})
    assert (alert.severity, alert.status) == (severity, status)


@pytest.mark.parametrize("dimensions", [None, "", [], "host=a"])
def test_a_detector_of_splunk_observability_may_have_no_dimensions(dimensions):
    alert = delivering.one("splunk-observability", {"status": "anomalous", "rule": "r", "dimensions": dimensions})
    assert alert.labels == {"rule": "r"}


@pytest.mark.parametrize("word", ["ok", "OK", "manually resolved", "stopped"])
def test_every_way_of_ending_an_incident_of_splunk_observability_is_known(word):
    found = {**delivering.body("splunk-observability", "anomalous"), "status": word}
    assert delivering.one("splunk-observability", found).status == "resolved"


@pytest.mark.parametrize("case", [str.upper, str.lower, str.title])
def test_fields_of_statuscake_are_read_in_any_case(case):
    found = {case(name): value for name, value in delivering.body("statuscake", "down-with-an-id").items()}
    assert delivering.one("statuscake", found) == delivering.one(
        "statuscake", delivering.body("statuscake", "down-with-an-id")
    )


def test_a_client_of_incident_io_s_is_answered_as_by_incident_io():
    answer = registry.KINDS["incident-io-alerts"].answer
    found = delivering.parse("incident-io-alerts", {"title": "x", "status": "firing", "deduplication_key": "k"})
    assert answer(found, "delivery") == {
        "status": "success",
        "message": "Event accepted for processing",
        "deduplication_key": "k",
    }
    unnamed = delivering.parse("incident-io-alerts", {"title": "x", "status": "firing"})
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
def test_an_incident_of_devhelm_is_found_wherever_it_stands(envelope):
    incident = delivering.body("devhelm", "created")["data"]
    alert = delivering.one("devhelm", envelope(incident))
    assert (alert.fingerprint, alert.status, alert.title) == (incident["id"], "firing", "Tide gauge")


@pytest.mark.parametrize("event", ["monitor.created", "webhook.test", "service.status_changed"])
def test_what_is_about_no_incident_of_devhelm_s_makes_no_alert(event):
    found = delivering.parse("devhelm", {"type": event, "data": {"id": "1", "status": "TRIGGERED", "title": "x"}})
    assert (found.alerts, found.about) == ([], {"no_alert": f"{event} is about no incident"})
